"""Folds: every sample is held out once, classes and groups as promised, scikit-learn's numbers, what is refused."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    folds,
    part_of,
    train_dev_test_split,
)

ALL = [KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold]


def table(n=97, seed=0):
    rng = np.random.default_rng(seed)
    return np.arange(n), rng.choice(["b", "a", "c"], n, p=[0.6, 0.3, 0.1]), rng.integers(0, 23, n)


@pytest.mark.peers
@pytest.mark.parametrize("n_splits", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ALL)
def test_folds_are_scikit_learns(kind, seed, n_splits):
    theirs = getattr(pytest.importorskip("sklearn.model_selection"), kind.__name__)  # of the extra `examples`
    x, y, groups = table(seed=seed)
    if kind in (KFold, StratifiedKFold):
        groups = None
    ours = list(kind(n_splits).split(x, y, groups))
    for mine, peer in zip(ours, theirs(n_splits).split(x, y, groups), strict=True):
        for a, b in zip(mine, peer, strict=True):
            np.testing.assert_array_equal(a, b)
    assert kind(n_splits).get_n_splits() == len(ours) == n_splits


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", ALL)
def test_every_sample_is_held_out_once(kind, shuffle):
    x, y, groups = table()
    splitter = kind(4, shuffle=shuffle, random_state=0 if shuffle else None)
    pairs = list(splitter.split(x, y, groups))
    assert sorted(np.concatenate([dev for _, dev in pairs])) == list(range(97))
    for train, dev in pairs:
        assert sorted([*train, *dev]) == list(range(97))
        if kind in (GroupKFold, StratifiedGroupKFold):
            assert not set(groups[train]) & set(groups[dev])
        else:
            assert len(dev) in (24, 25)
        if kind is StratifiedKFold:
            shares = [abs((y[dev] == c).sum() - (y == c).sum() / 4) for c in "abc"]
            assert max(shares) < 1
        if kind is StratifiedGroupKFold:
            assert abs((y[dev] == "b").mean() - (y == "b").mean()) < 0.1
    again = list(splitter.split(x, y, groups))
    assert all((a[1] == b[1]).all() for a, b in zip(pairs, again, strict=True))


@pytest.mark.parametrize("kind", ALL)
def test_the_shuffle_depends_on_the_seed(kind):
    x, y, groups = table()

    def dev(seed):
        return next(iter(kind(4, shuffle=True, random_state=seed).split(x, y, groups)))[1].tolist()

    assert dev(0) == dev(0)
    assert any(dev(0) != dev(seed) for seed in range(1, 4))
    cr.manual_seed(0)
    first = dev(None)
    assert dev(None) != first or dev(None) != first
    cr.manual_seed(0)
    assert dev(None) == first


def test_folds_of_a_training_part_are_training_and_dev():
    x, y, groups = cr.arange(40).reshape(20, 2), np.arange(20) % 2, np.arange(20) // 4
    x_train, _, x_test, y_train, _, _ = train_dev_test_split(x, y, seed=0, stratify=y, sizes=(14, 3, 3))
    seen = []
    for x_tr, x_dev, y_tr, y_dev in folds(x_train, y_train, cv=StratifiedKFold(3), y=y_train):
        assert [part_of(p) for p in (x_tr, x_dev, y_tr, y_dev)] == ["train", "dev"] * 2
        assert (x_dev[:, 0] // 2 % 2).tolist() == y_dev.tolist()
        seen += x_dev[:, 0].tolist()
    assert sorted(seen) == sorted(x_train[:, 0].tolist())
    assert len(list(folds(list(range(20)), cv=4))) == 4  # of lists, without marks
    assert all(len(dev) == 4 for _, dev in folds(np.arange(20), cv=GroupKFold(5), groups=groups))
    with pytest.raises(
        ValueError, match="folds: the data is the test part of a split; cross-validation chooses"
    ):
        folds(x_test)


def test_a_rare_class_is_named():
    y = ["a"] * 8 + ["b"] * 3
    with pytest.warns(UserWarning, match="StratifiedKFold: class b has 3 samples, fewer than n_splits=5"):
        assert len(list(StratifiedKFold(5).split(y, y))) == 5


Y = [0, 1] * 5


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: KFold(1), ValueError, "KFold: n_splits must be at least 2, got 1"),
        (lambda: KFold(2.5), TypeError, "KFold: n_splits must be an int"),
        (lambda: KFold(3, shuffle=1), TypeError, "KFold: shuffle must be a bool, got 1"),
        (lambda: KFold(3, random_state=1), ValueError, "random_state=1 has no effect without shuffle=True"),
        (lambda: KFold(11).split(Y), ValueError, "n_splits=11 folds need as many samples, got 10"),
        (lambda: StratifiedKFold(2).split(Y), ValueError, r"StratifiedKFold: split\(\) needs y"),
        (lambda: StratifiedKFold(2).split(Y, Y[1:]), ValueError, r"each of 10 samples, got shape \[9\]"),
        (lambda: StratifiedKFold(2).split(Y, [0] * 9 + [7]), ValueError, "class 7 has a single sample"),
        (lambda: GroupKFold(2).split(Y, Y), ValueError, r"GroupKFold: split\(\) needs groups"),
        (lambda: GroupKFold(3).split(Y, Y, Y), ValueError, "n_splits=3 folds need as many groups, got 2"),
        (lambda: StratifiedGroupKFold(3).split(Y, Y, Y), ValueError, "as many groups, got 2"),
        (lambda: folds(Y, Y[1:]), ValueError, r"folds: all arrays must have the same length, got \[10, 9\]"),
    ],
)  # fmt: skip
def test_bad_arguments_raise_and_name_the_rule(call, error, match):
    with pytest.raises(error, match=match):
        list(call())
