"""Softmax and log-softmax; their gradients need the output alone."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import record
from chainrule.ops.elementwise import cast

__all__ = [
    "log_softmax",
    "softmax",
]


def softmax(input, dim, dtype=None):
    """exp(x) / Σ exp(x) along dim, computed without overflow.

    Any shape, float32 or float64; `dtype` casts first. A row with NaN or +inf, or of -inf alone, gives NaN.

    Example:
        >>> softmax(tensor([[0.0, 0.0]]), dim=1)
        tensor([[0.5000, 0.5000]])
    """
    if dtype is not None:
        input = cast(input, dtype)
    y = _core.softmax(input, dim)
    return record(y, (input,), softmax_backward, (y,), dim)


def softmax_backward(node, g):
    return _core.softmax_grad(g, node.saved[0], node.params)


def log_softmax(input, dim, dtype=None):
    """x - log Σ exp(x) along dim: log(softmax(x)) with the digits that taking it in two steps would lose."""
    if dtype is not None:
        input = cast(input, dtype)
    y = _core.log_softmax(input, dim)
    return record(y, (input,), log_softmax_backward, (y,), dim)


def log_softmax_backward(node, g):
    return _core.log_softmax_grad(g, node.saved[0], node.params)
