"""Categories of a column: learned from it or given, looked up, and the rare ones joined."""

from __future__ import annotations

import itertools
from numbers import Integral, Real
from typing import Any

import numpy as np

from chainrule.preprocessing.schema import BadRowsError
from chainrule.preprocessing.table import check_uniform, tidy
from chainrule.preprocessing.values import (
    as_they_were,
    column_kind,
    is_missing,
    kind_of,
    missing_mask,
    only_texts,
    plain,
    shown,
)

INFREQUENT = "infrequent"
UNKNOWN = -1


def learn(op: str, name: str, column: np.ndarray) -> np.ndarray:
    """The different values of a column in order, a missing one (all count as one) last.

    Raises TypeError for a column of mixed types, ValueError for one without any value.
    """
    check_uniform(op, name, column)
    column = as_they_were(column)
    missing = missing_mask(column)
    if missing.all():
        raise ValueError(f"{op}: column {name!r} has no value in any of {len(column)} rows")
    if column.dtype != object:
        return np.unique(column)  # of several NaN it keeps one, the last
    found = sorted(set(column[~missing].tolist()))
    if missing.any():
        found.append(None if any(value is None for value in column[missing]) else np.nan)
    return _objects(found)


def given(op: str, name: str, values: Any) -> np.ndarray:
    """Categories that the caller lists, in that order. Raises ValueError for a repeated one, or none."""
    column = values if isinstance(values, np.ndarray) and values.dtype != object else tidy(list(values))
    check_uniform(op, name, column)
    if not len(column):
        raise ValueError(f"{op}: categories of column {name!r} must not be empty")
    lookup = _lookup(column)
    if len(lookup) != len(column):
        raise ValueError(f"{op}: categories of column {name!r} must differ, got {column.tolist()}")
    return column


def codes(categories: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The position of each value among the categories, int64; UNKNOWN where it is not among them."""
    if categories.dtype.kind in "biuf" and column.dtype.kind in "biuf":
        order = np.argsort(categories, kind="stable")
        where = np.searchsorted(categories, column, sorter=order).clip(max=len(categories) - 1)
        found = order[where]
        same = (categories[found] == column) | (missing_mask(categories)[found] & missing_mask(column))
        return np.where(same, found, UNKNOWN).astype(np.int64)
    lookup = _lookup(categories)
    keys = column.tolist()
    if not only_texts(keys):
        keys = [None if type(key) is not str and is_missing(key) else key for key in keys]
    return np.fromiter(map(lookup.get, keys, itertools.repeat(UNKNOWN)), dtype=np.int64, count=len(column))


def refuse_other_kinds(op: str, name: str, column: np.ndarray, categories: np.ndarray) -> None:
    """BadRowsError for values that are no text, number or bool as the categories are: they would be unknown, without
    anybody having forgotten a category. A bool and a number that are equal are the same category."""
    wanted, column = column_kind(categories), as_they_were(column)
    if wanted == "text" and column.dtype == object and only_texts(column):
        return
    if wanted is None or (column.dtype.kind != "O" and column_kind(column) == wanted):
        return
    equal = set() if wanted == "text" else set(categories.tolist())
    bad = [
        (row, name, plain(value))
        for row, value in enumerate(column)
        if not is_missing(value)
        and (kind := kind_of(value)) != wanted
        and (kind not in ("number", "bool") or plain(value) not in equal)
    ]
    if bad:
        raise BadRowsError(
            op, f"the categories of column {name!r} are {wanted}s, other kinds do not fit", bad
        )


def refuse_unknown(op: str, name: str, column: np.ndarray, categories: np.ndarray, code: np.ndarray) -> None:
    """ValueError, with column, row and value, if some value is not among the categories."""
    unknown = np.flatnonzero(code == UNKNOWN)
    if not len(unknown):
        return
    values = as_they_were(column)[unknown[:1000]].tolist()
    found = list(dict.fromkeys("(missing)" if is_missing(value) else shown(value) for value in values))
    more = f", and {len(unknown) - 1} more rows" if len(unknown) > 1 else ""
    also = f" (also {', '.join(found[1:4])})" if found[1:] else ""
    known = categories[:10].tolist()
    rest = ", ..." if len(categories) > 10 else ""
    raise ValueError(
        f"{op}: column {name!r}, row {unknown[0]}: unknown category {found[0]}{also}{more}; "
        f"known: {', '.join(map(shown, known))}{rest}"
    )


def infrequent(counts: np.ndarray, rows: int, min_frequency: Any, max_categories: int | None) -> np.ndarray:
    """Positions of the categories that are too rare, by count or share, or beyond `max_categories` (the joined one
    counts as one of these)."""
    rare = np.zeros(len(counts), dtype=np.bool_)
    if min_frequency is not None:
        rare = counts < (min_frequency if isinstance(min_frequency, Integral) else rows * min_frequency)
    if max_categories is not None and max_categories < len(counts) - rare.sum() + 1:
        # Of equally frequent ones the first are rare, as scikit-learn has it.
        order = np.argsort(counts, kind="stable")
        rare[order[: len(counts) - (max_categories - 1)]] = True
    return np.flatnonzero(rare)


def join(count: int, rare: np.ndarray) -> np.ndarray:
    """For each of `count` categories its new position: frequent ones keep their order, rare ones share the last."""
    mapping = np.empty(count, dtype=np.int64)
    frequent = np.setdiff1d(np.arange(count), rare)
    mapping[frequent] = np.arange(len(frequent))
    mapping[rare] = len(frequent)
    return mapping


def check_rules(op: str, min_frequency: Any, max_categories: Any) -> None:
    """ValueError unless the limits are None, positive counts, or (of frequency) a share below 1."""
    if isinstance(min_frequency, Real) and not isinstance(min_frequency, bool | Integral):
        fits = 0 < min_frequency < 1
    else:
        fits = min_frequency is None or (isinstance(min_frequency, Integral) and min_frequency >= 1)
    if not fits:
        raise ValueError(
            f"{op}: min_frequency must be a count or a share between 0 and 1, got {min_frequency!r}"
        )
    if max_categories is not None and (not isinstance(max_categories, Integral) or max_categories < 1):
        raise ValueError(f"{op}: max_categories must be a positive int, got {max_categories!r}")


def _lookup(categories: np.ndarray) -> dict[Any, int]:
    return {None if is_missing(v) else v: position for position, v in enumerate(categories.tolist())}


def _objects(values: list[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
