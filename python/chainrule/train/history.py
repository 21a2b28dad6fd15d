"""History: what a training did, one row per epoch."""

from __future__ import annotations

import os
from typing import Any

from chainrule.train.metrics import is_higher_better
from chainrule.train.table import Table, finish, new_axes

_FRACTIONS = ("accuracy", "precision", "recall", "f1", "roc_auc")  # of 1: they are drawn in one panel


class History(Table):
    """One row per epoch: 'epoch', 'step' (updates so far), 'loss', the metrics, the same of dev as 'dev_...', 'lr'
    (during the epoch) and 'seconds'.

    Attributes:
        interrupted: training was ended by Ctrl-C.
        reason: why it ended before its last epoch, else None.
        kept_epoch: the epoch whose weights the model has, if those are not the last ones.

    Example:
        >>> history["dev_loss"]
        [0.71, 0.52, 0.47]
        >>> history.best("dev_loss")["epoch"]
        3
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        super().__init__(rows)
        self.interrupted = False
        self.reason: str | None = None
        self.kept_epoch: int | None = None

    def best(self, column: str, mode: str = "auto") -> dict[str, Any]:
        """The row with the best value; `mode` is 'min' or 'max' for columns whose name does not say."""
        sign = direction("History.best", column, mode)
        rows = [row for row in self.rows if row.get(column) is not None and row[column] == row[column]]
        if not rows:
            raise ValueError(
                f"History.best: no row has a value of {column}; there are {', '.join(self.columns)}"
            )
        return max(rows, key=lambda row: sign * row[column])

    def kept(self, column: str) -> Any:
        """The value that the model's weights had: of the epoch that was restored, else of the last."""
        if not self.rows:
            raise ValueError(f"History.kept: there is no epoch, and no {column}")
        kept = [row for row in self.rows if row["epoch"] == self.kept_epoch]
        row = (kept or self.rows)[-1]
        if column not in row:
            raise ValueError(f"History.kept: no column {column}; there are {', '.join(row)}")
        return row[column]

    def plot(
        self, path: str | os.PathLike[str] | None = None, columns: list[str] | None = None, axes: Any = None
    ) -> Any:
        """Curves over epochs, training and dev together: the loss, and beside it the metrics.

        `columns` are names without 'dev_'. Returns matplotlib's figure; `path` saves it.

        Raises ValueError if there is no epoch yet, ImportError without matplotlib.
        """
        if not self.rows:
            raise ValueError("History.plot: there is no epoch yet")
        others = ("epoch", "step", "lr", "seconds", "skipped")
        names = columns or [n for n in self.columns if n not in others and not n.startswith("dev_")]
        shared = [name for name in names if name in _FRACTIONS]
        panels = [[name] for name in names if name not in _FRACTIONS] + ([shared] if shared else [])
        figure, axes = new_axes(axes, len(panels))
        epochs = self["epoch"]
        for panel, shown in zip(axes, panels):
            for i, name in enumerate(shown):
                panel.plot(epochs, self[name], f"C{i}--", label=f"{name}, training", alpha=0.7)
                if f"dev_{name}" in self.columns:
                    panel.plot(epochs, self[f"dev_{name}"], f"C{i}-", label=f"{name}, dev")
            if self.kept_epoch is not None:
                panel.axvline(self.kept_epoch, color="grey", lw=0.8, label=f"kept: epoch {self.kept_epoch}")
            panel.set(xlabel="epoch", ylabel=", ".join(shown))
            panel.grid(alpha=0.3)
            panel.legend()
        return finish(figure, path)


def direction(op: str, column: str, mode: str) -> int:
    """1 where larger is better, else -1."""
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"{op}: mode must be 'auto', 'min' or 'max', got {mode!r}")
    higher = is_higher_better(op, column) if mode == "auto" else mode == "max"
    return 1 if higher else -1
