"""Run: a training in progress, and the loop over its epochs and batches."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chainrule.data.seeding import owners_of
from chainrule.grad_mode import no_grad
from chainrule.nn import Module
from chainrule.train.batches import groups, length
from chainrule.train.callbacks import Callback, EarlyStopping
from chainrule.train.checkpoint import Checkpoint, has_state
from chainrule.train.decision import Metrics, as_number
from chainrule.train.evaluate import joined, measure, scores
from chainrule.train.history import History
from chainrule.train.interrupts import Interrupts
from chainrule.train.outside import modules_of, outside_tensors
from chainrule.train.random_state import RandomState
from chainrule.train.step import Step, StepResult
from chainrule.train.table import plain
from chainrule.train.where import located


class Run:
    """A training in progress: what callbacks are given.

    Attributes:
        model, optimizer, average: as given to fit.
        history: the finished epochs.
        epochs: how many there will be; `done`: how many there were; `epoch`: the number of the one in progress.
        outside: what is trained besides the model, by name.
        settings: what of fit's arguments a resume compares besides, by name.
        step: updates so far; `position`: updates in this epoch; `updates`: per epoch, None if not known.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Any,
        loss: Callable[..., Any],
        train: Any,
        dev: Any,
        epochs: int,
        *,
        step: Step,
        metrics: Metrics,
        callbacks: list[Callback],
        checkpoint: Checkpoint | None,
        average: Any,
        penalty: Any,
        accumulate: int,
        nan: str,
        weighted: bool,
        forward: Callable[..., Any] | None,
    ) -> None:
        self.model, self.optimizer, self.average = model, optimizer, average
        self.callbacks, self.checkpoint = callbacks, checkpoint
        self.history = History()
        self.epochs, self.accumulate = epochs, accumulate
        self.done = self.step = self.position = 0
        batches = length(train)
        self.updates = None if batches is None else math.ceil(batches / accumulate)
        self._train, self._dev = train, dev
        self._loss, self._penalty, self._metrics, self._forward = loss, penalty, metrics, forward
        self._take_step, self._nan, self._weighted = step, nan, weighted
        self._warned: set[str] = set()
        if any(type(callback).on_gradients is not Callback.on_gradients for callback in callbacks):
            step.before_update = self._show_gradients
        self.settings: dict[str, Any] = {}
        self._reason: str | None = None
        self._totals = _Totals()
        self.outside = outside_tensors(model, loss, penalty, optimizer)
        owners = [o for loader in (train, dev) for o in owners_of(loader)]
        self._random = RandomState(owners + modules_of(model, loss, penalty))
        self._epoch_random: dict[str, Any] | None = None

    @property
    def epoch(self) -> int:
        return self.done + 1

    def stop(self, reason: str) -> None:
        """Ends the training after this epoch."""
        self._reason = reason

    def ending(self) -> str | None:
        """Why the training ends before its last epoch, if it does."""
        reasons = (callback.reason_to_stop() for callback in self.callbacks)
        return self._reason or next(filter(None, reasons), None)

    def forget_stop(self) -> None:
        """Lets a training that was stopped go on."""
        if self.ending() is not None:
            self._reason = None
            for callback in self.callbacks:
                if isinstance(callback, EarlyStopping):
                    callback.waited = 0

    def weights(self) -> dict[str, Any]:
        """A copy of the model's state, the averaged weights if there are such."""
        with self._averaged():
            return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    # ---- the loop ----

    def go(self, progress: Any, interrupts: Interrupts) -> None:
        """Trains until the last epoch, a stop or an interruption."""
        while self.done < self.epochs and self.ending() is None:
            resumed = self._epoch_random is not None
            if not resumed:
                self._epoch_random = self._random.get()
                self._totals = _Totals()
                for callback in self.callbacks:
                    callback.on_epoch_start(self)
            began = time.perf_counter() - self._totals.seconds
            for batches in self._batches(resumed):
                self._one_step(batches)
                self._totals.seconds = time.perf_counter() - began
                progress.update()
                if self.checkpoint is not None:
                    self.checkpoint.after_step(self)
                if interrupts.requested:
                    self._interrupt()
                    return
            row = self._end_epoch(began)
            progress.show(row)
            if interrupts.requested and self.done < self.epochs and self.ending() is None:
                self._interrupt()
                return

    def _batches(self, resumed: bool) -> Iterator[list[Any]]:
        """The batches of an epoch; of a resumed one those that are left, the others being drawn and dropped."""
        if not resumed or not self.position:
            yield from groups(self._train, self.accumulate)
            return
        now = self._random.get()
        self._random.set(self._epoch_random)
        rest = groups(self._train, self.accumulate)
        for _ in range(self.position):
            if next(rest, None) is None:
                raise ValueError(f"resume: train gave fewer than the {self.position} batches of before")
        self._random.set(now)
        yield from rest

    def _one_step(self, batches: list[Any]) -> None:
        with located(f"in epoch {self.epoch}, update {self.position + 1}"):
            result = self._take_step(batches)
        if not result.finite:
            self._not_finite(result)
        self.step += 1
        self.position += 1
        self._totals.add(result, counts=result.finite or self._nan == "warn")
        for callback in self.callbacks:
            callback.on_step_end(self, result.loss)

    def _show_gradients(self) -> None:
        for callback in self.callbacks:
            callback.on_gradients(self)

    def _not_finite(self, result: StepResult) -> None:
        finite = math.isfinite(result.loss)
        what = "a gradient is not finite" if finite else f"the loss is {result.loss}"
        if not result.samples:
            what = "all sample weights are 0"
        where = f"epoch {self.epoch}, step {self.step + 1} (update {self.position + 1} of the epoch)"
        if self._nan == "raise":
            raise FloatingPointError(
                f"fit: {what} in {where}; the weights are those before it. A smaller learning rate, clip_norm, or a "
                "look at that batch may help; nan='skip' leaves such batches out"
            )
        if "update" not in self._warned:
            self._warned.add("update")
            then = "its update is left out" if self._nan == "skip" else "the update was made all the same"
            warnings.warn(f"fit: {what} in {where}; {then}", RuntimeWarning, stacklevel=6)

    def _end_epoch(self, began: float) -> dict[str, Any]:
        totals = self._totals
        if not totals.steps:
            raise ValueError("fit: train gave no batches")
        if not totals.samples:
            raise FloatingPointError(
                f"fit: no batch of epoch {self.epoch} had a finite loss and finite gradients"
            )
        row: dict[str, Any] = {"epoch": self.epoch, "step": self.step, "loss": totals.loss / totals.samples}
        before = self._random.get()
        try:
            row.update(self._measured())
        except Exception:
            if self.checkpoint is not None:  # the updates have been made: a resume measures again
                self._random.set(before)
                self.checkpoint.save(self)
            raise
        row["lr"] = float(self.optimizer.param_groups[0]["lr"])
        row["seconds"] = time.perf_counter() - began
        if self._nan == "skip":
            row["skipped"] = totals.steps - totals.counted
        self.history.rows.append(row)
        for callback in self.callbacks:
            callback.on_epoch_end(self, row)
            row.update({name: plain("fit", name, value) for name, value in row.items()})
        self.done, self.position = self.done + 1, 0
        self._epoch_random, self._totals = None, _Totals()
        if self.checkpoint is not None:
            self.checkpoint.after_epoch(self, row)
        return row

    def _measured(self) -> dict[str, Any]:
        """The columns of the metrics, and of dev."""
        columns: dict[str, Any] = {}
        if self._metrics:
            where = f"train in epoch {self.epoch}"
            columns = _numbers(scores("fit", self._metrics, self._totals.parts, where, self._nan_outputs))
        if self._dev is None:
            return columns
        with self._averaged():
            measured = measure(
                "fit",
                self.model,
                self._dev,
                self._metrics,
                self._loss,
                self._penalty,
                weighted=self._weighted,
                forward=self._forward,
                where=f"dev in epoch {self.epoch}",
                on_nan=self._nan_outputs,
            )
        return {**columns, **{f"dev_{name}": value for name, value in _numbers(measured).items()}}

    def _nan_outputs(self, what: str) -> None:
        """The same choice as for a loss that is not finite; there is no update to leave out."""
        if self._nan == "raise":
            raise FloatingPointError(
                f"fit: {what}; the weights are those after the epoch. Look at that row and at the weights; nan='warn' "
                "writes NaN and goes on"
            ) from None
        if "outputs" not in self._warned:
            self._warned.add("outputs")
            warnings.warn(f"fit: {what}; the scores of it are NaN", RuntimeWarning, stacklevel=8)

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self.average is None else self.average.applied()

    def _interrupt(self) -> None:
        self.history.interrupted = True
        if self.checkpoint is not None:
            self.checkpoint.save(self)

    def finish(self) -> None:
        """Leaves the model with the weights that dev measured; averaged or restored by a callback."""
        if self.average is not None:
            self.average.copy_to_model()
        self.history.reason = "interrupted" if self.history.interrupted else self.ending()
        for callback in self.callbacks:
            callback.on_fit_end(self)

    # ---- saving ----

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes while it trains."""
        return {
            "epochs": self.epochs,
            "done": self.done,
            "step": self.step,
            "position": self.position,
            "reason": self._reason,
            "history": self.history.rows,
            "totals": self._totals.state_dict(),
            "random": self._random.get(),
            "epoch_random": self._epoch_random,
            "callbacks": [callback.state_dict() for callback in self.callbacks if has_state(callback)],
            "model": self.model.state_dict(),
            "outside": {name: tensor.detach() for name, tensor in self.outside.items()},
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }

    def misfit(self, state: Mapping[str, Any]) -> str | None:
        """What of a state does not belong to this training, beyond what `kind_of` compares."""
        return self._random.difference(state["random"])

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.model.load_state_dict(state["model"])
        with no_grad():
            for name, tensor in self.outside.items():
                tensor.copy_(state["outside"][name])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        stateful = [callback for callback in self.callbacks if has_state(callback)]
        for callback, saved in zip(stateful, state["callbacks"], strict=True):
            callback.load_state_dict(saved)
        self.done, self.step, self.position = state["done"], state["step"], state["position"]
        self._reason, self.history.rows = state["reason"], state["history"]
        self._totals = _Totals.of(state["totals"])
        self._epoch_random = state["epoch_random"]
        self._random.set(state["random"])


class _Totals:
    """What the updates of an epoch add up to."""

    def __init__(self) -> None:
        self.loss, self.samples, self.steps, self.counted, self.seconds = 0.0, 0, 0, 0, 0.0
        self.parts: list[tuple[Any, Any]] = []

    def add(self, result: StepResult, counts: bool) -> None:
        self.steps += 1
        if counts:
            self.loss += result.loss * result.samples
            self.samples += result.samples
            self.counted += 1
            self.parts.extend(result.parts)

    def state_dict(self) -> dict[str, Any]:
        state = {key: value for key, value in vars(self).items() if key != "parts"}
        if self.parts:
            state["parts"] = [joined("fit", [pair[i] for pair in self.parts]) for i in (0, 1)]
        return state

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> _Totals:
        totals = cls()
        parts = state.get("parts")
        vars(totals).update({key: value for key, value in state.items() if key != "parts"})
        totals.parts = [tuple(parts)] if parts else []
        return totals


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: as_number("fit", name, value) for name, value in values.items()}
