"""What a loader's samples draw: random numbers that follow from (seed, epoch, index), whichever thread fetches them.

While a sample is fetched, another generator answers for the default one in that thread, so that datasets and
transforms need to know nothing of it: ``cr.rand(...)`` draws from the sample's own stream.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from chainrule import _core
from chainrule.generator import Generator, default_generator

_MASK = 2**64 - 1
_ODD = 0x9E3779B97F4A7C15
_COLLATE, _ORDER, _WORKER = 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5


class Stream:
    """Stands in for the default generator in one thread, in a ``with`` block.

    Philox numbers follow from a key and a counter: the pass's seed is the key, a sample's number the counter's
    upper half. So streams of samples never meet (each has 2^34 numbers), and to go to one costs nothing.
    """

    __slots__ = ("_before", "_native", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._native = _core.Generator(seed)
        self._before: _core.Generator | None = None

    def __enter__(self) -> Stream:
        self._before = default_generator._g.replace_in_thread(self._native)
        return self

    def __exit__(self, *error: object) -> None:
        default_generator._g.replace_in_thread(self._before)

    def sample(self, number: int, time: int = 0) -> None:
        """Goes to the stream of a sample; `time` counts how often this pass had it before."""
        self._native.set_state((self.seed + time * _ODD) & _MASK, (number & 0xFFFFFFFF) << 32)

    def collate(self, batch: int) -> None:
        """Goes to the stream of what makes a batch of the samples."""
        self._native.set_state(self.seed ^ _COLLATE, batch << 32)

    def order(self) -> Stream:
        """Goes to the stream of samplers of the user's own, which draw while they are iterated."""
        self._native.set_state(self.seed ^ _ORDER, 0)
        return self

    def worker(self, number: int) -> None:
        """Goes to the stream of a thread's worker_init_fn."""
        self._native.set_state(self.seed ^ _WORKER, number << 32)


def pass_seed(seed: int, offset: int) -> int:
    """A seed that follows from a generator's state before a pass: its bits mixed as SplitMix64 does."""
    z = (seed * _ODD + offset + _ODD) & _MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
    return z ^ z >> 31


def repeats(order: np.ndarray) -> np.ndarray:
    """How often each number occurred before, place by place: [5, 2, 5, 5] gives [0, 0, 1, 2]."""
    by_number = np.argsort(order, kind="stable")
    ordered = order[by_number]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    times = np.empty(len(order), dtype=np.int64)
    lengths = np.diff(np.append(starts, len(order)))
    times[by_number] = np.arange(len(order)) - np.repeat(starts, lengths)
    return times


def owners_of(loader: Any) -> list[Any]:
    """A loader and what it is made of."""
    found: list[Any] = []
    waiting = [loader]
    while waiting:
        item = waiting.pop()
        if any(item is other for other in found):
            continue
        found.append(item)
        own = getattr(item, "__dict__", {})
        names = ("dataset", "sampler", "batch_sampler", "transform", "transforms", "datasets")
        for value in (own[name] for name in names if own.get(name) is not None):
            waiting.extend(value if isinstance(value, list | tuple) else [value])
    return found


def generators_of(owners: list[Any]) -> dict[str, Any]:
    """The generators, chainrule's, NumPy's and Python's, that are attributes of `owners`, each by a name."""
    found: dict[str, Any] = {}
    for owner in owners:
        for place, value in getattr(owner, "__dict__", {}).items():
            kinds = Generator | np.random.Generator | random.Random
            if isinstance(value, kinds) and not any(value is other for other in found.values()):
                found[f"{len(found)}.{type(owner).__name__}.{place}"] = value
    return found
