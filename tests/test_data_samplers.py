"""Samplers that weigh, spread classes, and keep groups whole; arrays and memory maps as datasets."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import data as data_module
from chainrule.data import (
    ArrayDataset,
    BatchSampler,
    DataLoader,
    GroupBatchSampler,
    RandomSampler,
    StratifiedSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

# ---- weighted ----


def test_weighted_draws_have_their_probabilities():
    weights = [0.0, 1, 2, 5, 0]
    cr.manual_seed(0)
    counts = np.bincount(list(WeightedRandomSampler(weights, 80_000)), minlength=5)
    expected = 10_000 * np.array(weights)
    assert counts[0] == counts[4] == 0
    assert (abs(counts - expected) <= 5 * np.sqrt(expected)).all()


def test_weighted_draws_without_replacement():
    cr.manual_seed(0)
    firsts, seconds = np.zeros(3), np.zeros(3)
    for _ in range(3000):
        first, second = WeightedRandomSampler(cr.tensor([1.0, 2.0, 5.0]), 2, replacement=False)
        assert first != second
        firsts[first] += 1
        seconds[second] += 1
    p = np.array([1, 2, 5]) / 8
    # The second follows from the first: p(j) · Σ over i ≠ j of p(i) / (1 - p(i)), of the rest's weight.
    q = np.array([sum(p[i] * p[j] / (1 - p[i]) for i in range(3) if i != j) for j in range(3)])
    for counts, share in ((firsts, p), (seconds, q)):
        assert (abs(counts - 3000 * share) <= 5 * np.sqrt(3000 * share * (1 - share))).all()
    assert sorted(WeightedRandomSampler([1, 0, 3], 2, replacement=False)) == [0, 2]


@pytest.mark.parametrize("weight", [5e-324, 1e308])
@pytest.mark.parametrize("replacement", [True, False])
def test_weights_of_any_size_are_proportions(weight, replacement):
    cr.manual_seed(0)
    sampler = WeightedRandomSampler([weight, weight], 1, replacement=replacement)
    firsts = sum(next(iter(sampler)) for _ in range(1000))
    assert 400 < firsts < 600


def test_weighted_draws_repeat_with_the_seed():
    def draw():
        sampler = WeightedRandomSampler(np.arange(9), 20, generator=cr.Generator().manual_seed(4))
        return list(sampler), list(sampler)

    first, second = draw()
    assert draw() == (first, second)
    assert first != second
    assert len(WeightedRandomSampler([1, 1], 7)) == 7


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (([], 1), ValueError, "cannot draw 1 samples, 0 of 0 weights are positive"),
        (([0, 0], 1), ValueError, "cannot draw 1 samples, 0 of 2"),
        (([1, 0], 2, False), ValueError, "cannot draw 2 samples, 1 of 2"),
        (([1, -1], 1), ValueError, "must be finite and not negative, got -1.0 at 1"),
        (([np.nan, 1], 1), ValueError, "must be finite and not negative, got nan at 0"),
        (([np.inf, 1], 1), ValueError, "must be finite and not negative, got inf at 0"),
        (([[1, 2]], 1), ValueError, r"one dimension, got shape \[1, 2\]"),
        (([1], 0), ValueError, "num_samples must be positive, got 0"),
        (([1], 1.5), TypeError, "num_samples must be an int, got 1.5"),
        (([1], 1, "yes"), ValueError, "replacement must be a bool, got 'yes'"),
    ],
)
def test_bad_weights_are_refused(arguments, error, match):
    with pytest.raises(error, match=f"WeightedRandomSampler: .*{match}"):
        WeightedRandomSampler(*arguments)


@pytest.mark.peers
def test_samplers_have_pytorchs_arguments_and_lengths():
    import inspect

    from peers import torch

    theirs_module = torch.utils.data
    for name in (
        "WeightedRandomSampler",
        "RandomSampler",
        "SubsetRandomSampler",
        "BatchSampler",
        "DataLoader",
    ):
        ours = inspect.signature(getattr(data_module, name)).parameters
        theirs = inspect.signature(getattr(theirs_module, name)).parameters
        assert list(ours) == list(theirs), name
        assert [p.default for p in ours.values()] == [p.default for p in theirs.values()], name
    for count, size, drop in ((10, 3, False), (10, 3, True), (9, 3, True), (0, 2, False)):
        rows = torch.arange(count)
        ours = DataLoader(TensorDataset(cr.arange(count)), size, drop_last=drop)
        theirs = theirs_module.DataLoader(theirs_module.TensorDataset(rows), size, drop_last=drop)
        assert len(ours) == len(theirs)
        assert [x.tolist() for (x,) in ours] == [x.tolist() for (x,) in theirs]
    frequencies = [
        np.bincount(list(kind(weights, 20_000)), minlength=3) / 20_000
        for kind, weights in (
            (WeightedRandomSampler, [1, 2, 5]),
            (theirs_module.WeightedRandomSampler, [1, 2, 5]),
        )
    ]
    assert abs(frequencies[0] - frequencies[1]).max() < 0.02


def test_batch_sampler_gives_the_same_from_an_order_and_from_single_numbers():
    data = range(11)
    for drop_last in (False, True):
        cr.manual_seed(0)
        at_once = list(BatchSampler(RandomSampler(data), 4, drop_last))
        cr.manual_seed(0)
        assert list(BatchSampler(iter(list(RandomSampler(data))), 4, drop_last)) == at_once


# ---- strata ----


@pytest.mark.parametrize("labels", [[0] * 90 + [1] * 60 + [2] * 30 + [3] * 3, ["a"] * 50 + ["b"] * 50])
@pytest.mark.parametrize("size", [10, 16, 33])
def test_each_batch_has_the_shares_of_the_whole(labels, size):
    cr.manual_seed(1)
    labels = np.array(labels)[np.random.default_rng(0).permutation(len(labels))]
    classes, codes = np.unique(labels, return_inverse=True)
    shares = np.bincount(codes) / len(codes)
    sampler = StratifiedSampler(labels)
    orders = [list(sampler) for _ in range(20)]
    assert len({tuple(order) for order in orders}) == 20
    for order in orders:
        assert sorted(order) == list(range(len(labels))) == list(range(len(sampler)))
        for start in range(0, len(order) - size + 1, size):
            counts = np.bincount(codes[order[start : start + size]], minlength=len(classes))
            assert (abs(counts - size * shares) < 2).all()


def test_strata_come_in_random_order():
    """Within a class every order, and a class of one sample anywhere."""
    cr.manual_seed(0)
    sampler = StratifiedSampler(["rare"] + ["common"] * 5)
    orders = np.array([list(sampler) for _ in range(600)])
    places = np.bincount((orders == 0).argmax(axis=1), minlength=6)
    assert (abs(places - 100) < 50).all()
    firsts = np.bincount([order[order != 0][0] for order in orders], minlength=6)[1:]
    assert (abs(firsts - 120) < 50).all()


def test_every_sample_is_as_likely_at_every_place_of_strata():
    cr.manual_seed(0)
    sampler, passes = StratifiedSampler([0, 0, 0, 1, 1]), 4000
    counts = np.zeros((5, 5))
    for _ in range(passes):
        counts[np.arange(5), list(sampler)] += 1
    assert abs(counts - passes / 5).max() < 5 * np.sqrt(passes / 5)


def test_strata_in_a_loader():
    labels = cr.tensor([0, 1] * 30 + [0] * 60)
    loader = DataLoader(TensorDataset(cr.arange(120), labels), 8, sampler=StratifiedSampler(labels))
    assert [int(y.sum().item()) for _, y in loader] == [2] * 15


def test_groups_stay_whole():
    groups = np.random.default_rng(0).integers(0, 12, 100)
    sampler = GroupBatchSampler(groups, groups_per_batch=5)
    cr.manual_seed(0)
    passes = [list(sampler) for _ in range(2)]
    assert passes[0] != passes[1]
    for batches in passes:
        assert len(batches) == len(sampler) == 3
        assert sorted(i for batch in batches for i in batch) == list(range(100))
        names = [set(groups[batch]) for batch in batches]
        assert [len(n) for n in names] == [5, 5, 2]
        assert len(set.union(*names)) == 12  # none in two batches
    assert len(list(GroupBatchSampler(groups, 5, drop_last=True))) == 2
    in_order = list(GroupBatchSampler(["b", "a", "b", "c"], 2, shuffle=False))
    assert in_order == [[1, 0, 2], [3]]
    assert list(GroupBatchSampler([], 2)) == []
    loader = DataLoader(TensorDataset(cr.arange(4)), batch_sampler=GroupBatchSampler([7, 7, 7, 8], 1, False))
    assert [x.tolist() for (x,) in loader] == [[0, 1, 2], [3]]


@pytest.mark.parametrize("kind", [StratifiedSampler, GroupBatchSampler])
def test_bad_labels_are_refused(kind):
    with pytest.raises(
        ValueError, match=rf"{kind.__name__}: .* must hold one label for each sample, got shape \[2, 1\]"
    ):
        kind(np.zeros((2, 1)))
    with pytest.raises(ValueError, match=f"{kind.__name__}: .* has NaN at position 1"):
        kind([0.0, np.nan])


# ---- arrays ----


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("part", [False, True])
def test_a_memory_map_gives_what_its_tensor_gives(tmp_path, workers, shuffle, part):
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    y = np.arange(50)
    data, reference = ArrayDataset(mapped, y), TensorDataset(cr.tensor(x), cr.tensor(y))
    if part:
        data, reference = Subset(data, [7, -1, 3, 20]), Subset(reference, [7, -1, 3, 20])
    batches = []
    for which in (data, reference):
        cr.manual_seed(0)
        loader = DataLoader(which, 8, shuffle=shuffle, num_workers=workers)
        batches.append([[t.numpy().tobytes() for t in batch] for _ in range(2) for batch in loader])
    assert batches[0] == batches[1]
    for batch, _ in DataLoader(data, 8):
        batch.zero_()  # a copy: the file is read-only
    assert (np.load(tmp_path / "x.npy") == x).all()


def test_arrays_of_other_dtypes_are_converted_by_the_batch():
    arrays = [np.arange(6).astype(t) for t in ("f2", "f4", "f8", ">f4", "i2", "u4", "u1", "i8", "?")]
    data = ArrayDataset(*arrays, cr.arange(6))
    expected = [cr.tensor(a).dtype for a in arrays] + [cr.int64]
    assert [t.dtype for t in data[3]] == expected
    assert [t.item() for t in data[3]] == [3] * 8 + [True, 3]
    for shuffle in (False, True):
        batch = next(iter(DataLoader(data, 4, shuffle=shuffle)))
        assert [t.dtype for t in batch] == expected
        assert all(t.tolist() == batch[-1].tolist() for t in batch[:-2])
    with pytest.raises(IndexError):
        data[6]


def test_only_the_rows_of_a_batch_are_read(tmp_path):
    """A file of 8 GB with holes: it takes no space on the disk, and would not fit into this test's memory."""
    mapped = np.memmap(tmp_path / "big", dtype=np.uint8, mode="w+", shape=(2**23, 1024))
    mapped[2**22] = 7
    data = ArrayDataset(mapped, np.broadcast_to(np.int64(0), 2**23))
    before = cr._core.allocator_stats()["peak_bytes"]
    (x, y), *rest = DataLoader(data, 4, sampler=[2**22, 5, 2**23 - 1], num_workers=1)
    assert x.sum(dim=1).tolist() == [7 * 1024, 0, 0]
    assert (y.tolist(), rest) == ([0, 0, 0], [])
    assert cr._core.allocator_stats()["peak_bytes"] - before < 2**20


@pytest.mark.parametrize(
    ("arrays", "error", "match"),
    [
        ((), ValueError, r"needs arrays with a first dimension, got \[\]"),
        ((np.zeros(3), np.ones(())), ValueError, r"needs arrays with a first dimension"),
        ((np.zeros((3, 2)), np.zeros(4)), ValueError, r"first sizes must agree, got \[\[3, 2\], \[4\]\]"),
        ((np.zeros(3), np.array(["a"] * 3)), TypeError, "number 1 is a ndarray of <U1"),
        ((np.array([None]),), TypeError, "number 0 is a ndarray of object"),
        (([1, 2],), TypeError, "number 0 is a list"),
    ],
)
def test_arrays_that_are_no_dataset(arrays, error, match):
    with pytest.raises(error, match=f"ArrayDataset: .*{match}"):
        ArrayDataset(*arrays)


def test_tensors_that_require_a_gradient_keep_it():
    w = cr.arange(6).float().requires_grad_()
    batches = list(DataLoader(TensorDataset(w), 4, sampler=[5, 0, 3]))
    batches[0][0].sum().backward()
    assert w.grad.tolist() == [1, 0, 0, 1, 0, 1]
