"""Checkpoints: everything a training needs to go on with the same bits, in one safetensors file."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chainrule import serialization
from chainrule._validate import integer
from chainrule._warn import warn
from chainrule.nn import Module
from chainrule.train.callbacks import Callback, Schedule, value_of
from chainrule.train.history import direction

if TYPE_CHECKING:
    from chainrule.train.loop import Run

_FORMAT = 1
_OF_EPOCHS = ("batches per update", "updates per epoch")  # which another epoch may have otherwise


class Checkpoint(Callback):
    """Saves a training's whole state to `directory`/last.safetensors, to be continued by ``fit(resume=True)``.

    The file is written beside, flushed to the disk and renamed, so whenever the process dies there is a complete
    one: the new or the one before. One training writes to a directory at a time.

    Args:
        directory: is made if it does not exist.
        every: epochs from one save to the next; the last epoch is always saved.
        every_steps: also saves after every so many updates, within epochs.
        best: a column; the model's ``state_dict()`` of the epoch with its best value goes to
            `directory`/best.safetensors, for ``model.load_state_dict(cr.load(...))``: averages, if the weights are
            averaged, and the buffers; nothing of the optimizer.
        mode: of `best`: 'min', 'max', or 'auto', by the column's name.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        every: int = 1,
        every_steps: int | None = None,
        best: str | None = None,
        mode: str = "auto",
    ) -> None:
        self.directory = os.fspath(directory)
        self.every = integer("Checkpoint", "every", every)
        self.every_steps = None if every_steps is None else integer("Checkpoint", "every_steps", every_steps)
        self.best = best
        self.sign = 1 if best is None else direction("Checkpoint", best, mode)
        self.best_value: float | None = None

    @property
    def path(self) -> str:
        """Where the state is."""
        return os.path.join(self.directory, "last.safetensors")

    def on_fit_start(self, run: Run) -> None:
        os.makedirs(self.directory, exist_ok=True)
        for name in os.listdir(self.directory):  # what a process left that was killed while it wrote
            if name.startswith((".last.safetensors.", ".best.safetensors.")) and name.endswith(".tmp"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(os.path.join(self.directory, name))
        if not run.history.rows:
            self.best_value = None

    def after_step(self, run: Run) -> None:
        """Saves if this update is one of `every_steps`."""
        if self.every_steps is not None and run.step % self.every_steps == 0:
            self.save(run)

    def after_epoch(self, run: Run, row: Mapping[str, Any]) -> None:
        """Saves if it is time; after all other callbacks, whose state is part of it."""
        if self.best is not None:
            value = value_of(self, self.best, row)
            if value == value and (self.best_value is None or self.sign * (value - self.best_value) > 0):
                self.best_value = float(value)
                serialization.save(run.weights(), os.path.join(self.directory, "best.safetensors"))
        if run.done % self.every == 0 or run.done >= run.epochs or run.ending() is not None:
            self.save(run)

    def save(self, run: Run) -> None:
        """Writes the state of now."""
        serialization.save({"format": _FORMAT, "kind": kind_of(run), "state": run.state_dict()}, self.path)

    def restore(self, run: Run, anyway: bool = False) -> bool:
        """Brings a training to where the file was written; False if there is none.

        Args:
            anyway: other settings are taken as they are here, and a stop is forgotten.

        Raises ValueError, with nothing changed, for a file of another training. Warns where there are more epochs to
        train than before, but the training had been stopped.
        """
        if not os.path.exists(self.path):
            return False
        content = serialization.load(self.path)
        if content.get("format") != _FORMAT:
            raise ValueError(f"resume: {self.path}: not a checkpoint of this version of fit")
        state = content["state"]
        may_differ = {*run.settings, *(() if state["position"] else _OF_EPOCHS)}
        differences = [
            f"{text}; resume='anyway' goes on with what is here" if what in may_differ else text
            for what, text in _differences(content["kind"], kind_of(run))
            if not (anyway and what in may_differ)
        ]
        difference = differences[0] if differences else run.misfit(state)
        if difference:
            raise ValueError(f"resume: {self.path} is of another training: {difference}")
        run.load_state_dict(state)
        if anyway:
            run.forget_stop()
        stopped = run.ending()
        if stopped is not None and state.get("epochs", run.epochs) < run.epochs:
            warn(
                f"fit: nothing is left to train: {self.path} was stopped after epoch {run.done} ({stopped}), which "
                "more epochs do not change; a larger patience does, and resume='anyway' forgets the stop"
            )
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"best_value": self.best_value} if self.best is not None else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best_value = state["best_value"]


def kind_of(run: Run) -> dict[str, Any]:
    """What two trainings must have in common for one to continue the other."""
    optimizer = run.optimizer
    return {
        "module": [[path, type(module).__name__] for path, module in run.model.named_modules()],
        "tensor": [[n, t.dtype.name, *t.shape] for n, t in run.model.state_dict().items()],
        "tensor outside of the model": [[n, t.dtype.name, *t.shape] for n, t in run.outside.items()],
        "optimizer": [
            [type(optimizer).__name__, *(len(group["params"]) for group in optimizer.param_groups)]
        ],
        "average": [[None if run.average is None else run.average.decay]],
        "callback": [_callback(callback) for callback in run.callbacks if has_state(callback)],
        "batches per update": [[run.accumulate]],
        "updates per epoch": [[run.updates]],
        **{name: [[value]] for name, value in run.settings.items()},
    }


def has_state(callback: Callback) -> bool:
    """Whether a callback has something to save, now or later: its class says so, not what it has at first."""
    if isinstance(callback, Checkpoint):
        return callback.best is not None
    return getattr(callback.state_dict, "__func__", None) is not Callback.state_dict


def _callback(callback: Callback) -> list[str]:
    name = type(callback).__name__
    return [name, type(callback.schedule).__name__] if isinstance(callback, Schedule) else [name]


def described(part: Any) -> str | None:
    """A loss or a penalty as a text, to be compared: its name and those settings that are numbers, texts, or class
    weights. Equal texts do not prove that two are the same.
    """
    if isinstance(part, functools.partial):
        return f"{described(part.func)}({_settings(part.keywords)})"
    if isinstance(part, Module):
        return ", ".join(
            f"{path and path + ': '}{type(module).__name__}({_settings(_own(module))})"
            for path, module in part.named_modules()
        )
    if part is None or hasattr(part, "__qualname__"):
        return getattr(part, "__qualname__", None)
    if type(part).__repr__ is not object.__repr__:
        return repr(part)
    return f"{type(part).__name__}({_settings(getattr(part, '__dict__', {}))})"


def _own(module: Module) -> dict[str, Any]:
    own = {name: value for name, value in vars(module).items() if name != "training"}
    if type(module).__module__ == "chainrule.nn.loss":
        own.update((name, weights.tolist()) for name, weights in module.named_buffers())
    return own


def _settings(values: Mapping[str, Any]) -> str:
    simple = {
        n: v for n, v in values.items() if n[0] != "_" and isinstance(v, bool | int | float | str | list)
    }
    return ", ".join(f"{name}={value!r}" for name, value in simple.items())


def _differences(saved: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(what, text) for each thing that differs, in order."""
    for what, here in own.items():
        there = saved.get(what, [])
        for i in range(max(len(there), len(here))):
            theirs = there[i] if i < len(there) else None
            ours = here[i] if i < len(here) else None
            if theirs != ours:
                yield what, f"its {what} is {_text(theirs)}, here it is {_text(ours)}"


def _text(entry: list[Any] | None) -> str:
    if entry is None:
        return "missing"
    first, *rest = entry
    if rest and isinstance(rest[0], str):
        return f"{first or '(the model)'} ({', '.join(map(str, rest))})"
    return f"{first} {rest}" if rest else str(first)
