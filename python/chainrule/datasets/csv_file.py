"""read_csv: a text file of comma-separated values as named columns, strict about what does not fit."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule._validate import choice, integer
from chainrule._warn import warn
from chainrule.datasets._extra import needs
from chainrule.datasets.columns import Columns
from chainrule.datasets.csv_lines import decoded, records_of

# The texts that pandas takes for missing values.
# fmt: off
MISSING = frozenset((
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
))
# fmt: on
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_NUMBER = re.compile(r"\s*[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf|infinity)\s*", re.IGNORECASE)
_KINDS = {"int": "int", "int64": "int", "float": "float", "float64": "float", "str": "str"}
_EXACT = 2**53  # above it float64 has no place for every integer


def read_csv(
    path: str | os.PathLike[str],
    *,
    sep: str = ",",
    header: int | None = 0,
    names: Sequence[str] | None = None,
    usecols: Sequence[str] | None = None,
    dtype: Any = None,
    na_values: Iterable[str] = (),
    keep_default_na: bool = True,
    encoding: str = "utf-8",
    decimal: str = ".",
    nrows: int | None = None,
    skiprows: int = 0,
    comment: str | None = None,
    engine: str = "csv",
    **others: Any,
) -> Any:
    """Reads a file of comma-separated values: columns by name. The arguments are some of pandas's function.

    A column whose values are whole numbers becomes int64 (float64, with NaN, where some are missing), one of numbers
    float64, any other an array of texts with None for what is missing. Missing are the texts that pandas takes for
    it ('', 'NA', 'nan', ... unless `keep_default_na` is False), white space, and those of `na_values`. Numbers may
    have leading zeros; where these count (a postal code), ask for texts. Empty lines are passed over, as pandas does;
    in a file of one column they are missing values, except before the names and at the end.

    Args:
        path: the file.
        sep: one character between the fields. A field in double quotes may hold it, and line ends.
        header: 0, the first line has the names; None, there is no such line and the columns are x0, x1, ....
        names: the names of all columns; with ``header=0`` in place of those in the file.
        usecols: the columns to keep, in this order. What is in the others is not looked at.
        dtype: `int`, `float` or `str` (or NumPy's names of these) for all columns, or a dictionary for some. Where
            there is none, the values decide. A column asked for as `int` must miss nothing.
        encoding: of the file. A byte order mark of UTF-8 is no part of the first name.
        decimal: what stands for the point in numbers.
        nrows: how many rows to read; those below are not looked at.
        skiprows: how many lines to pass over at the start of the file.
        comment: a character that, outside of quotes, ends what is read of a line, with the blanks before it.
        engine: 'csv', the standard library's reader under the rules here; 'pandas', pandas's own reader (several times
            faster) with its own rules: it fills short rows and lets a column mix numbers and texts.
        others: further arguments of pandas's function, with ``engine="pandas"`` alone.

    Returns:
        Columns; a DataFrame with ``engine="pandas"``.

    Raises:
        ValueError: names file and line, and row (the first below the names is 0) and column where there is one: a row
            with more or fewer fields than there are columns, a column that mixes numbers and texts, a value that
            `dtype` does not fit, an integer that int64 (or, beside missing values, float64) cannot hold, a number
            beyond float64 (1e400), names that are empty or occur twice, bytes that are not of the encoding, NUL
            bytes, a quote that is not closed, a file without rows. A column without any value is NaN and warns.
        TypeError: an argument that there is none of.
        FileNotFoundError: there is no such file.

    Example:
        >>> table = read_csv("penguins.csv", dtype={"year": str})
        >>> table["bill_length_mm"][:4]
        array([39.1, 39.5, 40.3,  nan])
    """
    choice("read_csv", "engine", engine, ("csv", "pandas"))
    if header not in (0, None) or isinstance(header, bool):
        raise ValueError(f"read_csv: header must be 0 or None, got {header!r}")
    integer("read_csv", "skiprows", skiprows, 0)
    if nrows is not None:
        integer("read_csv", "nrows", nrows)
    for name, sign in (("decimal", decimal), ("comment", comment)):
        if sign is not None and (not isinstance(sign, str) or len(sign) != 1):
            raise ValueError(f"read_csv: {name} must be one character, got {sign!r}")
    if isinstance(na_values, str):
        na_values = [na_values]
    if engine == "pandas":
        pandas = needs("read_csv: engine='pandas'", "pandas", "pandas", "tables")
        options = {"sep": sep, "header": header, "names": names, "usecols": usecols, "dtype": dtype}
        options |= {
            "na_values": list(na_values),
            "keep_default_na": keep_default_na,
            "encoding": encoding,
            "decimal": decimal,
            "nrows": nrows,
            "skiprows": skiprows,
            "comment": comment,
        }
        return pandas.read_csv(path, **options, **others)
    if others:
        raise TypeError(
            f"read_csv: no argument {next(iter(others))!r}; there are {', '.join(list(_arguments())[:-1])}, and with "
            "engine='pandas' those of pandas.read_csv"
        )
    source = os.fsdecode(path)
    text = decoded(source, encoding)
    lines, records = records_of(source, text, sep, skiprows=skiprows, comment=comment, header=header)
    given = _names(source, lines, records, header, names)
    lines, records = lines[:nrows], records[:nrows]
    _check_widths(source, lines, records, given)
    wanted = list(given if usecols is None else usecols)
    for name in wanted:
        if name not in given:
            raise ValueError(f"read_csv: {source}: no column {name!r}; there are {', '.join(given)}")
    kinds = _kinds(source, dtype, given)
    missing = (MISSING if keep_default_na else frozenset([""])).union(na_values)
    columns = {}
    for name in wanted:
        position = given.index(name)
        values = [record[position] for record in records]
        columns[name] = _Column(source, name, values, lines, missing, decimal).array(kinds.get(name))
    return Columns(columns)


def _arguments() -> Iterable[str]:
    return inspect.signature(read_csv).parameters


def _names(
    source: str, lines: list[int], records: list[list[str]], header: int | None, names: Sequence[str] | None
) -> list[str]:
    """The names of the columns; takes the line that has them out of `lines` and `records`."""
    if not records:
        raise ValueError(f"read_csv: {source}: the file is empty")
    width = len(records[0])
    found = [f"x{position}" for position in range(width)]
    if header == 0:
        found, line = records.pop(0), lines.pop(0)
    if names is not None:
        if len(names) != width:
            raise ValueError(
                f"read_csv: {source}: {len(names)} names for {width} columns: {', '.join(names)}"
            )
        found = list(names)
    for position, name in enumerate(found):
        where = f"{source}, line {line}" if header == 0 and names is None else source
        if not name.strip():
            raise ValueError(f"read_csv: {where}: column {position} has no name; give all with names=[...]")
        if name in found[:position]:
            raise ValueError(
                f"read_csv: {where}: columns {found.index(name)} and {position} are both called {name!r}"
            )
    if not records:
        raise ValueError(f"read_csv: {source}: no row below the names {', '.join(found)}")
    return found


def _check_widths(source: str, lines: list[int], records: list[list[str]], names: list[str]) -> None:
    for row, record in enumerate(records):
        if len(record) != len(names):
            raise ValueError(
                f"read_csv: {source}, line {lines[row]} (row {row}): {len(record)} fields for {len(names)} columns "
                f"({', '.join(names)}): {record}"
            )


def _kinds(source: str, dtype: Any, names: list[str]) -> dict[str, str]:
    asked = dtype if isinstance(dtype, Mapping) else {} if dtype is None else dict.fromkeys(names, dtype)
    kinds = {}
    for name, kind in asked.items():
        if name not in names:
            raise ValueError(
                f"read_csv: {source}: dtype for {name!r}, but the columns are {', '.join(names)}"
            )
        text = getattr(kind, "__name__", None) or getattr(kind, "name", None) or str(kind)
        if text not in _KINDS:
            raise ValueError(f"read_csv: dtype of column {name!r} must be int, float or str, got {kind!r}")
        kinds[name] = _KINDS[text]
    return kinds


class _Column:
    """The texts of one column, on the way to an array."""

    def __init__(
        self,
        source: str,
        name: str,
        values: list[str],
        lines: list[int],
        missing: frozenset[str],
        decimal: str,
    ) -> None:
        self.source, self.name, self.values, self.lines = source, name, values, lines
        self.absent = [value in missing or value.isspace() for value in values]
        # Numbers as Python writes them; where a comma is the point, a point is none.
        swapped = str.maketrans({decimal: ".", ".": decimal})
        self.numbers = values if decimal == "." else [value.translate(swapped) for value in values]
        self.present = [value for value, absent in zip(self.numbers, self.absent) if not absent]

    def array(self, kind: str | None) -> np.ndarray:
        """The values as int64, float64, or objects (texts and None). `kind` says which; None: the values do."""
        if not self.present and kind != "str":
            text = f"read_csv: {self.source}: column {self.name!r} has no value in any of {len(self.values)} rows"
            warn(f"{text}; it is NaN throughout")
            return np.full(len(self.values), np.nan)
        if kind is None:
            kind = self._kind()
        elif kind != "str":
            self._check(kind)
        if kind == "str":
            texts = np.empty(len(self.values), dtype=object)
            texts[:] = [None if absent else value for value, absent in zip(self.values, self.absent)]
            return texts
        return self._integers() if kind == "int" else self._floats()

    def _kind(self) -> str:
        """What all values are; ValueError, which names one of each, for numbers among texts."""
        if all(map(_INTEGER.fullmatch, self.present)):
            return "int"
        if all(map(_NUMBER.fullmatch, self.present)):
            return "float"
        if not any(map(_NUMBER.fullmatch, self.present)):
            return "str"
        number, text = self._first(_NUMBER, True), self._first(_NUMBER, False)
        raise ValueError(
            f"{self._at(text)}: {self.values[text]!r} is no number, but row {number} has {self.values[number]!r}: "
            f"dtype={{{self.name!r}: str}} takes both as texts, na_values=[{self.values[text]!r}] takes it for missing"
        )

    def _check(self, kind: str) -> None:
        pattern, what = (_INTEGER, "a whole number") if kind == "int" else (_NUMBER, "a number")
        if not all(map(pattern.fullmatch, self.present)):
            row = self._first(pattern, False)
            raise ValueError(f"{self._at(row)}: must be {what}, got {self.values[row]!r}")
        if kind == "int" and any(self.absent):
            row = self.absent.index(True)
            raise ValueError(
                f"{self._at(row)}: is missing, which int has no value for; dtype={{{self.name!r}: float}} makes it NaN"
            )

    def _first(self, pattern: re.Pattern[str], matches: bool) -> int:
        """The first row whose value, if there is one, matches `pattern` or does not."""
        rows = (row for row, absent in enumerate(self.absent) if not absent)
        return next(row for row in rows if bool(pattern.fullmatch(self.numbers[row])) == matches)

    def _integers(self) -> np.ndarray:
        numbers = [0 if absent else int(value) for value, absent in zip(self.numbers, self.absent)]
        some_missing = any(self.absent)
        limit, kind = (_EXACT, "float64, beside missing values,") if some_missing else (2**63 - 1, "int64")
        for row, number in enumerate(numbers):
            if abs(number) > limit:
                raise ValueError(
                    f"{self._at(row)}: {kind} cannot hold {number}; dtype={{{self.name!r}: str}} keeps it"
                )
        return self._floats() if some_missing else np.array(numbers, dtype=np.int64)

    def _floats(self) -> np.ndarray:
        numbers = np.array(
            [np.nan if absent else float(value) for value, absent in zip(self.numbers, self.absent)]
        )
        for row in np.flatnonzero(np.isinf(numbers)).tolist():
            if "inf" not in self.numbers[row].lower():
                raise ValueError(
                    f"{self._at(row)}: float64 cannot hold {self.values[row]}; dtype={{{self.name!r}: str}} keeps it"
                )
        return numbers

    def _at(self, row: int) -> str:
        return f"read_csv: {self.source}, line {self.lines[row]} (row {row}), column {self.name!r}"
