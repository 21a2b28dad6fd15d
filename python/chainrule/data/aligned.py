"""What splits and resampling take together: arrays and tables of one length, whose rows belong together by position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule._part import is_frame


def length(op: str, array: Any) -> int:
    """The number of samples of an array, a table, a dictionary of columns, a list or a dataset.

    Raises TypeError for what has none, ValueError for columns of different lengths.
    """
    if getattr(array, "shape", ()):
        return array.shape[0]
    if type(array).__name__ == "Bunch":  # of datasets or scikit-learn
        raise TypeError(f"{op}: expects arrays, got a Bunch; pass its .data and its .target")
    if isinstance(array, dict):
        lengths = {name: length(op, column) for name, column in array.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"{op}: the columns of a dictionary must have the same length, got {lengths}")
        return next(iter(lengths.values()))
    if not hasattr(array, "__len__") or not hasattr(array, "__getitem__") or isinstance(array, str):
        advice = "; list(...) makes a list of it" if hasattr(array, "__iter__") else ""
        raise TypeError(
            f"{op}: expects arrays, tables, lists or datasets, got {type(array).__name__} {array!r:.80}{advice}"
        )
    return len(array)


def common_length(op: str, arrays: Sequence[Any]) -> int:
    """The number of samples that all have; ValueError where they differ, and for no arrays."""
    if not arrays:
        raise ValueError(f"{op}: needs at least one array, got none")
    lengths = [length(op, array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"{op}: all arrays must have the same length, got {lengths}")
    return lengths[0]


def check_row_labels(op: str, arrays: Sequence[Any], **others: Any) -> None:
    """ValueError where two pandas objects share row labels, but not in the same rows: by position they would be paired
    wrongly. Labels of which none is shared (names, and 0, 1, ...) say nothing of that."""
    named = {f"array {number}": array for number, array in enumerate(arrays)} | others
    frames = {name: array.index for name, array in named.items() if is_frame(array)}
    if not frames:
        return
    first, labels = next(iter(frames.items()))
    for name, index in frames.items():
        if len(index) == len(labels) and not index.equals(labels) and index.isin(labels).any():
            pairs = list(zip(labels.tolist(), index.tolist(), strict=True))
            row = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
            raise ValueError(
                f"{op}: the row labels (index) of {first} and {name} differ, in row {row} they are {pairs[row][0]!r} "
                f"and {pairs[row][1]!r}; rows are paired by position. Bring them in one order (y.loc[x.index]), or "
                "where they are, say so: reset_index(drop=True) for both"
            )
