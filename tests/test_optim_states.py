"""Optimizers: states and exact resume, steps without gradients, groups that are refused."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

KINDS = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.Adam, {}),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (optim.AdamW, {"maximize": True}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "average": True}),
    (optim.Adam, {"eps": 1e-3, "eps_inside_sqrt": True}),
    (optim.NAdam, {"weight_decay": 0.1}),
    (optim.RAdam, {"betas": (0.8, 0.9)}),
    (optim.RMSprop, {}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True}),
    (optim.Adagrad, {"initial_accumulator_value": 0.1, "lr_decay": 0.1}),
    (optim.Adadelta, {"lr": 0.5}),
    (optim.Lion, {"weight_decay": 0.1}),
]


def network():
    cr.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))


def train(model, optimizer, steps, start=0):
    for t in range(start, start + steps):
        x = cr.tensor(np.random.default_rng(t).standard_normal((6, 3)).astype(np.float32))
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()
    return [p.detach().numpy().tobytes() for p in model.parameters()]


@pytest.mark.parametrize(("kind", "kwargs"), KINDS, ids=str)
@pytest.mark.parametrize("stop", [0, 1, 4])
def test_training_resumes_from_a_state_dict_with_the_same_bits(kind, kwargs, stop):
    model = network()
    expected = train(model, kind(model.parameters(), **kwargs), 9)
    model = network()
    optimizer = kind(model.parameters(), **kwargs)
    train(model, optimizer, stop)
    saved, weights = optimizer.state_dict(), model.state_dict()
    resumed = network()
    resumed.load_state_dict(weights)
    # The settings come with the state: what this one starts with is replaced.
    other = kind(resumed.parameters(), **{**kwargs, "lr": 3.0})
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
    assert train(resumed, other, 9 - stop, stop) == expected


def test_a_loaded_state_is_a_copy():
    model = network()
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer, 2)
    saved = optimizer.state_dict()
    before = saved["state"][0]["exp_avg"].numpy().copy()
    other = optim.Adam(network().parameters())
    other.load_state_dict(saved)
    train(model, optimizer, 1)
    np.testing.assert_array_equal(other.state_dict()["state"][0]["exp_avg"].numpy(), before)
    assert other.state_dict()["state"][0]["step"].item() == 2


def test_the_state_dict_has_pytorchs_form():
    model = network()
    optimizer = optim.Adam([{"params": model[0].parameters()}, {"params": model[2].bias, "lr": 0.5}])
    train(model, optimizer, 1)
    state = optimizer.state_dict()
    assert [g["params"] for g in state["param_groups"]] == [[0, 1], [2]]
    assert [g["lr"] for g in state["param_groups"]] == [1e-3, 0.5]
    assert set(state["state"]) == {0, 1, 2}
    assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize(("kind", "kwargs"), KINDS, ids=str)
def test_a_state_that_does_not_fit_changes_nothing(kind, kwargs):
    model = network()
    optimizer = kind(model.parameters(), **kwargs)
    train(model, optimizer, 2)
    good = optimizer.state_dict()
    few = {"state": {}, "param_groups": [{**good["param_groups"][0], "params": [0, 1]}]}
    strange = {"state": {9: {}}, "param_groups": good["param_groups"]}
    tall = {"state": {0: {"exp_avg": cr.ones(7)}}, "param_groups": good["param_groups"]}
    negative = {"state": {}, "param_groups": [{**good["param_groups"][0], "lr": -1.0}]}
    lacking = {"state": {}, "param_groups": [{"params": [0, 1, 2, 3], "lr": 0.5}]}
    for state, text in [
        (few, r"load_state_dict: expects groups of \[4\] parameters, got \[2\]"),
        (strange, "state of an unknown parameter 9"),
        (tall, r"exp_avg of parameter 0 has shape \[7\], the parameter \[5, 3\]"),
        (negative, "lr must be at least 0, got -1"),
        (lacking, "load_state_dict: group 0 lacks .*; is it of another optimizer"),
        ({"weight": cr.ones(1)}, "load_state_dict: expects a dictionary with 'state' and 'param_groups'"),
    ]:
        with pytest.raises(ValueError, match=text):
            optimizer.load_state_dict(state)
        assert optimizer.param_groups[0]["lr"] == good["param_groups"][0]["lr"]
    twin = network()
    assert train(model, optimizer, 2, 2) == train(twin, kind(twin.parameters(), **kwargs), 4)


# ---- steps ----


@pytest.mark.parametrize(("kind", "kwargs"), KINDS, ids=str)
def test_a_step_without_any_gradient_raises_and_changes_nothing(kind, kwargs):
    model = network()
    before = [p.detach().numpy().tobytes() for p in model.parameters()]
    optimizer = kind(model.parameters(), **kwargs)
    with pytest.raises(
        RuntimeError, match=rf"{kind.__name__}.step: no parameter has a gradient; call backward\(\)"
    ):
        optimizer.step()
    assert [p.detach().numpy().tobytes() for p in model.parameters()] == before
    assert optimizer.state_dict()["state"] == {}
    # Also after steps that had gradients.
    train(model, optimizer, 1)
    optimizer.zero_grad()
    with pytest.raises(RuntimeError, match="no parameter has a gradient"):
        optimizer.step()


@pytest.mark.parametrize(("kind", "kwargs"), KINDS, ids=str)
def test_parameters_without_gradient_are_skipped(kind, kwargs):
    a, b = cr.ones(3, requires_grad=True), cr.ones(3, requires_grad=True)
    optimizer = kind([a, b], **kwargs)
    (a * 2).sum().backward()
    optimizer.step()
    assert b.tolist() == [1, 1, 1]
    assert a.tolist() != [1, 1, 1]
    assert 1 not in optimizer.state_dict()["state"]


def test_zero_grad():
    a = cr.ones(2, requires_grad=True)
    optimizer = optim.SGD([a], lr=0.5)
    a.sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert a.grad is None
    a.sum().backward()
    optimizer.step()
    assert a.tolist() == [0.5, 0.5]


def test_a_closure_is_evaluated_with_gradients():
    a = cr.ones(2, requires_grad=True)
    optimizer = optim.SGD([a], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (a * a).sum()
        loss.backward()
        return loss

    with cr.no_grad():
        assert optimizer.step(closure).item() == 2
    assert a.tolist() == [0, 0]


def test_a_step_does_not_join_the_graph_and_is_seen_by_backward():
    a = cr.ones(2, requires_grad=True)
    optimizer = optim.SGD([a], lr=0.5)
    loss = (a * a).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    assert a.is_leaf
    assert a.requires_grad
    with pytest.raises(RuntimeError, match="changed"):  # a was saved for the backward of a * a
        loss.backward()


# ---- what is refused ----

P = cr.ones(2, requires_grad=True)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: optim.Adam(iter([])), ValueError, "Adam: the parameter list is empty"),
        (lambda: optim.SGD([P, 3]), TypeError, "SGD: parameter 1 must be a Tensor, got int"),
        (lambda: optim.SGD([{"params": P}, {"params": [P]}]), ValueError,
         r"parameter 0 \(shape \[2\]\) occurs twice"),
        (lambda: optim.SGD([{"params": P}, P]), TypeError, "a parameter group must be a dict, got Tensor"),
        (lambda: optim.SGD([{"lr": 0.1}]), ValueError, "SGD: a parameter group needs 'params', got lr"),
        (lambda: optim.SGD([P], momentum=0.9, dampening=0.1, nesterov=True), ValueError, "dampening=0.1"),
        (lambda: optim.Adam([P], betas=(0.9,)), ValueError, r"betas must be two numbers"),
        (lambda: optim.Adam([P], betas=0.9), TypeError, r"Adam: betas must be two numbers"),
        (lambda: optim.SGD([{"params": P, "lr": -2}], lr=1), ValueError, "lr must be at least 0, got -2"),
    ],
)  # fmt: skip
def test_bad_arguments_raise_and_name_the_rule(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_a_group_that_is_refused_is_not_added():
    a = cr.ones(1, requires_grad=True)
    optimizer = optim.SGD([P])
    for group in ({"params": [a], "lr": -1}, {"params": []}, {"params": [a, a]}, {"params": [P]}):
        with pytest.raises(ValueError, match="SGD: "):
            optimizer.add_param_group(group)
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [a]})
    assert len(optimizer.param_groups) == 2
    assert "Parameter Group 1" in repr(optimizer)


def test_settings_changed_to_nonsense_raise_at_the_next_step():
    a = cr.ones(1, requires_grad=True)
    optimizer = optim.Adam([a])
    a.sum().backward()
    optimizer.step()
    before = a.item()
    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match="Adam: lr must be at least 0, got -1"):
        optimizer.step()
    assert a.item() == before


@pytest.mark.parametrize("broken", [{"lr": -1.0}, {"lr": "fast"}, {"weight_decay": float("nan")}])
@pytest.mark.parametrize(("kind", "kwargs"), KINDS, ids=str)
def test_a_bad_setting_of_one_group_leaves_the_parameters_of_all(kind, kwargs, broken):
    a, b = cr.ones(3, requires_grad=True), cr.ones(3, requires_grad=True)
    optimizer = kind([{"params": [a]}, {"params": [b]}], **kwargs)
    for steps in range(2):  # before the first step, and after one
        (a.sum() + b.sum()).backward()
        before, good = a.tolist(), dict(optimizer.param_groups[1])
        optimizer.param_groups[1].update(broken)
        with pytest.raises((ValueError, TypeError), match=f"^{kind.__name__}: {next(iter(broken))} must be"):
            optimizer.step()
        assert a.tolist() == b.tolist() == before
        optimizer.param_groups[1].update(good)
        optimizer.step()
        assert a.tolist() == b.tolist() != before, steps


@pytest.mark.parametrize(("kind", "kwargs"), KINDS, ids=str)
def test_a_deep_copy_with_its_model_trains_on_alone_with_the_same_bits(kind, kwargs):
    model = network()
    optimizer = kind(model.parameters(), **kwargs)
    train(model, optimizer, 3)
    twin, theirs = copy.deepcopy((model, optimizer))
    assert type(theirs) is kind
    assert [id(p) for p in theirs.param_groups[0]["params"]] == [id(p) for p in twin.parameters()]
    before = [p.tolist() for p in model.parameters()]
    train(twin, theirs, 2)
    assert [p.tolist() for p in model.parameters()] == before
    train(model, optimizer, 2)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert p.detach().numpy().tobytes() == q.detach().numpy().tobytes()
    alone = copy.deepcopy(optimizer)  # of parameters of its own
    assert not {id(p) for p in alone.param_groups[0]["params"]} & {id(p) for p in model.parameters()}
    assert set(alone.state_dict()["state"]) == set(optimizer.state_dict()["state"])


def test_a_state_that_is_no_dictionary_is_named():
    for junk in (None, [1], "state"):
        with pytest.raises(TypeError, match=r"^SGD\.load_state_dict: expects a dictionary, got"):
            optim.SGD([P]).load_state_dict(junk)
