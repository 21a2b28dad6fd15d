"""OneHotEncoder: a column of 0 and 1 for each category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule._validate import choice
from chainrule._warn import warn
from chainrule.preprocessing import categories as cats
from chainrule.preprocessing.encode import CategoryEncoder, result_dtype, with_infrequent
from chainrule.preprocessing.table import Frame
from chainrule.preprocessing.values import as_they_were, shown


class OneHotEncoder(CategoryEncoder):
    """Each category as a column of 0 and 1 that says whether the row has it.

    Args:
        categories: "auto", sorted, or for each column a list in the order wanted.
        drop: None; "first": no column for the first category of each; "if_binary": only where there are two; or for
            each column the category to leave out. It is then the row of zeros.
        sparse_output: must be False; results are dense.
        dtype: of the result; None: float64, for tensors float32.
        handle_unknown: of a category that ``fit`` did not see: "error"; "ignore": zeros; "infrequent_if_exist": the
            joined rare one, or zeros; "warn": the same with a warning.
        min_frequency, max_categories: categories rarer than a count, or a share, are joined in one column, the last;
            so are the rarest where there would be more columns than so many.
        feature_name_combiner: "concat" for names as ``species_Adelie``, or a function of column and category.

    A missing value is a category. The joined column is named ``species_infrequent``. Raises ValueError for an
    unknown category, with column, row and value; TypeError for mixed types.

    Example::

        encoder = OneHotEncoder(handle_unknown="ignore").fit([["red"], ["green"]])
        encoder.transform([["green"], ["blue"]])  # [[1.0, 0.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        *,
        categories: Any = "auto",
        drop: Any = None,
        sparse_output: bool = False,
        dtype: Any = None,
        handle_unknown: str = "error",
        min_frequency: float | int | None = None,
        max_categories: int | None = None,
        feature_name_combiner: Any = "concat",
    ) -> None:
        self.categories = categories
        self.drop = drop
        self.sparse_output = sparse_output
        self.dtype = dtype
        self.handle_unknown = handle_unknown
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.feature_name_combiner = feature_name_combiner

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        ways = ("error", "ignore", "infrequent_if_exist", "warn")
        choice(op, "handle_unknown", self.handle_unknown, ways)
        if self.sparse_output:
            raise ValueError(f"{op}: sparse_output must be False; results are dense arrays")
        self._learn(frame)
        self.dropped_ = [self._dropped(op, frame, j) for j in range(len(frame.columns))]

    def _dropped(self, op: str, frame: Frame, j: int) -> int | None:
        """The position, after joining, of the category without a column."""
        known, joined, drop = self.categories_[j], self.joined_[j], self.drop
        count = len(known) if joined is None else int(joined.max()) + 1
        if drop is None:
            return None
        if isinstance(drop, str):
            choice(op, "drop", drop, ("first", "if_binary"))
            return 0 if drop == "first" or count == 2 else None
        if len(drop) != len(frame.columns):
            raise ValueError(
                f"{op}: drop must name a category for each of {len(frame.columns)} columns, got {len(drop)}"
            )
        wanted = np.empty(1, dtype=object)
        wanted[0] = drop[j]
        position = int(cats.codes(known, wanted)[0])
        if position == cats.UNKNOWN or position in self.rare_[j]:
            why = "is not in the data" if position == cats.UNKNOWN else "is one of the infrequent"
            raise ValueError(f"{op}: column {frame.names[j]!r}: the category to drop, {drop[j]!r}, {why}")
        return position if joined is None else int(joined[position])

    @property
    def drop_idx_(self) -> np.ndarray | None:
        """For each column the position in ``categories_`` of what has no column, or None."""
        if self.drop is None:
            return None
        found = [
            drop if drop is None or joined is None else int(np.flatnonzero(joined == drop)[0])
            for drop, joined in zip(self.dropped_, self.joined_)
        ]
        return np.array(found, dtype=object)

    def _labels(self, j: int) -> np.ndarray:
        """Of each category, after joining, what it is called."""
        known = self.categories_[j]
        return known if self.joined_[j] is None else with_infrequent(known, self.rare_[j])

    def _kept(self, j: int) -> np.ndarray:
        labels, drop = self._labels(j), self.dropped_[j]
        return labels if drop is None else np.delete(labels, drop)

    def _names_out(self, names: Sequence[str]) -> list[str]:
        combine = self.feature_name_combiner
        if combine == "concat":
            combine = "{}_{}".format
        return [combine(name, label) for j, name in enumerate(names) for label in self._kept(j)]

    def _apply(self, frame: Frame) -> Frame:
        widths = [len(self._kept(j)) for j in range(len(frame.columns))]
        out = np.zeros((frame.rows, sum(widths)), dtype=result_dtype(self.dtype, frame))
        start = 0
        for j, width in enumerate(widths):
            code = self._joined_codes(frame, j)
            drop = self.dropped_[j]
            if drop is not None:
                code = np.where(code == drop, cats.UNKNOWN, code - (code > drop))
            rows = np.flatnonzero(code != cats.UNKNOWN)
            out[rows, start + code[rows]] = 1
            start += width
        return frame.replaced(out, self._names_out(frame.names))

    def _joined_codes(self, frame: Frame, j: int) -> np.ndarray:
        op, joined = self._op("transform"), self.joined_[j]
        code = self._codes(op, frame, j)
        unknown = code == cats.UNKNOWN
        if joined is not None:
            rare = joined.max() if self.handle_unknown in ("infrequent_if_exist", "warn") else cats.UNKNOWN
            code = np.where(unknown, rare, joined[code])
        if unknown.any() and (
            self.handle_unknown == "warn" or (self.dropped_[j] is not None and joined is None)
        ):
            row = int(unknown.argmax())
            value = shown(as_they_were(frame.columns[j])[row])
            meaning = "zeros" if joined is None else "the infrequent one"
            also = "" if self.dropped_[j] is None else ", as the category that was dropped"
            warn(
                f"{op}: column {frame.names[j]!r}, row {row}: unknown category {value} becomes "
                f"{meaning}{also}"
            )
        return code

    def _invert(self, frame: Frame) -> Frame:
        values, columns, start = frame.matrix(self._op("inverse_transform")), [], 0
        for j in range(self.n_features_in_):
            kept, labels, drop = self._kept(j), self._labels(j), self.dropped_[j]
            part = values[:, start : start + len(kept)]
            start += len(kept)
            zeros = ~(part != 0).any(axis=1) if len(kept) else np.ones(frame.rows, dtype=np.bool_)
            column = labels[np.zeros(frame.rows, dtype=np.int64)]
            if len(kept):
                column = kept[part.argmax(axis=1)]
            if drop is not None:
                column[zeros] = labels[drop]
            elif zeros.any():
                column = column.astype(object)
                column[zeros] = None
            columns.append(column)
        return frame.replaced(columns, self._names_in())
