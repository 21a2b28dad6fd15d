"""Classes as vectors: one-hot vectors, and rows of a table."""

from __future__ import annotations

import numpy as np

from chainrule import _core, _validate
from chainrule.autograd import _unwrap, record, wrap


def one_hot(tensor, num_classes=-1):
    """A vector of zeros with a one at each class: int64 [..] to int64 [.., num_classes].

    num_classes = -1 takes the largest class plus one.

    Raises:
        TypeError: the classes are not int64.
        ValueError: num_classes is less than 1.
        IndexError: a class outside [0, num_classes).
        RuntimeError: without num_classes while a program is recorded.

    Example:
        >>> one_hot(tensor([0, 2]), 3)
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    classes = _unwrap(tensor)
    if classes.dtype is not _core.int64:
        raise TypeError(f"one_hot: classes must be int64, got {classes.dtype.name}")
    values = classes.numpy()
    if values.size and values.min() < 0:
        raise IndexError(f"one_hot: classes must not be negative, got {values.min()}")
    if num_classes == -1:
        _validate.not_recording("one_hot without num_classes")
        if values.size == 0:
            raise ValueError(
                f"one_hot: tensor of shape {list(classes.shape)} has no classes; pass num_classes"
            )
        num_classes = int(values.max()) + 1
    num_classes = _validate.integer("one_hot", "num_classes", num_classes)
    if values.size and values.max() >= num_classes:
        raise IndexError(f"one_hot: class {values.max()} is out of range [0, {num_classes})")
    columns = _core.copy_numpy(np.arange(num_classes))
    return wrap(_core.cast(_core.eq(_core.unsqueeze(classes, -1), columns), _core.int64))


def embedding(
    input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False
):
    """The rows of weight at the positions in input: int64 [..] and [n, m] give [.., m].

    The gradient of a row is the sum over the places that read it, in their order, so that its bits are the same
    for any number of threads; that of row padding_idx is 0. It is as large as weight.

    Raises:
        TypeError: input is not int64.
        ValueError: weight has not two dimensions, or padding_idx is outside [-n, n).
        IndexError: an index outside [0, n); negative ones do not count from the end.
        NotImplementedError: max_norm, scale_grad_by_freq or sparse is given.

    Example:
        >>> embedding(tensor([2, 0]), tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
        tensor([[4., 5.],
                [0., 1.]])
    """
    _only_plain_embedding("embedding", max_norm, scale_grad_by_freq, sparse)
    table, index = _unwrap(weight), _unwrap(input)
    rows = _core.embedding(table, index)
    if padding_idx is not None:
        padding_idx = _padding_row("embedding", padding_idx, table.shape[0])
    return record(rows, (weight,), embedding_backward, (index,), (table.shape, padding_idx))


def embedding_backward(node, g):
    shape, padding_idx = node.params
    out = _core.full(shape, 0.0, g.dtype)
    _core.index_put_(out, 0, list(node.saved), g, True)
    if padding_idx is not None:
        _core.fill_(_core.select(out, 0, padding_idx), 0.0)
    return out


def _only_plain_embedding(op, max_norm, scale_grad_by_freq, sparse):
    if max_norm is not None:
        raise NotImplementedError(
            f"{op}: max_norm is not supported, got {max_norm}; scale the rows under no_grad() instead"
        )
    if scale_grad_by_freq or sparse:
        name = "scale_grad_by_freq" if scale_grad_by_freq else "sparse"
        raise NotImplementedError(f"{op}: {name} is not supported, got True")


def _padding_row(op, padding_idx, rows):
    if not -rows <= padding_idx < rows:
        raise ValueError(f"{op}: padding_idx must be in [{-rows}, {rows}), got {padding_idx}")
    return padding_idx % rows
