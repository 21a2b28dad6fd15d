"""Callbacks: what happens between the steps and epochs of a training."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule._validate import choice, integer, numeric
from chainrule.train.check import check_object
from chainrule.train.history import direction
from chainrule.train.table import json_line

if TYPE_CHECKING:
    from chainrule.train.loop import Run


class Callback:
    """Base class; a subclass defines what it needs of the following.

    `run` has `model`, `optimizer`, `history`, `epoch` (from 1), `step` (updates so far) and ``stop(reason)``.
    What has to survive a resume goes through ``state_dict``: numbers, texts, tensors, lists and dictionaries.

    Example::

        class PrintLoss(Callback):
            def on_epoch_end(self, run, row):
                print(row["epoch"], row["loss"])
    """

    def on_fit_start(self, run: Run) -> None:
        """Before the first epoch; after a resume, with everything restored."""

    def on_epoch_start(self, run: Run) -> None:
        """Before the batches of an epoch; not again when it is resumed in its middle."""

    def on_gradients(self, run: Run) -> None:
        """Before every update: the parameters have their gradients, not yet clipped."""

    def on_step_end(self, run: Run, loss: float) -> None:
        """After every update."""

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        """After dev was measured; `row` is the history's new row and may be added to: numbers (also tensors
        and arrays of one), texts and None; TypeError for others."""

    def on_fit_end(self, run: Run) -> None:
        """At the end, also after an interruption; not after an error."""

    def reason_to_stop(self) -> str | None:
        """Asked after every epoch, and after a resume: a text ends the training."""
        return None

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


def value_of(callback: Callback, column: str, row: Mapping[str, Any]) -> float:
    """The monitored value; ValueError where there is none."""
    if column not in row:
        raise ValueError(
            f"{type(callback).__name__}: there is no column {column!r}; there are {', '.join(row)}"
        )
    return row[column]


class EarlyStopping(Callback):
    """Stops where a column has not improved for `patience` epochs, and gives the model its best weights back.

    An improvement is by more than `min_delta`. The best weights are kept in memory and in checkpoints, and put
    back however the training ends (the last epoch, Ctrl-C, a stop), unless `restore_best` is off. They are the model's
    ``state_dict()``, buffers included, and of averaged weights the averages. What is trained outside of the model, the
    state of the optimizer and the running averages of an ``EMA`` stay those of the last update.

    Args:
        monitor: a column of the history.
        mode: 'min', 'max', or 'auto': by the column's name.

    Raises ValueError for a name that does not say what is better, without a mode; fit does for a column that there is
    not, before it trains or, where callbacks add columns, once an epoch shows it.
    """

    def __init__(
        self,
        monitor: str = "dev_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        self.monitor = monitor
        self.patience = integer("EarlyStopping", "patience", patience)
        if not numeric("EarlyStopping", "min_delta", min_delta) >= 0:
            raise ValueError(f"EarlyStopping: min_delta must be at least 0, got {min_delta}")
        self.min_delta = min_delta
        self.sign = direction("EarlyStopping", monitor, mode)
        self.restore_best = restore_best
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.waited = 0
        self._weights: dict[str, Any] | None = None

    def on_fit_start(self, run: Run) -> None:
        if not run.history.rows:  # a new training: another fit with the same object starts anew
            self.best, self.best_epoch, self.waited, self._weights = None, None, 0, None

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        value = value_of(self, self.monitor, row)
        if value == value and (self.best is None or self.sign * (value - self.best) > self.min_delta):
            self.best, self.best_epoch, self.waited = float(value), row["epoch"], 0
            if self.restore_best:
                self._weights = run.weights()
        else:
            self.waited += 1

    def reason_to_stop(self) -> str | None:
        if self.waited < self.patience:
            return None
        if self.best is None:
            return f"{self.monitor} has been NaN from the beginning ({self.waited} epochs)"
        return f"{self.monitor} has not improved since epoch {self.best_epoch} ({self.waited} epochs)"

    def on_fit_end(self, run: Run) -> None:
        if self._weights is not None:
            run.model.load_state_dict(self._weights)
            run.history.kept_epoch = self.best_epoch

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.waited, self._weights = state["waited"], state["weights"]


class Schedule(Callback):
    """Steps a learning-rate schedule after every epoch, after every update (``by="step"``), or before it
    (``by="gradients"``), for one that looks at the gradients.

    `schedule` has ``step()``, ``state_dict()`` and ``load_state_dict()``, as PyTorch's. One whose ``step`` needs
    an argument, such as ReduceLROnPlateau, gets the column `monitor`.
    """

    def __init__(self, schedule: Any, by: str = "epoch", monitor: str = "dev_loss") -> None:
        check_object("Schedule", "schedule", schedule)
        for name in ("step", "state_dict", "load_state_dict"):
            if not callable(getattr(schedule, name, None)):
                raise TypeError(f"Schedule: a schedule needs {name}(), {type(schedule).__name__} has none")
        self.schedule, self.monitor = schedule, monitor
        self.by = choice("Schedule", "by", by, ("epoch", "step", "gradients"))
        self.takes_metric = _needs_argument(schedule.step)
        if self.takes_metric and by != "epoch":
            raise ValueError(f"Schedule: {type(schedule).__name__} looks at {monitor}, so it steps by epoch")

    def on_gradients(self, run: Run) -> None:
        if self.by == "gradients":
            self.schedule.step()

    def on_step_end(self, run: Run, loss: float) -> None:
        if self.by == "step":
            self.schedule.step()

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        if self.takes_metric:
            self.schedule.step(value_of(self, self.monitor, row))
        elif self.by == "epoch":
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        return {"schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.schedule.load_state_dict(state["schedule"])


class _Log(Callback):
    """A file with the history's rows; after a resume it is written anew from the history, so no row is twice."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def on_fit_start(self, run: Run) -> None:
        with open(self.path, "w", encoding="utf-8", newline="") as file:
            file.write(self._begin(run))

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(self._line(run, row))

    def _begin(self, run: Run) -> str:
        raise NotImplementedError

    def _line(self, run: Run, row: dict[str, Any]) -> str:
        raise NotImplementedError


class CSVLog(_Log):
    """Writes each epoch's row to a CSV file, which another program may read meanwhile."""

    def _begin(self, run: Run) -> str:
        return run.history.to_csv() if run.history.rows else ""

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        if list(row) == run.history.columns and len(run.history) > 1:
            super().on_epoch_end(run, row)
        else:  # the first row, or one with other columns
            self.on_fit_start(run)

    def _line(self, run: Run, row: dict[str, Any]) -> str:
        return type(run.history)([row]).to_csv().split("\n", 1)[1]


class JSONLog(_Log):
    """Writes each epoch's row as one line of JSON."""

    def _begin(self, run: Run) -> str:
        return "".join(map(json_line, run.history))

    def _line(self, run: Run, row: dict[str, Any]) -> str:
        return json_line(row)


def _needs_argument(step: Any) -> bool:
    try:
        parameters = list(inspect.signature(step).parameters.values())
    except (TypeError, ValueError):
        return False
    return (
        bool(parameters)
        and parameters[0].default is parameters[0].empty
        and parameters[0].kind
        in (
            parameters[0].POSITIONAL_ONLY,
            parameters[0].POSITIONAL_OR_KEYWORD,
        )
    )
