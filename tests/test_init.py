"""Initial weights: the exact bounds and deviations, distributions, generators, what is refused."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import init

SHAPES = [(40, 50), (8, 12, 5, 5), (6, 1), (3, 4, 2)]
XAVIER = {(40, 50): (50, 40), (8, 12, 5, 5): (300, 200), (6, 1): (1, 6), (3, 4, 2): (8, 6)}  # fan_in, fan_out


def seeded(fill, shape=(8, 12, 5, 5), seed=7):
    x = cr.empty(shape, dtype=cr.float64)
    assert fill(x, cr.Generator().manual_seed(seed)) is x
    return x.numpy()


def bound_of(fill, shape):
    """What a uniform initialiser multiplies numbers over [-1, 1) by: exact, from the same draws."""
    unit = seeded(lambda x, g: init.uniform_(x, -1.0, 1.0, generator=g), shape)
    return np.median(seeded(fill, shape) / unit)


def std_of(fill, shape):
    unit = seeded(lambda x, g: init.normal_(x, generator=g), shape)
    return np.median(seeded(fill, shape) / unit)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gain", [1.0, 5 / 3])
def test_xavier_has_the_bound_and_deviation_of_its_source(shape, gain):
    fan_in, fan_out = XAVIER[shape]
    std = gain * math.sqrt(2 / (fan_in + fan_out))
    assert std_of(lambda x, g: init.xavier_normal_(x, gain, g), shape) == pytest.approx(std, rel=1e-12)
    bound = bound_of(lambda x, g: init.xavier_uniform_(x, gain, g), shape)
    assert bound == pytest.approx(math.sqrt(3) * std, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize(("nonlinearity", "gain"), [("relu", math.sqrt(2)), ("leaky_relu", math.sqrt(2 / 1.09)),
                                                    ("tanh", 5 / 3), ("linear", 1.0), ("selu", 0.75)])  # fmt: skip
def test_kaiming_has_the_bound_and_deviation_of_its_source(shape, mode, nonlinearity, gain):
    std = gain / math.sqrt(XAVIER[shape][mode == "fan_out"])
    options = {"a": 0.3, "mode": mode, "nonlinearity": nonlinearity}
    found = std_of(lambda x, g: init.kaiming_normal_(x, **options, generator=g), shape)
    assert found == pytest.approx(std, rel=1e-12)
    found = bound_of(lambda x, g: init.kaiming_uniform_(x, **options, generator=g), shape)
    assert found == pytest.approx(math.sqrt(3) * std, rel=1e-12)


FILLS = {
    "uniform_": lambda x, g: init.uniform_(x, -2.0, 3.0, g),
    "normal_": lambda x, g: init.normal_(x, 1.0, 2.0, g),
    "xavier_uniform_": lambda x, g: init.xavier_uniform_(x, generator=g),
    "xavier_normal_": lambda x, g: init.xavier_normal_(x, generator=g),
    "kaiming_uniform_": lambda x, g: init.kaiming_uniform_(x, generator=g),
    "kaiming_normal_": lambda x, g: init.kaiming_normal_(x, generator=g),
    "trunc_normal_": lambda x, g: init.trunc_normal_(x, generator=g),
    "trunc_normal_-tail": lambda x, g: init.trunc_normal_(x, 0.0, 1.0, 2.0, 4.0, generator=g),
    "orthogonal_": lambda x, g: init.orthogonal_(x, generator=g),
}


@pytest.mark.parametrize("name", FILLS)
def test_a_generator_decides_alone(name):
    first = seeded(FILLS[name])
    cr.manual_seed(1)
    before = cr.rand(1).item()
    cr.manual_seed(1)
    np.testing.assert_array_equal(seeded(FILLS[name]), first)
    assert cr.rand(1).item() == before  # the default generator was left alone
    assert (seeded(FILLS[name], seed=8) != first).any()
    defaults = []
    for _ in range(2):
        cr.manual_seed(3)
        x = cr.empty(8, 12, 5, 5)
        FILLS[name](x, None)
        defaults.append(x.tolist())
    assert defaults[0] == defaults[1]


@pytest.mark.parametrize("name", FILLS)
def test_parameters_and_other_layouts_are_filled_without_a_history(name):
    p = cr.nn.Parameter(cr.empty(6, 5))
    assert FILLS[name](p, None) is p
    assert p.is_leaf
    assert cr.isfinite(p).all()
    base = cr.full((5, 12), 100.0)
    view = base.T[::2]
    FILLS[name](view, None)
    assert abs(view.numpy()).max() < 50
    assert (base.numpy()[:, 1::2] == 100).all()


def normal_cdf(z):
    return np.vectorize(lambda v: (1 + math.erf(v / math.sqrt(2))) / 2)(z)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        *[
            (0, 1, -2, 2),
            (0, 1, -0.3, 0.1),
            (1, 0.5, 0, 1.2),
            (0, 1, 2, 4),
            (0, 1, -5, -2.5),
            (0.0, 0.02, -2, 2),
        ],
        *[(0, 1, 2, 90), (0, 1, -400, -1), (1, 0.5, 2.5, 2.7), (0, 1, 1, math.inf), (0, 2, -math.inf, -4)],
    ],
)
def test_a_truncated_normal_has_its_distribution(mean, std, a, b):
    n = 50_000
    x = init.trunc_normal_(cr.empty(n), mean, std, a, b, generator=cr.Generator().manual_seed(5)).numpy()
    assert x.min() >= np.float32(a)
    assert x.max() <= np.float32(b)
    low, high = normal_cdf((a - mean) / std), normal_cdf((b - mean) / std)
    expected = (normal_cdf((np.sort(x) - mean) / std) - low) / (high - low)
    # Kolmogorov and Smirnov's distance: above 2 / sqrt(n) by chance in one of 1,500 runs, but the seed is fixed.
    assert np.abs(expected - (np.arange(n) + 0.5) / n).max() < 2 / math.sqrt(n)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0, 1e-3, 0.1, 2), (0.5, 1e-3, -2, 0.4), (0, 1, 100, math.inf)]
)
def test_far_from_the_mean_a_truncated_normal_falls_off_exponentially(mean, std, a, b):
    x = cr.empty(20_000, dtype=cr.float64)
    x = init.trunc_normal_(x, mean, std, a, b, generator=cr.Generator().manual_seed(5)).numpy()
    edge = a if mean < a else b
    slope = abs(edge - mean) / std
    d = np.abs(x - edge) / std * slope  # exponential with mean 1, up to 1 / slope² (Mills)
    assert a <= x.min()
    assert x.max() <= b
    assert abs(d.mean() - 1) < 5 / math.sqrt(20_000)
    assert abs(np.exp(-d).mean() - 0.5) < 5 * math.sqrt(1 / 12 / 20_000)


def test_bounds_that_are_hopelessly_far_give_the_nearer_one():
    assert init.trunc_normal_(cr.empty(50), 0.0, 1e-6, 0.1, 2.0).numpy() == pytest.approx(0.1)


ULP = float(np.spacing(np.float32(1)))
NARROW = {  # what has no float32 number, and what has one that no draw reaches
    "between": ((1.0, 1.0, 1 + 0.1 * ULP, 1 + 0.9 * ULP), "float32 has no number in"),
    "between, far": ((0.0, 1e-3, 1 + 0.1 * ULP, 1 + 0.9 * ULP), "float32 has no number in"),
    "too large": ((0.0, 1.0, 1e39, math.inf), "float32 has no number in"),
    "mean is rounded up": ((1 + 0.8 * ULP, 1e-9, 1.0, 1 + 0.9 * ULP), "float32 is too coarse for mean="),
}


@pytest.mark.parametrize("name", NARROW)
def test_bounds_that_float32_cannot_reach_are_an_error_and_no_endless_loop(name):
    numbers, text = NARROW[name]
    x = cr.ones(3)
    with pytest.raises(ValueError, match=f"trunc_normal_: {text}"):
        init.trunc_normal_(x, *numbers)
    assert x.tolist() == [1, 1, 1]


def test_bounds_with_few_numbers_between_them_are_reached():
    x = init.trunc_normal_(cr.empty(50), 1.0, 1.0, 1 - 0.1 * ULP, 1 + 0.1 * ULP)
    assert set(x.tolist()) == {1.0}
    assert (
        1
        < init.trunc_normal_(cr.empty(1, dtype=cr.float64), 1.0, 1.0, *NARROW["between"][0][2:]).item()
        < 1 + ULP
    )
    assert init.trunc_normal_(cr.empty(0)).shape == (0,)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 2, 3), (1, 9)])
@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
def test_rows_or_columns_are_orthogonal(shape, dtype):
    x = init.orthogonal_(cr.empty(shape, dtype=dtype), gain=1.5).numpy().reshape(shape[0], -1)
    small = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    np.testing.assert_allclose(small, 2.25 * np.eye(len(small)), atol=1e-6 if dtype is cr.float32 else 1e-14)


def test_orthogonal_matrices_have_no_preferred_direction():
    """Each entry of a uniformly distributed 3 x 3 matrix has mean 0 and variance 1/3; QR alone has a sign's bias."""
    g = cr.Generator().manual_seed(2)
    entries = np.stack([init.orthogonal_(cr.empty(3, 3), generator=g).numpy() for _ in range(4000)])
    assert np.abs(entries.mean(0)).max() < 5 * math.sqrt(1 / 3 / 4000)
    assert np.abs((entries**2).mean(0) - 1 / 3).max() < 5 * math.sqrt(0.09 / 4000)


def test_the_identity_of_any_shape():
    assert init.eye_(cr.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert init.eye_(cr.empty(2, 1, dtype=cr.float64)).tolist() == [[1], [0]]


def test_empty_tensors_are_left():
    for name, fill in FILLS.items():
        x = cr.empty(0, 3)
        assert fill(x, None) is x, name


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda: init.orthogonal_(cr.empty(3)),
            r"orthogonal_: the tensor needs at least 2 dimensions, got \[3\]",
        ),
        (lambda: init.eye_(cr.empty(3)), r"eye_: the tensor needs 2 dimensions, got \[3\]"),
        (lambda: init.trunc_normal_(cr.empty(3), std=0), "needs std > 0 and a < b, got std=0"),
        (lambda: init.trunc_normal_(cr.empty(3), a=2.0), "a=2.0, b=2.0"),
        (
            lambda: init.trunc_normal_(cr.empty(3), math.nan),
            "trunc_normal_: mean and std must be finite, got mean=nan",
        ),
        (lambda: init.trunc_normal_(cr.empty(3), std=math.inf), "trunc_normal_: mean and std must be finite"),
        (lambda: init.xavier_normal_(cr.empty(3)), "xavier_normal_: the tensor needs at least 2 dimensions"),
        (lambda: init.kaiming_normal_(cr.empty(3, 3), mode="fan"), "mode must be one of fan_in, fan_out"),
    ],
)
def test_bad_arguments_raise_and_name_the_rule(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_weights_that_depend_on_their_own_values_cannot_be_recorded():
    p = cr.zeros(3, 3)
    for fill in (init.trunc_normal_, init.orthogonal_):
        captured = cr.capture(lambda: fill(p))  # noqa: B023
        captured()
        with pytest.raises(RuntimeError, match="record"):
            captured()


@pytest.mark.peers
def test_formulas_are_pytorchs():
    from peers import torch

    theirs = torch.nn.init
    for shape in SHAPES:
        expected = theirs._calculate_fan_in_and_fan_out(torch.empty(shape))
        assert init.fan_in_and_fan_out("", cr.empty(shape)) == expected
    for name in ("linear", "conv1d", "conv_transpose2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == theirs.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == theirs.calculate_gain("leaky_relu", 0.3)
    for name, options in [
        ("xavier_uniform_", {"gain": 2.0}), ("kaiming_uniform_", {"a": 0.3, "mode": "fan_out"}),
        ("kaiming_uniform_", {}),
    ]:  # fmt: skip
        ours, peer = (
            getattr(m, name)(lib.empty(700, 500), **options) for m, lib in ((init, cr), (theirs, torch))
        )
        # The largest of 350,000 uniform numbers is within 6e-5 of the end, but for chance e^-20.
        assert abs(ours).max().item() == pytest.approx(peer.abs().max().item(), rel=2e-4)
    for name, options in [
        ("xavier_normal_", {}), ("kaiming_normal_", {"nonlinearity": "relu"}), ("trunc_normal_", {"std": 0.7}),
        ("trunc_normal_", {"a": 1.0, "b": 3.0}), ("orthogonal_", {"gain": 2.0}),
    ]:  # fmt: skip
        ours, peer = (
            getattr(m, name)(lib.empty(700, 500), **options) for m, lib in ((init, cr), (theirs, torch))
        )
        # 350,000 numbers: the standard error of the deviation is 0.12 %, of the mean 0.0017 deviations.
        assert ours.std().item() == pytest.approx(peer.std().item(), rel=0.01)
        assert ours.mean().item() == pytest.approx(peer.mean().item(), abs=0.01 * peer.std().item())
