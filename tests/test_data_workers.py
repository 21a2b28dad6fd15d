"""Loader threads give the same batches for any number of them, and errors that name the sample."""

import sys
import time
import traceback

import numpy as np
import pytest

import chainrule as cr
from chainrule import train
from chainrule.data import (
    ArrayDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)
from loading import LOADERS, Drawing, bits, epochs, loader_threads, no_thread_is_left  # noqa: F401

# ---- the same batches ----


@pytest.mark.parametrize("kind", LOADERS)
def test_batches_are_the_same_for_any_number_of_workers(kind):
    alone = epochs(LOADERS[kind])
    assert alone[0] != alone[2]
    assert epochs(LOADERS[kind], num_workers=1) == alone
    assert epochs(LOADERS[kind], num_workers=4, prefetch_factor=3) == alone
    assert epochs(LOADERS[kind], num_workers=3, persistent_workers=True) == alone


def test_a_sample_draws_by_seed_epoch_and_index_alone():
    def by_index(**settings):
        cr.manual_seed(3)
        return {
            i: bits(x[row])
            for x, labels in DataLoader(Drawing(), **settings)
            for row, i in enumerate(labels["index"].tolist())
        }

    assert by_index(batch_size=4) == by_index(batch_size=7, num_workers=2)


def test_copies_of_a_sample_in_one_pass_differ():
    loader = DataLoader(Drawing(), 8, sampler=WeightedRandomSampler([0, 0, 1], 8))
    ((x, labels),) = loader
    assert labels["index"].tolist() == [2] * 8
    assert len({tuple(row) for row in x.tolist()}) == 8


def test_fetching_leaves_the_default_generator_alone_and_a_raise_gives_it_back():
    class Raises(Drawing):
        def __getitem__(self, index):
            cr.manual_seed(99)
            raise ValueError("no")

    cr.manual_seed(0)
    state = cr.get_rng_state().tolist()
    with pytest.raises(ValueError, match="no, in sample 0"):
        list(DataLoader(Raises(), sampler=[0], generator=cr.Generator()))
    assert cr.get_rng_state().tolist() == state
    assert cr.initial_seed() == 0


def test_a_captured_transform_draws_from_the_sample_too():
    class Captured(Dataset):
        def __init__(self):
            self.transform = cr.capture(lambda x: x + cr.rand(3))

        def __len__(self):
            return 9

        def __getitem__(self, index):
            return self.transform(cr.full((3,), float(index)))

    class Eager(Captured):
        def __init__(self):
            self.transform = lambda x: x + cr.rand(3)

    def batches(data, **settings):
        cr.manual_seed(1)
        return [bits(batch) for _ in range(2) for batch in DataLoader(data, 2, shuffle=True, **settings)]

    assert batches(Captured()) == batches(Eager()) == batches(Captured(), num_workers=1)


def test_generators_that_threads_would_race_for_are_named(recwarn):
    data = Drawing()
    data.noise = np.random.default_rng(0)
    with pytest.warns(UserWarning, match=r"DataLoader: threads draw from Drawing\.noise ahead"):
        list(DataLoader(data, 4, num_workers=2))
    list(DataLoader(data, 4))
    assert not recwarn.list


@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize("kind", LOADERS)
def test_a_resume_gives_the_batches_that_were_left(kind, workers, tmp_path):
    make = LOADERS[kind]
    settings = {"num_workers": workers, "persistent_workers": workers == 4}
    whole = epochs(make, 3)
    for position in (0, 1, 3):
        cr.manual_seed(3)
        loader = make(num_workers=(4, 0, 1)[position % 3])
        list(loader)
        cr.rand(2)
        batches = iter(loader)
        given = [bits(next(batches)) for _ in range(min(position, len(loader)))]
        cr.save({"loader": loader.state_dict(), "default": cr.get_rng_state()}, tmp_path / "state")
        del batches, loader

        saved = cr.load(tmp_path / "state")
        cr.manual_seed(77)
        loader = make(**settings)
        cr.set_rng_state(saved["default"])
        loader.load_state_dict(saved["loader"])
        rest = [bits(batch) for batch in loader]
        assert given + rest == whole[2]
        assert bits(cr.rand(2)) == whole[3]
        assert [bits(batch) for batch in loader] == whole[4]


def test_the_state_says_where_the_pass_is():
    loader = DataLoader(Drawing(), 5, num_workers=2)
    assert loader.state_dict()["position"] is None
    seen = [loader.state_dict()["position"] for _ in loader]
    assert seen == [1, 2, 3, 4, 5]
    assert loader.state_dict()["position"] is None
    last = iter(loader)
    for _ in range(5):
        next(last)
    state = loader.state_dict()
    loader.load_state_dict(state)
    assert list(loader) == []  # all were given
    assert len(list(loader)) == 5


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (lambda: DataLoader(Drawing(24), 5), "its samples is 23, here it is 24"),
        (lambda: DataLoader(Drawing(), 4), "its batch_size is 5, here it is 4"),
        (
            lambda: DataLoader(Drawing(), 5, generator=cr.Generator()),
            "0 generators of its own, here there are 1",
        ),
    ],
)
def test_the_state_of_another_loader_is_refused(other, match):
    state = DataLoader(Drawing(), 5).state_dict()
    with pytest.raises(ValueError, match=f"DataLoader: the state is of another loader: .*{match}"):
        other().load_state_dict(state)
    with pytest.raises(ValueError, match="expects what state_dict"):
        other().load_state_dict({})


# ---- errors ----


class Broken(Drawing):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def __getitem__(self, index):
        if index == 13:
            raise self.error
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad pixel"),
        KeyError("label"),
        FileNotFoundError(2, "No such file", "13.png"),
        UnicodeDecodeError("utf8", b"x", 0, 1, "why"),
        RuntimeError(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_error_keeps_its_type_and_names_the_sample(error, workers):
    batches = iter(DataLoader(Broken(error), 4, num_workers=workers))
    for _ in range(3):
        next(batches)
    with pytest.raises(type(error)) as caught:
        next(batches)
    text = "".join(traceback.format_exception(caught.value))
    if not isinstance(error, UnicodeDecodeError) or sys.version_info >= (
        3,
        11,
    ):  # its text has no room; a note has
        assert "in sample 13 of Broken" in text
    assert "raise self.error" in text  # the line where it happened
    assert next(batches, None) is None


@pytest.mark.parametrize("workers", [0, 2])
def test_what_does_not_fit_into_a_batch_names_the_samples(workers):
    class Ragged(Dataset):
        def __init__(self, odd):
            self.odd = odd

        def __len__(self):
            return 9

        def __getitem__(self, index):
            return self.odd if index == 5 else (cr.zeros(3), index)

    for odd, match in (
        ((cr.zeros(4), 5), r"one shape, got \[3\] and \[4\], in samples 4 and 5"),
        ((cr.zeros(3),), r"one length, got \[1, 2\], in samples 4 and 5"),
        ((cr.zeros(3), 5, 6), r"one length, got \[2, 3\], in samples 4 and 5"),
    ):
        with pytest.raises(ValueError, match=match):
            list(DataLoader(Ragged(odd), 4, num_workers=workers))
    with pytest.raises(ZeroDivisionError, match=r"in collate_fn of the samples \[4, 5, 6, 7\]"):
        list(DataLoader(Ragged((cr.zeros(4), 5)), 4, num_workers=workers, collate_fn=divide_by_odd))


def divide_by_odd(samples):
    return 1 / all(len(x) == 3 for x, _ in samples)


@pytest.mark.parametrize("workers", [0, 2])
def test_indices_out_of_range_are_named(workers):
    for data in (TensorDataset(cr.arange(10)), ArrayDataset(np.arange(10)), Subset(Drawing(), [1, 99])):
        with pytest.raises(
            IndexError, match=r"value 12 |index 12 |99, in sample 1 of Subset|in sample 1 of Subset"
        ):
            list(DataLoader(data, 2, sampler=[1, 12], num_workers=workers))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sampler_that_fails_does_so_after_the_batches_before(workers):
    def numbers():
        yield from range(6)
        raise OSError("sampler")

    class Failing(Sampler):
        def __iter__(self):
            return numbers()

    batches = iter(DataLoader(Drawing(), 2, sampler=Failing(), num_workers=workers))
    assert [next(batches)[1]["index"].tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(OSError, match="sampler"):
        next(batches)


def test_a_stream_that_fails_names_the_sample():
    class Failing(IterableDataset):
        def __iter__(self):
            yield from range(5)
            raise ValueError("end of file")

    for workers in (0, 2):
        batches = iter(DataLoader(Failing(), 2, num_workers=workers))
        assert [next(batches).tolist() for _ in range(2)] == [[0, 1], [2, 3]]
        with pytest.raises(ValueError, match="end of file, in sample 5 of the stream Failing"):
            next(batches)


def test_worker_init_fn_and_worker_info():
    seen = []

    def init(number):
        seen.append((number, get_worker_info().id, get_worker_info().num_workers, cr.rand(1).item()))

    data = Drawing()
    cr.manual_seed(0)
    state = cr.get_rng_state().tolist()
    list(DataLoader(data, 4, num_workers=2, worker_init_fn=init, generator=cr.Generator()))
    assert cr.get_rng_state().tolist() == state
    assert sorted(s[:3] for s in seen) == [(0, 0, 2), (1, 1, 2)]
    assert seen[0][3] != seen[1][3]
    assert get_worker_info() is None

    def fails(number):
        raise LookupError("no disk")

    def second_fails(number):
        if number == 1:
            time.sleep(0.1)
            fails(number)

    with pytest.raises(LookupError, match=r"no disk, in worker_init_fn\([01]\)"):
        list(DataLoader(data, 4, num_workers=2, worker_init_fn=fails))
    with pytest.raises(LookupError, match=r"in worker_init_fn\(1\)"):  # though the other thread could do all
        next(iter(DataLoader(data, 1, num_workers=2, worker_init_fn=second_fails)))

    class Split(IterableDataset):
        """Divides its samples among workers, as PyTorch's documentation shows."""

        def __iter__(self):
            info = get_worker_info()
            step, first = (info.num_workers, info.id) if info else (1, 0)
            return iter(range(first, 10, step))

    assert [b.tolist() for b in DataLoader(Split(), 5, num_workers=3)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


# ---- training ----


class Labelled(Drawing):
    def __getitem__(self, index):
        x, _ = super().__getitem__(index)
        return x, index % 2


class Stop(Exception):
    pass


class StopAt(train.Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, run, loss):
        if run.step == self.step:
            raise Stop


def fitted(workers, directory=None, stop=None):
    cr.manual_seed(0)
    model = cr.nn.Sequential(cr.nn.Linear(3, 8), cr.nn.ReLU(), cr.nn.Dropout(0.3), cr.nn.Linear(8, 2))
    loader = DataLoader(Labelled(), 4, shuffle=True, num_workers=workers)
    train.fit(
        model,
        cr.nn.functional.cross_entropy,
        cr.optim.Adam(model.parameters(), lr=0.01),
        loader,
        epochs=2,
        checkpoint=None if directory is None else train.Checkpoint(directory, every_steps=1),
        callbacks=[StopAt(stop)] if stop else [],
        resume=directory is not None,
        quiet=True,
    )
    return [t.numpy().tobytes() for t in model.state_dict().values()]


def test_training_gives_the_same_weights_for_any_number_of_workers_and_after_a_stop(tmp_path):
    alone = fitted(0)
    assert fitted(1) == fitted(3) == alone
    with pytest.raises(Stop):
        fitted(3, tmp_path, stop=8)  # the second batch of the second epoch
    assert fitted(2, tmp_path) == alone


def test_fit_reads_a_memory_map_by_the_batch(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((10, 3), np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    loader = train.batches.as_loader("fit", "train", (mapped, cr.arange(10)), 4, True)
    assert loader.dataset.arrays[0] is mapped
    assert [y.shape for _, y in loader] == [(4,), (4,), (2,)]


@pytest.mark.parametrize("dataset", [TensorDataset(cr.arange(8)), list(range(8))])
def test_the_state_of_a_shuffled_loader_is_not_taken_by_one_in_order(dataset):
    def state(**options):
        loader = DataLoader(dataset, batch_size=2, **options)
        next(iter(loader))
        return loader.state_dict()

    message = "its sampler is RandomSampler, here it is SequentialSampler"
    plain = DataLoader(dataset, batch_size=2)
    with pytest.raises(ValueError, match=message):
        plain.load_state_dict(state(shuffle=True))
    with pytest.raises(ValueError, match="its sampler is SequentialSampler, here it is RandomSampler"):
        DataLoader(dataset, batch_size=2, shuffle=True).load_state_dict(state())
    older = state()
    del older["sampler"]
    plain.load_state_dict(older)
    assert len(list(plain)) == 3


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [2, None])
def test_a_sample_that_raises_stop_iteration_is_named(workers, batch_size):
    class Ends(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return next(iter([])) if index == 3 else index

    with pytest.raises(RuntimeError, match="DataLoader: sample 3 of Ends raised StopIteration"):
        list(DataLoader(Ends(), batch_size, num_workers=workers))
