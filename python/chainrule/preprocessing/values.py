"""Single values of a table: which are missing, texts, numbers or bools, and how messages show them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from chainrule.tensor import Tensor

NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)
_EXACT = 2**53  # up to there float64 has every integer
MISSING_TYPES = ("NoneType", "NAType", "NaTType")  # None and pandas's marks


def is_missing(value: Any) -> bool:
    """None, NaN, and pandas's NA and NaT."""
    return type(value).__name__ in MISSING_TYPES or (
        isinstance(value, float | np.floating) and value != value
    )


def remembering(column: np.ndarray, was: str) -> np.ndarray:
    """A column whose dtype remembers what it was: 'bool' or 'int' (of floats, since it has gaps), 'category'."""
    return column.astype(np.dtype(column.dtype.str, metadata={"was": was}))


def was(column: np.ndarray) -> str | None:
    """What the dtype of a column remembers."""
    return (column.dtype.metadata or {}).get("was")


def as_they_were(column: np.ndarray) -> np.ndarray:
    """A column of bools or ints with gaps as objects, True or 3 rather than 1.0 or 3.0; another as it is."""
    kind: type | None = {"bool": bool, "int": int}.get(was(column) or "")
    if kind is None or column.dtype.kind != "f":
        return column
    mask = np.isnan(column)
    if any(kind(value) != value for value in column[~mask]):
        return column
    out = column.astype(object)
    out[~mask] = [kind(value) for value in column[~mask]]
    return out


def plain(value: Any) -> Any:
    """A NumPy scalar, an array or tensor without dimensions, a Decimal as Python's own number; the rest as it is."""
    if isinstance(value, Decimal):
        return float(value) if not value.is_snan() else np.nan
    is_scalar = isinstance(value, np.generic | np.ndarray | Tensor) and value.ndim == 0
    return value.item() if is_scalar else value


def shown(value: Any) -> str:
    """`value` for a message: as Python writes it, and not longer than a line."""
    value = plain(value)
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an int of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def kind_of(value: Any) -> str | None:
    """'text', 'number' or 'bool', or None for anything else."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "bool"
    return "number" if isinstance(value, NUMBERS) else None


def column_kind(column: np.ndarray) -> str | None:
    """What the first value of a column is, 'text', 'number' or 'bool'; None if all are missing."""
    if column.dtype.kind != "O":
        return {"U": "text", "b": "bool"}.get(column.dtype.kind, "number")
    return next((kind_of(value) for value in column if not is_missing(value)), None)


def fits_float(value: Any) -> bool:
    """Whether a value is a number that float64 holds; infinity and NaN are."""
    if not isinstance(value, NUMBERS):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def changes_as_float(values: Sequence[Any]) -> bool:
    """Whether these are whole numbers, some perhaps missing, and float64 has another one in place of some."""
    if any(isinstance(v, float | np.floating) and v == v for v in values):
        return False
    return any(not is_missing(v) and abs(v) > _EXACT and int(float(v)) != int(v) for v in values)


def only_texts(values: Any) -> bool:
    """Whether all are texts and none is missing: the usual case of categories, told fast."""
    return set(map(type, values)) == {str}


def missing_mask(column: np.ndarray) -> np.ndarray:
    """Where a column has no value."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    if column.dtype == object and not only_texts(column):
        found = (type(value) is not str and is_missing(value) for value in column)
        return np.fromiter(found, dtype=np.bool_, count=len(column))
    return np.zeros(len(column), dtype=np.bool_)


def fit_float(values: Sequence[Any] | np.ndarray, types: set[type]) -> bool:
    """Whether float64 holds all numbers; only Python's int has some that it does not."""
    return int not in types or all(fits_float(v) for v in values if type(v) is int)
