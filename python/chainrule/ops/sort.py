"""Sorting, the k best, distinct values. Sorting is stable; NaN is the largest value."""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule import _core
from chainrule.autograd import record, wrap

__all__ = [
    "argsort",
    "sort",
    "topk",
    "unique",
]


class Sorted(NamedTuple):
    """Values, and where each was along dim."""

    values: Any
    indices: Any


def sort(input, dim=-1, descending=False, stable=False):
    """The values along dim in order, and where they came from: (values, indices). Always stable.

    Example:
        >>> sort(tensor([3.0, 1.0, 2.0])).indices
        tensor([1, 2, 0])
    """
    return _record(_core.sort(input, dim, descending), input, dim)


def argsort(input, dim=-1, descending=False, stable=False):
    """The positions along dim that put x in order."""
    return wrap(_core.sort(input, dim, descending)[1])


def topk(input, k, dim=-1, largest=True, sorted=True):
    """The k largest (or smallest) along dim, best first whatever `sorted` says: (values, indices)."""
    return _record(_core.topk(input, k, dim, largest), input, dim)


def _record(found, x, dim):
    values, indices = found
    out = record(values, (x,), sort_backward, (indices,), (x._t.shape, dim))
    return Sorted(out, wrap(indices))


def sort_backward(node, g):
    shape, dim = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.scatter_(out, dim, node.saved[0], g, False)
    return out


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct values in ascending order whatever `sorted` says; each NaN is one of its own.

    Only elements are compared: `dim` must be None.

    Returns:
        values, or a tuple with `inverse` (shaped as x, which value each element is) and `counts` as asked for.
    """
    if dim is not None:
        raise ValueError(
            f"unique: dim must be None, got {dim}; numpy.unique(x.detach().numpy(), axis=dim) compares slices"
        )
    values, inverse, counts = (wrap(t) for t in _core.unique(input))
    if not return_inverse and not return_counts:
        return values
    return (values,) + (inverse,) * return_inverse + (counts,) * return_counts
