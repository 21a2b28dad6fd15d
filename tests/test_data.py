"""Datasets, samplers and loaders: every sample once, in the order that the seed says."""

import functools
import operator

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    TransformDataset,
    random_split,
)


def numbered(count=10):
    """Row i holds i in each column, and the label i."""
    x = cr.arange(count).float().unsqueeze(1).expand(count, 3)
    return TensorDataset(x.clone(), cr.arange(count))


def drawn(loader):
    """The labels of each batch; checks that the samples came with their labels."""
    batches = []
    for x, y in loader:
        assert x.shape == (len(y), 3)
        assert (x[:, 0] == y).all().item()
        batches.append(y.tolist())
    return batches


class CustomDataset(Dataset):
    """As the tutorial's: tensors (data, labels) and a transform of the data."""

    def __init__(self, tensors, transform=None):
        assert all(tensors[0].size(0) == t.size(0) for t in tensors), "Size mismatch between tensors"
        self.tensors = tensors
        self.transform = transform

    def __getitem__(self, index):
        x = self.transform(self.tensors[0][index]) if self.transform else self.tensors[0][index]
        return x, self.tensors[1][index]

    def __len__(self):
        return self.tensors[0].size(0)


# ---- datasets ----


def test_tensor_dataset():
    data = numbered()
    x, y = data[3]
    assert len(data) == 10
    assert x.tolist() == [3, 3, 3]
    assert y.item() == 3
    assert data[-1][1].item() == 9
    assert data[2:4][1].tolist() == [2, 3]
    with pytest.raises(IndexError):
        data[10]
    with pytest.raises(ValueError, match=r"TensorDataset: the first sizes must agree, got \[\[3\], \[4\]\]"):
        TensorDataset(cr.ones(3), cr.ones(4))
    for tensors in ((), (cr.tensor(1.0),)):
        with pytest.raises(ValueError, match="TensorDataset: needs tensors with a first dimension"):
            TensorDataset(*tensors)


def test_custom_dataset_with_a_transform():
    x = cr.rand(7, 1, 4, 4)
    data = CustomDataset((x, cr.arange(7)), transform=lambda image: image.flip(1))
    batches = list(DataLoader(data, batch_size=4, shuffle=False))
    assert [b[0].shape for b in batches] == [(4, 1, 4, 4), (3, 1, 4, 4)]
    np.testing.assert_array_equal(batches[1][0].numpy(), x.numpy()[4:, :, ::-1])
    assert batches[1][1].tolist() == [4, 5, 6]
    assert batches[1][1].dtype == cr.int64
    plain = CustomDataset((x, cr.arange(7)))
    assert plain[2][0].tolist() == x[2].tolist()
    with pytest.raises(AssertionError, match="Size mismatch"):
        CustomDataset((x, cr.arange(6)))


def test_transform_dataset():
    x = cr.rand(7, 1, 4, 4)
    data = TransformDataset((x, cr.arange(7), cr.arange(7) * 2), transform=lambda image: image.flip(1))
    batches = list(DataLoader(data, batch_size=4))
    np.testing.assert_array_equal(batches[1][0].numpy(), x.numpy()[4:, :, ::-1])
    assert [b.tolist() for b in batches[1][1:]] == [[4, 5, 6], [8, 10, 12]]
    assert TransformDataset((x, cr.arange(7)))[2][0].tolist() == x[2].tolist()
    sizes = r"\[\[7, 1, 4, 4\], \[7\], \[6\]\]"
    for kind in (TransformDataset, lambda tensors: TensorDataset(*tensors)):
        with pytest.raises(ValueError, match=f"Dataset: the first sizes must agree, got {sizes}"):
            kind((x, cr.arange(7), cr.arange(6)))


def test_subset_and_concat():
    data = numbered()
    part = Subset(Subset(data, [9, 3, 5]), [2, 0])
    assert len(part) == 2
    assert [part[i][1].item() for i in range(2)] == [5, 9]
    both = data + part
    assert isinstance(both, ConcatDataset)
    assert len(both) == 12
    assert [both[i][1].item() for i in (0, 9, 10, 11, -1, -12)] == [0, 9, 5, 9, 9, 0]
    with pytest.raises(IndexError, match="index 12 is out of range for 12 samples"):
        both[12]
    with pytest.raises(ValueError, match="needs at least one dataset"):
        ConcatDataset([])
    assert drawn(DataLoader(both, batch_size=12)) == [[*range(10), 5, 9]]


@pytest.mark.parametrize(
    "indices", [[3, -1, 0], (3, -1, 0), np.array([3, -1, 0]), cr.tensor([3, -1, 0])], ids=type
)
def test_loaders_of_subsets_draw_what_the_subset_holds(indices):
    part = Subset(numbered(), indices)
    assert drawn(DataLoader(part, batch_size=2)) == [[3, 9], [0]]
    assert drawn(DataLoader(Subset(part, [1, 1]), batch_size=2)) == [[9, 9]]
    with pytest.raises(IndexError):
        list(DataLoader(Subset(numbered(), [10]), batch_size=2))


def test_random_split():
    data = numbered()
    parts = random_split(data, [7, 3])
    labels = [[part[i][1].item() for i in range(len(part))] for part in parts]
    assert [len(p) for p in labels] == [7, 3]
    assert sorted(labels[0] + labels[1]) == list(range(10))
    again = random_split(data, [7, 3], generator=cr.Generator().manual_seed(5))
    same = random_split(data, np.array([7, 3]), generator=cr.Generator().manual_seed(5))
    assert again[0].indices == same[0].indices != list(range(7))
    assert [len(p) for p in random_split(data, [0.5, 0.25, 0.25])] == [6, 2, 2]
    assert [len(p) for p in random_split(data, [0.9, 0.1])] == [9, 1]
    for lengths in ([7, 4], [-1, 11], [0.5, 0.4], [5.0, 5.0], [1.5, -0.5]):
        with pytest.raises(
            ValueError, match="random_split: lengths must be sizes that sum to 10 or fractions"
        ):
            random_split(data, lengths)


# ---- loaders ----


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("size", [1, 3, 5, 10, 64])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("custom", [False, True])
def test_a_pass_draws_every_sample_once(count, size, drop_last, shuffle, custom):
    data = numbered(count)
    if custom:
        data = CustomDataset(data.tensors)
    loader = DataLoader(data, batch_size=size, shuffle=shuffle, drop_last=drop_last)
    batches = drawn(loader)
    assert len(loader) == len(batches) == (count // size if drop_last else -(-count // size))
    assert all(len(b) == size for b in batches[:-1])
    labels = functools.reduce(operator.iadd, batches, [])
    assert len(set(labels)) == len(labels) == (count - count % size if drop_last else count)
    if not shuffle:
        assert labels == list(range(len(labels)))


def test_shuffling_differs_by_pass_and_repeats_with_the_seed():
    loader = DataLoader(numbered(50), batch_size=8, shuffle=True)
    first, second = drawn(loader), drawn(loader)
    assert first != second
    cr.manual_seed(0)
    assert drawn(loader) == first
    own = [
        drawn(DataLoader(numbered(50), 8, True, generator=cr.Generator().manual_seed(3))) for _ in range(2)
    ]
    assert own[0] == own[1]
    # Rows gathered from tensors at once, and samples collected one by one, come in one order.
    cr.manual_seed(0)
    assert drawn(DataLoader(CustomDataset(numbered(50).tensors), batch_size=8, shuffle=True)) == first


def test_shuffled_orders_are_uniform():
    # 2,000 orders of 4 samples: each of 24 is expected 83.3 times, with a deviation of 9.
    loader = DataLoader(numbered(4), batch_size=4, shuffle=True)
    orders = [tuple(drawn(loader)[0]) for _ in range(2000)]
    counts = np.array([orders.count(order) for order in set(orders)])
    assert len(counts) == 24
    assert (abs(counts - 2000 / 24) < 5 * 9).all()


def test_batches_do_not_share_memory_with_the_data():
    for data in (numbered(), Subset(numbered(), range(10)), CustomDataset(numbered().tensors)):
        for x, _ in DataLoader(data, batch_size=5):
            x.zero_()
        assert data[9][0].tolist() == [9, 9, 9]


def test_two_passes_at_once():
    loader = DataLoader(numbered(4), batch_size=2)
    pairs = [(a[1].tolist(), b[1].tolist()) for a, b in zip(loader, loader, strict=True)]
    assert pairs == [([0, 1], [0, 1]), ([2, 3], [2, 3])]


def test_samplers():
    data = numbered(6)
    assert list(SequentialSampler(data)) == list(range(6))
    assert sorted(RandomSampler(data)) == list(range(6))
    more = list(RandomSampler(data, num_samples=15))
    assert len(more) == 15
    assert sorted(more[:6]) == sorted(more[6:12]) == list(range(6))
    again = list(RandomSampler(data, replacement=True, num_samples=300))
    assert set(again) == set(range(6))
    assert len(again) == len(RandomSampler(data, True, 300)) == 300
    assert sorted(SubsetRandomSampler([4, 2, 5])) == [2, 4, 5]
    assert list(BatchSampler(SequentialSampler(data), 4, False)) == [[0, 1, 2, 3], [4, 5]]
    assert list(BatchSampler(SequentialSampler(data), 4, True)) == [[0, 1, 2, 3]]
    assert drawn(DataLoader(data, batch_size=2, sampler=[5, 0, 3])) == [[5, 0], [3]]
    assert drawn(DataLoader(data, batch_sampler=[[1, 2], [3]])) == [[1, 2], [3]]
    assert drawn(DataLoader(data, batch_sampler=BatchSampler(SubsetRandomSampler([4]), 2, False))) == [[4]]
    with pytest.raises(ValueError, match="the batch sampler gave an empty batch"):
        list(DataLoader(data, batch_sampler=[[]]))
    assert len(DataLoader(data, batch_sampler=BatchSampler(SubsetRandomSampler([1, 2, 3]), 2, False))) == 2


def test_a_sampler_that_replaces_iter_is_iterated():
    class Reversed(SequentialSampler):
        def __iter__(self):
            return reversed(range(len(self)))

    class Evens(SequentialSampler):
        def order(self):
            return cr.arange(0, len(self.data_source), 2)

    data = numbered(5)
    assert drawn(DataLoader(data, batch_size=2, sampler=Reversed(data))) == [[4, 3], [2, 1], [0]]
    assert drawn(DataLoader(data, batch_size=2, sampler=Evens(data))) == [[0, 2], [4]]


def test_single_samples_and_own_collation():
    singles = list(DataLoader(numbered(3), batch_size=None))
    assert [y.item() for _, y in singles] == [0, 1, 2]
    assert singles[0][0].shape == (3,)
    loader = DataLoader(numbered(5), batch_size=2, collate_fn=lambda samples: [y.item() for _, y in samples])
    assert list(loader) == [[0, 1], [2, 3], [4]]


def test_streams():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(5))

        def __len__(self):
            return 5

    assert [b.tolist() for b in DataLoader(Stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Stream(), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(), batch_size=None)) == list(range(5))
    assert len(DataLoader(Stream(), batch_size=2)) == 3
    with pytest.raises(ValueError, match="an IterableDataset sets its own order"):
        DataLoader(Stream(), shuffle=True)
    with pytest.raises(TypeError, match="no numbered samples"):
        ConcatDataset([Stream()])


# ---- what is refused ----


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda d: DataLoader(d, batch_size=0), ValueError, "DataLoader: batch_size must be positive, got 0"),
        (
            lambda d: DataLoader(d, batch_size=2.5),
            TypeError,
            "DataLoader: batch_size must be an int, got 2.5",
        ),
        (lambda d: DataLoader(d, num_workers=-1), ValueError, "num_workers must be non-negative, got -1"),
        (lambda d: DataLoader(d, timeout=1), ValueError, "timeout needs num_workers > 0"),
        (lambda d: DataLoader(d, prefetch_factor=2), ValueError, "prefetch_factor needs num_workers > 0"),
        (
            lambda d: DataLoader(d, persistent_workers=True),
            ValueError,
            "persistent_workers needs num_workers",
        ),
        (lambda d: DataLoader(d, num_workers=1, timeout=-1), ValueError, "timeout must be non-negative"),
        (
            lambda d: DataLoader(d, num_workers=1, prefetch_factor=0),
            ValueError,
            "prefetch_factor must be pos",
        ),
        (
            lambda d: DataLoader(d, num_workers=1, multiprocessing_context="spawn"),
            ValueError,
            "multiprocessing_context must be None, got 'spawn'; workers are threads",
        ),
        (lambda d: DataLoader(d, sampler=[1], shuffle=True), ValueError, "sampler excludes shuffle"),
        (
            lambda d: DataLoader(d, batch_size=2, batch_sampler=[[1]]),
            ValueError,
            "batch_sampler excludes batch_size",
        ),
        (
            lambda d: DataLoader(d, batch_size=None, drop_last=True),
            ValueError,
            "batch_size=None excludes drop_last",
        ),
        (lambda d: RandomSampler(d, num_samples=0), ValueError, "num_samples must be positive, got 0"),
        (lambda d: list(RandomSampler([], num_samples=2)), ValueError, "cannot draw 2 samples from no data"),
        (lambda d: BatchSampler(d, 2, "yes"), ValueError, "drop_last must be a bool, got 'yes'"),
        (lambda d: Dataset()[0], NotImplementedError, "Dataset defines no __getitem__"),
    ],
)
def test_bad_arguments_raise_and_name_the_rule(make, error, match):
    with pytest.raises(error, match=match):
        make(numbered())


def test_a_loader_takes_no_tables_and_shuffle_is_a_bool():
    data = TensorDataset(cr.arange(4))
    for shuffle in ("no", 1, 0.0):
        with pytest.raises(ValueError, match=f"DataLoader: shuffle must be a bool or None, got {shuffle!r}"):
            DataLoader(data, shuffle=shuffle)
    with pytest.raises(
        TypeError, match=r"got a table \(dict\); make a dataset of its columns of numbers: TensorD"
    ):
        DataLoader({"a": np.arange(4)})
    assert [batch.item() for batch in DataLoader({0: 5, 1: 6})] == [5, 6]
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(TypeError, match=r"whose samples have numbers, got a table \(DataFrame\)"):
        DataLoader(frame)
    with pytest.raises(TypeError, match="TensorDataset: expects tensors, number 1 is a DataFrame"):
        TensorDataset(cr.arange(2), frame)


def test_lists_are_no_tensors_of_a_dataset():
    with pytest.raises(
        TypeError, match=r"^TensorDataset: expects tensors, number 0 is a list; cr\.tensor\(\.\.\.\)"
    ):
        TensorDataset([1, 2], [3, 4])
    with pytest.raises(TypeError, match="TransformDataset: expects tensors, number 1 is a list"):
        TransformDataset((cr.arange(2), [3, 4]))
