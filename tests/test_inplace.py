"""In-place ops and the history of what they change."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core, autograd


def leaf(*values, dtype=cr.float64):
    return cr.tensor(list(values), dtype=dtype, requires_grad=True)


def test_a_saved_tensor_changed_in_place_raises_and_names_both_ops():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    with cr.no_grad():
        y.add_(1.0)
    with pytest.raises(RuntimeError, match=r"shape \[2\] that mul saved .* changed in place by add"):
        z.sum().backward()
    assert x.grad is None


def test_in_place_on_a_leaf_raises_and_leaves_it():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf that requires grad"):
        x.add_(1.0)
    np.testing.assert_array_equal(x.detach().numpy(), [1.0, 2.0])
    with cr.no_grad():
        x.add_(1.0)
    np.testing.assert_array_equal(x.detach().numpy(), [2.0, 3.0])


def test_in_place_on_a_view_that_needs_a_gradient_raises():
    x = leaf(1.0, 2.0)
    y = x * 1.0
    view = y.reshape(2, 1)
    with pytest.raises(RuntimeError, match="shares its memory with views"):
        view.mul_(2.0)
    with pytest.raises(RuntimeError, match="shares its memory with views"):
        y.mul_(2.0)


@pytest.mark.parametrize(
    ("in_place", "plain"),
    [
        (lambda y, b: y.add_(b), lambda y, b: y + b),
        (lambda y, b: y.mul_(b), lambda y, b: y * b),
        (lambda y, b: y.sub_(b, alpha=2), lambda y, b: y - 2 * b),
        (lambda y, b: y.div_(b), lambda y, b: y / b),
        (lambda y, b: y.pow_(2), lambda y, b: y**2 + 0 * b),
        (lambda y, b: y.exp_(), lambda y, b: cr.exp(y) + 0 * b),
        (lambda y, b: y.sigmoid_(), lambda y, b: cr.sigmoid(y) + 0 * b),
        (lambda y, b: y.tanh_(), lambda y, b: cr.tanh(y) + 0 * b),
        (lambda y, b: y.relu_(), lambda y, b: cr.relu(y) + 0 * b),
        (lambda y, b: y.neg_(), lambda y, b: -y + 0 * b),
        (lambda y, b: y.clamp_(-0.5, 0.5), lambda y, b: y.clamp(-0.5, 0.5) + 0 * b),
        (lambda y, b: y.copy_(b), lambda y, b: b + 0 * y),
        (lambda y, b: y.zero_(), lambda y, b: 0 * y + 0 * b),
    ],
)
def test_in_place_forms_give_the_gradients_of_plain_ones(in_place, plain):
    results = []
    for f in (in_place, plain):
        x, b = leaf(0.3, -0.7, 1.2), leaf(2.0, 0.5, 1.5)
        y = x * 3.0
        out = f(y, b)
        out.sum().backward()
        grads = [np.zeros(3) if t.grad is None else t.grad.numpy() for t in (x, b)]
        results.append([out.detach().numpy(), *grads])
    for a, e in zip(*results, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-12)


@pytest.mark.parametrize(
    ("in_place", "expected"),
    [
        (lambda y: y.mul_(y), 6.0),
        (lambda y: y.mul_(y.detach()), 3.0),
        (lambda y: y.div_(y), 0.0),
        (lambda y: y.div_(y.detach()), 1 / 3),
        (lambda y: y.pow_(y), 27 * (np.log(3.0) + 1)),
        (lambda y: y.pow_(y.detach()), 27.0),
        (lambda y: y.add_(y), 2.0),
        (lambda y: y.sub_(y), 0.0),
        (lambda y: y.clamp_(max=y.detach()), 1.0),
    ],
)
def test_in_place_with_itself_or_an_alias_gives_the_gradient_of_the_plain_form(in_place, expected):
    x = leaf(3.0)
    in_place(x * 1.0).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [expected])


def test_a_saved_operand_that_the_in_place_op_writes_itself_is_found_stale():
    y = leaf(3.0) * 1.0
    rule = cr.ops.elementwise.mul_backward
    autograd.record_(y, lambda: _core.mul(y._t, 2.0, y._t), (y,), rule, lambda: (y._t, y._t))
    with pytest.raises(RuntimeError, match=r"that mul saved .* changed in place by mul"):
        y.sum().backward()


def test_an_in_place_op_that_fails_leaves_the_history():
    x = leaf(1.0, 2.0)
    y = x * 3.0
    with pytest.raises(ValueError, match="mul"):
        y.mul_(cr.ones(3, dtype=cr.float64))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3.0, 3.0])


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "sqrt", "relu"])
def test_in_place_under_no_grad_does_not_refresh_what_an_earlier_op_saved(name):
    y = getattr(cr, name)(leaf(0.5, 2.0))
    with cr.no_grad():
        getattr(y, name + "_")()
    with pytest.raises(RuntimeError, match=f"that {name} saved .* changed in place by {name}"):
        y.sum().backward()


def test_retain_grad_follows_the_tensor_through_in_place_ops():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.mul_(3.0)
    y.exp_()
    (y * 5).sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [5.0, 5.0])
    np.testing.assert_allclose(x.grad.numpy(), 30 * np.exp([6.0, 12.0]))
