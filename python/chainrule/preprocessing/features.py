"""Added columns for tables: products (polynomials, interactions) and ratios of the columns that are there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule._validate import integer
from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.table import Frame


class PolynomialFeatures(Transformer):
    """All products of up to `degree` columns: 1, a, b, a², ab, b² for degree 2 of columns a and b.

    `degree` is a number or (least, most); with `interaction_only` no column occurs twice in a product (1, a, b, ab);
    `include_bias` adds the column of ones. Order and names are scikit-learn's: by degree, then by column. ``fit``
    learns the number of columns and nothing of their values. ``powers_`` (products, columns) has the exponents.

    NaN gives NaN. Raises TypeError for texts, ValueError for infinity and for degrees that give no column.

    Example::

        more = PolynomialFeatures(2, interaction_only=True, include_bias=False)
        x_train = more.fit_transform(x_train)  # a, b, c, ab, ac, bc
    """

    def __init__(
        self, degree: int | tuple[int, int] = 2, *, interaction_only: bool = False, include_bias: bool = True
    ) -> None:
        self.degree = degree
        self.interaction_only = interaction_only
        self.include_bias = include_bias

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        least, most = self.degree if isinstance(self.degree, tuple) else (0, self.degree)
        integer(op, "degree", least, 0)
        integer(op, "degree", most, least)
        choose = itertools.combinations if self.interaction_only else itertools.combinations_with_replacement
        frame.matrix(op)  # refuses texts here already
        width = len(frame.columns)
        products = [p for n in range(max(least, 1), most + 1) for p in choose(range(width), n)]
        if self.include_bias:
            products.insert(0, ())
        if not products:
            raise ValueError(f"{op}: degree={self.degree} of {width} columns gives no column")
        self.powers_ = np.array(
            [np.bincount(p, minlength=width) for p in map(_ints, products)], dtype=np.int64
        )
        self.n_output_features_ = len(products)

    def _typical(self, position: int) -> tuple[str | None, Any]:
        return "number", 1.0

    def _apply(self, frame: Frame) -> Frame:
        x = frame.matrix(self._op("transform"))
        out = np.empty((len(x), len(self.powers_)), dtype=x.dtype)
        for j, powers in enumerate(self.powers_):
            out[:, j] = 1
            for column in np.repeat(np.arange(len(powers)), powers):
                out[:, j] *= x[:, column]
        return frame.replaced(out, self._names_out(frame.names))

    def _names_out(self, names: Sequence[str]) -> Sequence[str]:
        def factor(name: str, power: int) -> str:
            return name if power == 1 else f"{name}^{power}"

        return [
            " ".join(factor(name, power) for name, power in zip(names, powers, strict=True) if power) or "1"
            for powers in self.powers_
        ]


class RatioFeatures(Transformer):
    """The columns, and behind them ratios a / b of pairs of them, named "a / b".

    `pairs` lists (a, b), by name or number; None is every pair of two columns, the earlier over the later. `fill` is
    the result where b is 0; without it that is an error, since no number would be right. NaN gives NaN.

    Raises ValueError for a zero below the line (row and column are named), for columns that do not exist, and for
    infinity; TypeError for texts.

    Example::

        more = RatioFeatures([("flipper_length_mm", "bill_length_mm")])
        x_train = more.fit_transform(x_train)
    """

    def __init__(self, pairs: Sequence[tuple[Any, Any]] | None = None, *, fill: float | None = None) -> None:
        self.pairs = pairs
        self.fill = fill

    def _fit(self, frame: Frame, y: Any) -> None:
        frame.matrix(self._op("fit"))  # refuses texts here already
        width = len(frame.columns)
        pairs = list(itertools.combinations(range(width), 2)) if self.pairs is None else self.pairs
        found = [[self._position(frame.names, column) for column in pair] for pair in pairs]
        if not found or any(len(pair) != 2 for pair in found):
            raise ValueError(
                f"{self._op('fit')}: pairs must be pairs of columns, got {self.pairs} of {width} columns"
            )
        self.positions_ = np.array(found, dtype=np.int64)

    def _typical(self, position: int) -> tuple[str | None, Any]:
        return "number", 1.0

    def _apply(self, frame: Frame) -> Frame:
        x = frame.matrix(self._op("transform"))
        above, below = x[:, self.positions_[:, 0]], x[:, self.positions_[:, 1]]
        zero = below == 0
        if zero.any() and self.fill is None:
            row, pair = (int(n) for n in np.argwhere(zero)[0])
            raise ValueError(
                f"{self._op('transform')}: column {frame.names[self.positions_[pair, 1]]!r} is 0 in row {row}, below "
                f"the line of {self._names_out(frame.names)[x.shape[1] + pair]!r}; give fill, or leave the pair out"
            )
        ratios = np.where(zero, 0 if self.fill is None else self.fill, above / np.where(zero, 1, below))
        return frame.replaced(
            np.concatenate([x, ratios.astype(x.dtype)], axis=1), self._names_out(frame.names)
        )

    def _names_out(self, names: Sequence[str]) -> Sequence[str]:
        return [*names, *(f"{names[a]} / {names[b]}" for a, b in self.positions_)]

    def _position(self, names: Sequence[str], column: Any) -> int:
        if isinstance(column, str):
            if column not in names:
                raise ValueError(f"{self._op('fit')}: there is no column {column!r}, only {', '.join(names)}")
            return list(names).index(column)
        number = integer(self._op("fit"), "a column", column, -len(names))
        if number >= len(names):
            raise ValueError(f"{self._op('fit')}: column {number} is out of range for {len(names)} columns")
        return number % len(names)


def _ints(product: tuple[int, ...]) -> np.ndarray:
    return np.array(product, dtype=np.int64)
