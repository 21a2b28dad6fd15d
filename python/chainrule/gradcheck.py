"""Checks gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule import autograd
from chainrule.creation import from_numpy
from chainrule.tensor import Tensor


def numerical_gradient(f: Callable[..., Tensor], inputs: Sequence[Tensor], i: int, weights, eps: float):
    """d/dx of sum(weights · f(inputs)) for inputs[i], by central differences."""
    x = inputs[i]._t.numpy()
    out = np.zeros(x.shape)
    with autograd.no_grad():
        for at in np.ndindex(*x.shape):
            before = x[at]
            x[at] = before + eps
            above = np.sum(f(*inputs).numpy() * weights)
            x[at] = before - eps
            below = np.sum(f(*inputs).numpy() * weights)
            x[at] = before
            out[at] = (above - below) / (2 * eps)
    return out


def gradcheck(
    f, inputs, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception=True
) -> bool:
    """Compares the gradients of f with central differences.

    Args:
        f: gives one Tensor from the inputs.
        inputs: a Tensor or several, float64; those that require grad are checked.

    Raises:
        RuntimeError: a gradient differs by more than atol + rtol · |numerical| (or returns False with
            raise_exception=False).
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck: no input requires grad")
    for i in checked:
        if inputs[i].dtype.name != "float64":
            raise ValueError(f"gradcheck: input {i} must be float64, got {inputs[i].dtype.name}")
    out = f(*inputs)
    weights = np.random.default_rng(0).standard_normal(out.shape)
    grads = autograd.grad(
        out, [inputs[i] for i in checked], from_numpy(np.asarray(weights)), allow_unused=True
    )
    for i, grad in zip(checked, grads, strict=True):
        numerical = numerical_gradient(f, inputs, i, weights, eps)
        analytical = np.zeros(inputs[i].shape) if grad is None else grad.numpy()
        error = np.abs(analytical - numerical)
        if not np.all(error <= atol + rtol * np.abs(numerical)):
            if not raise_exception:
                return False
            at = np.unravel_index(np.nanargmax(np.where(np.isnan(error), np.inf, error)), error.shape)
            raise RuntimeError(
                f"gradcheck: the gradient of input {i} at {tuple(map(int, at))} is {analytical[at]}, "
                f"finite differences give {numerical[at]}"
            )
    return True
