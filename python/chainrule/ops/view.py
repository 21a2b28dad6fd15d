"""Views and rearrangements: the same values in another shape, and the copies that join tensors."""

from __future__ import annotations

from chainrule import _core
from chainrule._part import follow, join, marks
from chainrule.autograd import _unwrap, record


def _sizes(shape, keyword=None):
    """Accepts f(x, 2, 3) as well as f(x, (2, 3)) and the same by keyword."""
    if keyword is not None:
        shape = (*shape, keyword)
    if len(shape) == 1 and not isinstance(shape[0], int) and hasattr(shape[0], "__iter__"):
        return tuple(shape[0])
    return shape


def reshape(input, *sizes, shape=None):
    """x in another shape with as many elements; one size may be -1. A view where possible, else a copy.

    Example:
        >>> reshape(arange(6), 2, -1).shape
        (2, 3)
    """
    native = _core.reshape(input, _sizes(sizes, shape))
    out = record(native, (input,), reshape_backward, params=input._t.shape)
    return follow(out, input) if marks else out


def view(input, *shape):
    """reshape that never copies: ValueError where the strides don't allow a view."""
    out = record(_core.view(input, _sizes(shape)), (input,), reshape_backward, params=input._t.shape)
    return follow(out, input) if marks else out


def reshape_backward(node, g):
    return _core.reshape(g, node.params)


def view_as(input, other):
    """x in the shape of other."""
    return view(input, _unwrap(other).shape)


def reshape_as(input, other):
    """x in the shape of other, copied where needed."""
    return reshape(input, _unwrap(other).shape)


def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions start_dim to end_dim as one.

    Example:
        >>> flatten(zeros(8, 16, 7, 7), 1).shape
        (8, 784)
    """
    shape = _unwrap(input).shape
    rank = max(len(shape), 1)
    start, end = _wrap(start_dim, rank, "flatten"), _wrap(end_dim, rank, "flatten")
    if start > end:
        raise ValueError(
            f"flatten: start_dim {start_dim} comes after end_dim {end_dim} (input: {list(shape)})"
        )
    size = 1
    for d in shape[start : end + 1]:
        size *= d
    return reshape(input, (*shape[:start], size, *shape[end + 1 :]))


def unflatten(input, dim, sizes):
    """Dimension dim split into sizes, one of which may be -1."""
    shape = _unwrap(input).shape
    d = _wrap(dim, len(shape), "unflatten")
    sizes = list(sizes)
    if sizes.count(-1) == 1:
        known = 1
        for size in sizes:
            known *= size if size != -1 else 1
        if known == 0 or shape[d] % known:
            raise ValueError(f"unflatten: sizes {sizes} do not divide dimension {d} of {list(shape)}")
        sizes[sizes.index(-1)] = shape[d] // known
    return reshape(input, (*shape[:d], *sizes, *shape[d + 1 :]))


def _wrap(dim, rank, name):
    if not -rank <= dim < rank:
        raise IndexError(f"{name}: dim {dim} is out of range for a tensor of rank {rank}")
    return dim % rank


def squeeze(input, dim=None):
    """Drops dimension dim (or each of several) where its size is 1; without dim all such dimensions."""
    if isinstance(dim, (tuple, list)):
        rank = max(_unwrap(input).ndim, 1)
        for d in sorted((_wrap(d, rank, "squeeze") for d in dim), reverse=True):
            input = squeeze(input, d)
        return input
    native = _core.squeeze(input) if dim is None else _core.squeeze(input, dim)
    out = record(native, (input,), reshape_backward, params=input._t.shape)
    return follow(out, input) if marks else out


def unsqueeze(input, dim):
    """A new dimension of size 1 at dim."""
    out = record(_core.unsqueeze(input, dim), (input,), reshape_backward, params=input._t.shape)
    return follow(out, input) if marks else out


def transpose(input, dim0, dim1):
    """x with two dimensions exchanged."""
    out = record(_core.transpose(input, dim0, dim1), (input,), transpose_backward, params=(dim0, dim1))
    return follow(out, input) if marks else out


def transpose_backward(node, g):
    return _core.transpose(g, *node.params)


def t(input):
    """The transpose of a matrix; vectors stay as they are."""
    shape = _unwrap(input).shape
    if len(shape) > 2:
        raise ValueError(f"t: expects at most two dimensions, input has shape {list(shape)}; use permute()")
    return input if len(shape) < 2 else transpose(input, 0, 1)


def permute(input, *order, dims=None):
    """x with its dimensions in another order."""
    dims = _sizes(order, dims)
    out = record(_core.permute(input, dims), (input,), permute_backward, params=dims)
    return follow(out, input) if marks else out


def permute_backward(node, g):
    rank = len(node.params)
    back = [0] * rank
    for i, d in enumerate(node.params):
        back[d % rank] = i
    return _core.permute(g, back)


def movedim(input, source, destination):
    """x with dimension source moved to destination, or with several of each; the others keep their order.

    Example:
        >>> movedim(zeros(2, 3, 4), (0, 1), (-1, 0)).shape
        (3, 4, 2)
    """
    rank = _unwrap(input).ndim
    source, destination = (
        [_wrap(d, rank, "movedim") for d in (dims if isinstance(dims, (tuple, list)) else (dims,))]
        for dims in (source, destination)
    )
    if len(source) != len(destination) or any(len(set(dims)) < len(dims) for dims in (source, destination)):
        raise ValueError(
            "movedim: source and destination must name equally many dimensions, each once, "
            f"got {source} and {destination}"
        )
    order = [d for d in range(rank) if d not in source]
    for to, d in sorted(zip(destination, source, strict=True)):
        order.insert(to, d)
    return permute(input, order)


def expand(input, *shape):
    """x repeated along dimensions of size 1, without a copy; -1 keeps a size."""
    native = _core.expand(input, _sizes(shape))
    out = record(native, (input,), expand_backward, params=(input._t.shape, input._t.dtype))
    return follow(out, input) if marks else out


def expand_backward(node, g):
    return _core.sum_to(g, *node.params)


def expand_as(input, other):
    """x expanded to the shape of other."""
    return expand(input, _unwrap(other).shape)


def broadcast_to(input, shape):
    """x expanded to shape."""
    return expand(input, shape)


def repeat(input, *sizes):
    """x tiled sizes[d] times along every dimension d, as a copy."""
    sizes, shape = _sizes(sizes), _unwrap(input).shape
    lead = len(sizes) - len(shape)
    if lead < 0 or any(s < 0 for s in sizes):
        raise ValueError(f"repeat: {list(sizes)} must give a count >= 0 for every dimension of {list(shape)}")
    shape = (1,) * lead + shape
    interleaved = [n for pair in zip((1,) * len(sizes), shape, strict=True) for n in pair]
    tiled = [n for pair in zip(sizes, shape, strict=True) for n in pair]
    return reshape(
        expand(reshape(input, interleaved), tiled), [a * b for a, b in zip(sizes, shape, strict=True)]
    )


def select(input, dim, index):
    """x at one index of dimension dim, which disappears."""
    native = _core.select(input, dim, index)
    out = record(native, (input,), select_backward, params=(input._t.shape, dim, index))
    # A column of a part is of that part; a single sample of it is not worth a mark, and there are many.
    return follow(out, input) if dim and marks else out


def select_backward(node, g):
    shape, dim, index = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.copy_(_core.select(out, dim, index), g)
    return out


def narrow(input, dim, start, length):
    """x from start on for length indices of dimension dim."""
    shape = _unwrap(input).shape
    size = shape[_wrap(dim, len(shape), "narrow")]
    begin = start + size if start < 0 else start
    if not 0 <= begin <= begin + length <= size:
        raise IndexError(f"narrow: start {start} and length {length} leave dimension {dim} of size {size}")
    return slice_dim(input, dim, begin, begin + length, 1)


def slice_dim(input, dim, start, stop, step):
    """x[start:stop:step] along one dimension, bounds as slice.indices() gives them."""
    native = _core.slice(input, dim, start, stop, step)
    out = record(native, (input,), slice_backward, params=(input._t.shape, dim, start, stop, step))
    return follow(out, input) if marks else out


def slice_backward(node, g):
    shape, *where = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.copy_(_core.slice(out, *where), g)
    return out


def split(tensor, split_size_or_sections, dim=0):
    """x cut along dim into parts of one size (the last may be smaller) or of the sizes listed."""
    shape = _unwrap(tensor).shape
    size = shape[_wrap(dim, len(shape), "split")] if shape else 0
    sections = split_size_or_sections
    if isinstance(sections, int):
        if sections <= 0:
            raise ValueError(f"split: the size of a part must be positive, got {sections}")
        sections = [min(sections, size - at) for at in range(0, size, sections)] or [0]
    elif sum(sections) != size or any(s < 0 for s in sections):
        raise ValueError(
            f"split: sections {list(sections)} must add up to {size} (tensor: {list(shape)}, dim {dim})"
        )
    parts, at = [], 0
    for s in sections:
        parts.append(slice_dim(tensor, dim, at, at + s, 1))
        at += s
    return tuple(parts)


def chunk(input, chunks, dim=0):
    """x cut along dim into that many parts of about one size."""
    if chunks <= 0:
        raise ValueError(f"chunk: the number of chunks must be positive, got {chunks}")
    shape = _unwrap(input).shape
    size = shape[_wrap(dim, len(shape), "chunk")]
    # Of nothing there are as many parts as asked for, as in PyTorch.
    return split(input, -(-size // chunks) if size else [0] * chunks, dim)


def unbind(input, dim=0):
    """A tuple of x at every index of dim."""
    shape = _unwrap(input).shape
    return tuple(select(input, dim, i) for i in range(shape[_wrap(dim, len(shape), "unbind")]))


def cat(tensors, dim=0):
    """Tensors one behind the other along dim; all other sizes are equal.

    Example:
        >>> cat([ones(2, 3), zeros(1, 3)]).shape
        (3, 3)
    """
    tensors = tuple(tensors)
    natives = [_unwrap(x) for x in tensors]
    out = _core.cat(natives, dim)
    out = record(out, tensors, cat_backward, params=(dim, [(n.shape[dim], n.dtype) for n in natives]))
    return join(out, tensors) if marks else out


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
    if not tensors:
        raise ValueError("stack: needs at least one tensor")
    shapes = {_unwrap(x).shape for x in tensors}
    if len(shapes) > 1:
        raise ValueError(f"stack: expects tensors of one shape, got {sorted(list(s) for s in shapes)}")
    return cat([unsqueeze(x, dim) for x in tensors], dim)


def flip(input, *axes, dims=None):
    """x with the order of its elements reversed along dims, as a copy."""
    dims = _sizes(axes, dims)
    out = record(_core.flip(input, dims), (input,), flip_backward, params=dims)
    return follow(out, input) if marks else out


def flip_backward(node, g):
    return _core.flip(g, node.params)


def pad(input, pad, mode="constant", value=0.0):
    """x with `pad` = (before, after) elements, from the last dimension backwards, filled with value.

    Negative numbers crop. Only mode 'constant' is offered.
    """
    if mode != "constant":
        raise ValueError(f"pad: only mode='constant' is supported, got {mode!r}")
    padding = tuple(pad)
    return record(
        _core.pad(input, padding, 0.0 if value is None else value), (input,), pad_backward, params=padding
    )


def pad_backward(node, g):
    return _core.pad(g, [-p for p in node.params], 0.0)
