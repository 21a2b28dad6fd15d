"""weight_norm: values and state are as before, names are PyTorch's, and what is taken off leaves a plain module."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn.utils.parametrizations import weight_norm
from chainrule.nn.utils.parametrize import is_parametrized, remove_parametrizations

LAYERS = [(lambda: nn.Linear(4, 3), (5, 4)), (lambda: nn.Conv2d(2, 3, 2), (2, 2, 5, 4))]


def norms(weight, dim):
    axes = None if dim in (None, -1) else tuple(d for d in range(weight.ndim) if d != dim % weight.ndim)
    return np.sqrt((weight**2).sum(axes, keepdims=axes is not None))


@pytest.mark.parametrize("dim", [0, 1, -1, -2, None])
@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_the_value_stays_and_the_length_is_a_parameter(make, shape, dim):
    layer, x = make().double(), cr.randn(*shape, dtype=cr.float64)
    before, weight = layer(x).detach().numpy(), layer.weight.detach().numpy().copy()
    assert weight_norm(layer, dim=dim) is layer
    np.testing.assert_allclose(layer(x).detach().numpy(), before, rtol=1e-12, atol=1e-14)
    state = layer.state_dict()
    assert list(state) == ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    length = state["parametrizations.weight.original0"].numpy()
    np.testing.assert_allclose(length, norms(weight, dim), rtol=1e-12)
    with cr.no_grad():
        layer.parametrizations.weight.original0.mul_(2.0)
        layer.parametrizations.weight.original1.mul_(5.0)
    np.testing.assert_allclose(layer.weight.detach().numpy(), 2 * weight, rtol=1e-12)


def test_only_the_named_parameter_is_replaced_and_each_is_taken_off_alone():
    layer = nn.Linear(3, 2)
    kind, weight, bias = type(layer), layer.weight.tolist(), layer.bias.tolist()
    weight_norm(layer, "bias", dim=None)
    weight_norm(layer)
    assert (type(layer).__name__, isinstance(layer, nn.Linear)) == ("ParametrizedLinear", True)
    assert [is_parametrized(layer, n) for n in ("weight", "bias", "other")] == [True, True, False]
    assert remove_parametrizations(layer, "weight") is layer
    assert [is_parametrized(layer, n) for n in ("weight", "bias")] == [False, True]
    remove_parametrizations(layer, "bias")
    assert type(layer) is kind
    assert not is_parametrized(layer)
    assert repr(layer) == repr(nn.Linear(3, 2))
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_allclose(layer.weight.tolist(), weight, rtol=1e-6)
    np.testing.assert_allclose(layer.bias.tolist(), bias, rtol=1e-6)
    layer(cr.ones(1, 3)).sum().backward()
    assert layer.weight.grad is not None


def test_a_copy_and_a_loaded_state_are_apart():
    layer = weight_norm(nn.Linear(3, 2))
    other = copy.deepcopy(layer)
    with cr.no_grad():
        other.parametrizations.weight.original0.zero_()
    assert abs(layer.weight).sum().item() > 0
    assert (other.weight == 0).all()
    other.load_state_dict(layer.state_dict())
    assert other.weight.tolist() == layer.weight.tolist()


def test_conversion_and_frozen_parameters_are_kept():
    layer = nn.Linear(3, 2).requires_grad_(False)
    weight_norm(layer).double()
    assert layer.weight.dtype is cr.float64
    assert not any(p.requires_grad for p in layer.parameters())
    assert not remove_parametrizations(layer, "weight").weight.requires_grad


def test_a_layer_is_trained_through_it():
    cr.manual_seed(0)
    layer = weight_norm(nn.Linear(4, 1))
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    x = cr.randn(64, 4)
    target = x @ cr.tensor([[1.0], [-2.0], [0.5], [3.0]])
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.mse_loss(layer(x), target).backward()
        optimizer.step()
    np.testing.assert_allclose(layer.weight.detach().numpy(), [[1.0, -2.0, 0.5, 3.0]], atol=1e-3)


def test_mistakes_are_named_and_change_nothing():
    layer = nn.Linear(3, 2)
    for call, error, match in [
        (lambda: weight_norm(layer, "kernel"), ValueError, "weight_norm: Linear has no parameter named 'kernel'"),
        (lambda: weight_norm(layer, dim=2), IndexError,
         r"weight_norm: dim 2 is out of range for a parameter of shape \[2, 3\]"),
        (lambda: remove_parametrizations(layer, "weight"), ValueError,
         "remove_parametrizations: Linear has no parametrized 'weight'"),
    ]:  # fmt: skip
        with pytest.raises(error, match=match):
            call()
    assert type(layer) is nn.Linear
    assert list(layer.state_dict()) == ["weight", "bias"]
    weight_norm(layer)
    names = list(layer.state_dict())
    with pytest.raises(
        ValueError, match="weight_norm: ParametrizedLinear has a parametrized tensor named 'weight'"
    ):
        weight_norm(layer)
    with pytest.raises(ValueError, match="remove_parametrizations: leave_parametrized must be True"):
        remove_parametrizations(layer, "weight", leave_parametrized=False)
    for value in (nn.Parameter(cr.ones(2, 3)), cr.ones(2, 3)):
        with pytest.raises(AttributeError):
            layer.weight = value
    assert list(layer.state_dict()) == names
