"""Classes as vectors."""

from __future__ import annotations

import numpy as np

from chainrule import _core, _validate
from chainrule.autograd import _unwrap, wrap


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
