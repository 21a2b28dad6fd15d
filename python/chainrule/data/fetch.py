"""From sample numbers to a batch: what a loader does at once, or lets its threads do."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule import _core
from chainrule.creation import from_numpy, tensor
from chainrule.data.collate import default_collate
from chainrule.data.seeding import Stream
from chainrule.tensor import Tensor

_WAITING, _COLLATION, _ROWS = object(), object(), object()
END = object()  # what a stream gives once it is exhausted


class Place:
    """Where a fetch is: read by the thread that waits for it, and by what names an error's sample."""

    __slots__ = ("cancelled", "sample")

    def __init__(self) -> None:
        self.sample: Any = _WAITING
        self.cancelled = False

    def __str__(self) -> str:
        if self.sample is _WAITING:
            return "waiting for a thread"
        if self.sample is _ROWS:
            return "reading rows"
        return "in collate_fn" if self.sample is _COLLATION else f"at sample {self.sample!r}"


class Cancelled(Exception):
    """Nobody waits for the batch any more."""


class Samples:
    """Fetches samples one by one, each with the numbers that its own stream draws, and makes a batch of them."""

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], seed: int) -> None:
        self.dataset, self.collate, self.seed = dataset, collate, seed

    def batch(self, batch: int, numbers: Sequence[Any], times: Sequence[int] | None, place: Place) -> Any:
        """The samples of these numbers, collated."""
        with Stream(self.seed) as stream:
            samples = []
            for i, number in enumerate(numbers):
                samples.append(
                    self._sample(place, stream, number, times[i] if times is not None else 0, batch)
                )
            place.sample = _COLLATION
            stream.collate(batch)
            try:
                return self.collate(samples)
            except Exception as error:
                if self.collate is default_collate:
                    _locate_pair(error, samples, numbers)
                else:
                    locate(error, f"in collate_fn of the samples {_few(numbers)}")
                raise

    def single(self, at: int, number: Any, time: int, place: Place) -> Any:
        """One sample, converted."""
        with Stream(self.seed) as stream:
            sample = self._sample(place, stream, number, time, at)
            stream.collate(at)
            return self.collate(sample)

    def _sample(self, place: Place, stream: Stream, number: Any, time: int, batch: int) -> Any:
        if place.cancelled:
            raise Cancelled
        place.sample = number
        stream.sample(number if type(number) is int else _key(number, batch), time)
        try:
            return self.dataset[number]
        except StopIteration as error:  # which would end the generator that the loader is, or look like it
            raise RuntimeError(
                f"DataLoader: sample {number!r} of {type(self.dataset).__name__} raised StopIteration"
            ) from error
        except Exception as error:
            locate(error, f"in sample {number!r} of {type(self.dataset).__name__}")
            raise


class Flow:
    """Fetches from a stream of samples, in whichever thread, one batch after the other."""

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[Any], Any],
        seed: int,
        batch_size: int | None,
        drop_last: bool,
        skip: int,
    ) -> None:
        self.dataset, self.collate = dataset, collate
        self.batch_size, self.drop_last = batch_size, drop_last
        self._skip = skip
        self._draws, self._collation = Stream(seed), Stream(seed)
        self._samples: Iterator[Any] | None = None
        self._count = 0

    def next(self, batch: int, place: Place) -> Any:
        """The next batch, or END."""
        while self._skip:
            self._skip = self._skip - 1 if self._take(1, place) else 0
        samples = self._take(self.batch_size or 1, place)
        if not samples or (self.drop_last and len(samples) < (self.batch_size or 1)):
            return END
        with self._collation as stream:
            stream.collate(batch)
            try:
                return self.collate(samples if self.batch_size is not None else samples[0])
            except Exception as error:
                locate(error, f"in samples {self._count - len(samples)} to {self._count - 1} of the stream")
                raise

    def _take(self, count: int, place: Place) -> list[Any]:
        samples: list[Any] = []
        with self._draws:
            if self._samples is None:
                self._samples = iter(self.dataset)
            for _ in range(count):
                if place.cancelled:
                    raise Cancelled
                place.sample = self._count
                try:
                    sample = next(self._samples, END)
                except Exception as error:
                    locate(error, f"in sample {self._count} of the stream {type(self.dataset).__name__}")
                    raise
                if sample is END:
                    break
                samples.append(sample)
                self._count += 1
        return samples


class Rows:
    """Takes rows of tensors and arrays, one copy each; `places` says where samples are, if not at their number."""

    def __init__(self, columns: Sequence[Any], places: Tensor | None = None) -> None:
        self.columns, self._places = columns, places
        plain = all(isinstance(c, Tensor) and not c.requires_grad for c in columns)
        self._native = tuple(c._t for c in columns) if plain else None
        self.on_disk = any(isinstance(c, np.memmap) for c in columns)

    def numbers(self, order: Tensor) -> Tensor:
        """Row numbers of the samples that `order` numbers."""
        # A subset of nothing has an empty order, which reads none of its places.
        return order if self._places is None else self._places.index_select(0, order)

    def between(self, numbers: Tensor | None, start: int, stop: int) -> list[Tensor]:
        """Rows numbers[start:stop]; without numbers rows start to stop."""
        if numbers is None:
            return [_slice(column, start, stop) for column in self.columns]
        if self._native is not None:
            return _core.take_rows(self._native, numbers._t, start, stop)
        rows = numbers[start:stop]
        return [_select(column, rows) for column in self.columns]

    def fetch(self, numbers: Tensor | None, start: int, stop: int, place: Place) -> list[Tensor]:
        """As `between`, in a thread."""
        place.sample = _ROWS
        return self.between(numbers, start, stop)

    def listed(self, numbers: Sequence[Any], place: Place) -> list[Tensor]:
        """The samples of a list of numbers."""
        if not numbers:
            raise ValueError("DataLoader: the batch sampler gave an empty batch")
        order = self.numbers(tensor([operator.index(number) for number in numbers]))
        return self.between(order, 0, len(order))


def _slice(column: Any, start: int, stop: int) -> Tensor:
    # A copy all the same: changing a batch in place must not change the data.
    return column[start:stop].clone() if isinstance(column, Tensor) else as_batch(column[start:stop])


def _select(column: Any, rows: Tensor) -> Tensor:
    return column.index_select(0, rows) if isinstance(column, Tensor) else as_batch(column[rows.numpy()])


def as_batch(array: Any) -> Tensor:
    """A copy of an array, or of a number of NumPy's, as a tensor of the dtype that ``tensor()`` would choose."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    dtype: Any = array.dtype.newbyteorder("=")
    if kind == "f" and size not in (4, 8):
        dtype = np.float32
    elif kind in "iu" and array.dtype != np.uint8:
        dtype = np.int64
    # In any case a copy: a slice of a memory map shares the file's memory.
    return from_numpy(np.array(array, dtype=dtype, order="C", subok=False))


def _key(number: Any, batch: int) -> int:
    """What picks a sample's stream: keys that are no numbers have their batch's."""
    try:
        return operator.index(number)
    except TypeError:
        return batch


def locate(error: Exception, where: str) -> None:
    """Adds to the text of an error where it arose; type, attributes and traceback stay."""
    if isinstance(error, OSError) and error.strerror is not None:
        error.strerror = f"{error.strerror}, {where}"
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}, {where}",)
    else:
        error.args = (*error.args, where)
    if where not in str(error) and hasattr(error, "add_note"):  # its text comes from elsewhere
        error.add_note(where)


def _locate_pair(error: Exception, samples: Sequence[Any], numbers: Sequence[Any]) -> None:
    """Names the first sample that does not fit to the batch's first one."""
    for sample, number in zip(samples[1:], numbers[1:], strict=False):
        try:
            default_collate([samples[0], sample])
        except Exception:
            locate(error, f"in samples {numbers[0]!r} and {number!r}")
            return
    locate(error, f"in the samples {_few(numbers)}")


def _few(numbers: Iterable[Any]) -> str:
    listed = list(numbers)
    return f"{listed[:8]}"[:-1] + (", ...]" if len(listed) > 8 else "]")
