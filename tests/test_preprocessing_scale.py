"""Scalers: formulas, constant columns, NaN, rows that do not depend on others, and back."""

from fractions import Fraction

import numpy as np
import pytest

import chainrule as cr
from chainrule.preprocessing import MinMaxScaler, RobustScaler, StandardScaler, Transformer

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, (40, 5)) * [1, 10, 1e-6, 1e6, 1]
SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler(),
    MinMaxScaler((-2, 0.7), clip=True),
    RobustScaler(),
    RobustScaler(quantile_range=(10, 80), unit_variance=True),
    RobustScaler(with_centering=False),
]
every_scaler = pytest.mark.parametrize("scaler", SCALERS, ids=repr)


def test_formulas():
    np.testing.assert_allclose(StandardScaler().fit_transform(X), (X - X.mean(0)) / X.std(0))
    share = (X - X.min(0)) / (X.max(0) - X.min(0))
    np.testing.assert_allclose(MinMaxScaler((-1, 3)).fit_transform(X), -1 + share * 4)
    low, middle, high = np.percentile(X, (25, 50, 75), axis=0)
    np.testing.assert_allclose(RobustScaler().fit_transform(X), (X - middle) / (high - low), atol=1e-12)


def test_min_max_meets_both_ends_exactly():
    for a, b in ((0, 1), (-0.1, 0.7), (-1, 1)):
        out = MinMaxScaler((a, b)).fit_transform(X)
        assert out.min(0).tolist() == [a] * 5
        assert out.max(0).tolist() == [a + (b - a)] * 5
    assert MinMaxScaler(clip=True).fit(X).transform(X * 3 - 5).max() == 1.0


CONSTANT = {"a": np.full(7, 0.1), "b": np.arange(7.0), "c": np.full(7, -1e9)}


def test_a_constant_column_becomes_zero_or_a_and_is_named():
    with pytest.warns(UserWarning, match="StandardScaler.fit: columns 'a', 'c' are constant and become 0"):
        out = StandardScaler().fit_transform(CONSTANT)
    assert not out[:, [0, 2]].any()
    with pytest.warns(UserWarning, match="MinMaxScaler.fit: columns 'a', 'c' are constant and become -0.1"):
        out = MinMaxScaler((-0.1, 0.7)).fit_transform(CONSTANT)
    assert (out[:, [0, 2]] == -0.1).all()
    with pytest.warns(UserWarning, match="the 25 % and 75 % quantiles of 'a', 'c' are equal; only centred"):
        out = RobustScaler().fit_transform(CONSTANT)
    assert not out[:, [0, 2]].any()
    with pytest.warns(UserWarning, match="column 'a' is constant and becomes 0"):
        StandardScaler().fit({"a": [2.0, 2.0]})


def test_rounding_does_not_make_a_constant_column_vary():
    with pytest.warns(UserWarning, match="constant"):
        scaler = StandardScaler().fit(np.full((10, 1), 0.1) + np.arange(10)[:, None] % 2 * 1e-17)
    assert scaler.scale_ == 1.0


def test_large_values_that_differ_little_have_their_deviation():
    x = -1e9 + np.array([24, 2, -42, -35, -83, -77, -88, -58])[:, None] * 1e-7
    exact = np.array([Fraction(v) for v in x[:, 0].tolist()])
    variance = sum((exact - sum(exact) / len(x)) ** 2) / len(x)
    assert StandardScaler().fit(x).var_[0] == pytest.approx(float(variance), rel=1e-9, abs=0)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()], ids=repr)
def test_values_that_vary_more_than_float64_can_tell_are_named(scaler):
    x = {"a": [1.0, 2.0, 3.0], "b": [-1e308, 1e308, 0.0]}
    with pytest.raises(ValueError, match=r"column 'b' varies more than .* from -1e\+308 to 1e\+308"):
        scaler.fit(x)
    assert not hasattr(scaler, "scale_")


def test_the_deviation_of_huge_values_is_named_where_their_squares_overflow():
    with pytest.raises(ValueError, match="column 'x0' varies more than float64 can tell"):
        StandardScaler().fit([[1e200], [2e200]])
    assert MinMaxScaler().fit_transform([[1e200], [2e200]]).tolist() == [[0.0], [1.0]]


@every_scaler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_alone_gives_the_same_bits_as_among_others(scaler, dtype):
    x = X.astype(dtype)
    whole = scaler.fit(x).transform(x)
    alone = np.concatenate([scaler.transform(row[None]) for row in x])
    assert alone.tobytes() == whole.tobytes()
    strided = np.asfortranarray(x)
    assert scaler.transform(strided).tobytes() == whole.tobytes()


@every_scaler
def test_back_to_the_data(scaler):
    scaler.fit(X)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X, rtol=1e-9)
    tensor = scaler.inverse_transform(scaler.transform(cr.tensor(X)))
    np.testing.assert_allclose(tensor.numpy(), X, rtol=1e-9)


@every_scaler
def test_nan_stays_and_counts_for_nothing(scaler):
    holes = X.copy()
    holes[::5, 1] = np.nan
    out = scaler.fit(holes).transform(holes)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(holes))
    kept = ~np.isnan(holes[:, 1])
    alone = scaler.fit(X[kept][:, 1:2]).transform(X[kept][:, 1:2])
    np.testing.assert_allclose(out[kept, 1:2], alone)


@every_scaler
def test_state_gives_the_scaler_back(scaler):
    again = Transformer.from_state(scaler.fit(X).state())
    assert again.transform(X).tobytes() == scaler.transform(X).tobytes()
    assert repr(again) == repr(scaler)


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"feature_range must be \(a, b\) with a < b, got \(1, 1\)"):
        MinMaxScaler((1, 1)).fit(X)
    with pytest.raises(ValueError, match="quantile_range must be percentages, low < high"):
        RobustScaler(quantile_range=(75, 25)).fit(X)
    with pytest.raises(ValueError, match="unit_variance needs quantiles within"):
        RobustScaler(quantile_range=(0, 75), unit_variance=True).fit(X)
    with pytest.raises(ValueError, match="inverse_transform: expects 5 columns, got 2"):
        StandardScaler().fit(X).inverse_transform(X[:, :2])
