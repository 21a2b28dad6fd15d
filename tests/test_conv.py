"""Convolutions computed by Winograd's filtering, beside the direct kernel.

The direct kernel of the same sums is a 3x4 kernel whose last column is zero. test_isa.py runs this file on every
instruction set.
"""

import numpy as np
import pytest

import chainrule as cr

# images, channels, filters, size: of the sizes that networks have, whole and cut tiles, long and short sums.
SHAPES = [(2, 64, 64, 28), (8, 128, 64, 14), (16, 256, 64, 7), (1, 32, 48, 57), (32, 16, 16, 9)]


def arrays(shape, rectified=True):
    """What a layer sees: activations, weights as they are initialised, a gradient."""
    images, channels, filters, size = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((images, channels, size, size)).astype("float32")
    w = rng.standard_normal((filters, channels, 3, 3)) * np.sqrt(2 / (9 * channels))
    g = rng.standard_normal((images, filters, size, size))
    return np.maximum(x, 0) if rectified else x, w.astype("float32"), g.astype("float32")


def results(x, w, g, padding=1):
    """The result, and the gradients of x and w."""
    x, w = (cr.tensor(a, requires_grad=True) for a in (x, w))
    y = cr.conv2d(x, w, padding=padding)
    y.backward(cr.tensor(g))
    return [t.detach().numpy() for t in (y, x.grad, w.grad)]


def direct(x, w, g):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 2)))
    w = np.pad(w, ((0, 0), (0, 0), (0, 0), (0, 1)))
    y, dx, dw = results(x, w, g, padding=0)
    return y, dx[:, :, 1:-1, 1:-2], dw[..., :3]


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_error_is_at_most_four_times_the_direct_kernels(shape, rectified):
    inputs = arrays(shape, rectified)
    exact = results(*(a.astype("float64") for a in inputs))
    for what, y, plain, r in zip(("y", "dx", "dw"), results(*inputs), direct(*inputs), exact, strict=True):
        error, bound = (np.sqrt(np.mean((a - r) ** 2)) for a in (y, plain))
        assert error <= 4 * bound, f"{what}: {error / bound:.2f} times the direct kernel's"
        assert what != "y" or error > 1.2 * bound, "not Winograd's filtering: the shape shows nothing"
        assert bound <= 1e-6 * r.std(), (
            f"{what}: the direct kernel's error is {bound / r.std():.2g} of the values"
        )
        assert error <= 1e-6 * r.std(), f"{what}: {error / r.std():.2g} of the values"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize("where", [0, 1, 2], ids=["x", "w", "g"])
@np.errstate(all="ignore")
def test_what_is_not_finite_stays_where_the_kernel_sees_it(where, value):
    inputs = arrays((2, 18, 20, 17))
    inputs[where][1, 3, 1, 2] = value  # 1e38 overflows in a tile's transform, not in the definition's sums
    exact = results(*(a.astype("float64") for a in inputs))
    assert np.isfinite(exact[0]).mean() > 0.9
    for what, y, r in zip(("y", "dx", "dw"), results(*inputs), exact, strict=True):
        np.testing.assert_array_equal(np.isfinite(y), np.isfinite(r), err_msg=what)
        np.testing.assert_allclose(y, r, rtol=1e-4, atol=1e-4, err_msg=what)


def test_one_large_value_costs_its_neighbours_no_more_than_their_own_tile():
    x, w, g = arrays((2, 18, 20, 17))
    before = results(x, w, g)[0]
    x[1, 3, 1, 2] = 1e6
    after = results(x, w, g)[0]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1, :, 4:], before[1, :, 4:])
    np.testing.assert_array_equal(after[1, :, :, 4:], before[1, :, :, 4:])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_threads_do_not_change_a_bit(shape, threads):
    inputs = arrays(shape)
    threads(1)
    expected = results(*inputs)
    for n in (2, 3):
        threads(n)
        for a, b in zip(results(*inputs), expected, strict=True):
            np.testing.assert_array_equal(a, b)
