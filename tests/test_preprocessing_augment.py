"""Tabular augmentation: added features agree with scikit-learn's, changed ones are of the training part only."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import preprocessing as pp
from chainrule.data import mark_part, part_of

rng = np.random.default_rng(0)
X = rng.normal(size=(50, 3))


def train(x):
    return mark_part(x, "train")


@pytest.mark.peers
@pytest.mark.parametrize("degree", [1, 2, 3, (2, 3), (0, 2)])
@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize("include_bias", [False, True])
def test_polynomials_are_scikit_learns(degree, interaction_only, include_bias):
    theirs = pytest.importorskip("sklearn.preprocessing").PolynomialFeatures  # of the extra `examples`
    kwargs = {"degree": degree, "interaction_only": interaction_only, "include_bias": include_bias}
    ours, peer = pp.PolynomialFeatures(**kwargs).fit(X), theirs(**kwargs).fit(X)
    np.testing.assert_allclose(ours.transform(X), peer.transform(X), rtol=1e-12)
    assert (
        ours.get_feature_names_out(["a", "b", "c"]).tolist()
        == peer.get_feature_names_out(list("abc")).tolist()
    )
    np.testing.assert_array_equal(ours.powers_, peer.powers_)
    assert ours.n_output_features_ == peer.n_output_features_
    again = pp.PolynomialFeatures.from_state(ours.state())
    np.testing.assert_array_equal(again.transform(X), ours.transform(X))


def test_ratios():
    x = cr.tensor([[1.0, 2.0, 4.0], [3.0, 6.0, 0.0]])
    more = pp.RatioFeatures([(0, 1), ("x2", -3)]).fit(x)
    assert more.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x0 / x1", "x2 / x0"]
    assert more.transform(x).tolist() == [[1, 2, 4, 0.5, 4], [3, 6, 0, 0.5, 0]]
    assert more.transform(mark_part(x, "test")).dtype is cr.float32
    assert part_of(more.transform(x)) == "test"  # of any part
    filled = pp.RatioFeatures(fill=-1).fit(X).transform(np.array([[1.0, 0.0, np.nan]]))
    np.testing.assert_array_equal(filled, [[1, 0, np.nan, -1, np.nan, np.nan]])
    again = pp.RatioFeatures.from_state(more.state())
    assert again.transform(x).tolist() == more.transform(x).tolist()
    with pytest.raises(ValueError, match="transform: column 'x2' is 0 in row 1, below the line of 'x0 / x2'"):
        pp.RatioFeatures().fit(X).transform(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 0.0]]))


@pytest.mark.parametrize("kind", [pp.PolynomialFeatures, pp.RatioFeatures])
def test_added_features_row_by_row_and_fitted_on_train(kind):
    more = kind().fit(train(X.copy()))
    whole = more.transform(X)
    np.testing.assert_array_equal(
        np.concatenate([more.transform(X[i : i + 1]) for i in range(len(X))]), whole
    )
    with pytest.raises(ValueError, match="fits on the training part only, got the test part"):
        kind().fit(mark_part(X.copy(), "test"))


def test_jitter_moves_by_the_columns_deviation():
    x = train(rng.normal(size=(5000, 3)) * [1, 10, 0])
    moved = pp.jitter(x, 0.2, random_state=0)
    np.testing.assert_allclose((moved - x).std(axis=0), 0.2 * x.std(axis=0), rtol=0.05)
    assert (part_of(moved), moved.dtype) == ("train", x.dtype)
    np.testing.assert_array_equal(pp.jitter(x, 0.2, random_state=0), moved)
    assert (pp.jitter(x, 0.2, random_state=1) != moved).any()
    cr.manual_seed(1)
    first = pp.jitter(x)
    assert (pp.jitter(x) != first).any()


def test_jitter_of_some_columns():
    whole = np.concatenate([X, np.eye(50, 2)], axis=1)
    for x in (train(whole), train(cr.tensor(whole).float())):
        moved = pp.jitter(x, columns=[0, -4], random_state=0)
        changed = [(np.asarray(moved)[:, j] != np.asarray(x)[:, j]).any() for j in range(5)]
        assert changed == [True, True, False, False, False]
        assert (type(moved), moved.dtype, part_of(moved)) == (type(x), x.dtype, "train")
    pandas = pytest.importorskip("pandas")
    frame = train(pandas.DataFrame({"a": X[:, 0].astype(np.float32), "b": ["x"] * 50, "c": X[:, 1]}))
    moved = pp.jitter(frame, columns=["c"], random_state=0)
    assert [(moved[c] != frame[c]).any() for c in "abc"] == [False, False, True]
    assert (list(moved.dtypes), part_of(moved)) == (list(frame.dtypes), "train")


def test_mixup_mixes_samples_and_targets_alike():
    y = np.arange(50) % 3
    x = X + 100 * np.eye(3)[y]  # the class can be read from the values
    mixed, shares = pp.mixup(train(x), train(y), alpha=0.4, random_state=0)
    assert (mixed.shape, shares.shape, part_of(mixed), part_of(shares)) == (
        (50, 3),
        (50, 3),
        "train",
        "train",
    )
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(mixed / 100, shares, atol=0.1)
    assert ((shares > 0.01) & (shares < 0.99)).any()
    again = pp.mixup(train(x), train(y), alpha=0.4, random_state=0)
    np.testing.assert_array_equal(again[0], mixed)
    # Each row is λ · itself + (1 - λ) · a partner, every sample the partner of one.
    cr.manual_seed(3)
    default = pp.mixup(train(x), train(y))[0]
    cr.manual_seed(3)
    np.testing.assert_array_equal(pp.mixup(train(x), train(y))[0], default)


def test_mixup_of_tensors_and_of_numbers():
    x, y = train(cr.tensor(X).float().reshape(50, 1, 3)), train(cr.tensor(np.arange(50) % 2))
    mixed, shares = pp.mixup(x, y, num_classes=4, random_state=0)
    assert (mixed.shape, mixed.dtype, shares.shape, shares.dtype) == (
        (50, 1, 3),
        cr.float32,
        (50, 4),
        cr.float32,
    )
    cr.nn.functional.cross_entropy(cr.zeros(50, 4), shares)
    z = X.sum(axis=1)
    mixed, targets = pp.mixup(train(X.copy()), z, random_state=0)
    np.testing.assert_allclose(mixed.sum(axis=1), targets)
    mixed, targets = pp.mixup(train(X.copy()), cr.tensor(z[:, None]), random_state=0)
    np.testing.assert_allclose(mixed.sum(axis=1), targets[:, 0].numpy())


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: pp.PolynomialFeatures(-1).fit(X), ValueError, "degree must be non-negative, got -1"),
        (lambda: pp.PolynomialFeatures((3, 2)).fit(X), ValueError, "degree must be at least 3, got 2"),
        (lambda: pp.PolynomialFeatures(0, include_bias=False).fit(X), ValueError, "degree=0 of 3 columns gives no"),
        (lambda: pp.PolynomialFeatures().fit(X).transform(np.array([[1, 2, "a"]], dtype=object)), TypeError,
         "column 'x2' must hold numbers, row 0 is 'a'"),
        (lambda: pp.RatioFeatures([("a", "x1")]).fit(X), ValueError, "there is no column 'a', only x0, x1, x2"),
        (lambda: pp.RatioFeatures([(0, 3)]).fit(X), ValueError, "column 3 is out of range for 3 columns"),
        (lambda: pp.RatioFeatures([(0, 1, 2)]).fit(X), ValueError, "pairs must be pairs of columns"),
        (lambda: pp.RatioFeatures([]).fit(X), ValueError, "pairs must be pairs of columns"),
        (lambda: pp.jitter(train(X), -1), ValueError, "jitter: scale must be non-negative"),
        (lambda: pp.jitter(train(X), columns=["q"]), ValueError, "jitter: there is no column 'q', only x0, x1, x2"),
        (lambda: pp.jitter(train(X), columns=[3]), IndexError, "jitter: column 3 is out of range for 3 columns"),
        (lambda: pp.mixup(train(X), np.zeros(50), alpha=0), ValueError, "mixup: alpha must be positive"),
        (lambda: pp.mixup(train(X), np.array(["a"] * 50)), TypeError, "y must be class numbers .* encode texts"),
        (lambda: pp.mixup(train(X), np.arange(50), num_classes=9), ValueError,
         r"class 9 at position 9 is out of range \[0, 9\)"),
        (lambda: pp.mixup(train(X), np.zeros(50), num_classes=9), ValueError, "num_classes=9 is for class numbers"),
    ],
)  # fmt: skip
def test_bad_arguments_raise_and_name_the_rule(call, error, match):
    with pytest.raises(error, match=match):
        call()
