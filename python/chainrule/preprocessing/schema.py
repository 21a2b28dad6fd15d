"""What raw rows must hold: columns by name, numbers or categories."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.preprocessing.table import NUMBERS, Frame, is_missing, read_table

_KINDS = ("number", "category")


class BadRowsError(ValueError):
    """Rows that do not fit: ``rows`` lists (row number, column, value) of each; the text shows the first five."""

    def __init__(self, op: str, rule: str, rows: Sequence[tuple[int, str, Any]]) -> None:
        self.rows = list(rows)
        shown = "; ".join(
            f"row {row}, column {column!r} is {value!r}" for row, column, value in self.rows[:5]
        )
        more = f"; and {len(self.rows) - 5} more" if len(self.rows) > 5 else ""
        super().__init__(f"{op}: {rule}: {shown}{more}")


@dataclasses.dataclass(frozen=True)
class Schema:
    """Names of columns and of each 'number', 'category' or None (anything); or the shape of one sample."""

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
        bad = [
            (row, name, _plain(value))
            for name, kind, column in zip(self.names, self.kinds, frame.columns)
            if kind == "number"
            for row, value in enumerate(column)
            if not _fits(value)
        ]
        if bad:
            raise BadRowsError(op, "must be finite numbers", sorted(bad, key=lambda item: item[0]))
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


def read_schema(op: str, given: Any, names: Any) -> Schema | None:
    """A Schema from one, from a table, from names with 'number' or 'category', from a shape, or from `names`."""
    if isinstance(given, Schema):
        return given
    if given is None:
        if names is None:
            return None
        return Schema(tuple(map(str, names)), (None,) * len(names))
    if isinstance(given, tuple) and all(isinstance(size, int) for size in given):
        return Schema(shape=given)
    if isinstance(given, Mapping) and all(
        isinstance(kind, str) and kind in _KINDS for kind in given.values()
    ):
        return Schema(tuple(given), tuple(given.values()))
    frame = read_table(f"{op}: input_schema", given)
    kinds = ["number" if frame.is_number(j) else "category" for j in range(len(frame.columns))]
    return Schema(frame.names, tuple(kinds))


def _fits(value: Any) -> bool:
    if is_missing(value):
        return True
    return isinstance(value, NUMBERS) and math.isfinite(value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
