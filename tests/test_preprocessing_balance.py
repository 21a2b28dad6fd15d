"""Imbalance: the report, weights, resampling of the training part alone and of nothing else."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import data
from chainrule import preprocessing as pp
from chainrule.data import mark_part, part_of
from chainrule.datasets import Columns
from chainrule.preprocessing.resample import nearest

RESAMPLE = [pp.undersample, pp.oversample, pp.smote]


def rare(counts=(60, 12, 20), columns=3, seed=0, part="train"):
    """A table in which each class has a centre of its own, in random order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    x = rng.normal(size=(len(y), columns)) + 10 * y[:, None]
    return (mark_part(x, part), mark_part(y, part)) if part else (x, y)


def test_the_report_counts_and_prints():
    report = pp.class_balance(np.array(["no"] * 95 + ["yes"] * 5))
    assert (report.classes, report.counts, report.shares, report.ratio) == (
        ("no", "yes"),
        (95, 5),
        (0.95, 0.05),
        19,
    )
    assert str(report) == "no   95  95.0%\nyes   5   5.0%\nlargest : smallest = 19 : 1"
    assert pp.class_balance(cr.tensor([2, 0, 2])).counts == (1, 2)


@pytest.mark.peers
def test_weights_are_scikit_learns():
    utils = pytest.importorskip("sklearn.utils.class_weight")  # of the extra `examples`
    _, y = rare()
    ours = pp.class_weights(y, dtype=cr.float64).numpy()
    np.testing.assert_allclose(ours, utils.compute_class_weight("balanced", classes=np.arange(3), y=y))
    np.testing.assert_allclose(pp.sample_weights(y).numpy(), utils.compute_sample_weight("balanced", y))


def test_weights():
    weights = pp.class_weights(cr.tensor([0, 0, 0, 1]))
    assert weights.dtype is cr.float32
    np.testing.assert_allclose(weights.numpy(), [4 / 6, 2])
    assert pp.sample_weights(["a", "a", "b"]).tolist() == [0.75, 0.75, 1.5]
    assert (
        pp.class_weights(np.array([1.0, 0.0])).tolist() == pp.class_weights([True, False]).tolist() == [1, 1]
    )
    drawn = data.WeightedRandomSampler(pp.sample_weights(rare()[1]), 6000)
    assert (abs(np.bincount(rare()[1][list(drawn)]) - 2000) < 200).all()
    # Each class weighs the same in a loss.
    logits, target = cr.zeros(4, 2), cr.tensor([0, 0, 0, 1])
    loss = cr.nn.functional.cross_entropy(logits, target, weight=weights, reduction="none")
    assert loss[:3].sum().item() == pytest.approx(loss[3].item())


def test_undersampling_leaves_samples_out_and_keeps_their_order():
    x, y = rare()
    x_even, y_even = pp.undersample(x, y, random_state=0)
    assert np.bincount(y_even).tolist() == [12, 12, 12]
    rows = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in x_even]
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(y[rows], y_even)
    assert set(np.flatnonzero(y == 1)) <= set(rows)


def test_oversampling_adds_copies_behind():
    x, y = rare()
    x_even, y_even = pp.oversample(x, y, random_state=0)
    assert np.bincount(y_even).tolist() == [60, 60, 60]
    np.testing.assert_array_equal(x_even[:92], x)
    assert y_even[92:].tolist() == [1] * 48 + [2] * 40
    added = x_even[92:]
    assert all(
        (x[y == label] == row).all(axis=1).any() for row, label in zip(added, y_even[92:], strict=True)
    )
    assert len(np.unique(added[:48], axis=0)) > 8  # drawn, not one of them


def test_noise_moves_the_copies_by_the_classes_deviation():
    x, y = rare((4000, 1000))
    x[:, 2] *= 100
    plain, _ = pp.oversample(x, y, random_state=3)
    noisy, labels = pp.oversample(x, y, noise=0.1, random_state=3)
    assert np.bincount(labels).tolist() == [4000, 4000]
    np.testing.assert_array_equal(noisy[:5000], x)
    moved = noisy[5000:] - plain[5000:]
    np.testing.assert_allclose(moved.std(axis=0), 0.1 * x[y == 1].std(axis=0), rtol=0.05)


@pytest.mark.parametrize("k", [1, 5])
def test_smote_lies_between_neighbours_of_one_class(k):
    x, y = rare()
    x_even, y_even = pp.smote(x, y, k_neighbors=k, random_state=0)
    assert np.bincount(y_even).tolist() == [60, 60, 60]
    np.testing.assert_array_equal(x_even[:92], x)
    shares = []
    for row, label in zip(x_even[92:], y_even[92:], strict=True):
        members = x[y == label]
        distance = ((members[:, None] - members) ** 2).sum(-1)
        np.fill_diagonal(distance, np.inf)
        near = np.argsort(distance, axis=1)[:, :k]
        # Where on the line from a to b the row lies, and how far from it.
        a, b = members[:, None], members[near]
        share = ((row - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1)
        off = np.abs(a + share[..., None] * (b - a) - row).max(-1)
        best = np.unravel_index(off.argmin(), off.shape)
        assert off[best] < 1e-9
        assert -1e-9 <= share[best] < 1
        shares.append(share[best])
    assert 0.3 < np.mean(shares) < 0.7
    assert np.ptp(shares) > 0.8


def test_nearest_neighbours_over_several_blocks():
    x = np.random.default_rng(0).normal(size=(1300, 4)) + 100
    distance = ((x[:, None] - x) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(nearest(x, 3), np.argsort(distance, axis=1)[:, :3])


@pytest.mark.parametrize("function", RESAMPLE)
def test_seeds_and_marks(function):
    x, y = rare()
    before = x.copy()
    first, again, other = (function(x, y, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])
    assert [part_of(a) for a in first] == ["train", "train"]
    np.testing.assert_array_equal(x, before)
    cr.manual_seed(5)
    default = function(x, y)
    cr.manual_seed(5)
    np.testing.assert_array_equal(function(x, y)[0], default[0])


@pytest.mark.parametrize("function", RESAMPLE)
def test_kinds_come_back_as_themselves(function):
    x, y = rare()
    plain = function(x, y, random_state=0)
    t = mark_part(cr.tensor(x), "train"), mark_part(cr.tensor(y), "train")
    ours = function(*t, random_state=0)
    assert [type(a) for a in ours] == [cr.Tensor] * 2
    for a, b in zip(ours, plain, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)
    images = mark_part(cr.tensor(x).float().reshape(-1, 1, 3), "train")
    out, labels = function(images, y.tolist(), random_state=0)  # a list of labels has no mark, which is fine
    assert (tuple(out.shape[1:]), out.dtype, type(labels)) == ((1, 3), cr.float32, list)
    assert len(out) == len(labels)
    pandas = pytest.importorskip("pandas")
    frame = mark_part(
        pandas.DataFrame(x.astype(np.float32), columns=list("abc"), index=range(5, 97)), "train"
    )
    series = pandas.Series(np.array(["r", "s", "t"])[y], index=frame.index, name="label")
    out, labels = function(frame, series, random_state=0)
    assert (list(out.columns), labels.name, part_of(out), part_of(labels)) == (
        list("abc"),
        "label",
        "train",
        "train",
    )
    assert (out.index == labels.index).all()
    assert out.index.is_unique
    assert set(out.dtypes) == {np.dtype(np.float32)}
    np.testing.assert_allclose(out.to_numpy(), plain[0], rtol=1e-4, atol=1e-4)


def test_copies_need_no_numbers():
    pandas = pytest.importorskip("pandas")
    frame = mark_part(pandas.DataFrame({"a": list("xyz"), "b": [1, 2, 3]}), "train")
    out, labels = pp.oversample(frame, [0, 0, 1], random_state=0)
    assert out.iloc[3].tolist() == ["z", 3]
    assert labels == [0, 0, 1, 1]
    assert out.dtypes["b"] == np.int64
    with pytest.raises(TypeError, match="oversample: column 'a' must hold floats, got object"):
        pp.oversample(frame, [0, 0, 1], noise=0.1)


@pytest.mark.parametrize("strategy", [0.5, {0: 24, 2: 20}])
def test_strategies_of_undersampling(strategy):
    x, y = rare()
    assert np.bincount(pp.undersample(x, y, sampling_strategy=strategy)[1]).tolist() == [24, 12, 20]


@pytest.mark.parametrize("function", RESAMPLE[1:])
def test_strategies_of_oversampling(function):
    x, y = rare()
    for strategy in (0.5, {1: 30, 2: 30}):
        assert np.bincount(function(x, y, sampling_strategy=strategy)[1]).tolist() == [60, 30, 30]
    assert function(x, y, sampling_strategy={})[0].shape == x.shape


@pytest.mark.parametrize("function", [*RESAMPLE, pp.mixup, lambda x, y: pp.jitter(x)])
@pytest.mark.parametrize("part", [None, "dev", "test"])
def test_only_the_training_part_may_be_changed(function, part):
    x, y = rare(part=part)
    rule = (
        "x is not known to be one. Split first" if part is None else f"x is the {part} part, which must stay"
    )
    with pytest.raises(ValueError, match=rf"only the training part of a split may be \w+, {rule}"):
        function(x, y)
    # A part of a split, a slice of it, a tensor of it.
    parts = data.train_dev_test_split(*rare((100, 100), part=None), seed=0)
    for held in (parts[1], parts[2]):
        with pytest.raises(ValueError, match="only the training part"):
            function(cr.tensor(held[2:]), np.zeros(len(held) - 2, dtype=np.int64))


@pytest.mark.parametrize("function", [*RESAMPLE, pp.mixup])
def test_labels_of_another_part_or_length(function):
    x, y = rare()
    with pytest.raises(ValueError, match="y is of the test part, which must stay"):
        function(x, mark_part(y.copy(), "test"))
    with pytest.raises(ValueError, match="x and y must have the same length, got 92 and 91"):
        function(x, y[1:])


@pytest.mark.parametrize("function", [pp.class_weights, pp.sample_weights])
def test_weights_refuse_dev_and_test(function):
    for part in ("dev", "test"):
        with pytest.raises(ValueError, match=f"fits on the training part only, got the {part} part"):
            function(rare(part=part)[1])


def bad(x, **kwargs):
    return lambda: pp.smote(mark_part(x, "train"), np.arange(len(x)) % 3 // 2, **kwargs)


X = np.random.default_rng(0).normal(size=(9, 2))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: pp.class_balance([]), ValueError, "class_balance: y has no samples"),
        (lambda: pp.class_balance([0.0, np.nan]), ValueError, "class_balance: y has NaN at position 1"),
        (lambda: pp.class_weights([0, 2]), ValueError, "class_weights: class 1 of 3 has no samples"),
        (lambda: pp.class_weights([0, 1], 4), ValueError, "class_weights: class 2 of 4 has no samples"),
        (lambda: pp.class_weights([0, 5], 3), ValueError, "class 5 is out of range for num_classes=3"),
        (lambda: pp.class_weights([-1, 1]), ValueError, "classes must be 0, 1, ..."),
        (lambda: pp.class_weights(["a"], 3), ValueError, "classes must be 0, 1, ... where num_classes is given"),
        (bad(X), ValueError, "class 1 has 3 samples, k_neighbors=5 needs at least 6"),
        (bad(X, k_neighbors=0), ValueError, "smote: k_neighbors must be positive, got 0"),
        (bad(X.astype(np.int64)), TypeError, "smote: column 'x0' must hold floats, got int64"),
        (bad(np.where(X[4, 1] == X, np.nan, X)), ValueError, "column 'x1' must be finite, row 4 is nan; impute"),
        (bad(X, sampling_strategy=1.5), ValueError, r"as a ratio must be in \(0, 1\], got 1.5"),
        (bad(X, sampling_strategy="all"), ValueError, "must be 'auto', a ratio or a dictionary, got 'all'"),
        (bad(X, sampling_strategy={7: 3}), ValueError, r"names class 7, y has \[0, 1\]"),
        (bad(X, sampling_strategy={0: 2}), ValueError, "class 0 has 6 samples, .* at least as many, got 2"),
        (bad(X, sampling_strategy={0: 7.5}), TypeError, r"sampling_strategy\[0\] must be an int"),
        (lambda: pp.undersample(mark_part(X, "train"), [0] * 6 + [1] * 3, sampling_strategy={1: 4}), ValueError,
         "class 1 has 3 samples, .* at most as many, got 4"),
        (lambda: pp.oversample(mark_part(X, "train"), [0] * 9, noise=-1), ValueError, "noise must be non-negative"),
        (lambda: pp.smote(mark_part(data.TensorDataset(cr.tensor(X)), "train"), [0] * 9), TypeError,
         "smote: x must be a tensor, an array or a frame, got TensorDataset"),
    ],
)  # fmt: skip
def test_bad_arguments_raise_and_name_the_rule(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_tables_by_columns_are_copied_by_rows():
    table = mark_part(Columns({"a": np.array(list("xyz"), object), "b": np.arange(3)}), "train")
    for x in (table, dict(table)):
        for function, rows in ((pp.oversample, [0, 1, 2, 2]), (pp.undersample, None)):
            out, labels = function(x, np.array([0, 0, 1]), random_state=0)
            assert (type(out), part_of(out), len(out["b"])) == (type(x), "train", len(labels))
            assert rows is None or out["b"].tolist() == rows
            assert out["a"].tolist() == [table["a"][i] for i in out["b"]]
        with pytest.raises(
            TypeError, match=f"smote: x must be a tensor, an array or a frame, got {type(x).__name__}"
        ):
            pp.smote(x, np.array([0, 0, 1]))
        with pytest.raises(ValueError, match="x and y must have the same length, got 3 and 2"):
            pp.oversample(x, [0, 1])


def test_row_labels_that_differ_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = mark_part(pandas.DataFrame({"b": [1.0, 2, 3]}, index=[2, 1, 0]), "train")
    with pytest.raises(
        ValueError, match=r"oversample: the row labels \(index\) of x and y differ, in row 0 .* 2 and 0"
    ):
        pp.oversample(frame, pandas.Series([0, 0, 1]))
