"""Categories as numbers in one vector: LabelEncoder and OrdinalEncoder, the dummy encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule._validate import choice
from chainrule.creation import from_numpy
from chainrule.preprocessing import categories as cats
from chainrule.preprocessing.base import NotFittedError, Transformer, _marked, refuse_held_out
from chainrule.preprocessing.table import Frame, read_column
from chainrule.preprocessing.values import missing_mask
from chainrule.tensor import Tensor


class LabelEncoder(Transformer):
    """Labels as 0, 1, ..., one vector: the dummy encoding of a target, in the labels' order.

    ``classes_`` holds the labels sorted, ``transform`` gives int64, a tensor for a tensor. Raises ValueError for
    a label that ``fit`` did not see and for missing ones, TypeError for numbers mixed with texts, each with its row.

    Example::

        encoder = LabelEncoder().fit(["male", "female", "male"])
        encoder.transform(["female", "male"])  # array([0, 1])
    """

    def __init__(self) -> None:
        pass

    def fit(self, y: Any) -> LabelEncoder:  # type: ignore[override]
        """Learns the labels of `y`, a list, array, tensor or series; returns self."""
        op = self._op("fit")
        refuse_held_out(op, y)
        self.classes_ = cats.learn(op, "y", self._labels(op, y))
        return self

    def transform(self, y: Any) -> Any:
        """Numbers of the labels, int64, shape (N,)."""
        self._check_fitted("transform")
        op = self._op("transform")
        column = self._labels(op, y)
        cats.refuse_other_kinds(op, "y", column, self.classes_)
        code = cats.codes(self.classes_, column)
        cats.refuse_unknown(op, "y", column, self.classes_, code)
        return _marked(from_numpy(code) if isinstance(y, Tensor) else code, y)

    def fit_transform(self, y: Any) -> Any:  # type: ignore[override]
        """``fit(y).transform(y)``."""
        return self.fit(y).transform(y)

    def inverse_transform(self, y: Any) -> Any:
        """Labels of the numbers, an array. Raises ValueError for a number without a label."""
        self._check_fitted("inverse_transform")
        op = self._op("inverse_transform")
        code = read_column(op, "y", y)
        bad = np.flatnonzero(~np.isin(code, np.arange(len(self.classes_))))
        if len(bad):
            raise ValueError(
                f"{op}: numbers must be 0 to {len(self.classes_) - 1}, row {bad[0]} is {code[bad[0]]}"
            )
        return _marked(self.classes_[code.astype(np.int64)], y)

    def _fit(self, frame: Frame, y: Any) -> None:
        raise TypeError(f"{self._op('fit')}: encodes a target, not columns of a table; use OrdinalEncoder")

    def _check_fitted(self, method: str) -> None:
        if not hasattr(self, "classes_"):
            raise NotFittedError(f"{self._op(method)}: call fit() with the training part first")

    @staticmethod
    def _labels(op: str, y: Any) -> np.ndarray:
        column = read_column(op, "y", y)
        if (missing := missing_mask(column)).any():
            raise ValueError(f"{op}: row {int(missing.argmax())} has no label")
        return column


class CategoryEncoder(Transformer):
    """What the encoders of columns share: categories, their rare ones, codes."""

    categories: Any
    handle_unknown: str
    min_frequency: Any
    max_categories: Any
    _missing_can_be_rare = True

    def _learn(self, frame: Frame) -> None:
        op = self._op("fit")
        cats.check_rules(op, self.min_frequency, self.max_categories)
        listed = self._listed(op, frame)
        self.categories_, self.rare_, self.joined_ = [], [], []
        for j, (name, column) in enumerate(zip(frame.names, frame.columns)):
            known = cats.learn(op, name, column) if listed is None else cats.given(op, name, listed[j])
            cats.refuse_other_kinds(op, name, column, known)
            code = cats.codes(known, column)
            if self.handle_unknown == "error":
                cats.refuse_unknown(op, name, column, known, code)
            counts = np.bincount(code[code != cats.UNKNOWN], minlength=len(known))
            able = slice(None) if self._missing_can_be_rare else ~missing_mask(known)
            rare = cats.infrequent(counts[able], frame.rows, self.min_frequency, self.max_categories)
            self.categories_.append(known)
            self.rare_.append(rare)
            self.joined_.append(cats.join(len(counts[able]), rare) if len(rare) else None)

    def _listed(self, op: str, frame: Frame) -> Sequence[Any] | None:
        if isinstance(self.categories, str):
            choice(op, "categories", self.categories, ("auto",))
            return None
        if len(self.categories) != len(frame.columns):
            raise ValueError(
                f"{op}: categories must be one list for each of {len(frame.columns)} columns, "
                f"got {len(self.categories)}"
            )
        return self.categories

    def _typical(self, position: int) -> tuple[str | None, Any]:
        known = self.categories_[position]
        return "category", known[~missing_mask(known)][:1].tolist()[0]

    @property
    def infrequent_categories_(self) -> list[np.ndarray | None]:
        """For each column the categories that were joined as too rare, or None."""
        return [known[rare] if len(rare) else None for known, rare in zip(self.categories_, self.rare_)]

    def _codes(self, op: str, frame: Frame, j: int) -> np.ndarray:
        """Positions among the categories before rare ones are joined; unknown ones by `handle_unknown`."""
        known, column = self.categories_[j], frame.columns[j]
        cats.refuse_other_kinds(op, frame.names[j], column, known)
        code = cats.codes(known, column)
        if self.handle_unknown == "error":
            cats.refuse_unknown(op, frame.names[j], column, known, code)
        return code


class OrdinalEncoder(CategoryEncoder):
    """Each column's categories as 0, 1, ...: the dummy encoding of features, in one column each.

    Args:
        categories: "auto", sorted, or for each column a list in the order wanted.
        dtype: of the result; None: float64, for tensors float32.
        handle_unknown: of a category that ``fit`` did not see: "error", or "use_encoded_value".
        unknown_value: the number for such a category, not one of the others; NaN is one.
        encoded_missing_value: the number for missing values.
        min_frequency, max_categories: rarer categories (than a count, or a share) share one number, the last; so do
            the rarest where there would be more than so many.

    Raises ValueError for an unknown category, with column, row and value; TypeError for mixed types.

    Example::

        OrdinalEncoder().fit_transform([["male"], ["female"], ["male"]])  # [[1.0], [0.0], [1.0]]
    """

    _missing_can_be_rare = False

    def __init__(
        self,
        *,
        categories: Any = "auto",
        dtype: Any = None,
        handle_unknown: str = "error",
        unknown_value: float | None = None,
        encoded_missing_value: float = np.nan,
        min_frequency: float | int | None = None,
        max_categories: int | None = None,
    ) -> None:
        self.categories = categories
        self.dtype = dtype
        self.handle_unknown = handle_unknown
        self.unknown_value = unknown_value
        self.encoded_missing_value = encoded_missing_value
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        choice(op, "handle_unknown", self.handle_unknown, ("error", "use_encoded_value"))
        uses = self.handle_unknown == "use_encoded_value"
        if uses != (self.unknown_value is not None):
            raise ValueError(
                f"{op}: unknown_value goes with handle_unknown='use_encoded_value' and only with it, "
                f"got {self.unknown_value!r} and {self.handle_unknown!r}"
            )
        self._learn(frame)
        for name, known, joined in zip(frame.names, self.categories_, self.joined_):
            count = int((~missing_mask(known)).sum()) if joined is None else int(joined.max()) + 1
            if uses and self.unknown_value in range(count):
                raise ValueError(
                    f"{op}: unknown_value {self.unknown_value} is a number of a category of {name!r}"
                )

    def _apply(self, frame: Frame) -> Frame:
        op = self._op("transform")
        out = np.empty((frame.rows, len(frame.columns)), dtype=result_dtype(self.dtype, frame))
        for j, column in enumerate(frame.columns):
            code = self._codes(op, frame, j)
            missing = missing_mask(column) & (code != cats.UNKNOWN)
            joined = self.joined_[j]
            if joined is not None:
                code = np.where(code < 0, code, np.append(joined, 0)[np.minimum(code, len(joined))])
            values = code.astype(np.float64)
            values[code == cats.UNKNOWN] = np.nan if self.unknown_value is None else self.unknown_value
            values[missing] = self.encoded_missing_value
            _check_holds(op, frame.names[j], values, out.dtype)
            out[:, j] = values
        return frame.replaced(out, frame.names)

    def _invert(self, frame: Frame) -> Frame:
        columns = []
        for j, known in enumerate(self.categories_):
            labels, joined = known[~missing_mask(known)], self.joined_[j]
            if joined is not None:
                labels = with_infrequent(labels, self.rare_[j])
            columns.append(self._labels(frame, j, labels, known[missing_mask(known)]))
        return frame.replaced(columns, self._names_in())

    def _labels(self, frame: Frame, j: int, labels: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """Labels of a column of numbers; `absent` holds the mark of missing values, or nothing."""
        op = self._op("inverse_transform")
        numbers = frame.numbers(op, j)
        is_absent = _equal(numbers, self.encoded_missing_value if len(absent) else None)
        unknown = _equal(numbers, self.unknown_value) & ~is_absent
        bad = ~np.isin(numbers, np.arange(len(labels))) & ~is_absent & ~unknown
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(f"{op}: column {frame.names[j]!r}, row {row}: no category {numbers[row]}")
        out = labels[np.where(is_absent | unknown, 0, numbers).astype(np.int64)]
        if is_absent.any() or unknown.any():
            out = out.astype(object)
            out[is_absent] = absent[0] if len(absent) else None
            out[unknown] = None
        return out


def result_dtype(dtype: Any, frame: Frame) -> np.dtype:
    """The dtype of encoded categories: what the caller says, else float64, for tensors float32."""
    if dtype is None:
        return np.dtype(np.float32 if frame.source == "tensor" else np.float64)
    return np.dtype(dtype)


def with_infrequent(labels: np.ndarray, rare: np.ndarray) -> np.ndarray:
    """Labels of the categories after the rare ones are joined."""
    return np.append(np.delete(labels, rare).astype(object), cats.INFREQUENT)


def _equal(numbers: np.ndarray, value: float | None) -> np.ndarray:
    if value is None:
        return np.zeros(len(numbers), dtype=np.bool_)
    return np.isnan(numbers) if value != value else numbers == value


def _check_holds(op: str, name: str, values: np.ndarray, dtype: np.dtype) -> None:
    if dtype.kind in "iu" and (nan := np.isnan(values)).any():
        raise ValueError(
            f"{op}: column {name!r}, row {int(nan.argmax())}: NaN does not fit dtype {dtype}; "
            "set encoded_missing_value and unknown_value"
        )
