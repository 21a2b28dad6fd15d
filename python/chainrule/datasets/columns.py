"""Columns: a table as a dictionary of named columns, which may be of different kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule._part import follow
from chainrule.datasets._extra import needs


class Columns(dict[str, np.ndarray]):
    """A dictionary of columns by name, 1-D arrays of one length; its order is the order of the columns.

    Columns of numbers are int64, or float64 with NaN for what is missing; columns of texts are object arrays with
    None for what is missing. Splits and `chainrule.preprocessing` take such a table as it is; a part of a split stays
    marked where rows or columns are chosen and where it is converted, and so is each of its columns.

    Attributes:
        shape: (rows, columns).
        description: where the data comes from, if known.

    Raises ValueError for columns of different lengths or of more than one dimension, TypeError for a name that is
    no text.

    Example:
        >>> table = Columns({"species": np.array(["Adelie", None], object), "year": np.array([2007, 2008])})
        >>> table.shape
        (2, 2)
        >>> table.rows([1])["year"]
        array([2008])
    """

    def __init__(self, columns: Mapping[str, Any], description: str = "") -> None:
        super().__init__({name: np.asarray(column) for name, column in columns.items()})
        self.description = description
        for name, column in self.items():
            if not isinstance(name, str):
                raise TypeError(f"Columns: names must be texts, got {name!r}")
            if column.ndim != 1:
                raise ValueError(f"Columns: {name!r} must have one dimension, got shape {list(column.shape)}")
        lengths = {name: len(column) for name, column in self.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Columns: all columns must have the same length, got {lengths}")

    @property
    def shape(self) -> tuple[int, int]:
        return len(next(iter(self.values()), ())), len(self)

    def select(self, names: Sequence[str]) -> Columns:
        """Some of the columns, in the order of `names`; KeyError, which lists the columns, for an unknown one."""
        for name in names:
            if name not in self:
                raise KeyError(f"Columns: no column {name!r}; there are {', '.join(self)}")
        return follow(Columns({name: self[name] for name in names}, self.description), self)

    def rows(self, which: Any) -> Columns:
        """Some of the rows, copied, by position or by a mask; IndexError for a position out of range."""
        columns = {name: column[np.asarray(which)] for name, column in self.items()}
        return follow(Columns(columns, self.description), self)

    def to_numpy(self) -> np.ndarray:
        """The table as an array [rows, columns]: of numbers if all columns are, otherwise of objects."""
        numbers = all(column.dtype != object for column in self.values())
        dtype = np.result_type(*self.values()) if numbers and self else np.dtype(object)
        table = np.empty(self.shape, dtype=dtype)
        for position, column in enumerate(self.values()):
            table[:, position] = column
        return follow(table, self)

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame; ImportError without pandas."""
        pandas = needs("Columns.to_pandas", "pandas", "pandas", "tables")
        return follow(pandas.DataFrame(dict(self)), self)

    def __repr__(self) -> str:
        rows, columns = self.shape
        lines = [f"Columns: {rows} rows, {columns} columns"]
        for name, column in self.items():
            kind = "text" if column.dtype == object else column.dtype.name
            missing = int(is_missing(column).sum())
            lines.append(f"  {name}: {kind}" + (f", {missing} missing" if missing else ""))
        return "\n".join(lines)


def is_missing(column: np.ndarray) -> np.ndarray:
    """Where a column has no value: NaN among numbers, None among texts."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    if column.dtype == object:
        return np.array([value is None for value in column], dtype=bool)
    return np.zeros(len(column), dtype=bool)
