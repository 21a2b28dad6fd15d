"""Classes as vectors."""

from __future__ import annotations

import numpy as np

from chainrule import _core
from chainrule.autograd import wrap


def one_hot(x, num_classes=-1):
    """A vector of zeros with a one at each class: int64 [..] to int64 [.., num_classes].

    num_classes = -1 takes the largest class plus one.

    Raises:
        TypeError: x is not int64.
        IndexError: a class outside [0, num_classes).

    Example:
        >>> one_hot(tensor([0, 2]), 3)
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    if x._t.dtype is not _core.int64:
        raise TypeError(f"one_hot: classes must be int64, got {x._t.dtype.name}")
    values = x._t.numpy()
    if values.size and values.min() < 0:
        raise IndexError(f"one_hot: classes must not be negative, got {values.min()}")
    if num_classes == -1:
        if values.size == 0:
            raise ValueError(f"one_hot: x of shape {list(x._t.shape)} has no classes; pass num_classes")
        num_classes = int(values.max()) + 1
    if num_classes <= 0 or (values.size and values.max() >= num_classes):
        top = values.max() if values.size else 0
        raise IndexError(f"one_hot: class {top} is out of range [0, {num_classes})")
    classes = _core.copy_numpy(np.arange(num_classes))
    return wrap(_core.cast(_core.eq(_core.unsqueeze(x._t, -1), classes), _core.int64))
