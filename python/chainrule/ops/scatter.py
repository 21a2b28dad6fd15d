"""Reading and writing along one dimension: gather, scatter, index_select, index_add.

Positions are int64 tensors; negative ones count from the end. Sums go in the order of the index, so the bits are
the same for any number of threads.
"""

from __future__ import annotations

import numpy as np

from chainrule import _core
from chainrule._part import follow, marks
from chainrule.autograd import _unwrap, record, record_
from chainrule.ops.elementwise import clone
from chainrule.ops.index import getitem, index_backward
from chainrule.ops.view import expand, reshape

__all__ = [
    "gather",
    "index_add",
    "index_copy",
    "index_select",
    "scatter",
    "scatter_",
    "scatter_add",
    "scatter_add_",
    "take",
    "take_along_dim",
]


# ---- gather and scatter -----------------------------------------------------------------------------------


def gather(input, dim, index):
    """out[i][j][k] = x[i][index[i][j][k]][k], for dim = 1.

    index: int64 with as many dimensions as x, nowhere larger than x except along dim.
    """
    native = _core.gather(input, dim, index)
    return record(native, (input,), gather_backward, (index._t,), (input._t.shape, dim))


def gather_backward(node, g):
    shape, dim = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.scatter_(out, dim, node.saved[0], g, True)
    return out


def take(input, index):
    """Elements of x, seen as one row, at the positions in index; shaped as index."""
    return getitem(reshape(input, -1), index)


def take_along_dim(input, indices, dim=None):
    """gather, with x and indices broadcast against each other outside dim; without dim both are one row."""
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    shapes = _unwrap(input).shape, _unwrap(indices).shape
    if len(shapes[0]) != len(shapes[1]):
        raise ValueError(
            "take_along_dim: input and indices must have as many dimensions "
            f"(input: {list(shapes[0])}, indices: {list(shapes[1])})"
        )
    d = _wrap("take_along_dim", dim, len(shapes[0]))
    common = np.broadcast_shapes(*((*shape[:d], 1, *shape[d + 1 :]) for shape in shapes))

    def widen(t):
        return expand(t, (*common[:d], t.shape[d], *common[d + 1 :]))

    return gather(widen(input), d, widen(indices))


def scatter(input, dim, index, src, *, reduce=None):
    """A copy of x with out[i][index[i][j][k]][k] = src[i][j][k], for dim = 1.

    src: a number, or a tensor nowhere smaller than index. Where indices repeat the last one counts, and each
    gets that place's gradient. reduce="add" is scatter_add.
    """
    return scatter_(clone(input), dim, index, src, reduce=reduce)


def scatter_(x, dim, index, src, *, reduce=None):
    """scatter in place."""
    if reduce not in (None, "add"):
        raise ValueError(f"scatter: reduce must be None or 'add', got {reduce!r}")
    if reduce == "add":
        return scatter_add_(x, dim, index, src)
    return _scatter(x, dim, index, src, False, scatter_backward)


def scatter_backward(node, g):
    dim, meta = node.params
    index = node.saved[0]
    gx = gs = None
    if node.parents[0] is not None:
        gx = _core.clone(g)
        _core.scatter_(gx, dim, index, _core.full((), 0.0, g.dtype), False)
    if node.parents[3] is not None:
        gs = _source_grad(g, dim, index, meta)
    return gx, None, None, gs


def scatter_add(input, dim, index, src):
    """A copy of x with out[i][index[i][j][k]][k] += src[i][j][k], for dim = 1, added in index order."""
    return scatter_add_(clone(input), dim, index, src)


def scatter_add_(x, dim, index, src):
    """scatter_add in place."""
    return _scatter(x, dim, index, src, True, scatter_add_backward)


def scatter_add_backward(node, g):
    dim, meta = node.params
    gs = _source_grad(g, dim, node.saved[0], meta) if node.parents[3] is not None else None
    return g, None, None, gs


def _scatter(x, dim, index, src, add, rule):
    native, t = _unwrap(x), _unwrap(index)
    source = src._t if hasattr(src, "_t") else _core.full((), src, native.dtype)
    if source.ndim == 0 and native.ndim > 0 and hasattr(src, "_t"):
        raise ValueError(f"scatter: src must have the dimensions of index {list(t.shape)}, or be a number")
    meta = (source.shape, source.dtype)
    if source.dtype is not native.dtype:
        raise TypeError(f"scatter: src must be {native.dtype.name} as the tensor, got {source.dtype.name}")
    return record_(
        x,
        lambda: _core.scatter_(native, dim, t, source, add),
        (x, None, None, src),
        rule,
        lambda: (t,),
        (dim, meta),
    )


def _source_grad(g, dim, index, meta):
    part = _core.gather(g, dim, index)
    shape, dtype = meta
    if shape == part.shape:
        return part
    out = _core.full(shape, 0.0, dtype)
    inside = out
    for d, size in enumerate(part.shape):
        inside = _core.slice(inside, d, 0, size, 1)
    _core.copy_(inside, part)
    return out


# ---- along one dimension ----------------------------------------------------------------------------------


def index_select(input, dim, index):
    """x at the positions in index (int64, one dimension) along dim."""
    x = _unwrap(input)
    d, t = _positions("index_select", x, dim, index)
    out = record(_core.index(x, d, [t]), (input,), index_backward, (t,), (x.shape, (), d))
    return follow(out, input) if marks else out


def index_add(input, dim, index, source, *, alpha=1):
    """A copy of x with x[..., index[i], ...] += alpha · source[..., i, ...], added in index order."""
    source = source if alpha == 1 else source * alpha
    return _index_write("index_add", input, dim, index, source, True, index_add_backward)


def index_add_backward(node, g):
    gs = _core.index(g, node.params, list(node.saved)) if node.parents[1] is not None else None
    return g, gs


def index_copy(input, dim, index, source):
    """A copy of x with x[..., index[i], ...] = source[..., i, ...]."""
    return _index_write("index_copy", input, dim, index, source, False, index_copy_backward)


def index_copy_backward(node, g):
    indices = list(node.saved)
    gx = _core.clone(g)
    _core.index_put_(gx, node.params, indices, _core.full((), 0.0, g.dtype), False)
    gs = _core.index(g, node.params, indices) if node.parents[1] is not None else None
    return gx, gs


def _index_write(op, input, dim, index, source, add, rule):
    x, values = _unwrap(input), _unwrap(source)
    d, t = _positions(op, x, dim, index)
    wanted = (*x.shape[:d], t.numel(), *x.shape[d + 1 :])
    if values.shape != wanted or values.dtype is not x.dtype:
        raise ValueError(
            f"{op}: source must be {x.dtype.name} of shape {list(wanted)}, got {values.dtype.name} of "
            f"{list(values.shape)}"
        )
    out = _core.clone(x)
    _core.index_put_(out, d, [t], values, add)
    return record(out, (input, source), rule, (t,), d)


def _positions(op, x, dim, index):
    t = _unwrap(index)
    if t.ndim > 1:
        raise ValueError(f"{op}: index must have one dimension, got shape {list(t.shape)}")
    return _wrap(op, dim, x.ndim), _core.reshape(t, (t.numel(),))


def _wrap(op, dim, rank):
    if not -rank <= dim < rank:
        raise IndexError(f"{op}: dim {dim} is out of range for a tensor of rank {rank}")
    return dim % rank
