"""Searches: several trainings, of which dev chooses. Local minima, metaparameters, the size of the data."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from chainrule._validate import integer, numeric
from chainrule.data import Subset
from chainrule.nn import Module
from chainrule.random import manual_seed
from chainrule.tensor import Tensor
from chainrule.train.batches import as_dataset, refuse_tables, refuse_test_part
from chainrule.train.check import check_function
from chainrule.train.history import History, direction
from chainrule.train.table import Table, finish, new_axes

Draw = Callable[[random.Random], float]


class Results(Table):
    """One row per training, with 'score', the value of `monitor` that its weights had on dev.

    Attributes:
        monitor: the column of the histories that was compared.
        best: the row with the best score.
        model, history: of that row; None from ``search``, whose objective keeps its models.
    """

    def __init__(self, monitor: str, sign: int) -> None:
        super().__init__()
        self.monitor, self._sign = monitor, sign
        self.model: Module | None = None
        self.history: History | None = None
        self.interrupted = False

    @property
    def best(self) -> dict[str, Any]:
        scored = [row for row in self.rows if self._is_number(row["score"])]
        if not scored:
            raise ValueError(f"{self.monitor}: no training has a score")
        return max(scored, key=lambda row: self._sign * row["score"])

    def plot(self, path: Any = None, columns: Sequence[str] | None = None, axes: Any = None) -> Any:
        """The score against each of `columns` (those with numbers, unless given). Returns matplotlib's figure."""
        own = ("score", "seconds", "error", "kept_epoch", "epochs", "train")
        names = list(columns or (name for name in self.columns if name not in own))
        if not self.rows or not names:
            raise ValueError("Results.plot: there is nothing to plot")
        figure, axes = new_axes(axes, len(names))
        for panel, name in zip(axes, names):
            values = self[name]
            numbers = all(self._is_number(value) for value in values)
            shown = values if numbers else [str(value) for value in values]
            panel.plot(shown, [math.nan if s is None else s for s in self["score"]], "o", alpha=0.7)
            if numbers and min(values) > 0 and max(values) > 50 * min(values):
                panel.set_xscale("log")
            elif numbers and len(set(values)) <= 6:  # a list of choices
                panel.set_xticks(sorted(set(values)))
            panel.set(xlabel=name, ylabel=self.monitor)
            panel.grid(alpha=0.3)
        return finish(figure, path)

    @staticmethod
    def _is_number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class LearningCurve(Results):
    """Rows of ``learning_curve``: 'size', 'score' on dev, and 'train', the same on the training part."""

    def plot(self, path: Any = None, columns: Sequence[str] | None = None, axes: Any = None) -> Any:
        """Both scores against the size of the training part. Returns matplotlib's figure."""
        if not self.rows:
            raise ValueError("LearningCurve.plot: there is nothing to plot")
        figure, (panel, *_) = new_axes(axes)
        panel.plot(self["size"], self["train"], "o--", label="training")
        panel.plot(self["size"], self["score"], "o-", label="dev")
        panel.set(xlabel="training samples", ylabel=self.monitor.removeprefix("dev_"))
        panel.grid(alpha=0.3)
        panel.legend()
        return finish(figure, path)


def best_of(
    n: int,
    make: Callable[[], Module],
    fit: Callable[[Module], History],
    *,
    monitor: str = "dev_loss",
    mode: str = "auto",
    seed: int = 0,
) -> Results:
    """Trains `n` models from different random weights and keeps the best on dev: an answer to local minima.

    Before each, ``manual_seed(seed + i)``; then ``fit(make())``.

    Args:
        make: gives a new model.
        fit: trains it and returns the history; with its own optimizer.
        monitor, mode: the column that is compared, of dev, and whether 'min' or 'max' is better.

    Returns a table with the `seed` and the `score` of each, the best `model` and its `history`.

    Raises ValueError for n below 1, a column that is not dev's and a `make` that gives the same model again; TypeError
    for what are no functions, and for what they give if it is no model and no history.

    Example:
        >>> best = best_of(5, make, lambda model: train.fit(model, loss, SGD(model.parameters(), 0.1), *parts, 20))
        >>> best.best["seed"], best.model
    """
    integer("best_of", "n", n)
    _check_functions("best_of", make, fit)
    results = Results(monitor, _dev_direction("best_of", monitor, mode))
    model: Module | None = None
    for number in range(n):
        manual_seed(seed + number)
        model = _made("best_of", make, model)
        history = _history("best_of", fit(model))
        row = {"seed": seed + number, **_row("best_of", history, monitor)}
        results.rows.append(row)
        if results._is_number(row["score"]) and results.best is row:
            results.model, results.history = model, history
        if history.interrupted:
            results.interrupted = True
            break
    return results


def search(
    space: Mapping[str, Any],
    objective: Callable[..., History | float],
    n: int | None = None,
    *,
    monitor: str = "dev_loss",
    mode: str = "auto",
    seed: int = 0,
) -> Results:
    """Tries metaparameters and compares what dev says of them.

    Args:
        space: by name, a list of values, or ``uniform(low, high)``, ``log_uniform(low, high)``, or any function of
            a ``random.Random``.
        objective: called with one value of each by keyword; trains a model and returns its history, or a score of
            the model on dev.
        n: None tries every combination of lists; a number draws that many at random, of lists never the same
            twice.
        monitor, mode: the column that is compared, of dev, and whether 'min' or 'max' is better, which has to be
            said of numbers.
        seed: of the draws; also ``manual_seed(seed)`` before each trial, so that only the settings differ.

    Returns a table with the settings and the score of each trial; one that failed has no score but an `error`.
    After Ctrl-C (a history that was interrupted) it has the trials so far, and ``interrupted=True``.

    Raises ValueError for an empty space or list, for n=None with a distribution, and for a column that is not
    dev's; TypeError for values in no list, and for an objective that is no function; the objective's own error if every
    trial failed.

    Example:
        >>> results = search({"lr": log_uniform(1e-4, 1e-1), "hidden": [16, 64]}, objective, n=20)
        >>> results.best
    """
    check_function("search", "objective", objective, "of the settings that gives a History or a number")
    results = Results(monitor, _dev_direction("search", monitor, mode))
    error: Exception | None = None
    for settings in _settings(space, n, random.Random(seed)):
        manual_seed(seed)
        try:
            outcome = objective(**settings)
            row = _row("search", outcome, monitor)
        except KeyboardInterrupt:
            results.interrupted = True
            break
        except Exception as failure:  # an hour of other trials is worth more than this one
            error, outcome = failure, None
            row = {"score": None, "error": f"{type(failure).__name__}: {failure}"}
        if mode == "auto" and row["score"] is not None and not isinstance(outcome, History):
            raise ValueError("search: the objective gave a number; say mode='max' or mode='min'")
        results.rows.append({**settings, **row})
        if isinstance(outcome, History) and outcome.interrupted:
            results.interrupted = True
            break
    if error is not None and all(row["score"] is None for row in results.rows):
        raise error
    return results


def learning_curve(
    make: Callable[[], Module],
    fit: Callable[[Module, Any], History],
    train: Any,
    sizes: Sequence[float | int] = (0.1, 0.2, 0.4, 0.7, 1.0),
    *,
    monitor: str = "dev_loss",
    mode: str = "auto",
    seed: int = 0,
) -> LearningCurve:
    """How dev's score depends on the size of the training part: would more data help, or a larger model?

    One model is made and trained for each size, from the same seed, on the first samples of one random order.

    Args:
        fit: trains the model on the part it is given, a dataset; returns the history.
        train: a dataset, or tensors (inputs, targets).
        sizes: numbers of samples, or fractions.

    Raises ValueError for sizes out of range, for a column that is not dev's and for a `make` that gives the same model
    again; TypeError as ``best_of``, and for data that are no dataset and no tensors.

    Example:
        >>> curve = learning_curve(make, lambda model, part: train.fit(model, loss, adam(model), part, dev, 20), train)
        >>> curve.plot("sizes.png")
    """
    op = "learning_curve"
    _check_functions(op, make, fit)
    curve = LearningCurve(monitor, _dev_direction(op, monitor, mode))
    refuse_test_part(op, "train", train)
    refuse_tables(op, "train", train)
    if isinstance(train, tuple | list):
        train = as_dataset(train)
    if not (hasattr(train, "__len__") and hasattr(train, "__getitem__")):
        raise TypeError(
            f"{op}: train must be a dataset or tensors (inputs, targets), got {type(train).__name__}"
        )
    total = len(train)
    for size in sizes:
        numeric(op, "sizes", size)
    counts = [max(1, round(size * total)) if isinstance(size, float) else size for size in sizes]
    for size, count in zip(sizes, counts):
        if size <= 0 or count > total:
            raise ValueError(f"{op}: sizes must be fractions in (0, 1] or 1 to {total} samples, got {size}")
    order = list(range(total))
    random.Random(seed).shuffle(order)
    model: Module | None = None
    for count in counts:
        manual_seed(seed)
        model = _made(op, make, model)
        history = _history(op, fit(model, Subset(train, order[:count])))
        own = monitor.removeprefix("dev_")
        row = _row(op, history, monitor)
        curve.rows.append({"size": count, "train": history.kept(own), **row})
        if history.interrupted:
            curve.interrupted = True
            break
    return curve


def uniform(low: float, high: float) -> Draw:
    """For ``search``: numbers between low and high, all equally likely."""
    _check_range("uniform", low, high)
    return lambda rng: rng.uniform(low, high)


def log_uniform(low: float, high: float) -> Draw:
    """For ``search``: numbers whose logarithm is uniform, as fits learning rates."""
    _check_range("log_uniform", low, high)
    if low <= 0:
        raise ValueError(f"log_uniform: low must be above 0, got {low}")
    return lambda rng: math.exp(rng.uniform(math.log(low), math.log(high)))


def _settings(space: Mapping[str, Any], n: int | None, rng: random.Random) -> Iterator[dict[str, Any]]:
    if not isinstance(space, Mapping):
        raise TypeError(f"search: space must be a dictionary of lists or distributions, got {space!r}")
    if not space:
        raise ValueError("search: space must be a dictionary of lists or distributions, got an empty one")
    for name, values in space.items():
        # Of a set every run would have another order.
        listed = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping | Set)
        if isinstance(values, type) or not (listed or callable(values)):
            raise TypeError(
                f"search: {name} must be a list of values or a distribution, got {values!r}; one value alone is a list "
                f"of one"
            )
    lists = {name: list(values) for name, values in space.items() if not callable(values)}
    for name, values in lists.items():
        if not values:
            raise ValueError(f"search: {name} has no values to try")
    if n is not None:
        integer("search", "n", n)
    elif len(lists) < len(space):
        drawn = [name for name in space if name not in lists]
        raise ValueError(f"search: {', '.join(drawn)} has no end of values; say how many trials: n=20")
    if len(lists) == len(space):
        sizes = [len(values) for values in lists.values()]
        count = math.prod(sizes)
        numbers = range(count) if n is None else rng.sample(range(count), min(n, count))
        for number in numbers:
            places = np.unravel_index(number, sizes)
            yield {name: values[place] for (name, values), place in zip(lists.items(), places)}
        return
    for _ in itertools.repeat(None, n):  # type: ignore[arg-type]
        yield {
            name: rng.choice(lists[name]) if name in lists else values(rng) for name, values in space.items()
        }


def _check_functions(op: str, make: Any, fit: Any) -> None:
    check_function(op, "make", make, "that gives a new model")
    check_function(op, "fit", fit, "that trains a model and returns its history")


def _made(op: str, make: Callable[[], Module], before: Module | None) -> Module:
    """A new model; ValueError for the one that was trained `before`, which would go on from there."""
    model = make()
    if not isinstance(model, Module):
        raise TypeError(f"{op}: make must give a model, got {type(model).__name__}")
    if model is before:
        raise ValueError(f"{op}: make must give a new model each time, got the same object again")
    return model


def _history(op: str, history: Any) -> History:
    if not isinstance(history, History):
        raise TypeError(
            f"{op}: fit must return the history of the training, got {type(history).__name__}; return train.fit(...)"
        )
    return history


def _row(op: str, outcome: Any, monitor: str) -> dict[str, Any]:
    if isinstance(outcome, History):
        if not outcome.rows and outcome.interrupted:
            return {"score": None}
        return {
            "score": outcome.kept(monitor),
            "epochs": len(outcome),
            "kept_epoch": outcome.kept_epoch or outcome[-1]["epoch"],
        }
    if isinstance(outcome, np.generic) or (isinstance(outcome, Tensor) and outcome.numel() == 1):
        outcome = outcome.item()
    if isinstance(outcome, bool) or not isinstance(outcome, int | float):
        raise TypeError(f"{op}: expected a History or a number, got {type(outcome).__name__}")
    return {"score": float(outcome)}


def _dev_direction(op: str, monitor: str, mode: str) -> int:
    if not monitor.startswith("dev_"):
        raise ValueError(
            f"{op}: monitor must be a column of dev, such as 'dev_loss', got {monitor!r}; what was trained on chooses "
            "the model that remembers best"
        )
    return direction(op, monitor, mode)


def _check_range(op: str, low: float, high: float) -> None:
    for name, value in (("low", low), ("high", high)):
        numeric(op, name, value)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{op}: low must be below high, got {low} and {high}")
