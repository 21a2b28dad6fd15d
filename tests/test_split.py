"""Splits: every sample in one part, classes in exact proportion, seeded, and what is refused."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import data
from chainrule.data import TensorDataset, part_of, train_dev_test_split, train_test_split
from chainrule.datasets.tables import Bunch

DIGITS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # the classes of scikit-learn's digits


def labels_of(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def largest_remainder(total, counts):
    """Exactly, in integers: what each class gives to a part of `total` samples."""
    whole = sum(counts)
    shares = [total * c // whole for c in counts]
    remainders = sorted(range(len(counts)), key=lambda i: (-(total * counts[i] % whole), i))
    for i in remainders[: total - sum(shares)]:
        shares[i] += 1
    return shares


@pytest.mark.parametrize("seed", range(5))
def test_stratified_parts_hold_each_class_in_exact_proportion(seed):
    y = labels_of(DIGITS, seed)
    i_train, i_dev, i_test, *ys = train_dev_test_split(np.arange(len(y)), y, seed=seed, stratify=y)
    assert [len(p) for p in (i_train, i_dev, i_test)] == [1437, 180, 180]
    assert sorted([*i_train, *i_dev, *i_test]) == list(range(1797))
    for numbers, labels in zip((i_train, i_dev, i_test), ys, strict=True):
        np.testing.assert_array_equal(y[numbers], labels)
    counts = [np.bincount(labels, minlength=10).tolist() for labels in ys]
    assert counts[2] == largest_remainder(180, DIGITS)
    assert counts[1] == largest_remainder(180, [a - b for a, b in zip(DIGITS, counts[2], strict=True)])
    # Every part is shuffled, not sorted by class.
    assert all((np.diff(labels) < 0).any() for labels in ys)


@settings(max_examples=60, deadline=None)
@example([13, 44, 48], 0)  # the first and the last have equal remainders
@given(st.lists(st.integers(8, 60), min_size=1, max_size=6), st.integers(0, 1000))
def test_any_classes_are_split_within_one_sample(counts, seed):
    y = labels_of(counts, seed)
    total = len(y)
    train, test = train_test_split(y, test_size=0.25, seed=seed, stratify=y)
    assert len(test) == -(-total // 4)
    assert len(train) + len(test) == total
    got = np.bincount(test, minlength=len(counts))
    assert got.tolist() == largest_remainder(len(test), counts)
    assert (abs(got - np.array(counts) * len(test) / total) < 1).all()


def test_seeds():
    x = np.arange(100)
    first = train_test_split(x, seed=3)
    for again in (train_test_split(x, seed=3), train_test_split(x, random_state=3)):
        np.testing.assert_array_equal(first[1], again[1])
    assert (train_test_split(x, seed=4)[1] != first[1]).any()
    cr.manual_seed(7)
    default = train_test_split(x)[1]
    assert (train_test_split(x)[1] != default).any()
    cr.manual_seed(7)
    np.testing.assert_array_equal(train_test_split(x)[1], default)
    # A seed of its own leaves the default generator alone.
    cr.manual_seed(7)
    train_test_split(x, seed=3), train_dev_test_split(x)
    np.testing.assert_array_equal(train_test_split(x)[1], default)


def test_each_kind_of_array_comes_back_as_itself():
    x = cr.arange(20).reshape(10, 2)
    names = [f"s{i}" for i in range(10)]
    parts = train_test_split(x, x.numpy(), names, test_size=3, seed=0)
    assert [type(p) for p in parts] == [cr.Tensor] * 2 + [np.ndarray] * 2 + [list] * 2
    assert parts[0].shape == (7, 2)
    assert parts[0].tolist() == parts[2].tolist()
    assert parts[5] == [f"s{row[0] // 2}" for row in parts[1].tolist()]
    parts[1].zero_()
    assert x[9].tolist() == [18, 19]


def test_sizes():
    x = list(range(10))
    for kwargs, sizes in [
        ({}, (7, 3)), ({"test_size": 0.21}, (7, 3)), ({"train_size": 0.79}, (7, 3)),
        ({"test_size": 4}, (6, 4)), ({"test_size": np.int64(1)}, (9, 1)),
        ({"train_size": 2}, (2, 8)), ({"train_size": 0.5, "test_size": 0.2}, (5, 2)),
    ]:  # fmt: skip
        assert tuple(map(len, train_test_split(x, **kwargs))) == sizes, kwargs
    assert train_test_split(x, shuffle=False) == [[0, 1, 2, 3, 4, 5, 6], [7, 8, 9]]
    assert list(map(len, train_dev_test_split(x, sizes=(6, 3, 1)))) == [6, 3, 1]
    assert list(map(len, train_dev_test_split(list(range(11))))) == [9, 1, 1]


def test_a_stratified_split_may_leave_samples_out():
    y = labels_of([40, 60])
    train, test = train_test_split(y, train_size=0.5, test_size=0.2, stratify=y, seed=0)
    assert np.bincount(train).tolist() == [20, 30]
    assert np.bincount(test).tolist() == [8, 12]


def test_labels_of_any_kind():
    names = np.array(["cat", "dog"] * 10)
    _train, test = train_test_split(names, test_size=4, stratify=names, seed=0)
    assert sorted(test) == ["cat", "cat", "dog", "dog"]
    for labels in (cr.tensor([0, 1] * 10), [0.5, 1.5] * 10, [False, True] * 10):
        assert len(train_test_split(names, test_size=4, stratify=labels)[1]) == 4


def test_frames_and_series_come_back_as_themselves_and_marked():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(10), "b": list("uvwxyzklmn")}, index=range(100, 110))
    labels = pandas.Series(["no", "yes"] * 5, name="label")
    for parts in (
        train_test_split(frame, labels, test_size=4, stratify=labels, seed=0),
        [
            p
            for i, p in enumerate(train_dev_test_split(frame, labels, sizes=(4, 2, 4), stratify=labels))
            if i % 3
        ],
    ):
        x, y = parts[1], parts[-1]
        assert (list(x.columns), y.name, [part_of(x), part_of(y)]) == (["a", "b"], "label", ["test", "test"])
        pandas.testing.assert_frame_equal(x, frame.loc[x.index])
        assert (labels.iloc[x["a"]] == y).all()
        assert sorted(y) == ["no", "no", "yes", "yes"]
    assert part_of(frame) is None


def test_a_dataset_is_split_into_marked_subsets():
    whole = TensorDataset(cr.arange(10), cr.arange(10) % 2)
    train, test = train_test_split(whole, test_size=0.3, seed=0, stratify=whole.tensors[1])
    assert (len(train), len(test), part_of(train), part_of(test)) == (7, 3, "train", "test")
    assert sorted(int(s[0]) for part in (train, test) for s in part) == list(range(10))


def group_sizes(count, seed):
    return np.random.default_rng(seed).integers(1, 9, count)


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_in_one_part_and_sizes_are_near(seed):
    groups = np.repeat(np.array([f"g{i}" for i in range(60)]), group_sizes(60, seed))
    groups = np.random.default_rng(seed).permutation(groups)
    parts = train_dev_test_split(groups, np.arange(len(groups)), groups=groups, seed=seed)
    held, numbers = parts[:3], parts[3:]
    assert sorted(np.concatenate(numbers)) == list(range(len(groups)))
    assert not any(set(held[a]) & set(held[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert [part_of(p) for p in held] == ["train", "dev", "test"]
    for part, share in zip(held, (0.8, 0.1, 0.1), strict=True):
        assert abs(len(part) - share * len(groups)) <= 8  # the largest group
    other = train_dev_test_split(groups, groups=groups, seed=seed + 1)
    assert set(other[2]) != set(held[2])


def test_groups_and_classes_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 5)
    labels = rng.permutation(np.arange(100) < 30)[groups]  # a class per group, 30 % are of the second
    parts = train_dev_test_split(labels, groups, groups=groups, stratify=labels, seed=3)
    assert [abs(float(p.mean()) - 0.3) <= 0.051 for p in parts[:3]] == [True] * 3
    assert sum(len(set(p)) for p in parts[3:]) == 100


def test_few_large_groups_fill_every_part():
    groups = np.repeat([0, 1, 2], [50, 45, 5])
    for seed in range(6):
        assert [len(set(p)) for p in train_dev_test_split(groups, groups=groups, seed=seed)] == [1, 1, 1]


X = list(range(10))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: train_test_split(), ValueError, "needs at least one array"),
        (lambda: train_test_split(X, X[1:]), ValueError, r"the same length, got \[10, 9\]"),
        (lambda: train_test_split(X, test_size=10), ValueError,
         r"cannot split 10 samples into parts of \[0, 10\]"),
        (lambda: train_test_split(X, test_size=0), ValueError, "cannot split 10 samples"),
        (lambda: train_test_split(X, test_size=1.5), ValueError,
         "test_size as a fraction must be between 0 and 1"),
        (lambda: train_test_split(X, test_size=float("nan")), ValueError, "must be between 0 and 1, got nan"),
        (lambda: train_test_split(X, test_size="10%"), TypeError,
         "test_size must be an int or a float, got '10%'"),
        (lambda: train_test_split(X, test_size=True), TypeError,
         "test_size must be an int or a float, got True"),
        (lambda: train_test_split(X, test_size=0.7, train_size=0.7), ValueError, "sum to more than 1"),
        (lambda: train_test_split(X, seed=1, random_state=2), ValueError, "contradict each other"),
        (lambda: train_test_split(X, shuffle=False, stratify=X), ValueError, "stratify needs shuffle=True"),
        (lambda: train_test_split(X, train_size=0.8, test_size=0.33), ValueError,
         "train_size=0.8 and test_size=0.33 sum to more than 1"),
        (lambda: train_test_split(X[:3], train_size=0.8, test_size=0.33), ValueError, "sum to more than 1"),
        (lambda: train_test_split(X, stratify=X[1:]), ValueError,
         r"one label for each of 10 samples, got shape \[9\]"),
        (lambda: train_test_split(X, stratify=np.ones((10, 2))), ValueError, r"got shape \[10, 2\]"),
        (lambda: train_test_split(X, stratify=[0.0] * 9 + [float("nan")]), ValueError,
         "stratify has NaN at position 9"),
        (lambda: train_test_split(X, stratify=[0] * 9 + [7]), ValueError,
         r"class 7 has too few samples \(1\)"),
        (lambda: train_dev_test_split(X, stratify=[0] * 5 + [1] * 5), ValueError, "has too few samples"),
        (lambda: train_dev_test_split(X, sizes=(0.5, 0.5)), ValueError, "sizes must be three numbers"),
        (lambda: train_dev_test_split(X, sizes=(0.5, 0.4, 0.2)), ValueError, "must be positive and sum to 1"),
        (lambda: train_dev_test_split(X, sizes=(5, 4, 2)), ValueError, "cannot split 10 samples"),
        (lambda: train_dev_test_split(X, sizes=(10, 0, 0)), ValueError, "cannot split 10 samples"),
        (lambda: train_dev_test_split(X, groups=[0] * 5 + [1] * 5), ValueError,
         r"2 groups cannot fill 3 parts \(train, dev, test\)"),
        (lambda: train_dev_test_split(X, groups=X[1:]), ValueError,
         r"groups must hold one label for each of 10 samples, got shape \[9\]"),
        (lambda: train_test_split(X, stratify=np.array(["a", None] * 5, dtype=object)), ValueError,
         "stratify has None at position 1"),
        (lambda: train_test_split(X, stratify=np.array(["a", 1] * 5, dtype=object)), TypeError,
         "stratify must hold labels of one type, got int, str"),
    ],
)  # fmt: skip
def test_bad_arguments_raise_and_name_the_rule(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_dictionary_of_columns_is_a_table():
    table = {"a": np.arange(8), "b": list("stuvwxyz"), "c": cr.arange(8)}
    train, test, y_train, _ = data.train_test_split(table, np.arange(8), seed=0)
    assert train["a"].tolist() == train["c"].tolist() == y_train.tolist()
    assert test["b"] == [table["b"][i] for i in test["a"]]
    assert [data.part_of(part) for part in (train, test, test["c"])] == ["train", "test", "test"]
    assert len(data.train_dev_test_split(table, sizes=(4, 2, 2))[1]["b"]) == 2
    assert [len(held["a"]) for _, held in data.folds(train, cv=3)] == [2, 2, 2]
    with pytest.raises(
        ValueError, match=r"columns of a dictionary must have the same length, got \{'a': 2, 'b': 1\}"
    ):
        data.train_test_split({"a": [1, 2], "b": [1]})


@pytest.mark.parametrize(
    "split", [data.train_test_split, data.train_dev_test_split, lambda x: next(data.folds(x))]
)
def test_what_has_no_samples_by_number_is_refused_by_kind(split):
    bunch = Bunch(cr.zeros(8, 2), cr.zeros(8), ["a", "b"], [], "")
    with pytest.raises(TypeError, match=r"expects arrays, got a Bunch; pass its \.data and its \.target"):
        split(bunch)
    with pytest.raises(
        TypeError, match=r"expects arrays, tables.*got generator .*; list\(\.\.\.\) makes a list of it"
    ):
        split(i for i in range(8))
    with pytest.raises(TypeError, match=r"expects arrays, tables.*got float 1\.5"):
        split(1.5)


def test_frames_whose_row_labels_differ_are_not_paired_by_position():
    pandas = pytest.importorskip("pandas")
    x, y = pandas.DataFrame({"a": range(4)}, index=[3, 2, 1, 0]), pandas.Series([0, 0, 1, 1])
    message = r"row labels \(index\) of array 0 and {} differ, in row 0 they are 3 and 0; .*reset_index"
    for call, other in [
        (lambda: data.train_test_split(x, y, seed=0), "array 1"),
        (lambda: data.train_test_split(x, stratify=y), "stratify"),
        (lambda: data.train_dev_test_split(x, groups=y), "groups"),
        (lambda: data.folds(x, np.arange(4), cv=data.StratifiedKFold(2), y=y), "y"),
    ]:
        with pytest.raises(ValueError, match=message.format(other)):
            call()
    data.train_test_split(x, y.loc[x.index], seed=0)
    data.train_test_split(x.reset_index(drop=True), np.arange(4), y, seed=0)


def test_a_class_that_whole_groups_leave_out_of_a_part_is_refused():
    groups = np.repeat(np.arange(20), 5)
    labels = (groups == 3).astype(int)
    with pytest.raises(
        ValueError, match=r"class 1 has too few samples \(5\) to be in every part \(.*; groups stay whole"
    ):
        train_dev_test_split(np.arange(100), groups=groups, stratify=labels)
    parts = train_dev_test_split(labels, groups=groups, stratify=np.tile([0, 1, 1, 0, 1], 20))
    assert [len(part) for part in parts] == [80, 10, 10]
