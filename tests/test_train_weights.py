"""Averaged weights, and penalties on weights."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.nn import functional as F


def network():
    cr.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))


def step(model, optimizer, i):
    x = cr.tensor(np.random.default_rng(i).standard_normal((8, 3)).astype(np.float32))
    optimizer.zero_grad()
    (model(x) ** 2).mean().backward()
    optimizer.step()


def test_the_average_follows_its_formula_and_begins_with_a_copy():
    model = network()
    optimizer, ema = cr.optim.SGD(model.parameters(), lr=0.3), train.EMA(model, 0.9)
    expected = None
    for i in range(5):
        step(model, optimizer, i)
        ema.update()
        now = model[0].weight.detach().numpy().copy()
        kept, added = np.float32(0.9), np.float32(1 - 0.9)
        expected = now if expected is None else expected * kept + now * added
    own = [p.detach().numpy().tobytes() for p in model.parameters()]
    with ema.applied():
        np.testing.assert_array_equal(model[0].weight.detach().numpy(), expected)
    assert [p.detach().numpy().tobytes() for p in model.parameters()] == own
    assert ema.updates == 5


@pytest.mark.peers
def test_the_average_is_pytorchs():
    torch = pytest.importorskip("torch")
    ours, theirs = network(), torch.nn.Linear(3, 4)
    averaged = torch.optim.swa_utils.AveragedModel(theirs, avg_fn=torch.optim.swa_utils.get_ema_avg_fn(0.8))
    ema = train.EMA(ours[0], 0.8)
    for i in range(4):
        value = np.random.default_rng(i).standard_normal((4, 3)).astype(np.float32)
        with cr.no_grad():
            ours[0].weight.copy_(cr.tensor(value))
        with torch.no_grad():
            theirs.weight.copy_(torch.tensor(value))
        ema.update()
        averaged.update_parameters(theirs)
    with ema.applied():
        ours = ours[0].weight.detach().numpy()
        np.testing.assert_allclose(ours, averaged.module.weight.detach().numpy(), rtol=1e-6)


def test_the_average_is_restored_and_frozen_layers_are_left_out():
    model = network()
    model[0].requires_grad_(False)
    optimizer, ema = cr.optim.SGD(model[3].parameters(), lr=0.3), train.EMA(model, 0.5)
    for i in range(3):
        step(model, optimizer, i)
        ema.update()
    state = ema.state_dict()
    assert list(state["averages"]) == ["1.weight", "1.bias", "3.weight", "3.bias"]
    other = train.EMA(model, 0.9)
    other.load_state_dict(state)
    step(model, optimizer, 4)
    ema.update()
    other.update()
    for name, value in ema.state_dict()["averages"].items():
        assert value.tolist() == other.state_dict()["averages"][name].tolist()


def test_states_of_other_models_are_refused():
    ema = train.EMA(network())
    with pytest.raises(ValueError, match=r"EMA.load_state_dict: expected"):
        ema.load_state_dict(train.EMA(nn.Linear(3, 4)).state_dict())
    state = ema.state_dict()
    wrong = {**state, "averages": {**state["averages"], "0.bias": cr.ones(9)}}
    with pytest.raises(ValueError, match=r"0.bias does not have the shape"):
        ema.load_state_dict(wrong)
    with pytest.raises(ValueError, match="ReLU has no parameters to average"):
        train.EMA(nn.ReLU())


def test_fit_measures_and_leaves_the_averaged_weights():
    model = network()
    x, y = cr.randn(64, 3), cr.randn(64, 1)
    ema = train.EMA(model, 0.9)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    history = train.fit(model, F.mse_loss, optimizer, (x, y), (x, y), 3, average=ema, quiet=True)
    assert ema.updates == 6
    assert train.evaluate(model, (x, y), loss=F.mse_loss)["loss"] == history[-1]["dev_loss"]
    assert model[3].bias.tolist() == ema.state_dict()["averages"]["3.bias"].tolist()


# ---- penalties ----


def absolute(*tensors):
    return sum(np.abs(t.detach().numpy().astype(np.float64)).sum() for t in tensors)


def squared(*tensors):
    return sum((t.detach().numpy().astype(np.float64) ** 2).sum() for t in tensors)


def test_penalties_are_sums_over_weights_and_leave_biases_out_unless_told():
    model = network()
    weights = model[0].weight, model[3].weight
    value = train.Penalty(model, l1=0.1, l2=0.01)().item()
    assert value == pytest.approx(0.1 * absolute(*weights) + 0.01 * squared(*weights), rel=1e-6)
    value = train.Penalty(model, l1=0.1, biases=True)().item()
    assert value == pytest.approx(0.1 * absolute(*model.parameters()), rel=1e-6)
    assert train.Penalty(model)().item() == 0


def test_penalties_of_layers_and_groups_add_up():
    model = network()
    first, last = model[0].weight, model[3].weight
    both = train.Penalty(model, l1=0.1, layers="0") + train.Penalty([last], l2=0.3)
    assert both().item() == pytest.approx(0.1 * absolute(first) + 0.3 * squared(last), rel=1e-6)
    both().backward()
    np.testing.assert_allclose(first.grad.numpy(), 0.1 * np.sign(first.detach().numpy()), rtol=1e-6)
    np.testing.assert_allclose(last.grad.numpy(), 0.6 * last.detach().numpy(), rtol=1e-6)


def test_a_penalty_has_no_mode():
    model = network()
    penalty = train.Penalty(model, l1=0.1, l2=0.1)
    training = model.train() and penalty().item()
    assert (model.eval() and penalty().item()) == training > 0


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("factors", [{"l1": 0.02}, {"l2": 0.05}, {"l1": 0.02, "l2": 0.05}])
def test_decay_is_the_penalty_without_its_value_in_the_loss(factors, capture):
    x, y = cr.randn(32, 3), cr.randn(32, 1)
    results = []
    for name in ("penalty", "decay"):
        cr.manual_seed(1)
        model = nn.Linear(3, 1)
        optimizer = cr.optim.Adam(model.parameters(), lr=0.1)
        regular = {name: train.Penalty(model, **factors)}
        history = train.fit(
            model, F.mse_loss, optimizer, (x, y), epochs=3, quiet=True, capture=capture, **regular
        )
        results.append((model.weight.detach().numpy(), history["loss"][0]))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4)
    cr.manual_seed(1)
    assert results[0][1] > results[1][1]


def test_decay_comes_after_clipping_and_leaves_weights_without_a_gradient():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    model[1].weight.requires_grad_(False)
    before = model[0].weight.detach().clone()
    optimizer = cr.optim.SGD([model[0].weight], lr=1.0)
    data = cr.ones(1, 2), cr.ones(1, 1)
    decay = train.Penalty(model, l1=0.25)
    train.fit(model, F.mse_loss, optimizer, data, clip_norm=0.0, decay=decay, quiet=True)
    np.testing.assert_allclose(
        model[0].weight.detach().numpy(), (before - 0.25 * before.sign()).numpy(), rtol=1e-6
    )
    assert model[1].weight.grad is None


def test_decay_must_be_a_penalty():
    model = network()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(
        TypeError, match=r"fit: decay must be a Penalty, such as Penalty\(model, l1=1e-5\), got 0.1"
    ):
        train.fit(model, F.mse_loss, optimizer, (cr.randn(4, 3), cr.randn(4, 1)), decay=0.1)


def test_an_l2_penalty_is_weight_decay_of_half_the_size():
    x, y = cr.randn(32, 3), cr.randn(32, 1)
    results = []
    for penalty, decay in ((0.05, 0.0), (None, 0.1)):
        cr.manual_seed(1)
        model = nn.Linear(3, 1, bias=False)
        optimizer = cr.optim.SGD(model.parameters(), lr=0.1, weight_decay=decay)
        penalty = penalty and train.Penalty(model, l2=penalty)
        train.fit(model, F.mse_loss, optimizer, (x, y), epochs=3, penalty=penalty, quiet=True)
        results.append(model.weight.detach().numpy())
    np.testing.assert_allclose(*results, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"l1": -1.0}, "Penalty: l1 must be at least 0 and finite, got -1.0"),
        ({"l2": float("nan")}, "Penalty: l2 must be at least 0 and finite, got nan"),
        ({"l2": 1.0, "layers": ["7"]}, "there are no parameters in a layer '7'; names are 0.weight"),
        ({"l2": 1.0, "layers": ["1"]}, "biases=True takes the others"),
    ],
)
def test_bad_penalties_are_errors(arguments, text):
    with pytest.raises(ValueError, match=text):
        train.Penalty(network(), **arguments)
