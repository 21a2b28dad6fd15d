"""Errors of the elementary functions in units in the last place, over every magnitude; exact results of division.

float32 is compared with NumPy's float64, float64 with its 80-bit long double where there is one. test_isa.py runs
this file on every instruction set.
"""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops

WIDE = {"float32": np.float64, "float64": np.longdouble}
DTYPES = ["float32"]
if np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant:
    DTYPES.append("float64")

erf = np.vectorize(math.erf, otypes=[float])  # itself within 1 ULP of float64
# name: NumPy's function, bounds in float32 and float64. exp, tanh and sigmoid are promised; the bounds of the
# others are the largest errors measured (csrc/cpu/math.h), rounded up. Roots and quotients round correctly.
FUNCTIONS = {
    "exp": (np.exp, 2, 2), "tanh": (np.tanh, 4, 4), "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 4, 4),
    "expm1": (np.expm1, 2, 2.5), "log": (np.log, 1, 1), "log1p": (np.log1p, 2, 2), "erf": (erf, 1.5, 3.5),
    "sqrt": (np.sqrt, 0.51, 0.51), "reciprocal": (lambda x: 1 / x, 0.51, 0.51),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 1.51, 1.51),
}  # fmt: skip


def operands(dtype):
    """Bit patterns of every exponent and sign, dense ranges, the edges of over- and underflow, special values."""
    limits, rng = np.finfo(dtype), np.random.default_rng(0)
    if dtype == "float32":
        patterns = np.arange(0, 2**32, 8191, dtype=np.uint64).astype(np.uint32).view(dtype)
    else:
        patterns = rng.integers(0, 2**64, 500_000, dtype=np.uint64).view(dtype)
    dense = [rng.uniform(-a, a, 100_000) for a in (1e-3, 1.5, 20, 1.1 * math.log(limits.max))]
    edges = [math.log(limits.max), math.log(limits.tiny), math.log(limits.smallest_subnormal), -1.0, 1.0]
    around = [e + k * limits.eps * abs(e) for e in edges for k in range(-9, 10)]
    special = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        limits.tiny,
        limits.max,
        -limits.max,
        limits.smallest_subnormal,
    ]
    return np.concatenate([patterns, *dense, around, special]).astype(dtype)


def errors(actual, exact):
    """|actual - exact| in ULP; overflow counts as the power of two that is one step too far."""
    limits = np.finfo(actual.dtype)
    top = np.ldexp(exact.dtype.type(1), limits.maxexp)
    exact, actual = np.clip(exact, -top, top), np.clip(actual.astype(exact.dtype), -top, top)
    exponent = np.clip(np.frexp(exact)[1], limits.minexp + 1, limits.maxexp)
    return np.abs(actual - exact) / np.ldexp(exact.dtype.type(1), exponent - 1 - limits.nmant)


def assert_within(actual, exact, bound, describe):
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(exact))
    valid = ~np.isnan(exact)
    error = np.where(valid, errors(actual, np.where(valid, exact, 1)), 0)
    worst = int(np.argmax(error))
    assert error[worst] <= bound, f"{describe(worst)}: {actual[worst]!r} is {error[worst]:.2f} ULP off"
    zero = valid & (actual == 0)
    np.testing.assert_array_equal(np.signbit(actual[zero]), np.signbit(exact[zero]), "the sign of a zero")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
@np.errstate(all="ignore")
def test_function_is_within_its_bound_over_the_whole_range(name, dtype):
    numpy, *bounds = FUNCTIONS[name]
    x = operands(dtype)
    exact = numpy(x.astype(WIDE[dtype])).astype(WIDE[dtype])
    actual = getattr(ops, name)(cr.tensor(x)).numpy()
    assert_within(actual, exact, bounds[DTYPES.index(dtype)], lambda i: f"{name}({x[i]!r})")


def sigmoid(x):
    return np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x)))


def mish_slope(x):
    e = np.exp(-np.abs(x))
    b = np.where(x < 0, 1, e)
    # 1 - tanh(log u)^2 = (2 u / (u^2 + 1))^2 with u = 1 + e^x = (1 + e) / b: nothing cancels.
    rest = (2 * (1 + e) * b / ((1 + e) ** 2 + b**2)) ** 2
    return np.tanh(np.logaddexp(0, x)) + x * rest * sigmoid(x)


# name: the op, its value and its derivative
ACTIVATIONS = {
    "silu": (ops.silu, lambda x: x * sigmoid(x), lambda x: sigmoid(x) + x * sigmoid(x) * sigmoid(-x)),
    "mish": (ops.mish, lambda x: x * np.tanh(np.logaddexp(0, x)), mish_slope),
    "softplus": (lambda x: ops.softplus(x, threshold=800.0), lambda x: np.logaddexp(0, x), sigmoid),
    "logsigmoid": (ops.logsigmoid, lambda x: -np.logaddexp(0, -x), lambda x: sigmoid(-x)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
@np.errstate(all="ignore")
def test_activations_neither_overflow_nor_lose_digits(name, dtype):
    """Values and derivatives to a few units in the last place, of the larger summand where two cancel, down to where
    the exponential is subnormal."""
    op, value, slope = ACTIVATIONS[name]
    x, limits = operands(dtype), np.finfo(dtype)
    wide = x.astype(WIDE[dtype])
    leaf = cr.tensor(x, requires_grad=True)
    y = op(leaf)
    y.sum().backward()
    summand = (1 + np.abs(wide)) * np.exp(-np.abs(wide))
    for actual, exact in ((y.detach().numpy(), value(wide)), (leaf.grad.numpy(), slope(wide))):
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(exact))
        finite = np.isfinite(exact)
        np.testing.assert_array_equal(actual[np.isinf(exact)], exact[np.isinf(exact)].astype(dtype))
        scale = np.maximum(np.abs(exact), np.where(np.isinf(wide), 0, summand))
        subnormal = (2 + np.minimum(np.abs(wide), 1000)) * limits.smallest_subnormal
        bound = 8 * limits.eps * scale + subnormal
        excess = np.where(finite, np.abs(actual - exact) - bound, 0)
        worst = int(np.argmax(excess))
        assert excess[worst] <= 0, f"{name} at {x[worst]!r}: {actual[worst]!r}, not {exact[worst]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
@np.errstate(all="ignore")
def test_pow_is_within_its_bound(dtype):
    rng = np.random.default_rng(0)
    base = np.exp(rng.uniform(-80, 80, 300_000)).astype(dtype)
    exponent = rng.uniform(-3, 3, base.size).astype(dtype)
    exact = base.astype(WIDE[dtype]) ** exponent.astype(WIDE[dtype])
    actual = ops.pow(cr.tensor(base), cr.tensor(exponent)).numpy()
    bound = 1 if dtype == "float32" else 1.5
    assert_within(actual, exact, bound, lambda i: f"pow({base[i]!r}, {exponent[i]!r})")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("exp", [0.0, -0.0, np.inf, -np.inf, np.nan], [1.0, 1.0, np.inf, 0.0, np.nan]),
        ("expm1", [0.0, -0.0, np.inf, -np.inf, np.nan], [0.0, -0.0, np.inf, -1.0, np.nan]),
        ("log", [0.0, -0.0, 1.0, np.inf, -1.0, -np.inf], [-np.inf, -np.inf, 0.0, np.inf, np.nan, np.nan]),
        ("log1p", [0.0, -0.0, -1.0, np.inf, -2.0], [0.0, -0.0, -np.inf, np.inf, np.nan]),
        ("sqrt", [0.0, -0.0, 4.0, np.inf, -1.0], [0.0, -0.0, 2.0, np.inf, np.nan]),
        ("rsqrt", [0.0, 4.0, np.inf, -1.0], [np.inf, 0.5, 0.0, np.nan]),
        ("tanh", [0.0, -0.0, np.inf, -np.inf, 50.0], [0.0, -0.0, 1.0, -1.0, 1.0]),
        ("sigmoid", [0.0, np.inf, -np.inf, np.nan], [0.5, 1.0, 0.0, np.nan]),
        ("erf", [0.0, -0.0, np.inf, -np.inf, 10.0], [0.0, -0.0, 1.0, -1.0, 1.0]),
    ],
)
def test_special_values_are_exact(name, x, expected, dtype):
    actual = getattr(ops, name)(cr.tensor(x, dtype=getattr(cr, dtype))).numpy()
    np.testing.assert_array_equal(actual, np.asarray(expected, dtype))
    signs = [np.signbit(np.where(np.isnan(y), 0, y)) for y in (actual, expected)]
    np.testing.assert_array_equal(*signs, "the sign of a zero")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
@np.errstate(all="ignore")
def test_floor_division_and_remainder_have_numpys_values_exactly(name, dtype):
    limits = np.finfo(dtype)
    positive = [0.0, 0.1, 0.3, 0.5, 0.7, 1.0, 3.0, 7.0, 1e8, 1e16, 1e20, 1e30, 1e-8, 1e-30, limits.tiny, limits.max,
                limits.smallest_subnormal, np.inf]  # fmt: skip
    values = np.array([*positive, *(-x for x in positive), np.nan, *(k / 10 for k in range(-25, 26))], dtype)
    a, b = (m.ravel() for m in np.meshgrid(values, values))
    expected = getattr(np, name)(a, b)
    actual = getattr(ops, name)(cr.tensor(a), cr.tensor(b)).numpy()
    wrong = ~((actual == expected) | (np.isnan(actual) & np.isnan(expected)))
    assert not wrong.any(), [(*pair, x, y) for *pair, x, y in zip(a, b, actual, expected)][
        int(np.argmax(wrong))
    ]
