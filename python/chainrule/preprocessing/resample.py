"""Undersampling, oversampling, with noise, SMOTE: a training part with other numbers of samples per class.

All are functions of (x, y) that give a new (x, y), marked as training part; the arguments stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule._core import float64
from chainrule._validate import integer, real
from chainrule.data.labels import class_numbers
from chainrule.data.split import take_rows
from chainrule.preprocessing.training_part import (
    fractions,
    generator_of,
    marked,
    renumbered,
    same_kind,
    training_part,
)
from chainrule.random import Generator, rand, randint, randn, randperm

Strategy = str | float | Mapping[Any, int]


def undersample(
    x: Any, y: Any, *, sampling_strategy: Strategy = "auto", random_state: int | None = None
) -> tuple[Any, Any]:
    """Leaves out samples of the larger classes, at random, until all are as small as the smallest.

    `sampling_strategy` is 'auto', the wanted ratio of the smallest class to each other one (a float in (0, 1]; 1 is
    'auto'), or the wanted number of samples by class. Samples that stay keep their order.

    Raises ValueError unless `x` is marked as training part (``data.part_of``), for a `y` of another part or length (in
    pandas: or with other row labels), for numbers that a class does not have, and for classes that do not exist.

    Example::

        x_even, y_even = undersample(x_train, y_train, random_state=0)
    """
    op = "undersample"
    count = training_part(op, "resampled", x, y)
    classes, members = class_numbers(op, "y", y, count)
    wanted = _wanted(op, classes, np.bincount(members), sampling_strategy, larger=False)
    generator = generator_of(random_state)
    kept = [
        _of_class(members, number)[
            randperm(int((members == number).sum()), generator=generator).numpy()[:most]
        ]
        for number, most in enumerate(wanted)
    ]
    rows = np.sort(np.concatenate(kept))
    return marked(take_rows(x, rows)), marked(take_rows(y, rows))


def oversample(
    x: Any,
    y: Any,
    *,
    sampling_strategy: Strategy = "auto",
    noise: float = 0.0,
    random_state: int | None = None,
) -> tuple[Any, Any]:
    """Adds copies of samples of the smaller classes, drawn with replacement, until all are as large as the largest.

    `sampling_strategy` is 'auto', the wanted ratio of each class to the largest one, or the wanted number of samples
    by class. `noise` moves each copied value by a normal random number, of `noise` times the standard deviation of
    the column in the class: copies alone say nothing new and are soon learned by heart. The copies come last, class
    by class.

    Raises as ``undersample`` does; with `noise` TypeError for columns that aren't floats, ValueError for missing
    values.

    Example::

        x_even, y_even = oversample(x_train, y_train, noise=0.1, random_state=0)
    """
    op = "oversample"
    count = training_part(op, "resampled", x, y)
    real(op, "noise", noise, "non-negative")
    values = fractions(op, x) if noise else None
    classes, members = class_numbers(op, "y", y, count)
    counts = np.bincount(members)
    wanted = _wanted(op, classes, counts, sampling_strategy, larger=True)
    generator = generator_of(random_state)
    copies, moves = [], []
    for number, extra in enumerate(wanted - counts):
        mine = _of_class(members, number)
        copies.append(mine[randint(0, len(mine), (int(extra),), generator=generator).numpy()])
        if values is not None:
            drawn = randn(int(extra), values.shape[1], generator=generator, dtype=float64).numpy()
            moves.append(drawn * noise * values[mine].std(axis=0))
    rows = np.concatenate([np.arange(count), *copies])
    labels = marked(renumbered(take_rows(y, rows)))
    if values is None:
        return marked(renumbered(take_rows(x, rows))), labels
    added = values[np.concatenate(copies)] + np.concatenate(moves)
    return same_kind(x, np.concatenate([values, added])), labels


def smote(
    x: Any,
    y: Any,
    *,
    sampling_strategy: Strategy = "auto",
    k_neighbors: int = 5,
    random_state: int | None = None,
) -> tuple[Any, Any]:
    """Adds samples between neighbours of the smaller classes: x_i + u · (x_j - x_i), u uniform in [0, 1).

    x_i is drawn from the class, x_j from its `k_neighbors` nearest of the same class (Euclidean: scale the columns
    first). Chawla et al., "SMOTE: Synthetic Minority Over-sampling Technique", JAIR 16, 2002. `sampling_strategy` as
    in ``oversample``; what is added comes last, class by class.

    Raises as ``oversample`` with noise does, and ValueError for a class that grows and has too few samples for
    `k_neighbors`.

    Example::

        x_even, y_even = smote(x_train, y_train, random_state=0)
    """
    op = "smote"
    count = training_part(op, "resampled", x, y)
    integer(op, "k_neighbors", k_neighbors)
    values = fractions(op, x)
    classes, members = class_numbers(op, "y", y, count)
    counts = np.bincount(members)
    wanted = _wanted(op, classes, counts, sampling_strategy, larger=True)
    generator = generator_of(random_state)
    added, sources = [], []
    for number, extra in enumerate(wanted - counts):
        if not extra:
            continue
        mine = _of_class(members, number)
        if len(mine) <= k_neighbors:
            raise ValueError(
                f"{op}: class {classes[number]} has {len(mine)} samples, k_neighbors={k_neighbors} needs at least "
                f"{k_neighbors + 1}; take fewer neighbours, or oversample(noise=...)"
            )
        added.append(_between(values[mine], int(extra), k_neighbors, generator))
        sources.append(np.full(int(extra), mine[0]))
    rows = np.concatenate([np.arange(count), *sources]).astype(np.int64)
    return same_kind(x, np.concatenate([values, *added])), marked(renumbered(take_rows(y, rows)))


def _between(values: np.ndarray, extra: int, k: int, generator: Generator | None) -> np.ndarray:
    neighbours = nearest(values, k)
    base = randint(0, len(values), (extra,), generator=generator).numpy()
    which = randint(0, k, (extra,), generator=generator).numpy()
    gap = rand(extra, 1, generator=generator, dtype=float64).numpy()
    return values[base] + gap * (values[neighbours[base, which]] - values[base])


def nearest(values: np.ndarray, k: int) -> np.ndarray:
    """For each row the numbers of its `k` nearest other rows, nearest first, shape (rows, k)."""
    centred = values - values.mean(axis=0)  # |a - b|² = |a|² - 2ab + |b|² loses least near the origin
    squares = (centred**2).sum(axis=1)
    found = np.empty((len(values), k), dtype=np.int64)
    for start in range(0, len(values), 512):
        block = slice(start, start + 512)
        distance = squares[block, None] - 2 * centred[block] @ centred.T + squares
        rows = np.arange(len(distance))
        distance[rows, start + rows] = np.inf  # itself
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1, kind="stable")
        found[block] = np.take_along_axis(near, order, axis=1)
    return found


def _of_class(members: np.ndarray, number: int) -> np.ndarray:
    return np.flatnonzero(members == number)


def _wanted(op: str, classes: np.ndarray, counts: np.ndarray, strategy: Strategy, larger: bool) -> np.ndarray:
    """The number of samples that each class is to have."""
    if isinstance(strategy, Mapping):
        return _wanted_by_class(op, classes, counts, strategy, larger)
    if isinstance(strategy, str):
        if strategy != "auto":
            raise ValueError(
                f"{op}: sampling_strategy must be 'auto', a ratio or a dictionary, got {strategy!r}"
            )
        strategy = 1.0
    ratio = real(op, "sampling_strategy", strategy)
    if not 0 < ratio <= 1:
        raise ValueError(f"{op}: sampling_strategy as a ratio must be in (0, 1], got {strategy}")
    if larger:
        return np.maximum(counts, int(counts.max() * ratio))
    return np.minimum(counts, int(counts.min() / ratio))


def _wanted_by_class(
    op: str, classes: np.ndarray, counts: np.ndarray, strategy: Mapping[Any, int], larger: bool
) -> np.ndarray:
    wanted = counts.copy()
    names = classes.tolist()
    for label, count in strategy.items():
        if label not in names:
            raise ValueError(f"{op}: sampling_strategy names class {label!r}, y has {names}")
        number = names.index(label)
        integer(op, f"sampling_strategy[{label!r}]", count)
        if (count < counts[number]) if larger else (count > counts[number]):
            least = "at least" if larger else "at most"
            raise ValueError(
                f"{op}: class {label!r} has {counts[number]} samples, sampling_strategy must ask for {least} as many, "
                f"got {count}"
            )
        wanted[number] = count
    return wanted
