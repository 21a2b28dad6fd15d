"""Loader threads end with their pass, however it ends, and leave nothing behind."""

import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest

import chainrule as cr
from chainrule.data import (
    DataLoader,
    Dataset,
    TensorDataset,
)
from loading import Drawing, bits, epochs, loader_threads, no_thread_is_left  # noqa: F401

# ---- endings ----


def test_a_worker_that_hangs_is_a_timeout_and_names_the_sample():
    release = threading.Event()

    class Hangs(Drawing):
        def __getitem__(self, index):
            if index == 6:
                release.wait(30)
            return super().__getitem__(index)

    loader = DataLoader(Hangs(), 4, num_workers=2, timeout=0.3, persistent_workers=True)
    batches = iter(loader)
    next(batches)
    began = time.monotonic()
    with pytest.raises(
        TimeoutError, match=r"batch 1 did not come within timeout=0.3 seconds; it is at sample 6"
    ):
        next(batches)
    assert time.monotonic() - began < 20  # it did not wait for the sample
    release.set()
    assert len(list(loader)) == 6  # with new threads


@pytest.mark.parametrize("persistent", [False, True])
def test_leaving_a_loop_ends_the_threads(persistent):
    loader = DataLoader(Drawing(), 2, num_workers=3, persistent_workers=persistent)
    for _ in loader:
        assert len(loader_threads()) == 3
        break
    assert len(loader_threads()) == (3 if persistent else 0)
    batches = iter(loader)
    next(batches)
    kept = loader_threads()
    assert len(kept) == 3
    del batches
    assert len(list(loader)) == 12
    assert loader_threads() == (kept if persistent else [])
    iter(loader)  # never asked for a batch: no threads
    assert loader_threads() == (kept if persistent else [])
    del loader, _
    gc.collect()
    assert not loader_threads()


def test_an_error_in_the_loop_ends_the_threads():
    def train():
        for _ in DataLoader(Drawing(), 2, num_workers=3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    gc.collect()
    assert not loader_threads()


def test_a_thousand_passes_leave_no_thread():
    before = threading.active_count()
    data = TensorDataset(cr.arange(8))
    data.__class__ = type("Plain", (TensorDataset,), {})  # fetched sample by sample
    for i in range(1000):
        batches = iter(DataLoader(data, 2, num_workers=2))
        next(batches)
        if i % 2:
            list(batches)
        del batches
    assert threading.active_count() == before


SCRIPTS = {
    "held at the end": "it = iter(DataLoader(Slow(), 2, num_workers=3)); next(it); print('end')",
    "persistent": "loader = DataLoader(Slow(), 2, num_workers=3, persistent_workers=True); next(iter(loader)); "
    "print('end')",
    "exit in the loop": "import sys\nfor _ in DataLoader(Slow(), 2, num_workers=3): print('end'); sys.exit(0)",
    "in a cycle": "a = []; a.append(a); a.append(iter(DataLoader(Slow(), 2, num_workers=3))); next(a[1]); "
    "print('end')",
    "hangs for ever": "it = iter(DataLoader(Slow(60), 2, num_workers=1, timeout=0.2))\n"
    "try: next(it)\nexcept TimeoutError: print('end')",
    "forked": "import os\nit = iter(DataLoader(Slow(), 2, num_workers=3)); next(it)\n"
    "pid = os.fork()\n"
    "if pid == 0:\n"
    "    try: list(it)\n"
    "    except RuntimeError as e: ok = 'before a fork' in str(e)\n"
    "    ok = ok and len(list(DataLoader(Slow(), 2, num_workers=2))) == 10\n"
    "    raise SystemExit(0 if ok else 1)\n"
    "print('end' if os.waitpid(pid, 0)[1] == 0 else 'child failed')",
}


@pytest.mark.parametrize("how", SCRIPTS)
def test_the_interpreter_ends_whatever_threads_do(how):
    head = (
        "import time\nimport chainrule as cr\nfrom chainrule.data import *\n"
        "class Slow(Dataset):\n"
        "    def __init__(self, seconds=0.01): self.seconds = seconds\n"
        "    def __len__(self): return 20\n"
        "    def __getitem__(self, i): time.sleep(self.seconds); return cr.rand(4)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", head + SCRIPTS[how]],
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "end", "")


def test_ctrl_c_ends_a_pass_that_waits():
    code = (
        "import os, signal, threading, time\nimport chainrule as cr\nfrom chainrule.data import *\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Slow(Dataset):\n"
        "    def __len__(self): return 20\n"
        "    def __getitem__(self, i): time.sleep(0.5); return i\n"
        "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try: list(DataLoader(Slow(), 2, num_workers=2))\n"
        "except KeyboardInterrupt: print('interrupted')\n"
        "time.sleep(0.1)\n"
        "print([t.name for t in threading.enumerate() if 'loader' in t.name])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.stdout.split(), done.stderr) == (["interrupted", "[]"], "")


def test_native_work_in_threads_runs_beside_the_training():
    """Large ops in threads and in the main one: nobody waits for ever, and threads leave the pool alone."""

    class Heavy(Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, index):
            x = cr.rand(64, 256)
            return (x @ x.T).sum(dim=1), cr.nn.functional.relu(cr.randn(200_000)).mean()

    alone = epochs(lambda **k: DataLoader(Heavy(), 3, **k))
    w = cr.rand(300, 300)
    expected = (w @ w).numpy().tobytes()
    cr.manual_seed(3)
    beside = []
    for _ in range(2):
        for batch in DataLoader(Heavy(), 3, num_workers=4):
            assert (w @ w).numpy().tobytes() == expected
            beside.append(bits(batch))
        cr.rand(2)
    assert beside == [batch for epoch in alone[::2] for batch in epoch]
    before = cr._core.pool_stats()
    list(DataLoader(Heavy(), 3, num_workers=4))
    after = cr._core.pool_stats()
    assert after["regions"] == before["regions"]
    assert after["inline_regions"] > before["inline_regions"]


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_is_flat_over_fifty_epochs(workers):
    gc.collect()
    loaders = [
        DataLoader(Drawing(40), 8, shuffle=True, num_workers=workers),
        DataLoader(TensorDataset(cr.rand(2000, 20), cr.arange(2000)), 64, shuffle=True),
    ]
    sizes = []
    for epoch in range(50):
        for loader in loaders:
            for _ in loader:
                pass
        if epoch in (9, 49):
            gc.collect()
            sizes.append((cr._core.allocator_stats()["bytes_in_use"], len(gc.get_objects())))
    assert sizes[1][0] <= sizes[0][0]
    assert sizes[1][1] <= sizes[0][1] + 50


def test_threads_let_go_of_the_batches_they_made():
    class Sample:
        pass

    alive = weakref.WeakSet()

    class Tracked(Dataset):
        def __len__(self):
            return 30

        def __getitem__(self, index):
            sample = Sample()
            alive.add(sample)
            return sample

    loader = DataLoader(Tracked(), 1, num_workers=2, collate_fn=list, persistent_workers=True)
    batches = iter(loader)
    while next(batches, None) is not None:
        assert len(alive) <= 2 * 2 + 2
    assert not alive
