"""Other transformers for other columns: ColumnTransformer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.preprocessing.base import clone
from chainrule.preprocessing.pipeline import Composite, check_transformer, named
from chainrule.preprocessing.table import Frame, deliver, read_table
from chainrule.preprocessing.values import was


class ColumnTransformer(Composite):
    """Gives each group of columns to a transformer of its own, and puts the results side by side.

    Args:
        transformers: a list of (name, transformer, columns). The transformer may be 'drop' or 'passthrough'; the
            columns are a name or number, a list of such, a slice of either (one of names includes its end), a mask of
            bools, or a function of the table that gives one of these (``make_column_selector``).
        remainder: what becomes of the other columns: 'drop', 'passthrough' or a transformer.
        verbose_feature_names_out: whether names come out as ``name__column``; otherwise they must differ by
            themselves.

    The fitted copies are in ``transformers_`` (name, transformer, columns) and ``named_transformers_``; those given
    stay as they are. ``output_indices_`` holds the slice of the result of each. A column that is dropped may be
    missing in ``transform``; unknown ones raise ValueError.

    Raises ValueError, which names the column, for one that is not there; TypeError for what is no transformer.

    Example::

        ColumnTransformer([
            ("numbers", StandardScaler(), ["bill_length_mm", "body_mass_g"]),
            ("classes", OneHotEncoder(), make_column_selector(dtype_include=object)),
        ])
    """

    def __init__(
        self, transformers: Any, *, remainder: Any = "drop", verbose_feature_names_out: bool = True
    ) -> None:
        self.transformers = transformers
        self.remainder = remainder
        self.verbose_feature_names_out = verbose_feature_names_out

    def _parts(self) -> list[tuple[str, Any]]:
        return [(name, part) for name, part, _ in self.transformers]

    def _replace_part(self, name: str, part: Any) -> None:
        self.transformers = [
            (known, part if known == name else old, columns) for known, old, columns in self.transformers
        ]

    @property
    def named_transformers_(self) -> dict[str, Any]:
        """The fitted transformers by name."""
        self._check_fitted("named_transformers_")
        return {name: part for name, part, _ in self.transformers_}

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        for item in self.transformers:
            if not isinstance(item, tuple | list) or len(item) != 3:
                raise ValueError(f"{op}: transformers must be (name, transformer, columns), got {item!r}")
        self._check_parts(op, [name for name, _, _ in self.transformers])
        groups = [
            (name, part, _positions(f"{op}: {name!r}", frame, columns))
            for name, part, columns in self.transformers
        ]
        used = {j for _, _, positions in groups for j in positions}
        rest = [j for j in range(len(frame.columns)) if j not in used]
        if rest:
            groups.append(("remainder", self.remainder, rest))
        self.transformers_: list[tuple[str, Any, list[int]]] = []
        for name, part, positions in groups:
            if part not in ("drop", "passthrough"):
                check_transformer(op, f"transformer {name!r}", part)
                part = clone(part)
                if positions:
                    part._fit_frame(frame.select(positions), y)
            self.transformers_.append((name, part, positions))
        self._check_names(op, self._names_out(self._names_in()))
        self._measure()

    def _active(self) -> list[tuple[str, Any, list[int]]]:
        return [item for item in self.transformers_ if item[1] != "drop" and item[2]]

    def _group_names(self, names: Sequence[str], part: Any, positions: list[int]) -> list[str]:
        inner = [names[j] for j in positions]
        return inner if part == "passthrough" else list(part._names_out(inner))

    def _names_out(self, names: Sequence[str]) -> list[str]:
        found = []
        for name, part, positions in self._active():
            inner = self._group_names(names, part, positions)
            found += [f"{name}__{item}" for item in inner] if self.verbose_feature_names_out else inner
        return found

    def _check_names(self, op: str, names: list[str]) -> None:
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"{op}: two results are named {twice!r}; give a column to one group, or set "
                "verbose_feature_names_out=True"
            )

    def _typical(self, position: int) -> tuple[str | None, Any]:
        found = [
            (None, None) if part == "passthrough" else part._typical(positions.index(position))
            for _, part, positions in self._active()
            if position in positions
        ]
        return next((item for item in found if item[0] is not None), found[0] if found else (None, 1.0))

    def _measure(self) -> None:
        self.output_indices_ = {name: slice(0, 0) for name, _, _ in self.transformers_}
        start = 0
        for name, part, positions in self._active():
            width = len(self._group_names(self._names_in(), part, positions))
            self.output_indices_[name] = slice(start, start + width)
            start += width

    def _apply(self, frame: Frame) -> Frame:
        columns: list[np.ndarray] = []
        for _, part, positions in self._active():
            given = frame.select(positions)
            columns += (given if part == "passthrough" else part._apply(given)).columns
        return frame.replaced(columns, self._names_out(frame.names))

    def _aligned(self, op: str, frame: Frame) -> Frame:
        """As the base class, but a column that is dropped may be missing: it is never read."""
        names = getattr(self, "feature_names_in_", None)
        if names is not None and frame.named:
            needed = {j for _, _, positions in self._active() for j in positions}
            idle = [n for j, n in enumerate(names) if j not in needed and n not in frame.names]
            if idle:
                empty = np.full(frame.rows, np.nan)
                frame = frame.replaced([*frame.columns, *[empty] * len(idle)], [*frame.names, *idle])
        return super()._aligned(op, frame)

    def _saved_params(self) -> dict[str, Any]:
        # Columns as they were found: a function cannot be saved, and need not be.
        found = {name: positions for name, _, positions in self.transformers_}
        params = super()._saved_params()
        params["transformers"] = [(name, part, found[name]) for name, part, _ in self.transformers]
        return params


class make_column_selector:  # scikit-learn's name
    """A function that chooses the columns whose name matches `pattern` (a regular expression) and whose dtype is one of
    `dtype_include` and none of `dtype_exclude`.

    dtypes are ``np.number`` or "number", bool or "bool", object, str, "object" or "string" for texts, and
    "category" for pandas's columns of that dtype, which are none of the others; one of them or a list.

    Example::

        make_column_selector(dtype_include=np.number)
    """

    def __init__(
        self, pattern: str | None = None, *, dtype_include: Any = None, dtype_exclude: Any = None
    ) -> None:
        self.pattern = pattern
        self.dtype_include = dtype_include
        self.dtype_exclude = dtype_exclude
        for dtypes in (dtype_include, dtype_exclude):
            _kinds(dtypes)

    def __call__(self, X: Any) -> list[int]:
        """Positions of the columns of a table."""
        frame = read_table("make_column_selector", X)
        include, exclude = _kinds(self.dtype_include), _kinds(self.dtype_exclude)
        return [
            j
            for j, (name, column) in enumerate(zip(frame.names, frame.columns))
            if (self.pattern is None or re.search(self.pattern, name))
            and (self.dtype_include is None or _kind(column) in include)
            and _kind(column) not in exclude
        ]


def make_column_transformer(
    *transformers: Any, remainder: Any = "drop", verbose_feature_names_out: bool = True
) -> ColumnTransformer:
    """A ColumnTransformer of (transformer, columns) pairs, named after their classes in lower case."""
    names = [name for name, _ in named([part for part, _ in transformers])]
    return ColumnTransformer(
        [(name, part, columns) for name, (part, columns) in zip(names, transformers)],
        remainder=remainder,
        verbose_feature_names_out=verbose_feature_names_out,
    )


def _positions(op: str, frame: Frame, columns: Any) -> list[int]:
    if isinstance(columns, make_column_selector):
        columns = columns(frame)
    elif callable(columns):
        columns = columns(deliver(frame, "pandas" if frame.source == "pandas" else "default"))
    count = len(frame.columns)
    if isinstance(columns, slice):
        if any(isinstance(end, str) for end in (columns.start, columns.stop)):
            start = 0 if columns.start is None else _position(op, frame, columns.start)
            stop = count - 1 if columns.stop is None else _position(op, frame, columns.stop)
            return list(range(start, stop + 1))[:: columns.step]
        return list(range(count))[columns]
    if isinstance(columns, str | int | np.integer) and not isinstance(columns, bool):
        return [_position(op, frame, columns)]
    columns = list(columns)
    if columns and all(isinstance(flag, bool | np.bool_) for flag in columns):
        if len(columns) != count:
            raise ValueError(
                f"{op}: a mask must have one bool for each of {count} columns, got {len(columns)}"
            )
        return [j for j, flag in enumerate(columns) if flag]
    return [_position(op, frame, column) for column in columns]


def _position(op: str, frame: Frame, column: Any) -> int:
    if isinstance(column, str):
        if column in frame.names:
            return frame.names.index(column)
        raise ValueError(f"{op}: no column {column!r}; there are {', '.join(frame.names)}")
    count = len(frame.columns)
    if not isinstance(column, int | np.integer) or isinstance(column, bool):
        raise TypeError(f"{op}: a column is a name or a number, got {column!r}")
    if not -count <= column < count:
        raise ValueError(f"{op}: column {column} is out of range for {count} columns")
    return int(column) % count


_TEXTS = (object, str, "object", "string", "str")


def _kinds(dtypes: Any) -> set[str]:
    found = set()
    for dtype in dtypes if isinstance(dtypes, list | tuple) else [dtypes] * (dtypes is not None):
        if dtype in _TEXTS:
            found.add("text")
        elif isinstance(dtype, str) and dtype == "category":
            found.add("category")
        elif dtype in (np.number, "number", float, int):
            found.add("number")
        elif dtype in (bool, "bool", np.bool_):
            found.add("bool")
        else:
            raise ValueError(
                f"make_column_selector: a dtype must be np.number, bool, object or str, got {dtype!r}"
            )
    return found


def _kind(column: np.ndarray) -> str:
    if (kind := was(column)) in ("bool", "category"):
        return kind
    return {"b": "bool", "O": "text", "U": "text"}.get(column.dtype.kind, "number")
