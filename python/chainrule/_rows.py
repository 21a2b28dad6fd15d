"""Raw rows on their way to a model: what is missing, not finite or no number is named as the caller knows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.schema import BadRowsError, Schema
from chainrule.preprocessing.table import Frame
from chainrule.tensor import Tensor


def samples(op: str, schema: Schema | None, rows: Any) -> np.ndarray:
    """An array of samples as it is, numbers without NaN and infinity."""
    array = rows.detach().numpy() if isinstance(rows, Tensor) else np.asarray(rows)
    if schema is not None:
        schema.check_shape(op, array.shape)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{op}: expects an array of numbers, got dtype {array.dtype}")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise BadRowsError(
            op, "must be finite numbers", [(where[0], str(list(where[1:])), float(array[where]))]
        )
    return array


def no_rows(schema: Schema | None, preprocessing: Transformer | None) -> Frame | None:
    """A table without rows, since an empty list does not say which columns it has; None where nothing says it."""
    names = (
        schema.names
        if schema is not None
        else preprocessing._names_in()
        if preprocessing is not None
        else None
    )
    if names is None:
        return None
    return Frame(tuple(np.empty(0) for _ in names), tuple(names), 0, named=schema is not None)


def source(raw: Frame, row: int, name: str, value: Any) -> tuple[int, str, Any]:
    """Row, column and value as the caller knows them: of "group__a" that preprocessing gives, "a" of the rows."""
    known = [n for n in raw.names if name == n or name.endswith(f"__{n}")]
    if not known:
        return row, name, value
    found = max(known, key=len)
    return row, found, raw.columns[raw.names.index(found)][row]


def complete(op: str, frame: Frame, raw: Frame) -> np.ndarray:
    """The columns as numbers; BadRowsError where one is missing, TypeError for texts."""
    x = frame.matrix(op)
    if (missing := np.isnan(x)).any():
        rows, columns = np.nonzero(missing)
        bad = [(*source(raw, int(i), frame.names[j], None)[:2], None) for i, j in zip(rows, columns)]
        raise BadRowsError(op, "missing, and preprocessing fills nothing in", bad)
    return x
