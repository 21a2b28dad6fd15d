"""Threads that fetch batches ahead of the one who uses them, and end whenever that one does.

A thread knows the queue of tasks and nothing of the loader, so that a loader which nobody holds any more goes, and
its threads with it. All tasks of a pass come back in their order.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from chainrule import _core
from chainrule.data.fetch import END, Place, locate
from chainrule.data.seeding import Stream

_GRACE = 2.0  # seconds that the end of a pass waits for the samples in work
_local = threading.local()


class WorkerInfo(NamedTuple):
    """What ``get_worker_info()`` tells in a loader's thread."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info() -> WorkerInfo | None:
    """In a loader's thread which one it is; None elsewhere, as in PyTorch.

    All threads share one dataset. A stream (IterableDataset) has one thread, so that code which divides a stream
    among workers gives it the whole of it.
    """
    return getattr(_local, "info", None)


class Task:
    """A batch to be fetched, and then the batch or what went wrong."""

    __slots__ = ("done", "error", "job", "place", "result")

    def __init__(self, job: Callable[[Place], Any]) -> None:
        self.job: Callable[[Place], Any] | None = job
        self.place = Place()
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        job, self.job = self.job, None
        try:
            self.result = job(self.place)  # type: ignore[misc]
        except BaseException as error:
            self.error = error

    def take(self) -> Any:
        """The batch, once; or the error, raised."""
        error, result = self.error, self.result
        self.error = self.result = None
        if error is None:
            return result
        try:
            raise error
        finally:
            del error  # its traceback holds this frame


class _Shared:
    """What threads and loader have in common."""

    def __init__(self, count: int) -> None:
        self.starting = count  # threads whose worker_init_fn runs
        self.lock = threading.RLock()  # a collection of garbage may close the threads within any of these
        self.work = threading.Condition(self.lock)
        self.ready = threading.Condition(self.lock)
        self.tasks: deque[Task] = deque()
        self.running: set[Task] = set()
        self.stopped = False
        self.failure: BaseException | None = None  # of worker_init_fn
        self.broken = False
        self.grace = _GRACE
        self.process = os.getpid()


class Workers:
    """`count` threads; they end with `close()`, with this object, or with the interpreter."""

    def __init__(self, count: int, seed: int, dataset: Any, init: Callable[[int], Any] | None) -> None:
        self._shared = _Shared(count)
        self._threads: list[threading.Thread] = []
        # Runs at the latest before the interpreter ends; threads that hang are daemons and go down with it.
        self._finalizer = weakref.finalize(self, _stop, self._shared, self._threads)
        for number in range(count):
            info = WorkerInfo(number, count, (seed + number) % 2**64, dataset)
            thread = threading.Thread(
                target=_serve, args=(self._shared, info, init), name=f"chainrule-loader-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    @property
    def usable(self) -> bool:
        """Whether all threads are there for a pass: not after close(), where one failed or hangs, or in a forked
        child."""
        shared = self._shared
        return self._finalizer.alive and not shared.broken and shared.process == os.getpid()

    def submit(self, job: Callable[[Place], Any]) -> Task:
        task = Task(job)
        self._check_process()
        with self._shared.lock:
            self._shared.tasks.append(task)
            self._shared.work.notify()
        return task

    def result(self, task: Task, batch: int, timeout: float) -> Any:
        """Waits for a batch; TimeoutError after `timeout` seconds, if that isn't 0."""
        shared = self._shared
        self._check_process()
        end = time.monotonic() + timeout if timeout else None
        with shared.lock:
            while (not task.done or shared.starting) and shared.failure is None:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    shared.broken, shared.grace = True, 0.0
                    running = ", ".join(sorted(str(other.place) for other in shared.running))
                    raise TimeoutError(
                        f"DataLoader: batch {batch} did not come within timeout={timeout:g} seconds; it is "
                        f"{task.place}, threads are busy: {running or 'none'}"
                    )
                shared.ready.wait(left)
            if shared.failure is not None:
                raise shared.failure
        return task.take()

    def cancel(self, tasks: deque[Task]) -> None:
        """Nobody waits for these any more."""
        if not self._finalizer.alive or self._shared.process != os.getpid():
            return
        with self._shared.lock:
            for task in tasks:
                task.place.cancelled = True
                if not task.done and task not in self._shared.running:
                    self._shared.tasks.remove(task)

    def close(self) -> None:
        """Ends the threads: each after the sample at hand."""
        self._finalizer()

    def _check_process(self) -> None:
        if self._shared.process != os.getpid():
            raise RuntimeError(
                "DataLoader: this pass was begun before a fork, and its threads are in the parent; begin a new one"
            )


def prefetched(
    workers: Workers, jobs: Iterator[Callable[[Place], Any]], depth: int, first: int, timeout: float
) -> Iterator[Any]:
    """The batches of `jobs` in their order, `depth` of them being fetched or ready at any time."""
    waiting: deque[Task] = deque()
    try:
        waiting.extend(workers.submit(job) for job in itertools.islice(jobs, depth))
        for batch in itertools.count(first):
            if not waiting:
                return
            result = workers.result(waiting[0], batch, timeout)
            waiting.popleft()
            if result is END:
                return
            waiting.extend(workers.submit(job) for job in itertools.islice(jobs, 1))
            yield result
            del result
    finally:
        workers.cancel(waiting)


def _serve(shared: _Shared, info: WorkerInfo, init: Callable[[int], Any] | None) -> None:
    """A thread's life."""
    _core.exclude_this_thread()  # native work in it leaves the thread pool to the one who trains
    _local.info = info
    try:
        if init is not None:
            with Stream(info.seed) as stream:
                stream.worker(info.id)
                init(info.id)
    except BaseException as error:
        if isinstance(error, Exception):
            locate(error, f"in worker_init_fn({info.id})")
        with shared.lock:
            shared.failure, shared.broken = error, True
            shared.ready.notify_all()
        return
    with shared.lock:
        shared.starting -= 1
        shared.ready.notify_all()
    while (task := _next_task(shared)) is not None:
        task.run()
        with shared.lock:
            shared.running.discard(task)
            task.done = True
            shared.ready.notify_all()
        del task  # and with it the batch, while the thread waits


def _next_task(shared: _Shared) -> Task | None:
    with shared.lock:
        while not shared.tasks and not shared.stopped:
            shared.work.wait()
        if shared.stopped:
            return None
        task = shared.tasks.popleft()
        shared.running.add(task)
        return task


def _stop(shared: _Shared, threads: list[threading.Thread]) -> None:
    if shared.process != os.getpid():
        return  # a child of a fork: the threads are its parent's, and so may be the lock
    with shared.lock:
        shared.stopped = True
        shared.tasks.clear()
        for task in shared.running:
            task.place.cancelled = True
        shared.work.notify_all()
    end = time.monotonic() + shared.grace
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, end - time.monotonic()))
