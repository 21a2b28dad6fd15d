"""DataLoader: batches from a dataset."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chainrule._validate import integer
from chainrule.creation import tensor
from chainrule.data.collate import default_collate, default_convert
from chainrule.data.dataset import IterableDataset, Subset, TensorDataset
from chainrule.data.sampler import BatchSampler, OrderSampler, RandomSampler, SequentialSampler
from chainrule.random import Generator
from chainrule.tensor import Tensor


class DataLoader:
    """Iterates over `dataset` in batches.

    With `shuffle` each pass takes a new random order from `generator` or from the default one, so
    that ``manual_seed`` fixes the order. `drop_last` leaves out a last batch that is short.
    `collate_fn` makes a batch from a list of samples (``default_collate`` unless given).
    ``batch_size=None`` yields single samples. Batches never share memory with the dataset. From a
    TensorDataset, or a Subset of one, a batch is one indexed copy per tensor.

    `pin_memory` is accepted and has no effect. `num_workers` must be 0 for now.

    Raises ValueError for arguments that exclude each other.

    Example::

        for images, labels in DataLoader(TensorDataset(x, y), batch_size=12, shuffle=True):
            ...
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None:
        if num_workers != 0:
            raise ValueError(
                f"DataLoader: num_workers must be 0, got {num_workers}; worker processes are not there yet"
            )
        if batch_size is not None:
            integer("DataLoader", "batch_size", batch_size)
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.generator = generator
        self._streams = isinstance(dataset, IterableDataset)
        self._check_exclusive(shuffle, sampler, batch_sampler)
        self.sampler = self._pick_sampler(shuffle, sampler)
        self.batch_sampler = batch_sampler
        if batch_sampler is not None:
            self.batch_size = None
        elif batch_size is not None and self.sampler is not None:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        single = batch_size is None and batch_sampler is None
        self.collate_fn = collate_fn or (default_convert if single else default_collate)

    def _check_exclusive(self, shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
        rule = ""
        if self._streams and (shuffle or sampler is not None or batch_sampler is not None):
            rule = "an IterableDataset sets its own order: no shuffle, sampler or batch_sampler"
        elif sampler is not None and shuffle:
            rule = "sampler excludes shuffle"
        elif batch_sampler is not None and (
            self.batch_size != 1 or shuffle or sampler is not None or self.drop_last
        ):
            rule = "batch_sampler excludes batch_size, shuffle, sampler and drop_last"
        elif self.batch_size is None and self.drop_last:
            rule = "batch_size=None excludes drop_last"
        if rule:
            raise ValueError(
                f"DataLoader: {rule} (batch_size={self.batch_size}, shuffle={shuffle}, "
                f"sampler={sampler}, batch_sampler={batch_sampler}, drop_last={self.drop_last})"
            )

    def _pick_sampler(self, shuffle: bool | None, sampler: Any) -> Any:
        if self._streams or sampler is not None:
            return sampler
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)
        return SequentialSampler(self.dataset)

    def __iter__(self) -> Iterator[Any]:
        if self._streams:
            return self._stream_batches()
        base = _tensors_below(self.dataset)
        if (
            base is not None
            and type(self.batch_sampler) is BatchSampler
            and _has_own_order(self.batch_sampler.sampler)
            and self.collate_fn is default_collate
        ):
            return self._tensor_batches(base, self.batch_sampler)
        if self.batch_sampler is None:
            return (self.collate_fn(self.dataset[number]) for number in self.sampler)
        return (
            self.collate_fn([self.dataset[number] for number in numbers]) for numbers in self.batch_sampler
        )

    def __len__(self) -> int:
        if not self._streams:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def _stream_batches(self) -> Iterator[Any]:
        samples = iter(self.dataset)
        if self.batch_size is None:
            yield from map(self.collate_fn, samples)
            return
        while batch := list(itertools.islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def _tensor_batches(self, tensors: tuple[Tensor, ...], batches: BatchSampler) -> Iterator[list[Tensor]]:
        """One copy per tensor and batch: a slice where the order is 0, 1, 2, ..., else by index."""
        in_order = type(batches.sampler) is SequentialSampler and type(self.dataset) is TensorDataset
        order = None if in_order else _rows(self.dataset, batches.sampler.order())
        count = len(batches.sampler) if order is None else len(order)
        stop = count - count % batches.batch_size if batches.drop_last else count
        for start in range(0, stop, batches.batch_size):
            end = min(start + batches.batch_size, stop)
            if order is None:
                # A copy all the same: changing a batch in place must not change the data.
                yield [values[start:end].clone() for values in tensors]
            else:
                rows = order[start:end]
                yield [values.index_select(0, rows) for values in tensors]


def _has_own_order(sampler: Any) -> bool:
    """Whether order() is what iterating gives: a subclass may have replaced `__iter__`."""
    return isinstance(sampler, OrderSampler) and type(sampler).__iter__ is OrderSampler.__iter__


def _tensors_below(dataset: Any) -> tuple[Tensor, ...] | None:
    """The tensors of a TensorDataset under any number of subsets; None for other datasets."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return dataset.tensors if type(dataset) is TensorDataset else None


def _rows(dataset: Any, order: Tensor) -> Tensor:
    """`order`, which numbers the samples of `dataset`, as row numbers of the tensors below it."""
    while type(dataset) is Subset:
        indices = dataset.indices
        if not isinstance(indices, Tensor):
            size = len(dataset.dataset)
            numbers = [int(i) + size if i < 0 else int(i) for i in indices]
            # A subset of nothing has an empty order, which reads none of this.
            indices = tensor(numbers or [0])
        order = indices.index_select(0, order)
        dataset = dataset.dataset
    return order
