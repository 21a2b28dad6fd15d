"""A step is one native call, whatever the optimizer, its settings and the number of parameters."""

import inspect

import pytest

import chainrule as cr
from chainrule import _core, nn, optim
from test_capture_table import OPTIMIZERS

ALL = [
    name for name in optim.__all__ if name != "Optimizer" and isinstance(vars(optim)[name], type)
]  # also one that has no row there
CASES = [(name, options) for name in ALL for options in OPTIMIZERS.get(name, [{}])]


@pytest.fixture
def native_calls(monkeypatch):
    """Calls a function, and gives the names of the compiled functions and methods that it called."""
    names = []

    def counted(name, function):
        def call(*args, **kwargs):
            names.append(name)
            return function(*args, **kwargs)

        return call

    for owner in (_core, _core.Tensor, _core.OptimPack):
        for name, member in list(vars(owner).items()):
            if inspect.isroutine(member) and not name.startswith("_"):
                monkeypatch.setattr(owner, name, counted(name, member))

    def calls(function):
        names.clear()
        function()
        return list(names)

    return calls


def parameters(count):
    params = [nn.Parameter(cr.randn(64)) for _ in range(count)]
    for p in params:
        p.grad = cr.randn(64)
    return params


def test_the_count_sees_functions_and_methods(native_calls):
    x = cr.randn(3)
    assert "exp" in native_calls(lambda: x.exp())
    assert "numel" in native_calls(lambda: x._t.numel())


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
@pytest.mark.parametrize("count", [1, 100])
def test_a_step_is_one_native_call(name, options, count, native_calls):
    optimizer = getattr(optim, name)(parameters(count), lr=1e-3, **options)
    optimizer.step()  # makes the state and the pack
    for _ in range(2):
        assert native_calls(optimizer.step) == ["step"]


@pytest.mark.parametrize("name", ALL)
def test_each_group_is_a_call_and_a_new_setting_another(name, native_calls):
    groups = [{"params": parameters(50)}, {"params": parameters(50), "lr": 1e-4}]
    optimizer = getattr(optim, name)(groups, lr=1e-3)
    optimizer.step()
    assert native_calls(optimizer.step) == ["step", "step"]
    optimizer.param_groups[1]["lr"] = 1e-5  # its value is brought to where the kernel reads it, once
    assert native_calls(optimizer.step) == ["set_values", "step", "step"]
    assert native_calls(optimizer.step) == ["step", "step"]


def test_new_gradients_do_not_cost_a_call(native_calls):
    params = parameters(100)
    optimizer = optim.Adam(params)
    optimizer.step()
    for p in params:
        p.grad = cr.randn(64)
    assert native_calls(optimizer.step) == ["step"]
