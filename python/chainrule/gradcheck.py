"""Checks gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule import autograd
from chainrule.creation import tensor
from chainrule.tensor import Tensor


def numerical_gradient(f: Callable[[], float], x: np.ndarray, eps: float) -> np.ndarray:
    """df/dx by central differences, for a function of what the memory of x holds."""
    out = np.zeros(x.shape)
    with autograd.no_grad():
        for at in np.ndindex(*x.shape):
            before = x[at]
            x[at] = before + eps
            above = f()
            x[at] = before - eps
            below = f()
            x[at] = before
            out[at] = (above - below) / (2 * eps)
    return out


def gradcheck(
    f, inputs, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception=True
) -> bool:
    """Compares the gradients of f with central differences.

    Args:
        f: gives a Tensor, or a tuple of them, from the inputs; of several those that require grad are checked.
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
    outputs = _tuple(f(*inputs))
    # The outputs that are checked, by their places; without any, grad() says what is wrong.
    places = [k for k, out in enumerate(outputs) if out.requires_grad] or range(len(outputs))
    rng = np.random.default_rng(0)
    weights = [tensor(rng.standard_normal(outputs[k].shape), dtype=outputs[k].dtype) for k in places]
    grads = autograd.grad(
        [outputs[k] for k in places], [inputs[i] for i in checked], weights, allow_unused=True
    )

    def weighted_sum() -> float:
        results = _tuple(f(*inputs))
        pairs = zip(places, weights, strict=True)
        return sum(np.sum(results[k].detach().numpy() * w.numpy()) for k, w in pairs)

    for i, grad in zip(checked, grads, strict=True):
        numerical = numerical_gradient(weighted_sum, inputs[i]._t.numpy(), eps)
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


def _tuple(result) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else tuple(result)
