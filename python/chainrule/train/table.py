"""Table: rows of named values, with CSV, text and plots. History and the results of searches are tables."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.tensor import Tensor


class Table:
    """A list of rows, each a dictionary; a row may lack a column.

    ``table["loss"]`` is a column, ``table[3]`` a row, ``len(table)`` the number of rows; printing shows all.
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows: list[dict[str, Any]] = [] if rows is None else rows

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order in which they came up."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, int):
            return self.rows[key]
        if key not in self.columns:
            raise KeyError(
                f"{type(self).__name__}: no column {key!r}; there are {', '.join(self.columns) or 'none'}"
            )
        return [row.get(key) for row in self.rows]

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name, None where a row has no value."""
        return {name: self[name] for name in self.columns}

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The table as CSV text, numbers in full; also written to `path` if there is one."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        if path is not None:
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(stream.getvalue())
        return stream.getvalue()

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame; ImportError if pandas is not installed."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError(f"{type(self).__name__}.to_pandas: needs pandas; to_dict() does not") from error
        return pandas.DataFrame(self.rows, columns=self.columns)

    def __repr__(self) -> str:
        columns = self.columns
        cells = [columns, *([brief(row.get(name)) for name in columns] for row in self.rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in cells]
        return "\n".join(line.rstrip() for line in lines) if columns else f"{type(self).__name__}: no rows"


def new_axes(axes: Any, count: int = 1) -> tuple[Any, list[Any]]:
    """The axes given, or a new figure with `count` of them, at most four side by side. matplotlib is loaded here."""
    if axes is not None:
        axes = list(axes) if hasattr(axes, "__len__") else [axes]
        return axes[0].figure, axes
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plot: needs matplotlib") from error
    import sys

    columns = min(count, 4)
    rows = -(-count // columns)
    size = {"figsize": ((5.5 if rows == 1 else 4) * columns, 4 if rows == 1 else 3 * rows)}
    if "matplotlib.pyplot" in sys.modules:  # where the caller shows figures, ours is one of them
        figure = sys.modules["matplotlib.pyplot"].figure(**size, layout="constrained")
    else:
        figure = Figure(**size, layout="constrained")
        FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def finish(figure: Any, path: str | os.PathLike[str] | None) -> Any:
    """Saves the figure if there is a path; returns it."""
    if path is not None:
        figure.savefig(path, dpi=100)
    return figure


def plain(op: str, name: str, value: Any) -> Any:
    """A value of a row as a Python number, text or None; TypeError, which names it, for what is none of these."""
    if isinstance(value, np.generic | np.ndarray | Tensor) and math.prod(value.shape) == 1:
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{op}: column {name!r} must be a number, a text or None, got {type(value).__name__}")


def json_line(row: Mapping[str, Any]) -> str:
    """A row as one line of JSON; what JSON lacks, NaN and infinity, as text."""
    plain = {k: repr(v) if isinstance(v, float) and v - v != 0 else v for k, v in row.items()}
    return json.dumps(plain, allow_nan=False) + "\n"


def brief(value: Any, digits: int = 5) -> str:
    """A number with few digits, a text as it is, - for None."""
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
