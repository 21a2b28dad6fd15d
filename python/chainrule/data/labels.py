"""Labels of samples as numbers: what stratifies, groups and balances reads them this way."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.tensor import Tensor


def class_numbers(op: str, name: str, labels: Any, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The different labels in order, and for each sample the number of its own among them.

    `labels` is one label per sample, numbers or texts: a tensor, an array, a list or a pandas series.

    Raises ValueError for another shape or length and for missing labels, TypeError for labels that have no order
    (numbers and texts in one column).
    """
    values = labels.detach().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if values.ndim != 1 or (count is not None and len(values) != count):
        wanted = "each sample" if count is None else f"each of {count} samples"
        raise ValueError(f"{op}: {name} must hold one label for {wanted}, got shape {list(values.shape)}")
    missing = _missing(values)
    if missing.any():
        position = int(missing.argmax())
        shown = "NaN" if values.dtype.kind == "f" else repr(values[position])
        raise ValueError(f"{op}: {name} has {shown} at position {position}")
    try:
        return np.unique(values, return_inverse=True)
    except TypeError:
        kinds = sorted({type(value).__name__ for value in values})
        raise TypeError(f"{op}: {name} must hold labels of one type, got {', '.join(kinds)}") from None


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    # pandas's NA compares as neither true nor false.
    names = ("NoneType", "NAType", "NaTType")
    return np.array(
        [type(v).__name__ in names or (isinstance(v, float) and v != v) for v in values], dtype=bool
    )
