"""nn.utils: clipping gradients, with PyTorch's numbers."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn


def with_gradients(*arrays):
    parameters = [nn.Parameter(cr.zeros(a.shape)) for a in arrays]
    for p, a in zip(parameters, arrays):
        p.grad = cr.tensor(a)
    return parameters


def gradients():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in ((3, 4), (5,), (1, 1))]


@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, math.inf])
def test_gradients_are_scaled_to_the_norm_and_the_norm_before_is_returned(order):
    arrays = gradients()
    parameters = [*with_gradients(*arrays), nn.Parameter(cr.zeros(2))]  # the last one has none
    flat = np.concatenate([a.ravel() for a in arrays]).astype(np.float64)
    expected = np.linalg.norm(flat, order)
    norm = nn.utils.clip_grad_norm_(parameters, 0.5, order)
    assert norm.item() == pytest.approx(expected, rel=1e-6)
    for p, a in zip(parameters, arrays):
        np.testing.assert_allclose(p.grad.numpy(), a * 0.5 / (expected + 1e-6), rtol=1e-5)
    assert parameters[-1].grad is None


def test_gradients_below_the_limit_keep_every_bit():
    arrays = gradients()
    parameters = with_gradients(*arrays)
    nn.utils.clip_grad_norm_(iter(parameters), 1e6)
    assert all(np.array_equal(p.grad.numpy(), a) for p, a in zip(parameters, arrays))


def test_values_are_limited_on_both_sides():
    arrays = gradients()
    parameters = with_gradients(*arrays)
    nn.utils.clip_grad_value_(parameters, 0.3)
    for p, a in zip(parameters, arrays):
        np.testing.assert_array_equal(p.grad.numpy(), np.clip(a, np.float32(-0.3), np.float32(0.3)))


def test_no_gradients_have_norm_0():
    assert nn.utils.clip_grad_norm_([nn.Parameter(cr.zeros(2))], 1.0).item() == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_raises_on_request_and_changes_nothing(bad):
    first, second = np.array([1.0, 2.0], np.float32), np.array([bad], np.float32)
    parameters = with_gradients(first, second)
    with pytest.raises(RuntimeError, match=r"clip_grad_norm_: the norm of order 2.0 of all gradients is"):
        nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(parameters[0].grad.numpy(), first)


@pytest.mark.parametrize("limit", [-1.0, math.nan])
def test_limits_below_0_are_refused(limit):
    parameters = with_gradients(*gradients())
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm must be at least 0, got"):
        nn.utils.clip_grad_norm_(parameters, limit)
    with pytest.raises(ValueError, match="clip_grad_value_: clip_value must be at least 0, got"):
        nn.utils.clip_grad_value_(parameters, limit)


@pytest.mark.peers
@pytest.mark.parametrize("order", [2.0, 1.0, math.inf])
@pytest.mark.parametrize("limit", [0.1, 100.0])
def test_clipping_agrees_with_pytorch(order, limit):
    torch = pytest.importorskip("torch")
    arrays = gradients()
    parameters = with_gradients(*arrays)
    theirs = [torch.nn.Parameter(torch.zeros(a.shape)) for a in arrays]
    for p, a in zip(theirs, arrays):
        p.grad = torch.tensor(a)
    ours = nn.utils.clip_grad_norm_(parameters, limit, order).item()
    assert ours == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, limit, order).item(), rel=1e-6)
    for p, t in zip(parameters, theirs):
        np.testing.assert_allclose(p.grad.numpy(), t.grad.numpy(), rtol=1e-5)
