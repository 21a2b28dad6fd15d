"""Views and rearrangements: the same values in another shape, and the copies that join tensors."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import record


def _sizes(shape):
    """Accepts f(x, 2, 3) as well as f(x, (2, 3))."""
    if len(shape) == 1 and not isinstance(shape[0], int):
        return tuple(shape[0])
    return tuple(shape)


def reshape(x, *shape):
    """x in another shape with as many elements; one size may be -1. A view where possible, else a copy.

    Example:
        >>> reshape(arange(6), 2, -1).shape
        (2, 3)
    """
    return record(_core.reshape(x._t, _sizes(shape)), (x,), reshape_backward, params=x._t.shape)


def view(x, *shape):
    """reshape that never copies: ValueError where the strides don't allow a view."""
    return record(_core.view(x._t, _sizes(shape)), (x,), reshape_backward, params=x._t.shape)


def reshape_backward(node, g):
    return _core.reshape(g, node.params)


def view_as(x, other):
    """x in the shape of other."""
    return view(x, other._t.shape)


def reshape_as(x, other):
    """x in the shape of other, copied where needed."""
    return reshape(x, other._t.shape)


def flatten(x, start_dim=0, end_dim=-1):
    """Dimensions start_dim to end_dim as one.

    Example:
        >>> flatten(zeros(8, 16, 7, 7), 1).shape
        (8, 784)
    """
    shape = x._t.shape
    rank = max(len(shape), 1)
    start, end = _wrap(start_dim, rank, "flatten"), _wrap(end_dim, rank, "flatten")
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim} (x: {list(shape)})")
    size = 1
    for d in shape[start : end + 1]:
        size *= d
    return reshape(x, (*shape[:start], size, *shape[end + 1 :]))


def unflatten(x, dim, sizes):
    """Dimension dim split into sizes, one of which may be -1."""
    shape = x._t.shape
    d = _wrap(dim, len(shape), "unflatten")
    sizes = list(sizes)
    if sizes.count(-1) == 1:
        known = 1
        for size in sizes:
            known *= size if size != -1 else 1
        if known == 0 or shape[d] % known:
            raise ValueError(f"unflatten: sizes {sizes} do not divide dimension {d} of {list(shape)}")
        sizes[sizes.index(-1)] = shape[d] // known
    return reshape(x, (*shape[:d], *sizes, *shape[d + 1 :]))


def _wrap(dim, rank, name):
    if not -rank <= dim < rank:
        raise IndexError(f"{name}: dim {dim} is out of range for a tensor of rank {rank}")
    return dim % rank


def squeeze(x, dim=None):
    """Drops dimension dim (or each of several) where its size is 1; without dim all such dimensions."""
    if isinstance(dim, (tuple, list)):
        for d in sorted((_wrap(d, max(x._t.ndim, 1), "squeeze") for d in dim), reverse=True):
            x = squeeze(x, d)
        return x
    native = _core.squeeze(x._t) if dim is None else _core.squeeze(x._t, dim)
    return record(native, (x,), reshape_backward, params=x._t.shape)


def unsqueeze(x, dim):
    """A new dimension of size 1 at dim."""
    return record(_core.unsqueeze(x._t, dim), (x,), reshape_backward, params=x._t.shape)


def transpose(x, dim0, dim1):
    """x with two dimensions exchanged."""
    return record(_core.transpose(x._t, dim0, dim1), (x,), transpose_backward, params=(dim0, dim1))


def transpose_backward(node, g):
    return _core.transpose(g, *node.params)


def t(x):
    """The transpose of a matrix; vectors stay as they are."""
    if x._t.ndim > 2:
        raise ValueError(f"t: expects at most two dimensions, x has shape {list(x._t.shape)}; use permute()")
    return x if x._t.ndim < 2 else transpose(x, 0, 1)


def permute(x, *dims):
    """x with its dimensions in another order."""
    dims = _sizes(dims)
    return record(_core.permute(x._t, dims), (x,), permute_backward, params=dims)


def permute_backward(node, g):
    rank = len(node.params)
    back = [0] * rank
    for i, d in enumerate(node.params):
        back[d % rank] = i
    return _core.permute(g, back)


def movedim(x, source, destination):
    """x with dimension source moved to destination."""
    rank = x._t.ndim
    order = list(range(rank))
    order.insert(_wrap(destination, rank, "movedim"), order.pop(_wrap(source, rank, "movedim")))
    return permute(x, order)


def expand(x, *shape):
    """x repeated along dimensions of size 1, without a copy; -1 keeps a size."""
    native = _core.expand(x._t, _sizes(shape))
    return record(native, (x,), expand_backward, params=(x._t.shape, x._t.dtype))


def expand_backward(node, g):
    return _core.sum_to(g, *node.params)


def expand_as(x, other):
    """x expanded to the shape of other."""
    return expand(x, other._t.shape)


def broadcast_to(x, shape):
    """x expanded to shape."""
    return expand(x, shape)


def repeat(x, *sizes):
    """x tiled sizes[d] times along every dimension d, as a copy."""
    sizes = _sizes(sizes)
    lead = len(sizes) - x._t.ndim
    if lead < 0 or any(s < 0 for s in sizes):
        raise ValueError(
            f"repeat: {list(sizes)} must give a count >= 0 for every dimension of {list(x._t.shape)}"
        )
    shape = (1,) * lead + x._t.shape
    interleaved = [n for pair in zip((1,) * len(sizes), shape, strict=True) for n in pair]
    tiled = [n for pair in zip(sizes, shape, strict=True) for n in pair]
    return reshape(expand(reshape(x, interleaved), tiled), [a * b for a, b in zip(sizes, shape, strict=True)])


def select(x, dim, index):
    """x at one index of dimension dim, which disappears."""
    return record(_core.select(x._t, dim, index), (x,), select_backward, params=(x._t.shape, dim, index))


def select_backward(node, g):
    shape, dim, index = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.copy_(_core.select(out, dim, index), g)
    return out


def narrow(x, dim, start, length):
    """x from start on for length indices of dimension dim."""
    size = x._t.shape[dim]
    begin = start + size if start < 0 else start
    if not 0 <= begin <= begin + length <= size:
        raise IndexError(f"narrow: start {start} and length {length} leave dimension {dim} of size {size}")
    return slice_dim(x, dim, begin, begin + length, 1)


def slice_dim(x, dim, start, stop, step):
    """x[start:stop:step] along one dimension, bounds as slice.indices() gives them."""
    native = _core.slice(x._t, dim, start, stop, step)
    return record(native, (x,), slice_backward, params=(x._t.shape, dim, start, stop, step))


def slice_backward(node, g):
    shape, *where = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.copy_(_core.slice(out, *where), g)
    return out


def split(x, split_size_or_sections, dim=0):
    """x cut along dim into parts of one size (the last may be smaller) or of the sizes listed."""
    size = x._t.shape[_wrap(dim, max(x._t.ndim, 1), "split")] if x._t.ndim else 0
    sections = split_size_or_sections
    if isinstance(sections, int):
        if sections <= 0:
            raise ValueError(f"split: the size of a part must be positive, got {sections}")
        sections = [min(sections, size - at) for at in range(0, size, sections)] or [0]
    elif sum(sections) != size or any(s < 0 for s in sections):
        raise ValueError(
            f"split: sections {list(sections)} must add up to {size} (x: {list(x._t.shape)}, dim {dim})"
        )
    parts, at = [], 0
    for s in sections:
        parts.append(slice_dim(x, dim, at, at + s, 1))
        at += s
    return tuple(parts)


def chunk(x, chunks, dim=0):
    """x cut along dim into that many parts of about one size."""
    if chunks <= 0:
        raise ValueError(f"chunk: the number of chunks must be positive, got {chunks}")
    size = x._t.shape[_wrap(dim, max(x._t.ndim, 1), "chunk")]
    return split(x, max(1, -(-size // chunks)), dim)


def unbind(x, dim=0):
    """A tuple of x at every index of dim."""
    return tuple(select(x, dim, i) for i in range(x._t.shape[_wrap(dim, max(x._t.ndim, 1), "unbind")]))


def cat(tensors, dim=0):
    """Tensors one behind the other along dim; all other sizes are equal.

    Example:
        >>> cat([ones(2, 3), zeros(1, 3)]).shape
        (3, 3)
    """
    tensors = tuple(tensors)
    natives = [x._t for x in tensors]
    out = _core.cat(natives, dim)
    return record(out, tensors, cat_backward, params=(dim, [(n.shape[dim], n.dtype) for n in natives]))


def cat_backward(node, g):
    dim, parts = node.params
    grads, at = [], 0
    for size, dtype in parts:
        part = _core.slice(g, dim, at, at + size, 1)
        grads.append(part if g.dtype is dtype else _core.cast(part, dtype))
        at += size
    return tuple(grads)


concat = cat


def stack(tensors, dim=0):
    """Tensors of one shape along a new dimension."""
    tensors = tuple(tensors)
    shapes = {x._t.shape for x in tensors}
    if len(shapes) > 1:
        raise ValueError(f"stack: expects tensors of one shape, got {sorted(list(s) for s in shapes)}")
    return cat([unsqueeze(x, dim) for x in tensors], dim)


def flip(x, *dims):
    """x with the order of its elements reversed along dims, as a copy."""
    dims = _sizes(dims)
    return record(_core.flip(x._t, dims), (x,), flip_backward, params=dims)


def flip_backward(node, g):
    return _core.flip(g, node.params)


def pad(x, pad, mode="constant", value=0.0):
    """x with `pad` = (before, after) elements, from the last dimension backwards, filled with value.

    Negative numbers crop. Only mode 'constant' is offered.
    """
    if mode != "constant":
        raise ValueError(f"pad: only mode='constant' is supported, got {mode!r}")
    padding = tuple(pad)
    return record(
        _core.pad(x._t, padding, 0.0 if value is None else value), (x,), pad_backward, params=padding
    )


def pad_backward(node, g):
    return _core.pad(g, [-p for p in node.params], 0.0)
