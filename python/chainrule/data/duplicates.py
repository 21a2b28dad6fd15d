"""Rows that are in more than one part of a split: a model that has seen them is tested on what it remembers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule._part import is_frame
from chainrule.data.part import part_of
from chainrule.tensor import Tensor


@dataclass(frozen=True)
class Duplicates:
    """What ``duplicates_across`` found: for each row that several parts share, where it is in each of them.

    `rows` holds one dictionary per shared row, from the part's name to its row numbers there; `counts` says how many
    rows of each part another part has, too. True where there is any; printing shows the counts and the first rows.
    """

    rows: tuple[dict[str, list[int]], ...]
    counts: dict[str, int]
    sizes: dict[str, int]

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return f"no row is in two of {', '.join(self.sizes)}"
        lines = [f"rows in more than one part: {len(self.rows)}"]
        lines += [f"  {name}: {self.counts[name]} of {self.sizes[name]} rows" for name in self.sizes]
        for row in self.rows[:5]:
            lines.append("  " + ", ".join(f"{name} {_some(numbers)}" for name, numbers in row.items()))
        return "\n".join([*lines, "  ..."] if len(self.rows) > 5 else lines)


def duplicates_across(*parts: Any, names: Sequence[str] | None = None) -> Duplicates:
    """Finds rows that are, value for value, in more than one of the parts, by hashing.

    Parts are tensors, arrays, pandas frames (without their index) or lists of rows, of one shape but for the number
    of rows; an image is a row, too. Numbers compare by value, in the dtype that holds those of all parts; NaN equals
    NaN and -0 equals 0. `names` are the marks (``part_of``) or "part 0", ... unless given.

    Raises ValueError for fewer than two parts, rows of different shape or columns, and names that do not differ.

    Example::

        report = duplicates_across(x_train, x_dev, x_test)
        if report:
            print(report)  # rows in more than one part: 1 ...
    """
    op = "duplicates_across"
    if len(parts) < 2:
        raise ValueError(f"{op}: needs at least two parts, got {len(parts)}")
    labels = _names(op, parts, names)
    found: dict[Any, dict[str, list[int]]] = {}
    sizes = {}
    for name, keys in zip(labels, _keys(op, parts), strict=True):
        sizes[name] = len(keys)
        for number, key in enumerate(keys):
            found.setdefault(key, {}).setdefault(name, []).append(number)
    shared = tuple(places for places in found.values() if len(places) > 1)
    counts = {name: sum(len(places.get(name, ())) for places in shared) for name in labels}
    return Duplicates(shared, counts, sizes)


def _names(op: str, parts: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    if names is None:
        marks = [part_of(part) for part in parts]
        marked = None not in marks and len(set(marks)) == len(marks)
        return [str(mark) for mark in marks] if marked else [f"part {i}" for i in range(len(parts))]
    if len(names) != len(parts) or len(set(names)) != len(names):
        raise ValueError(f"{op}: names must be {len(parts)} different texts, got {list(names)}")
    return list(names)


def _keys(op: str, parts: Sequence[Any]) -> Iterator[list[Any]]:
    """For each part one hashable value per row."""
    tables = [_table(op, part) for part in parts]
    shapes = [table.shape[1:] for table in tables]
    if len(set(shapes)) > 1:
        raise ValueError(f"{op}: rows must have one shape, got {[list(shape) for shape in shapes]}")
    columns = [list(part.columns) for part in parts if hasattr(part, "columns")]
    if any(names != columns[0] for names in columns):
        raise ValueError(f"{op}: frames must have the same columns in the same order, got {columns}")
    numbers = all(table.dtype.kind in "biuf" for table in tables)
    dtype = np.result_type(*tables) if numbers else np.dtype(object)
    for table in tables:
        rows = table.reshape(len(table), math.prod(table.shape[1:])).astype(dtype)
        yield _bytes(rows) if numbers else [tuple(map(_plain, row)) for row in rows.tolist()]


def _table(op: str, part: Any) -> np.ndarray:
    if isinstance(part, Tensor):
        table = part.detach().numpy()
    else:
        table = part.to_numpy() if is_frame(part) else np.asarray(part)
    if table.ndim == 0:
        raise ValueError(f"{op}: a part must have rows, got {part!r}")
    return table


def _bytes(rows: np.ndarray) -> list[bytes]:
    if rows.dtype.kind == "f":
        rows += 0.0  # -0 becomes 0
        rows[np.isnan(rows)] = np.nan  # one NaN of the many
    if not rows.size:
        return [b""] * len(rows)
    return (
        np.ascontiguousarray(rows)
        .view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))
        .ravel()
        .tolist()
    )


def _plain(value: Any) -> Any:
    """A value that equals itself: all that is missing is None."""
    missing = type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    return None if missing else value


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:3]))
    return f"[{shown}, ... {len(numbers)} in all]" if len(numbers) > 3 else f"[{shown}]"
