"""Missing values: rows with some are dropped with a report, and columns say where they were."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule._validate import choice
from chainrule.data.aligned import check_row_labels, length
from chainrule.data.split import take_rows
from chainrule.preprocessing.base import Transformer, _marked
from chainrule.preprocessing.table import Frame, read_table
from chainrule.preprocessing.values import missing_mask


@dataclasses.dataclass(frozen=True)
class DropReport:
    """What ``drop_missing`` did: `rows` before, `dropped` of them, and per column how many values were missing.

    `kept` holds the positions of the rows that stayed. Printing gives one line.
    """

    rows: int
    dropped: int
    columns: dict[str, int]
    kept: np.ndarray = dataclasses.field(repr=False)

    def __str__(self) -> str:
        found = ", ".join(f"{name} {count}" for name, count in self.columns.items() if count) or "nothing"
        share = 100 * self.dropped / self.rows if self.rows else 0.0
        return f"dropped {self.dropped} of {self.rows} rows ({share:.1f} %); missing: {found}"


def drop_missing(X: Any, *arrays: Any, columns: Sequence[str | int] | None = None) -> tuple[Any, ...]:
    """Removes the rows of a table that miss a value, and the same rows of `arrays` (a target, weights).

    `columns`, names or positions, are those that must be there; by default all. Missing are NaN, None and pandas's
    NA. Returns ``(X, *arrays, report)``: each of the kind it came in, with its mark, and a ``DropReport``.

    Raises ValueError for arrays of another length or, in pandas, with other row labels, an unknown column, and if no
    row would be left.

    Example::

        x, y, report = drop_missing(table, labels)
        print(report)  # dropped 11 of 344 rows (3.2 %); missing: bill_length_mm 2, sex 11
    """
    op = "drop_missing"
    frame = read_table(op, X)
    for number, array in enumerate(arrays):
        if (count := length(op, array)) != frame.rows:
            raise ValueError(
                f"{op}: array {number} must have one entry for each of {frame.rows} rows, got {count}"
            )
    check_row_labels(op, arrays, X=X)
    positions = range(len(frame.columns)) if columns is None else [_position(op, frame, c) for c in columns]
    masks = {frame.names[j]: missing_mask(frame.columns[j]) for j in positions}
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    bad = np.any(list(masks.values()), axis=0) if masks else np.zeros(frame.rows, dtype=np.bool_)
    if frame.rows and bad.all():
        raise ValueError(f"{op}: each of {frame.rows} rows misses a value; missing per column: {counts}")
    kept = np.flatnonzero(~bad)
    report = DropReport(frame.rows, int(bad.sum()), counts, kept)
    return (*(_marked(_rows(item, kept), item) for item in (X, *arrays)), report)


class MissingIndicator(Transformer):
    """For each column whether the value is missing: bool columns named ``missingindicator_<column>``.

    Args:
        features: "missing-only": of the columns that miss something in ``fit``; "all": of every column.
        error_on_new: whether a missing value in another column than those raises ValueError, which names it.

    ``features_`` holds the positions of the columns.

    Example::

        MissingIndicator().fit_transform([[1.0, None], [2.0, 3.0]])  # [[True], [False]]
    """

    def __init__(self, *, features: str = "missing-only", error_on_new: bool = True) -> None:
        self.features = features
        self.error_on_new = error_on_new

    def _fit(self, frame: Frame, y: Any) -> None:
        choice(self._op("fit"), "features", self.features, ("missing-only", "all"))
        every = self.features == "all"
        found = [j for j, column in enumerate(frame.columns) if every or missing_mask(column).any()]
        self.features_ = np.array(found, dtype=np.int64)

    def _names_out(self, names: Sequence[str]) -> list[str]:
        return [f"missingindicator_{names[j]}" for j in self.features_]

    def _apply(self, frame: Frame) -> Frame:
        if self.error_on_new:
            for j in set(range(len(frame.columns))).difference(self.features_.tolist()):
                if (mask := missing_mask(frame.columns[j])).any():
                    raise ValueError(
                        f"{self._op('transform')}: column {frame.names[j]!r} misses row {int(mask.argmax())}; in fit "
                        "it had every value"
                    )
        return frame.replaced(
            [missing_mask(frame.columns[j]) for j in self.features_], self._names_out(frame.names)
        )


def _position(op: str, frame: Frame, column: str | int) -> int:
    if isinstance(column, str) and column in frame.names:
        return frame.names.index(column)
    if isinstance(column, int) and -len(frame.names) <= column < len(frame.names):
        return column % len(frame.names)
    raise ValueError(f"{op}: no column {column!r}; there are {', '.join(frame.names)}")


def _rows(data: Any, kept: np.ndarray) -> Any:
    return tuple(take_rows(data, kept)) if isinstance(data, tuple) else take_rows(data, kept)
