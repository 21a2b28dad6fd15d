"""Tables as transformers see them: named columns, read from arrays, tensors, pandas frames, dictionaries and rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from chainrule.creation import from_numpy
from chainrule.preprocessing.values import (
    MISSING_TYPES,
    NUMBERS,
    changes_as_float,
    fit_float,
    fits_float,
    is_missing,
    kind_of,
    only_texts,
    plain,
    remembering,
    shown,
)
from chainrule.tensor import Tensor


@dataclasses.dataclass(frozen=True)
class Frame:
    """Columns of equal length with their names.

    A column is a 1-D array of numbers or bools, where NaN is missing, or of texts: NumPy strings, or objects
    where None and NaN are missing. Bools and ints with gaps are float64 whose dtype remembers what they were
    (``as_they_were``). What mixes numbers and texts stays as it is until somebody reads it.

    `named`: the names came with the data; otherwise they are x0, x1, .... `source` is "array", "tensor",
    "pandas" or "rows"; `block` the 2-D array that the columns are views of, if there is one.
    """

    columns: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    rows: int
    named: bool = False
    source: str = "array"
    index: Any = None
    block: np.ndarray | None = None

    def replaced(self, columns: Sequence[np.ndarray] | np.ndarray, names: Sequence[str]) -> Frame:
        """The same rows with other columns: a list of them, or a 2-D array."""
        block = columns if isinstance(columns, np.ndarray) else None
        found = tuple(columns.T) if block is not None else tuple(columns)
        return dataclasses.replace(self, columns=found, names=tuple(names), block=block)

    def select(self, positions: Sequence[int]) -> Frame:
        """Some of the columns, in the order of `positions`."""
        positions = list(positions)
        if positions == list(range(len(self.columns))):
            return self
        columns = tuple(self.columns[j] for j in positions)
        return dataclasses.replace(
            self, columns=columns, names=tuple(self.names[j] for j in positions), block=None
        )

    def take(self, rows: np.ndarray) -> Frame:
        """Some of the rows, by a mask or by position."""
        columns = tuple(column[rows] for column in self.columns)
        count = int(rows.sum()) if rows.dtype == np.bool_ else len(rows)
        index = None if self.index is None else self.index[rows]
        return dataclasses.replace(self, columns=columns, rows=count, block=None, index=index)

    def is_number(self, position: int) -> bool:
        """Whether a column holds numbers or bools; texts and mixtures do not."""
        return self.columns[position].dtype.kind in "biuf"

    def numbers(self, op: str, position: int) -> np.ndarray:
        """A column of numbers. Raises TypeError for texts, ValueError for infinity; both name column, row, value."""
        column = self.columns[position]
        if not self.is_number(position):
            name = self.names[position]
            check_uniform(op, name, column)
            bad = ((i, v) for i, v in enumerate(column) if not is_missing(v) and not fits_float(v))
            row, value = next(bad, (None, None))
            if row is None:  # without values there are no texts
                return column.astype(np.float64)
            rule, error = ("hold numbers", TypeError) if isinstance(value, str) else ("be finite", ValueError)
            raise error(f"{op}: column {name!r} must {rule}, row {row} is {shown(value)}")
        if column.dtype.kind == "f" and (infinite := np.isinf(column)).any():
            row = int(infinite.argmax())
            raise ValueError(
                f"{op}: column {self.names[position]!r} must be finite, row {row} is {column[row]}"
            )
        return column

    def matrix(self, op: str) -> np.ndarray:
        """All columns as one 2-D array of float64, or of float32 if all are; of a tensor's, integers may be among
        them. Raises as ``numbers`` does."""
        columns = [self.numbers(op, j) for j in range(len(self.columns))]
        if self.source == "tensor":
            single = not any(column.dtype == np.float64 for column in columns)
        else:
            single = bool(columns) and all(column.dtype == np.float32 for column in columns)
        dtype = np.float32 if single else np.float64
        if self.block is not None:
            return np.asarray(self.block, dtype=dtype)
        out = np.empty((self.rows, len(columns)), dtype=dtype)
        for j, column in enumerate(columns):
            out[:, j] = column
        return out

    def values(self) -> np.ndarray:
        """All columns as one new 2-D array: of their common dtype for numbers, of objects where there are texts."""
        if self.block is not None:
            return np.array(self.block)
        all_numbers = all(self.is_number(j) for j in range(len(self.columns)))
        dtype = np.dtype(np.result_type(*self.columns).str if all_numbers and self.columns else object)
        out = np.empty((self.rows, len(self.columns)), dtype=dtype if self.columns else np.float64)
        for j, column in enumerate(self.columns):
            out[:, j] = column
        return out


def read_table(op: str, X: Any) -> Frame:
    """`X` as a Frame: a 2-D array or tensor, a pandas frame, a dictionary of columns or of one row's values, or a
    list of rows (dictionaries, or sequences).

    Raises ValueError, which names row and column, for ragged rows, columns of different lengths, repeated names;
    TypeError for what is no table.
    """
    if isinstance(X, Frame):
        return X
    if isinstance(X, Tensor):
        return _from_block(op, X.detach().numpy(), "tensor")
    _refuse_masked(op, X)
    if isinstance(X, np.ndarray):
        return _from_block(op, np.asarray(X), "array")
    if is_pandas(X) and hasattr(X, "columns"):
        return _from_pandas(op, X)
    if isinstance(X, Mapping):
        return _from_mapping(op, X)
    if isinstance(X, list | tuple):
        return _from_rows(op, X)
    hint = "; one column is X[['name']]" if is_pandas(X) else ""
    raise TypeError(
        f"{op}: expects an array, tensor, frame, dictionary or rows, got {type(X).__name__}{hint}"
    )


def deliver(frame: Frame, output: str = "default") -> Any:
    """A result for the caller: a tensor where the input was one, a pandas frame if `output` says so, else an array."""
    if output == "pandas":
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "set_output: transform='pandas' needs pandas: pip install 'chainrule[tables]'"
            ) from error
        columns = dict(zip(frame.names, (column.astype(column.dtype.str) for column in frame.columns)))
        index = pandas.RangeIndex(frame.rows) if frame.index is None else frame.index
        return pandas.DataFrame(columns, index=index, columns=list(frame.names))
    values = frame.values()
    if frame.source != "tensor" or values.dtype == object:
        return values
    kind = values.dtype.kind
    if kind in "iu" and values.dtype != np.uint8:
        values = values.astype(np.int64)
    return from_numpy(np.ascontiguousarray(values))


def is_pandas(value: Any) -> bool:
    """Whether an object is pandas's; asking does not import pandas."""
    return type(value).__module__.split(".")[0] == "pandas"


def check_uniform(op: str, name: str, column: np.ndarray) -> None:
    """TypeError, with two rows, for a column that mixes numbers and texts or holds something else."""
    if column.dtype.kind in "biufU" or only_texts(column):
        return
    if all(type(value) is str or is_missing(value) for value in column):
        return
    first: dict[str, tuple[int, Any]] = {}
    for row, value in enumerate(column):
        if is_missing(value):
            continue
        kind = kind_of(value)
        if kind is None:
            raise TypeError(
                f"{op}: column {name!r} must hold numbers or texts, row {row} is {shown(value)} "
                f"({type(value).__name__})"
            )
        first.setdefault(kind, (row, value))
        if len(first) == 2:
            (a, (row, value)), (b, (other, text)) = sorted(first.items())
            raise TypeError(
                f"{op}: column {name!r} mixes {a}s and {b}s: row {row} is {shown(value)}, "
                f"row {other} is {shown(text)}"
            )


def tidy(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """A column from Python objects: numbers, with None as NaN, become an array of numbers; the rest stays objects, and
    so do whole numbers that no dtype holds as they are."""
    types = set(map(type, values))
    if any(issubclass(kind, np.ndarray | Tensor | Decimal) for kind in types):
        values = [plain(value) for value in values]
        types = set(map(type, values))
    missing = {kind for kind in types if kind.__name__ in MISSING_TYPES}
    numbers = {kind for kind in types if issubclass(kind, NUMBERS)}
    bools = {kind for kind in numbers if issubclass(kind, bool | np.bool_)}
    mixed = bool(bools and numbers - bools)
    if types - missing - numbers or mixed or not types or not fit_float(values, numbers):
        return _objects(values, missing)
    whole = not any(issubclass(kind, float | np.floating) for kind in numbers)
    if missing or not whole:
        has_ints = any(issubclass(kind, int | np.integer) for kind in numbers - bools)
        if has_ints and changes_as_float(values):
            return _objects(values, missing)
        out = np.empty(len(values), dtype=np.float64)
        out[:] = [np.nan if type(v) in missing else v for v in values] if missing else list(values)
        return remembering(out, "bool" if bools else "int") if whole and numbers else out
    if bools:
        return np.array(list(values), dtype=np.bool_)
    try:
        return np.array(list(values), dtype=np.int64)
    except OverflowError:
        exact = not changes_as_float(values)
        return np.array(list(values), dtype=np.float64) if exact else _objects(values, missing)


def _objects(values: Sequence[Any] | np.ndarray, missing: set[type]) -> np.ndarray:
    """With None and NaN for what is missing."""
    marks = missing - {type(None)}
    out = np.empty(len(values), dtype=object)
    if only_texts(values):
        out[:] = list(values)
        return out
    for row, v in enumerate(values):  # one by one: NumPy would take lists apart
        out[row] = np.nan if type(v) in marks else v
    return out


def default_names(count: int) -> tuple[str, ...]:
    """x0, x1, ...: what columns without names are called."""
    return tuple(f"x{j}" for j in range(count))


def _from_block(op: str, array: np.ndarray, source: str) -> Frame:
    if array.ndim != 2:
        hint = {0: "", 1: "; one column is x.reshape(-1, 1), one row x.reshape(1, -1)"}.get(array.ndim, "")
        raise ValueError(f"{op}: expects rows and columns, got shape {list(array.shape)}{hint}")
    names = default_names(array.shape[1])
    if array.dtype == object:
        return Frame(tuple(tidy(column) for column in array.T), names, len(array), source=source)
    if array.dtype.kind not in "biufU":
        raise TypeError(f"{op}: expects numbers, bools, texts or objects, got dtype {array.dtype}")
    return Frame(tuple(array.T), names, len(array), source=source, block=array)


def _refuse_masked(op: str, array: Any) -> None:
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{op}: a masked array's mask would be lost; give NaN instead: x.filled(numpy.nan)")


def _from_pandas(op: str, X: Any) -> Frame:
    labels = list(X.columns)
    if X.columns.nlevels > 1:
        raise ValueError(
            f"{op}: names of columns must be of one level, got {labels[:1]}; join them: "
            "X.columns = ['_'.join(map(str, name)) for name in X.columns]"
        )
    texts = [isinstance(label, str) for label in labels]
    if any(texts) and not all(texts):
        raise TypeError(f"{op}: names of columns must all be texts, got {labels[texts.index(False)]!r}, too")
    named = bool(labels) and all(texts)
    names = tuple(labels) if named else default_names(len(labels))
    _check_names(op, names)
    columns = tuple(_from_series(X.iloc[:, j]) for j in range(len(labels)))
    return Frame(columns, names, len(X), named, "pandas", X.index)


def _from_series(series: Any) -> np.ndarray:
    kind = getattr(series.dtype, "kind", "O")
    if isinstance(series.dtype, np.dtype) and kind in "biuf":
        return series.to_numpy()
    if kind in "biuf" and series.isna().any():
        if kind in "iu" and changes_as_float(series.dropna().tolist()):
            return tidy(series.to_numpy(dtype=object))
        column = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return column if kind == "f" else remembering(column, "bool" if kind == "b" else "int")
    column = tidy(series.to_numpy(dtype=object))
    return remembering(column, "category") if str(series.dtype) == "category" else column


def _from_mapping(op: str, X: Mapping[Any, Any]) -> Frame:
    for name in X:
        if not isinstance(name, str):
            raise TypeError(f"{op}: names of columns must be texts, got {name!r}")
    lists = {name: _is_list(value) for name, value in X.items()}
    if not any(lists.values()):
        return _from_rows(op, [X])
    if not all(lists.values()):
        many = next(name for name, flag in lists.items() if flag)
        one = next(name for name, flag in lists.items() if not flag)
        raise TypeError(
            f"{op}: columns must all be lists or arrays, or all be values of one row; {many!r} is a "
            f"{type(X[many]).__name__}, {one!r} is {shown(X[one])}"
        )
    columns = tuple(read_column(op, name, value) for name, value in X.items())
    sizes = {name: len(column) for name, column in zip(X, columns)}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"{op}: columns must have one length, got {sizes}")
    return Frame(columns, tuple(X), len(columns[0]), True, "rows")


def read_column(op: str, name: str, value: Any) -> np.ndarray:
    """One column as a 1-D array. Raises ValueError for another shape."""
    if isinstance(value, Tensor):
        value = value.detach().numpy()
    elif is_pandas(value) and hasattr(value, "columns"):
        raise ValueError(f"{op}: {name!r} must have one dimension, got a frame; one column is frame['name']")
    elif is_pandas(value):
        return _from_series(value)
    _refuse_masked(op, value)
    is_ready = isinstance(value, np.ndarray) and (value.dtype != object or value.ndim != 1)
    column = np.asarray(value) if is_ready else tidy(value)
    if column.ndim != 1:
        raise ValueError(f"{op}: {name!r} must have one dimension, got shape {list(column.shape)}")
    return column


def _from_rows(op: str, X: Sequence[Any]) -> Frame:
    if not X:
        raise ValueError(f"{op}: an empty list has no columns")
    if isinstance(X[0], Mapping):
        names = tuple(X[0])
        for row, values in enumerate(X):
            _check_row(op, row, values, names)
        columns = tuple(tidy([values[name] for values in X]) for name in names)
        return Frame(columns, names, len(X), True, "rows")
    for row, values in enumerate(X):
        if not _is_list(values):
            raise TypeError(f"{op}: a list must hold rows; item {row} is {values!r}. One row is [[...]]")
        if len(values) != len(X[0]):
            raise ValueError(
                f"{op}: ragged rows: row {row} has {len(values)} values, row 0 has {len(X[0])}: {list(values)!r}"
            )
    columns = tuple(tidy([values[j] for values in X]) for j in range(len(X[0])))
    return Frame(columns, default_names(len(columns)), len(X), source="rows")


def _check_row(op: str, row: int, values: Any, names: tuple[str, ...]) -> None:
    if not isinstance(values, Mapping):
        raise TypeError(f"{op}: rows must all be dictionaries, row {row} is {values!r}")
    if values.keys() != set(names):
        lacks = [name for name in names if name not in values]
        extra = [name for name in values if name not in names]
        parts = [f"lacks {lacks}"] * bool(lacks) + [f"has {extra}, too"] * bool(extra)
        raise ValueError(f"{op}: ragged rows: row {row} {' and '.join(parts)}; row 0 has {list(names)}")
    for name, value in values.items():
        if not isinstance(name, str):
            raise TypeError(f"{op}: names of columns must be texts, got {name!r}")
        if _is_list(value):
            raise TypeError(f"{op}: row {row}, column {name!r} must be one value, got {value!r}")


def _check_names(op: str, names: tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{op}: names of columns must differ, got {twice!r} {names.count(twice)} times")


def _is_list(value: Any) -> bool:
    shape = getattr(value, "shape", None)
    return isinstance(value, list | tuple) or (shape is not None and len(shape) > 0)
