"""Samplers: the order in which a loader draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from chainrule._core import float64
from chainrule._validate import integer
from chainrule.creation import arange, from_numpy, tensor
from chainrule.random import Generator, rand, randint, randperm
from chainrule.tensor import Tensor


class Sampler:
    """An iterable of sample numbers: a subclass defines ``__iter__()`` and ``__len__()``."""

    def __init__(self, data_source: Sized | None = None) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"Sampler: {type(self).__name__} defines no __iter__()")


class OrderSampler(Sampler):
    """A sampler that knows its whole order at once, as one int64 tensor.

    A loader slices that tensor instead of collecting numbers one by one.
    """

    def order(self) -> Tensor:
        """The sample numbers of one pass, shape (len,)."""
        raise NotImplementedError(f"OrderSampler: {type(self).__name__} defines no order()")

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())


class SequentialSampler(OrderSampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def order(self) -> Tensor:
        return arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(OrderSampler):
    """A new random order each pass, from `generator` or the default generator.

    With `replacement` every draw is independent. `num_samples` (the size of the data unless given)
    may exceed that size: then further permutations follow.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if num_samples is not None:
            integer("RandomSampler", "num_samples", num_samples)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many numbers one pass draws."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Tensor:
        size, count = len(self.data_source), self.num_samples
        if size == 0:
            if count:
                raise ValueError(f"RandomSampler: cannot draw {count} samples from no data")
            return arange(0)
        if self.replacement:
            return randint(0, size, (count,), generator=self.generator)
        if count <= size:
            return randperm(size, generator=self.generator)[:count]
        numbers: list[int] = []
        while len(numbers) < count:
            numbers.extend(randperm(size, generator=self.generator).tolist())
        return tensor(numbers[:count])

    def __len__(self) -> int:
        return self.num_samples


class WeightedRandomSampler(OrderSampler):
    """Draws `num_samples` numbers, i with a probability in proportion to weights[i].

    With `replacement` every draw is independent; without it no number comes twice in a pass. The weights need not
    sum to 1. Give each sample 1 / (size of its class) to draw the classes evenly.

    Without replacement the numbers with the smallest Exponential(weight) times are taken, in that order
    (Efraimidis and Spirakis, 2006).

    Raises ValueError for weights that are not one-dimensional, negative, infinite, NaN or all 0, and for more
    samples than positive weights without replacement.

    Example::

        counts = numpy.bincount(labels)
        sampler = WeightedRandomSampler(1 / counts[labels], num_samples=len(labels))
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        op = "WeightedRandomSampler"
        if not isinstance(replacement, bool):
            raise ValueError(f"{op}: replacement must be a bool, got {replacement!r}")
        values = np.array(weights.detach().numpy() if isinstance(weights, Tensor) else weights, np.float64)
        if values.ndim != 1:
            raise ValueError(f"{op}: weights must have one dimension, got shape {list(values.shape)}")
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            raise ValueError(
                f"{op}: weights must be finite and not negative, got {values[bad[0]]} at {bad[0]}"
            )
        possible = int(np.count_nonzero(values))
        integer(op, "num_samples", num_samples)
        if possible == 0 or (not replacement and num_samples > possible):
            raise ValueError(
                f"{op}: cannot draw {num_samples} samples, {possible} of {len(values)} weights are positive"
            )
        self.weights = values
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def order(self) -> Tensor:
        shares = self.weights / self.weights.max()  # their sum does not overflow
        if self.replacement:
            drawn = rand(self.num_samples, dtype=float64, generator=self.generator).numpy()
            ends = np.cumsum(shares)
            # Below 1, but its product with the sum may round up to the sum: the last positive weight has it.
            numbers = np.searchsorted(ends, drawn * ends[-1], side="right")
            return from_numpy(np.minimum(numbers, np.flatnonzero(shares)[-1]).astype(np.int64))
        drawn = rand(len(self.weights), dtype=float64, generator=self.generator).numpy()
        with np.errstate(divide="ignore"):
            times = -np.log1p(-drawn) / shares
        times[self.weights == 0] = np.inf
        return from_numpy(np.argsort(times, kind="stable")[: self.num_samples].astype(np.int64))

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(OrderSampler):
    """The given sample numbers, in a new random order each pass."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def order(self) -> Tensor:
        places = randperm(len(self.indices), generator=self.generator).tolist()
        numbers = [int(self.indices[place]) for place in places]
        return tensor(numbers) if numbers else arange(0)

    def __len__(self) -> int:
        return len(self.indices)


class BatchSampler(Sampler):
    """Lists of `batch_size` numbers from `sampler`; `drop_last` leaves out a shorter last one."""

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler = sampler
        self.batch_size = integer("BatchSampler", "batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: drop_last must be a bool, got {drop_last!r}")
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        if (order := whole_order(self.sampler)) is not None:
            numbers = order.tolist()
            stop = len(numbers) - len(numbers) % self.batch_size if self.drop_last else len(numbers)
            for start in range(0, stop, self.batch_size):
                yield numbers[start : start + self.batch_size]
            return
        batch: list[int] = []
        for number in self.sampler:
            batch.append(number)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def whole_order(sampler: Any) -> Tensor | None:
    """What iterating `sampler` gives, at once; None where it doesn't know, or where a subclass has replaced
    `__iter__`."""
    knows = isinstance(sampler, OrderSampler) and type(sampler).__iter__ is OrderSampler.__iter__
    return sampler.order() if knows else None
