"""Class balance: what it is, and weights for losses and samplers that even it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule._core import dtype as Dtype
from chainrule._core import float32, float64
from chainrule._validate import integer
from chainrule.creation import tensor
from chainrule.data.labels import class_numbers
from chainrule.preprocessing.base import refuse_held_out
from chainrule.tensor import Tensor


@dataclass(frozen=True)
class ClassBalance:
    """How many samples each class has. Printing shows a table."""

    classes: tuple[Any, ...]
    counts: tuple[int, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """The counts as fractions of all samples."""
        total = sum(self.counts)
        return tuple(count / total for count in self.counts)

    @property
    def ratio(self) -> float:
        """The largest class over the smallest: 1 where all are equal."""
        return max(self.counts) / min(self.counts)

    def __str__(self) -> str:
        rows = [(str(c), str(n), f"{s:.1%}") for c, n, s in zip(self.classes, self.counts, self.shares)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{c:<{widths[0]}}  {n:>{widths[1]}}  {s:>{widths[2]}}" for c, n, s in rows]
        return "\n".join([*lines, f"largest : smallest = {self.ratio:.3g} : 1"])


def class_balance(y: Any) -> ClassBalance:
    """Counts the classes of `y`, one label per sample, in sorted order; of any part.

    Raises ValueError for no samples and for missing labels, with their position.

    Example::

        print(class_balance(y_train))
        # no   950  95.0%
        # yes   50   5.0%
        # largest : smallest = 19 : 1
    """
    classes, members = _classes("class_balance", y)
    return ClassBalance(tuple(classes.tolist()), tuple(np.bincount(members).tolist()))


def class_weights(y: Any, num_classes: int | None = None, *, dtype: Dtype = float32) -> Tensor:
    """A weight for each class, shape (classes,): n / (k · n_c), for the `weight` of a loss.

    n samples, k classes, n_c of them in class c: scikit-learn's 'balanced' (King and Zeng, 2001). Every class then
    counts alike, and a sample of an average class counts 1. Whole numbers are taken for class numbers 0, 1, ...,
    and each below `num_classes` (the largest plus one) must occur; other labels are in sorted order.

    Raises ValueError for a dev or test part, missing labels, and a class without samples, by number.

    Example::

        loss = nn.CrossEntropyLoss(weight=class_weights(y_train))
    """
    op = "class_weights"
    refuse_held_out(op, y)
    classes, members = _classes(op, y)
    counts = np.bincount(members)
    if num_classes is not None or _are_numbers(classes):
        if not _are_numbers(classes) or classes[0] < 0:
            raise ValueError(
                f"{op}: classes must be 0, 1, ... where num_classes is given, got {classes[0]!r}"
            )
        size = int(classes[-1]) + 1 if num_classes is None else integer(op, "num_classes", num_classes)
        if classes[-1] >= size:
            raise ValueError(f"{op}: class {int(classes[-1])} is out of range for num_classes={size}")
        absent = np.setdiff1d(np.arange(size), classes)
        if len(absent):
            raise ValueError(f"{op}: class {absent[0]} of {size} has no samples, so that it has no weight")
    return tensor(len(members) / (len(counts) * counts), dtype=dtype)


def sample_weights(y: Any) -> Tensor:
    """The class weight of each sample, shape (N,), float64: for a sampler that draws all classes alike.

    Raises ValueError for a dev or test part and for missing labels.

    Example::

        sampler = WeightedRandomSampler(sample_weights(y_train), len(y_train))
    """
    refuse_held_out("sample_weights", y)
    _, members = _classes("sample_weights", y)
    counts = np.bincount(members)
    return tensor((len(members) / (len(counts) * counts))[members], dtype=float64)


def _classes(op: str, y: Any) -> tuple[np.ndarray, np.ndarray]:
    classes, members = class_numbers(op, "y", y)
    if not len(members):
        raise ValueError(f"{op}: y has no samples")
    return classes, members


def _are_numbers(classes: np.ndarray) -> bool:
    return classes.dtype.kind in "biu" or (
        classes.dtype.kind == "f" and bool((classes == np.trunc(classes)).all())
    )
