"""Missing values predicted from the other columns by a small network per column: ModelImputer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import _validate
from chainrule._warn import warn
from chainrule.generator import Generator
from chainrule.preprocessing import categories as cats
from chainrule.preprocessing._network import Network, train_network
from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.impute import filled
from chainrule.preprocessing.missing import MissingIndicator
from chainrule.preprocessing.table import Frame
from chainrule.preprocessing.values import missing_mask

_FEWEST_ROWS = 10


class ModelImputer(Transformer):
    """Missing values are predicted by a network for each column, trained on the rows where the column is known.

    The inputs are the other columns: numbers as z-scores, texts one-hot, missing ones filled first (mean, most
    frequent) and marked as such. A network has one hidden layer of ReLU; it learns by AdamW, on the squared error of
    the z-score or on the cross-entropy of the category, and keeps the weights that were best on a seventh of the
    rows that it did not learn from. A predicted number is held within the range that ``fit`` saw.

    Args:
        columns: "missing": networks for the columns that miss values in ``fit``; "all": for every column. In
            another column the mean or the most frequent value is put in, with a warning that names it.
        hidden: units of the hidden layer.
        epochs: at most so many passes over the rows; training ends earlier when the held-back rows stop improving.
        lr, weight_decay: of AdamW.
        add_indicator: adds a column ``missingindicator_<column>`` for each that missed values in ``fit``.
        random_state: seed of initial weights, held-back rows and batches; None draws one from the default generator.

    A column that is known in fewer than 10 rows, or constant, gets its mean or most frequent value. Raises ValueError
    for one without any value, TypeError for mixed types, each with its name.

    Example::

        imputer = ModelImputer(random_state=0).fit(x_train)
        x_test = imputer.transform(x_test)
    """

    def __init__(
        self,
        *,
        columns: str = "missing",
        hidden: int = 32,
        epochs: int = 300,
        lr: float = 1e-2,
        weight_decay: float = 1e-2,
        add_indicator: bool = False,
        random_state: int | None = None,
    ) -> None:
        self.columns = columns
        self.hidden = hidden
        self.epochs = epochs
        self.lr = lr
        self.weight_decay = weight_decay
        self.add_indicator = add_indicator
        self.random_state = random_state

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        _validate.choice(op, "columns", self.columns, ("missing", "all"))
        _validate.integer(op, "hidden", self.hidden)
        _validate.integer(op, "epochs", self.epochs)
        _validate.real(op, "lr", self.lr, "positive")
        self.numeric_ = [frame.is_number(j) for j in range(len(frame.columns))]
        masks = [missing_mask(column) for column in frame.columns]
        self._describe(op, frame, masks)
        self.indicator_ = MissingIndicator(error_on_new=False)
        self.indicator_._fit_frame(frame)
        inputs = self._inputs(op, frame, masks)
        generator = _generator(self.random_state)
        self.networks_: dict[int, list[np.ndarray]] = {}
        for j, mask in enumerate(masks):
            known = np.flatnonzero(~mask)
            varies = len(self.categories_[j]) > 1 if not self.numeric_[j] else self.scale_[j] > 0
            wanted = self.columns == "all" or mask.any()
            if wanted and varies and len(known) >= _FEWEST_ROWS and len(frame.columns) > 1:
                self.networks_[j] = self._train(op, frame, inputs, j, known, generator).arrays()

    def _typical(self, position: int) -> tuple[str | None, Any]:
        return "number" if self.numeric_[position] else "category", self.fill_[position]

    def _describe(self, op: str, frame: Frame, masks: list[np.ndarray]) -> None:
        """Per column: what fills it at first, and its mean, deviation and range, or its categories."""
        count = len(frame.columns)
        self.categories_: list[Any] = [None] * count
        self.fill_: list[Any] = [None] * count
        self.mean_, self.scale_ = np.zeros(count), np.zeros(count)
        self.low_, self.high_ = np.zeros(count), np.zeros(count)
        for j, (name, column, mask) in enumerate(zip(frame.names, frame.columns, masks)):
            if mask.all():
                raise ValueError(f"{op}: column {name!r} has no value in any of {frame.rows} rows")
            if not self.numeric_[j]:
                known = column[~mask]
                self.categories_[j] = cats.learn(op, name, known)
                counts = np.bincount(cats.codes(self.categories_[j], known))
                self.fill_[j] = self.categories_[j][counts.argmax()]
                continue
            known = frame.numbers(op, j)[~mask].astype(np.float64)
            self.low_[j], self.high_[j] = known.min(), known.max()
            flat = self.low_[j] == self.high_[j]
            self.mean_[j] = self.fill_[j] = float(known[0] if flat else known.mean())
            self.scale_[j] = 0.0 if flat else known.std()

    def _inputs(self, op: str, frame: Frame, masks: list[np.ndarray]) -> list[np.ndarray]:
        """For each column what a network sees of it, (rows, width): its value, and whether that was missing."""
        flagged = set(self.indicator_.features_.tolist())
        found = []
        for j, mask in enumerate(masks):
            part = [mask] if j in flagged else []
            if self.numeric_[j]:
                column = frame.columns[j] if mask.all() else frame.numbers(op, j)
                values = np.where(mask, self.fill_[j], column).astype(np.float64)
                part.insert(0, (values - self.mean_[j]) / (self.scale_[j] or 1.0))
            else:
                code = cats.codes(self.categories_[j], filled(frame.columns[j], mask, self.fill_[j]))
                part = [code == k for k in range(len(self.categories_[j]))] + part
            found.append(np.stack(part, axis=1).astype(np.float64))
        return found

    def _train(
        self, op: str, frame: Frame, inputs: list[np.ndarray], j: int, known: np.ndarray, generator: Generator
    ) -> Network:
        x = np.concatenate(inputs[:j] + inputs[j + 1 :], axis=1)[known]
        if self.numeric_[j]:
            target = (frame.numbers(op, j)[known].astype(np.float64) - self.mean_[j]) / self.scale_[j]
            outputs = 0
        else:
            target = cats.codes(self.categories_[j], frame.columns[j][known])
            outputs = len(self.categories_[j])
        return train_network(
            x, target, outputs, self.hidden, self.epochs, self.lr, self.weight_decay, generator
        )

    def _names_out(self, names: Sequence[str]) -> list[str]:
        return [*names, *(self.indicator_._names_out(names) if self.add_indicator else [])]

    def _apply(self, frame: Frame) -> Frame:
        op = self._op("transform")
        masks = [missing_mask(column) for column in frame.columns]
        inputs = self._inputs(op, frame, masks) if any(mask.any() for mask in masks) else []
        columns = list(frame.columns)
        for j, mask in enumerate(masks):
            if not self.numeric_[j]:
                code = cats.codes(self.categories_[j], frame.columns[j])
                code[mask] = 0
                cats.refuse_unknown(op, frame.names[j], frame.columns[j], self.categories_[j], code)
            if mask.any():
                columns[j] = filled(columns[j], mask, self._predicted(op, frame.names[j], inputs, j, mask))
        if self.add_indicator:
            columns += [column.astype(np.float64) for column in self.indicator_._apply(frame).columns]
        return frame.replaced(columns, self._names_out(frame.names))

    def _predicted(self, op: str, name: str, inputs: list[np.ndarray], j: int, mask: np.ndarray) -> Any:
        if j not in self.networks_:
            if j not in self.indicator_.features_:
                warn(
                    f"{op}: column {name!r} had every value in fit and no network; {self.fill_[j]!r} is put in "
                    "(columns='all' trains one)"
                )
            return self.fill_[j]
        x = np.concatenate(inputs[:j] + inputs[j + 1 :], axis=1)[mask]
        output = Network(*self.networks_[j])(x)
        if not self.numeric_[j]:
            return self.categories_[j][output.argmax(axis=1)]
        return (output[:, 0] * self.scale_[j] + self.mean_[j]).clip(self.low_[j], self.high_[j])


def _generator(seed: int | None) -> Generator:
    if seed is None:
        from chainrule.random import randint

        seed = int(randint(2**62, (1,)).item())
    return Generator().manual_seed(seed)
