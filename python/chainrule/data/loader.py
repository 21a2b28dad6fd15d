"""DataLoader: batches from a dataset."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from chainrule._part import is_frame
from chainrule._validate import integer, real
from chainrule._warn import warn
from chainrule.data.collate import default_collate, default_convert
from chainrule.data.dataset import IterableDataset, Subset, rows_below
from chainrule.data.fetch import END, Flow, Place, Rows, Samples
from chainrule.data.position import Pass, Position
from chainrule.data.sampler import BatchSampler, RandomSampler, SequentialSampler, whole_order
from chainrule.data.seeding import Stream, generators_of, owners_of, repeats
from chainrule.data.workers import Workers, prefetched
from chainrule.random import Generator
from chainrule.tensor import Tensor

Job = Callable[[Place], Any]


class DataLoader:
    """Iterates over `dataset` in batches.

    With `shuffle` each pass takes a new random order from `generator` or from the default one, so that
    ``manual_seed`` fixes the order. `drop_last` leaves out a last batch that is short. `collate_fn` makes a batch
    from a list of samples (``default_collate`` unless given). ``batch_size=None`` yields single samples. Batches
    never share memory with the dataset. From tensors and arrays (TensorDataset, ArrayDataset, a Subset of one) a
    batch is one indexed copy each.

    **Threads.** With `num_workers` so many threads fetch `prefetch_factor` batches each ahead; native work and
    reading files run beside the training. They share the dataset, whose ``__getitem__`` must be able to run in
    several threads at once. A stream (IterableDataset) has one thread, tensors in memory need none. Batches come
    in order. The threads end with the pass (with the loader, if `persistent_workers`), however it ends.

    **Random numbers.** While a sample is fetched, ``cr.rand()`` and all that draws from the default generator draw
    from a stream that follows from (seed, epoch, index) alone: batches are the same, bit by bit, for any number of
    workers. The seed is the state of `generator` or of the default one when the pass begins. NumPy's and Python's
    generators, and generators of one's own, know nothing of that; threads draw from them ahead and in any order.

    **Position.** ``state_dict()`` says where the newest pass is; after ``load_state_dict(state)`` the next pass gives
    the batches that were left, for any number of workers.

    Args:
        num_workers: threads; 0 fetches in the calling one.
        timeout: seconds to wait for a batch of a thread; 0 waits for ever.
        worker_init_fn: called in each thread with its number, 0 and up.
        prefetch_factor: batches in work or ready, per thread; 2 unless given.
        pin_memory, pin_memory_device, in_order: accepted; memory is the CPU's, and batches always come in order.
        multiprocessing_context: must be None: there are no processes.

    Raises ValueError for arguments that exclude each other, TypeError for a table, which has no samples by
    number. While iterating: what a sample raised, its text with the sample's number;
    TimeoutError after `timeout` seconds, with the samples that are in work.

    Example::

        for images, labels in DataLoader(TensorDataset(x, y), batch_size=12, shuffle=True):
            ...
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_numbered(dataset)
        self.dataset = dataset
        self.batch_size = None if batch_size is None else integer("DataLoader", "batch_size", batch_size)
        self.drop_last = drop_last
        self.num_workers = integer("DataLoader", "num_workers", num_workers, 0)
        self.timeout = real("DataLoader", "timeout", timeout, "non-negative")
        self.worker_init_fn = worker_init_fn
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory = pin_memory
        self.generator = generator
        self._streams = isinstance(dataset, IterableDataset)
        self._check_workers(multiprocessing_context)
        self._check_exclusive(shuffle, sampler, batch_sampler)
        self.sampler = self._pick_sampler(shuffle, sampler)
        self.batch_sampler = batch_sampler
        if batch_sampler is not None:
            self.batch_size = None
        elif batch_size is not None and self.sampler is not None:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        single = batch_size is None and batch_sampler is None
        self.collate_fn = collate_fn or (default_convert if single else default_collate)
        self._workers: Workers | None = None  # those that persist
        self._position = Position()

    def _check_workers(self, context: Any) -> None:
        if context is not None:
            raise ValueError(
                f"DataLoader: multiprocessing_context must be None, got {context!r}; workers are threads"
            )
        if self.prefetch_factor is not None:
            integer("DataLoader", "prefetch_factor", self.prefetch_factor)
        given = (("prefetch_factor", self.prefetch_factor is not None), ("timeout", self.timeout > 0),
                 ("persistent_workers", self.persistent_workers))  # fmt: skip
        for argument, is_given in given:
            if is_given and self.num_workers == 0:
                raise ValueError(
                    f"DataLoader: {argument} needs num_workers > 0, got {argument}={getattr(self, argument)}"
                )

    def _check_exclusive(self, shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
        if not isinstance(shuffle, bool | None):
            raise ValueError(f"DataLoader: shuffle must be a bool or None, got {shuffle!r}")
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

    def __len__(self) -> int:
        if not self._streams:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    # ---- position ----

    def state_dict(self) -> dict[str, Any]:
        """Where the newest pass is, for `load_state_dict`: numbers and small tensors, which ``cr.save`` takes.

        Batches that were given count, not those fetched ahead. The default generator's present state is not in
        it: save ``cr.get_rng_state()`` beside it, as for dropout.
        """
        return self._position.state_dict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Lets the next pass go on where the loader was that gave `state`, with its order and random numbers.

        Samples before the position are not fetched, except those of a stream (IterableDataset), which are
        fetched and dropped. Raises ValueError, with nothing changed, for the state of another loader.
        """
        self._position.load_state_dict(self, state)

    # ---- a pass ----

    def __iter__(self) -> Iterator[Any]:
        rows = rows_below(self.dataset) if self._takes_rows() else None
        begun, order = self._position.begin(self, by_rows=rows is not None)
        if rows is not None and order is not None:
            numbers = None if self._in_order() else rows.numbers(order)
            spans = self._spans(len(order), begun.first)
            if not (self.num_workers and rows.on_disk):  # threads would only hand the batches over
                return begun.counted(rows.between(numbers, *span) for span in spans)
            jobs: Iterator[Job] = (partial(rows.fetch, numbers, *span) for span in spans)
        elif self._streams:
            jobs = self._stream_jobs(begun)
        else:
            jobs = self._sample_jobs(begun, order, rows)
        return begun.counted(self._in_threads(begun, jobs) if self.num_workers else _at_once(jobs))

    def _takes_rows(self) -> bool:
        return self.collate_fn is default_collate and self.batch_sampler is not None

    def _in_order(self) -> bool:
        in_order = type(self.batch_sampler.sampler) is SequentialSampler  # type: ignore[union-attr]
        return in_order and not isinstance(self.dataset, Subset)

    def _order(self) -> Tensor | None:
        """The sample numbers of a pass, drawn; None for samplers that only tell one after the other."""
        if self.batch_sampler is None:
            return whole_order(self.sampler)
        return whole_order(self.batch_sampler.sampler) if type(self.batch_sampler) is BatchSampler else None

    def _spans(self, count: int, first: int) -> Iterator[tuple[int, int]]:
        """Where batches begin and end in an order of `count` samples, from batch `first` on."""
        size = self.batch_sampler.batch_size  # type: ignore[union-attr]
        stop = count - count % size if self.batch_sampler.drop_last else count  # type: ignore[union-attr]
        return ((start, min(start + size, stop)) for start in range(first * size, stop, size))

    def _sample_jobs(self, begun: Pass, order: Tensor | None, rows: Rows | None) -> Iterator[Job]:
        samples = Samples(self.dataset, self.collate_fn, begun.seed)
        single = self.batch_sampler is None
        if order is not None:
            numbers = order.numpy()
            times = repeats(numbers)
            if single:
                for at in range(begun.first, len(numbers)):
                    yield partial(samples.single, at, int(numbers[at]), int(times[at]))
                return
            spans = self._spans(len(numbers), begun.first)
            for at, (start, stop) in enumerate(spans, begun.first):
                yield partial(samples.batch, at, numbers[start:stop].tolist(), times[start:stop].tolist())
            return
        told = _told(self.sampler if single else self.batch_sampler, Stream(begun.seed).order())
        for at, numbers in enumerate(told):
            if isinstance(numbers, Exception):
                yield partial(_fail, numbers)
            elif at < begun.first:
                continue
            elif single:
                yield partial(samples.single, at, numbers, 0)
            elif rows is not None:
                yield partial(rows.listed, list(numbers))
            else:
                yield partial(samples.batch, at, list(numbers), None)

    def _stream_jobs(self, begun: Pass) -> Iterator[Job]:
        skip = begun.first * (self.batch_size or 1)
        flow = Flow(self.dataset, self.collate_fn, begun.seed, self.batch_size, self.drop_last, skip)
        return (partial(flow.next, at) for at in itertools.count(begun.first))

    def _in_threads(self, begun: Pass, jobs: Iterator[Job]) -> Iterator[Any]:
        """The batches of `jobs`, from threads that begin with the first one."""
        count = 1 if self._streams else self.num_workers
        workers = self._workers
        if workers is None or not workers.usable:
            self._warn_of_generators()
            workers = Workers(count, begun.seed, self.dataset, self.worker_init_fn)
            self._workers = workers if self.persistent_workers else None
        try:
            yield from prefetched(
                workers, jobs, count * (self.prefetch_factor or 2), begun.first, self.timeout
            )
        finally:
            if workers is not self._workers or not workers.usable:
                workers.close()

    def _warn_of_generators(self) -> None:
        own = [name.partition(".")[2] for name in generators_of(owners_of(self.dataset))]
        if own:
            warn(
                f"DataLoader: threads draw from {', '.join(own)} ahead of the batches, and several in an order that "
                "differs from run to run; draw with chainrule's default generator (cr.rand, cr.randint), which gives "
                "each sample its own numbers"
            )


def _check_numbered(dataset: Any) -> None:
    """TypeError for tables, which give columns, not samples, by index."""
    by_name = isinstance(dataset, Mapping) and any(isinstance(key, str) for key in dataset)
    if is_frame(dataset) or by_name:
        raise TypeError(
            f"DataLoader: expects a dataset, whose samples have numbers, got a table ({type(dataset).__name__}); make "
            "a dataset of its columns of numbers: TensorDataset(cr.tensor(x).float(), cr.tensor(y))"
        )


def _at_once(jobs: Iterator[Job]) -> Iterator[Any]:
    place = Place()
    for job in jobs:
        batch = job(place)
        if batch is END:
            return
        yield batch


def _told(sampler: Any, draws: Stream) -> Iterator[Any]:
    """What a sampler of the user's own gives, drawn from the pass's stream; at its end what it raised, if so."""
    numbers = None
    while True:
        try:
            with draws:
                numbers = iter(sampler) if numbers is None else numbers
                number = next(numbers, END)
        except Exception as error:  # batches that were asked for before come first
            yield error
            return
        if number is END:
            return
        yield number


def _fail(error: Exception, place: Place) -> Any:
    raise error
