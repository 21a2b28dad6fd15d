"""What resampling and augmentation share: they take the training part alone, and give back the kind they were given."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule._part import is_frame
from chainrule.creation import from_numpy
from chainrule.data.aligned import check_row_labels, length
from chainrule.data.part import mark_part, part_of
from chainrule.preprocessing.table import read_table
from chainrule.random import Generator
from chainrule.tensor import Tensor


def training_part(op: str, verb: str, x: Any, y: Any = None) -> int:
    """The number of samples; ValueError unless `x` is marked 'train', and where `y` is marked otherwise, of another
    length or, in pandas, of other row labels."""
    part = part_of(x)
    if part is None:
        raise ValueError(
            f"{op}: only the training part of a split may be {verb}, x is not known to be one. Split first "
            "(data.train_test_split): what is made of a sample before that can be in training and test part at once. "
            "If x is a training part, say so: data.mark_part(x, 'train')"
        )
    other = part_of(y) if y is not None else None
    if part != "train" or other in ("dev", "test"):
        wrong = f"x is the {part} part" if part != "train" else f"y is of the {other} part"
        raise ValueError(
            f"{op}: only the training part of a split may be {verb}, {wrong}, which must stay as the data is to "
            "measure anything"
        )
    count = length(op, x)
    if y is not None and length(op, y) != count:
        raise ValueError(f"{op}: x and y must have the same length, got {count} and {length(op, y)}")
    check_row_labels(op, (), x=x, y=y)
    return count


def generator_of(random_state: int | None) -> Generator | None:
    """A generator of its own for a seed; None is the default one."""
    return None if random_state is None else Generator().manual_seed(random_state)


def fractions(op: str, x: Any) -> np.ndarray:
    """The numbers of `x` that are about to be mixed or moved: rows and columns of finite floats, as float64.

    Raises TypeError for a column of other numbers or texts, ValueError for missing values; both name the column.
    """
    if not (is_frame(x) or isinstance(x, Tensor | np.ndarray)):
        raise TypeError(
            f"{op}: x must be a tensor, an array or a frame, got {type(x).__name__}; choose columns of numbers and "
            "make one array of them"
        )
    if not is_frame(x) and x.ndim != 2:
        # An image is a row, too: its pixels have no names.
        x = x.reshape(len(x), -1)
    frame = read_table(op, x)
    for name, column in zip(frame.names, frame.columns, strict=True):
        if column.dtype.kind != "f":
            raise TypeError(
                f"{op}: column {name!r} must hold floats, got {column.dtype}; encode categories and convert whole "
                "numbers first"
            )
        bad = ~np.isfinite(column)
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(
                f"{op}: column {name!r} must be finite, row {row} is {column[row]}; impute first"
            )
    return np.stack(frame.columns, axis=1).astype(np.float64)


def same_kind(x: Any, values: np.ndarray) -> Any:
    """`values`, rows of numbers, as a tensor, an array or a frame like `x`, marked as training part."""
    if isinstance(x, Tensor):
        values = values.astype(x.dtype.name).reshape(len(values), *x.shape[1:])
        return mark_part(from_numpy(np.ascontiguousarray(values)), "train")
    if is_frame(x):
        return mark_part(type(x)(values, columns=x.columns).astype(dict(x.dtypes)), "train")
    return mark_part(values.astype(x.dtype).reshape(len(values), *x.shape[1:]), "train")


def renumbered(rows: Any) -> Any:
    """A frame or series with the row labels 0, 1, ..., which copies would repeat; anything else as it is."""
    return rows.reset_index(drop=True) if is_frame(rows) else rows


def marked(rows: Any) -> Any:
    """`rows` as training part; a list stays without a mark."""
    return rows if isinstance(rows, list) else mark_part(rows, "train")
