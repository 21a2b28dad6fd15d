"""What raw rows must hold: columns by name, numbers or categories."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.preprocessing.table import Frame, read_table
from chainrule.preprocessing.values import as_they_were, fits_float, is_missing, kind_of, plain, shown, was

_KINDS = ("number", "bool", "category")
# Of files that know no bools: what they call a number may have been either.
NUMBER_OR_BOOL = "number or bool"
_RULES = {
    "number": "must be finite numbers",
    NUMBER_OR_BOOL: "must be finite numbers",
    "bool": "must be bools, 0 or 1",
}


class BadRowsError(ValueError):
    """Rows that do not fit: ``rows`` lists (row number, column, value) of each; the text shows the first five."""

    def __init__(self, op: str, rule: str, rows: Sequence[tuple[int, str, Any]]) -> None:
        self.rows = list(rows)
        first = "; ".join(
            f"row {row}, column {column!r} is {shown(value)}" for row, column, value in self.rows[:5]
        )
        more = f"; and {len(self.rows) - 5} more" if len(self.rows) > 5 else ""
        super().__init__(f"{op}: {rule}: {first}{more}")


@dataclasses.dataclass(frozen=True)
class Schema:
    """Names of columns and of each 'number', 'bool', 'category' or None (anything); or the shape of one sample."""

    names: tuple[str, ...] = ()
    kinds: tuple[str | None, ...] = ()
    shape: tuple[int, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``from_dict``."""
        found = dataclasses.asdict(self)
        return {name: None if value is None else list(value) for name, value in found.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Schema:
        """The schema whose ``as_dict()`` this is."""
        return cls(**{name: None if value is None else tuple(value) for name, value in content.items()})

    def check_shape(self, op: str, shape: Sequence[int]) -> None:
        """ValueError unless an array of this shape holds samples as expected."""
        if self.shape is not None and tuple(shape[1:]) != self.shape:
            raise ValueError(f"{op}: expects samples of shape {list(self.shape)}, got an array {list(shape)}")

    def check(self, op: str, frame: Frame) -> Frame:
        """The columns in the schema's order. Raises ValueError for other columns, BadRowsError for other values."""
        if self.shape is not None:
            self.check_shape(op, (frame.rows, len(frame.columns)))
            return frame
        frame = self._ordered(op, frame)
        for wanted, rule in _RULES.items():
            bad = [
                (row, name, plain(value))
                for name, kind, column in zip(self.names, self.kinds, frame.columns)
                if kind == wanted
                for row, value in _suspects(kind, column)
                if not is_missing(value) and not _fits(kind, value)
            ]
            if bad:
                raise BadRowsError(op, rule, sorted(bad, key=lambda item: item[0]))
        return frame

    def _ordered(self, op: str, frame: Frame) -> Frame:
        if not frame.named:
            if len(frame.columns) != len(self.names):
                raise ValueError(
                    f"{op}: expects the {len(self.names)} columns {', '.join(self.names)}, got {len(frame.columns)}"
                )
            return dataclasses.replace(frame, names=self.names, named=True)
        missing = [name for name in self.names if name not in frame.names]
        unknown = [name for name in frame.names if name not in self.names]
        if missing or unknown:
            parts = [f"missing {missing}"] * bool(missing) + [f"unknown {unknown}"] * bool(unknown)
            raise ValueError(f"{op}: columns must be {', '.join(self.names)}: {', '.join(parts)}")
        return frame.select([frame.names.index(name) for name in self.names])


def read_schema(op: str, given: Any, names: Any, numbers: Sequence[bool] = ()) -> Schema | None:
    """A Schema from one, a table, names with 'number', 'bool' or 'category', a shape, or from `names`, of which
    `numbers` says where texts do not fit."""
    if isinstance(given, Schema):
        return given
    if given is None:
        if names is None:
            return None
        return Schema(tuple(map(str, names)), tuple(NUMBER_OR_BOOL if is_one else None for is_one in numbers))
    if isinstance(given, tuple) and all(isinstance(size, int) for size in given):
        return Schema(shape=given)
    if isinstance(given, Mapping) and all(
        isinstance(kind, str) and kind in _KINDS for kind in given.values()
    ):
        return Schema(tuple(given), tuple(given.values()))
    frame = read_table(f"{op}: input_schema", given)
    return Schema(frame.names, tuple(_kind(column) for column in frame.columns))


def _kind(column: np.ndarray) -> str:
    if was(column) == "bool":
        return "bool"
    return {"b": "bool", "O": "category", "U": "category"}.get(column.dtype.kind, "number")


def _suspects(kind: str, column: np.ndarray) -> Iterable[tuple[int, Any]]:
    """Rows whose value may not fit, with it: where numbers are wanted, of a column of numbers the infinite ones."""
    if column.dtype.kind in "iuf" and kind != "bool" and was(column) != "bool":
        return ((int(row), column[row]) for row in np.flatnonzero(np.isinf(column)))
    return enumerate(as_they_were(column))


def _fits(kind: str, value: Any) -> bool:
    if kind == "bool":
        return kind_of(value) == "bool" or (kind_of(value) == "number" and value in (0, 1))
    if kind == NUMBER_OR_BOOL and kind_of(value) == "bool":
        return True
    return kind_of(value) == "number" and fits_float(value) and math.isfinite(value)
