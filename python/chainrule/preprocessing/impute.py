"""Missing values replaced by one number or text per column: SimpleImputer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule._validate import choice
from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.missing import MissingIndicator
from chainrule.preprocessing.table import Frame, check_uniform
from chainrule.preprocessing.values import NUMBERS, is_missing, missing_mask

_STRATEGIES = ("mean", "median", "most_frequent", "constant")


class SimpleImputer(Transformer):
    """Missing values become the mean, median or most frequent value of their column, or a constant.

    Args:
        missing_values: what else counts as missing, -1 or "?" for instance; NaN, None and pandas's NA always do.
        strategy: "mean", "median" (columns of numbers), "most_frequent" (the smallest of several), "constant".
        fill_value: the constant; None: 0 for numbers, "missing_value" for texts.
        copy: accepted, results are always new.
        add_indicator: adds a column ``missingindicator_<column>`` of 0 and 1 for each that missed values in ``fit``.
        keep_empty_features: whether a column without any value becomes 0 (or `fill_value`) rather than an error.

    ``statistics_`` holds the values that are put in. Raises ValueError for a column without any value, TypeError for
    the mean or median of texts and for mixed types, each with its column.

    Example::

        SimpleImputer().fit_transform([[1.0], [None], [3.0]])  # 1, 2, 3
    """

    def __init__(
        self,
        *,
        missing_values: Any = np.nan,
        strategy: str = "mean",
        fill_value: Any = None,
        copy: bool = True,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
    ) -> None:
        self.missing_values = missing_values
        self.strategy = strategy
        self.fill_value = fill_value
        self.copy = copy
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        choice(op, "strategy", self.strategy, _STRATEGIES)
        frame = self._marked_missing(frame)
        found = [self._statistic(op, frame, j) for j in range(len(frame.columns))]
        texts = any(isinstance(value, str) for value in found)
        self.statistics_ = np.array(found, dtype=object if texts else np.float64)
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False)
            self.indicator_._fit_frame(frame)

    def _statistic(self, op: str, frame: Frame, j: int) -> Any:
        name, column = frame.names[j], frame.columns[j]
        check_uniform(op, name, column)
        mask = missing_mask(column)
        if mask.all() and not self.keep_empty_features:
            raise ValueError(
                f"{op}: column {name!r} has no value in any of {frame.rows} rows; drop it, or set "
                "keep_empty_features=True"
            )
        numeric = frame.is_number(j)
        if self.strategy == "constant":
            return _constant(op, name, self.fill_value, numeric or mask.all())
        if mask.all():
            return 0.0
        if self.strategy == "most_frequent":
            values, counts = np.unique(column[~mask], return_counts=True)
            return values[counts.argmax()]
        known = frame.numbers(op, j)[~mask].astype(np.float64)
        return float(known.mean() if self.strategy == "mean" else np.median(known))

    def _typical(self, position: int) -> tuple[str | None, Any]:
        kind = "number" if self.strategy in ("mean", "median") else None
        return kind, None if self.strategy == "constant" else self.statistics_[position]

    def _names_out(self, names: Sequence[str]) -> list[str]:
        added = [] if self.indicator_ is None else self.indicator_._names_out(names)
        return [*names, *added]

    def _apply(self, frame: Frame) -> Frame:
        op = self._op("transform")
        frame = self._marked_missing(frame)
        columns = []
        for j, column in enumerate(frame.columns):
            mask = missing_mask(column)
            value = self.statistics_[j]
            if column.dtype.kind in "biu" and self.strategy in ("mean", "median"):
                column = column.astype(np.float32 if frame.source == "tensor" else np.float64)
            if not isinstance(value, str) and not mask.all():
                frame.numbers(op, j)  # raises for texts and infinity
            columns.append(filled(column, mask, value))
        if self.indicator_ is not None:
            numbers = [column for column in columns if column.dtype.kind == "f"]
            dtype = np.float32 if numbers and all(c.dtype == np.float32 for c in numbers) else np.float64
            columns += [column.astype(dtype) for column in self.indicator_._apply(frame).columns]
        return frame.replaced(columns, self._names_out(frame.names))

    def _marked_missing(self, frame: Frame) -> Frame:
        """The frame with `missing_values` as NaN, which makes floats of whole numbers whether there are any or not."""
        wanted = self.missing_values
        if is_missing(wanted):
            return frame
        columns = []
        for column in frame.columns:
            if column.dtype.kind not in "biuf":
                mask = np.fromiter((v == wanted for v in column), np.bool_, len(column))
            elif isinstance(wanted, NUMBERS):
                column, mask = column.astype(np.result_type(column, np.float32)), column == wanted
            else:
                mask = np.zeros(len(column), dtype=np.bool_)
            columns.append(filled(column, mask, np.nan))
        return frame.replaced(columns, frame.names)


def filled(column: np.ndarray, mask: np.ndarray, value: Any) -> np.ndarray:
    """A copy of a column with `value` where `mask` says so, of a dtype that holds both."""
    if not mask.any():
        return column
    if np.asarray(value).dtype.kind in "OU" or column.dtype.kind in "OU":
        out = column.astype(object)
    else:
        out = column.astype(column.dtype.str if column.dtype.kind == "f" else np.float64)
    out[mask] = value
    return out


def _constant(op: str, name: str, value: Any, numeric: bool) -> Any:
    if value is None:
        return 0.0 if numeric else "missing_value"
    if isinstance(value, str) == numeric:
        kinds = ("texts", "numbers") if numeric else ("numbers", "texts")
        raise TypeError(
            f"{op}: fill_value must be of the column's kind; {name!r} holds {kinds[1]}, got {value!r}"
        )
    return value
