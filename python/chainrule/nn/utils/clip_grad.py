"""Gradients of many parameters at once: their norm, and clipping. The names are those of ``torch.nn.utils``."""

from __future__ import annotations

import math
from collections.abc import Iterable

from chainrule._validate import not_recording
from chainrule.creation import zeros
from chainrule.grad_mode import no_grad
from chainrule.ops import clamp, isfinite, stack
from chainrule.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


@no_grad()
def get_total_norm(
    tensors: Iterable[Tensor] | Tensor,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all the numbers in `tensors` as one vector: the norm of their norms.

    `norm_type` is a number, ``inf`` for the largest absolute value. No tensors have norm 0. `foreach` is
    accepted.

    Raises RuntimeError for a norm that is infinite or NaN, if `error_if_nonfinite`.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not tensors:
        return zeros(())
    norm = stack([t.norm(norm_type) for t in tensors]).norm(norm_type)
    if error_if_nonfinite:
        not_recording("clip_grad_norm_(error_if_nonfinite=True)")
        if not isfinite(norm).item():
            raise RuntimeError(
                f"clip_grad_norm_: the norm of order {norm_type} of all gradients is {norm.item()}"
            )
    return norm


@no_grad()
def clip_grads_with_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Multiplies every gradient by max_norm / (total_norm + 1e-6), or leaves them if that is above 1."""
    _at_least_zero("clip_grads_with_norm_", "max_norm", max_norm)
    factor = clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
    for gradient in _gradients(parameters):
        gradient.mul_(factor)


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales the gradients of `parameters` so that their norm, all taken as one vector, is at most `max_norm`.

    The factor is min(1, max_norm / (norm + 1e-6)), as in PyTorch (Pascanu, Mikolov and Bengio, 2013).
    Parameters without a gradient are left out. Between ``backward()`` and ``step()``; may be captured.

    Returns the norm before, a tensor with one number.

    Raises ValueError for a negative `max_norm`; RuntimeError, before anything is scaled, for a norm that is
    infinite or NaN if `error_if_nonfinite`.

    Example::

        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
    """
    _at_least_zero("clip_grad_norm_", "max_norm", max_norm)
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    norm = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, norm)
    return norm


@no_grad()
def clip_grad_value_(
    parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None
) -> None:
    """Limits every number in the gradients of `parameters` to [-clip_value, clip_value].

    Raises ValueError for a negative `clip_value`.
    """
    _at_least_zero("clip_grad_value_", "clip_value", clip_value)
    for gradient in _gradients(parameters):
        gradient.clamp_(-float(clip_value), float(clip_value))


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def _at_least_zero(op: str, name: str, value: float) -> None:
    if math.isnan(value) or value < 0:
        raise ValueError(f"{op}: {name} must be at least 0, got {value}")
