"""What tests of loader threads load: samples that draw and take their time; loaders of every kind."""

import gc
import threading
import time

import pytest

import chainrule as cr
from chainrule.data import (
    DataLoader,
    Dataset,
    GroupBatchSampler,
    IterableDataset,
    Sampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)


class Drawing(Dataset):
    """Samples that draw from the default generator, some more than others; the last is cut to another shape."""

    def __init__(self, count=23):
        self.x = cr.arange(count * 3).float().reshape(count, 3)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        time.sleep(0.0002 * (index % 3))  # so that threads overtake each other
        noise = cr.rand(3)
        for _ in range(index % 4):
            noise = noise + cr.randn(3)
        if cr.rand(1).item() < 0.5:
            noise = noise.flip(0)
        return self.x[index] + noise, {"index": index, "keep": cr.nn.functional.dropout(cr.ones(2), 0.5)}


class Drawn(IterableDataset):
    def __len__(self):
        return 17

    def __iter__(self):
        for i in cr.randperm(17).tolist():
            yield cr.rand(2) + i


class Lazy(Sampler):
    """Draws while it is iterated."""

    def __len__(self):
        return 23

    def __iter__(self):
        for _ in range(23):
            yield cr.randint(0, 23, (1,)).item()


def noisy_collate(samples):
    x, labels = cr.data.default_collate(samples)
    return x + cr.rand(1), labels


LOADERS = {
    "shuffled": lambda **k: DataLoader(Drawing(), 4, shuffle=True, **k),
    "in order": lambda **k: DataLoader(Drawing(), 5, drop_last=True, **k),
    "own generator": lambda **k: DataLoader(
        Drawing(), 4, shuffle=True, generator=cr.Generator().manual_seed(5), **k
    ),
    "collate_fn draws": lambda **k: DataLoader(Drawing(), 4, shuffle=True, collate_fn=noisy_collate, **k),
    "single samples": lambda **k: DataLoader(Drawing(7), None, shuffle=True, **k),
    "weighted": lambda **k: DataLoader(Drawing(), 4, sampler=WeightedRandomSampler(cr.arange(23), 30), **k),
    "lazy sampler": lambda **k: DataLoader(Drawing(), 4, sampler=Lazy(), **k),
    "groups": lambda **k: DataLoader(
        Drawing(), batch_sampler=GroupBatchSampler([i % 5 for i in range(23)], 2), **k
    ),
    "subset": lambda **k: DataLoader(Subset(Drawing(), [5, -1, 7, 2]), 3, shuffle=True, **k),
    "stream": lambda **k: DataLoader(Drawn(), 4, **k),
    "stream without batches": lambda **k: DataLoader(Drawn(), None, **k),
    "tensors": lambda **k: DataLoader(TensorDataset(cr.arange(23)), 4, shuffle=True, **k),
    "tensors by groups": lambda **k: DataLoader(
        TensorDataset(cr.arange(23)), batch_sampler=GroupBatchSampler([i % 5 for i in range(23)], 2), **k
    ),
}


def bits(value):
    """What a batch consists of, to be compared bit by bit."""
    if isinstance(value, cr.Tensor):
        return value.dtype.name, value.shape, value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return [bits(item) for item in value] if isinstance(value, list | tuple) else value


def epochs(make, count=2, **settings):
    cr.manual_seed(3)
    loader = make(**settings)
    passes = []
    for _ in range(count):
        passes.append([bits(batch) for batch in loader])
        passes.append(bits(cr.rand(2)))  # the default generator is where it would be
    return passes


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith("chainrule-loader")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    end = time.monotonic() + 3
    while loader_threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert not loader_threads()
