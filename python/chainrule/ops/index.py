"""Reading and writing parts of tensors: x[key] and x[key] = value, selection by masks.

A key is taken apart once, into steps that make a view (ints, slices, None, Ellipsis) and the int64 tensors that
remain (lists, arrays, masks through nonzero); those go to one native call.
"""

from __future__ import annotations

import operator

import numpy as np

from chainrule import _core
from chainrule._part import follow, marks
from chainrule.autograd import _unwrap, record, record_, wrap
from chainrule.ops.view import expand, select_backward, slice_backward

__all__ = [
    "getitem",
    "index_put_",
    "masked_select",
    "nonzero",
    "setitem",
]

_select, _slice, _unsqueeze = _core.select, _core.slice, _core.unsqueeze
_ALL = slice(None)


# ---- keys -------------------------------------------------------------------------------------------------


def getitem(input, key):
    """x[key] as in PyTorch: a view for ints, slices, None and ...; a copy once a tensor, list or mask occurs.

    Slices may have negative steps. Negative indices count from the end; an index out of range is an IndexError.
    """
    native = _unwrap(input)
    kind = type(key)
    if kind is int:
        return record(_select(native, 0, key), (input,), select_backward, params=(native.shape, 0, key))
    if kind is slice and native.ndim:
        shape = native.shape
        where = (0, *key.indices(shape[0]))
        out = record(_slice(native, *where), (input,), slice_backward, params=(shape, *where))
    elif kind is tuple and (basic := _basic(native, key)) is not None:
        view, steps = basic
        out = record(view, (input,), getitem_backward, params=(native.shape, steps))
    else:
        out = _getitem_any(input, native, key)
    return follow(out, input) if marks else out


def _getitem_any(input, native, key):
    steps, dim, indices = _parse(native.shape, key)
    view = _view(native, steps)
    if not indices:
        view = view.alias() if view is native else view
        return record(view, (input,), getitem_backward, params=(native.shape, steps))
    out = _core.index(view, dim, indices)
    return record(out, (input,), index_backward, tuple(indices), (native.shape, steps, dim))


def getitem_backward(node, g):
    shape, steps = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.copy_(_view(out, steps), g)
    return out


def index_backward(node, g):
    shape, steps, dim = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.index_put_(_view(out, steps), dim, list(node.saved), g, True)
    return out


def setitem(input, key, value):
    """x[key] = value, in place; value is cast and broadcast to x[key]."""
    native = _unwrap(input)
    if isinstance(value, (list, tuple, np.ndarray, np.generic)):
        value = type(input)(value, dtype=native.dtype)
    if _is_mask(key) and not hasattr(value, "_t"):
        _fill_where(input, key, value)
        return
    steps, dim, indices = _parse(native.shape, key)
    source = getattr(value, "_t", value)
    meta = (source.shape, source.dtype) if hasattr(value, "_t") else None
    record_(
        input,
        lambda: _write(native, steps, dim, indices, source),
        (input, value),
        setitem_backward,
        lambda: tuple(indices),
        (steps, dim, meta),
    )


def setitem_backward(node, g):
    steps, dim, meta = node.params
    indices = list(node.saved)
    gx = gv = None
    if node.parents[0] is not None:
        gx = _core.clone(g)
        _write(gx, steps, dim, indices, 0.0)
    if node.parents[1] is not None:
        part = _view(g, steps)
        gv = _core.sum_to(_core.index(part, dim, indices) if indices else part, *meta)
    return gx, gv


def _write(native, steps, dim, indices, source):
    target = _view(native, steps)
    if not isinstance(source, _core.Tensor):
        if not indices:
            return _core.fill_(target, source)
        source = _core.full((), source, native.dtype)
    elif not indices:
        # Leading dimensions of size 1 are more than the target has, but do no harm.
        while source.ndim > target.ndim and source.shape[0] == 1:
            source = _select(source, 0, 0)
        return _core.copy_(target, source)
    _core.index_put_(target, dim, indices, source, False)
    return None


def _is_mask(key):
    return hasattr(key, "_t") and key._t.dtype is _core.bool


def _fill_where(x, mask, value):
    """x[mask] = number without looking up positions, which a recording could not replay."""
    m = mask._t
    _check_mask(m.shape, x._t.shape, 0)
    m = _core.reshape(m, m.shape + (1,) * (x._t.ndim - m.ndim))
    record_(
        x,
        lambda: _core.copy_(x, _core.where(m, value, x._t)),
        (x,),
        masked_fill_backward,
        lambda: (m,),
    )


def masked_fill_backward(node, g):
    return _core.where(node.saved[0], 0.0, g)


def _basic(native, key):
    """(view, steps) for a tuple of ints, slices and None; None for any other key, or one too long."""
    steps, dim, view, rest = [], 0, native, native.ndim
    for item in key:
        kind = type(item)
        if item is not None:
            rest -= 1
            if rest < 0:
                return None
        if kind is int:
            step = (_select, dim, item)
        elif kind is slice:
            dim += 1
            if item == _ALL:
                continue
            step = (_slice, dim - 1, *item.indices(view.shape[dim - 1]))
        elif item is None:
            step = (_unsqueeze, dim)
            dim += 1
        else:
            return None
        try:
            view = step[0](view, *step[1:])
        except IndexError:
            _parse(native.shape, key)  # says it in terms of x
            raise
        steps.append(step)
    return (view, steps) if steps else None


def _view(native, steps):
    for step, *arguments in steps:
        native = step(native, *arguments)
    return native


def _parse(shape, key):
    """(steps, dim, indices): the view to take, and the index tensors for its dimensions from dim on."""
    items = list(key) if isinstance(key, tuple) else [key]
    items = [_index_tensor(item) for item in items]
    used = sum(_dimensions(item) for item in items)
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if used > len(shape) or len(dots) > 1:
        rule = "only one ... is allowed" if len(dots) > 1 else "too many indices"
        raise IndexError(f"index: {rule}: {used} for a tensor of shape {list(shape)}")
    if dots:
        items[dots[0] : dots[0] + 1] = [_ALL] * (len(shape) - used)
    sizes = list(shape)  # of the view so far
    steps, tensors, dim, own = [], [], 0, 0  # dim: a dimension of the view, own: one of x
    for item in items:
        width = _dimensions(item)
        if isinstance(item, int):
            if not -sizes[dim] <= item < sizes[dim]:
                raise IndexError(
                    f"index {item} is out of range for dimension {own} of size {sizes[dim]} (shape {list(shape)})"
                )
            steps.append((_select, dim, item))
            del sizes[dim]
        elif isinstance(item, slice):
            if item != _ALL:
                start, stop, step = item.indices(sizes[dim])
                steps.append((_slice, dim, start, stop, step))
                sizes[dim] = len(range(start, stop, step))
            dim += 1
        elif item is None:
            steps.append((_unsqueeze, dim))
            sizes.insert(dim, 1)
            dim += 1
        elif item.dtype is _core.bool:
            if item.ndim == 0:  # x[True]: a dimension of size 1, or 0
                steps.append((_unsqueeze, dim))
                sizes.insert(dim, 1)
                item = _core.reshape(item, (1,))
            _check_mask(item.shape, sizes, dim)
            found = _core.nonzero(item)
            for d in range(item.ndim):
                tensors.append((dim, _select(found, 0, d)))
                dim += 1
        else:
            tensors.append((dim, item))
            dim += 1
        own += width
    if not tensors:
        return steps, 0, []
    return _bring_together(steps, tensors, len(sizes))


def _bring_together(steps, tensors, rank):
    dims = [d for d, _ in tensors]
    indices = [index for _, index in tensors]
    if dims == list(range(dims[0], dims[0] + len(dims))):
        return steps, dims[0], indices
    # Indices with a slice between them: their dimensions come first in the result.
    order = dims + [d for d in range(rank) if d not in dims]
    return [*steps, (_core.permute, order)], 0, indices


def _dimensions(item):
    """How many of x's dimensions a part of a key stands for."""
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, _core.Tensor) and item.dtype is _core.bool:
        return item.ndim
    return 1


def _index_tensor(item):
    """Ints, slices, None and ... as they are; everything else as a native int64 or bool tensor."""
    if item is None or item is Ellipsis or type(item) is int:
        return item
    if isinstance(item, slice):
        return item
    if isinstance(item, (bool, np.bool_)):
        return _core.full((), bool(item), _core.bool)
    if hasattr(item, "_t"):
        native = item._t
    elif isinstance(item, (list, tuple, range, np.ndarray)):
        array = np.asarray(item)
        if array.size == 0 and not isinstance(item, np.ndarray):
            array = array.astype(np.int64)
        if array.dtype.kind in "iu" and array.dtype != np.uint8:
            array = array.astype(np.int64)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"index: expects ints, slices, None, ..., int64 tensors and masks, got {item!r}")
        native = _core.copy_numpy(array)
    elif hasattr(item, "__index__"):
        return operator.index(item)
    else:
        raise TypeError(
            f"index: expects ints, slices, None, ..., int64 tensors and masks, got {type(item).__name__}"
        )
    if native.dtype is not _core.int64 and native.dtype is not _core.bool:
        hint = "; use .bool() for a mask" if native.dtype is _core.uint8 else ""
        raise TypeError(f"index: tensors must be int64, or bool as a mask, got {native.dtype.name}{hint}")
    return native


def _check_mask(mask, shape, dim):
    if tuple(shape[dim : dim + len(mask)]) != tuple(mask):
        raise IndexError(
            f"index: a mask of shape {list(mask)} does not fit dimensions {dim} to {dim + len(mask) - 1} of "
            f"shape {list(shape)}"
        )


# ---- adding at positions, masks ------------------------------------------------------------


def index_put_(x, indices, values, accumulate=False):
    """x[indices] = values, or += with every repetition counting; indices: a tuple of tensors."""
    if not accumulate:
        setitem(x, tuple(indices), values)
        return x
    native, source = _unwrap(x), _unwrap(values)
    steps, dim, found = _parse(native.shape, tuple(indices))
    meta = (source.shape, source.dtype)
    return record_(
        x,
        lambda: _core.index_put_(_view(native, steps), dim, found, source, True),
        (x, values),
        index_put_backward,
        lambda: tuple(found),
        (steps, dim, meta),
    )


def index_put_backward(node, g):
    steps, dim, meta = node.params
    if node.parents[1] is None:
        return g, None
    return g, _core.sum_to(_core.index(_view(g, steps), dim, list(node.saved)), *meta)


def masked_select(input, mask):
    """The elements of x where mask is True, as one row; the two broadcast against each other."""
    shapes = _unwrap(input).shape, _unwrap(mask).shape
    common = np.broadcast_shapes(*shapes)
    input, mask = (
        x if shape == common else expand(x, common) for x, shape in zip((input, mask), shapes, strict=True)
    )
    return getitem(input, mask)


def nonzero(input, as_tuple=False):
    """The coordinates of nonzero elements in row-major order: (found, rank), or one row per dimension."""
    found = _core.nonzero(input)
    if as_tuple:
        return tuple(wrap(_select(found, 0, d)) for d in range(input.ndim))
    return wrap(_core.contiguous(_core.transpose(found, 0, 1)))
