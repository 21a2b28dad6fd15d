"""Weights of samples through fit: what a loop written by hand does with them, captured and accumulated too."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, TensorDataset
from chainrule.nn import functional as F
from training import bits, network, points, quick, sgd

X, Y = points()
W = cr.tensor(np.random.default_rng(5).integers(0, 4, 96).astype(np.float32))
ALL = TensorDataset(X, Y, W)


def loader(**settings):
    return DataLoader(ALL, **{"batch_size": 20, "shuffle": True, **settings})


def by_hand(model, batches, epochs):
    optimizer, losses = sgd(model), []
    for _ in range(epochs):
        total = weights = 0.0
        for x, y, w in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y, sample_weight=w)
            loss.backward()
            optimizer.step()
            total += loss.item() * w.sum().item()
            weights += w.sum().item()
        losses.append(total / weights)
    return losses


@pytest.mark.parametrize("capture", [False, True])
def test_a_weighted_training_has_the_bits_of_the_loop_written_by_hand(capture):
    model, other = network(dropout=0.3), network(dropout=0.3)
    cr.manual_seed(3)
    history = quick(model, loader(), (X, Y, W), epochs=4, weighted=True, capture=capture)
    cr.manual_seed(3)
    losses = by_hand(other, loader(), 4)
    assert bits(model) == bits(other)
    assert history["loss"] == losses
    with cr.no_grad():
        each = F.cross_entropy(other.eval()(X), Y, reduction="none").numpy()
    assert history["dev_loss"][-1] == pytest.approx((each * W.numpy()).sum() / W.numpy().sum(), rel=1e-5)
    unweighted = network(dropout=0.3)
    cr.manual_seed(3)
    quick(unweighted, DataLoader(TensorDataset(X, Y), batch_size=20, shuffle=True), epochs=4)
    assert bits(unweighted) != bits(model)


def test_so_many_copies_of_a_sample_train_the_same():
    copies = np.repeat(np.arange(96), W.numpy().astype(int))
    weighted, repeated = network(), network()
    quick(weighted, DataLoader(ALL, batch_size=96), epochs=5, weighted=True)
    quick(
        repeated,
        DataLoader(TensorDataset(X[cr.tensor(copies)], Y[cr.tensor(copies)]), batch_size=len(copies)),
        epochs=5,
    )
    for a, b in zip(weighted.parameters(), repeated.parameters()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("capture", [False, True])
def test_accumulated_weighted_batches_make_the_step_of_one_large_batch(capture):
    order = W.argsort()  # the first batches have weight 0 only: they add nothing
    sorted_data = TensorDataset(X[order], Y[order], W[order])
    assert W[order][:13].sum().item() == 0
    small, large = network(), network()
    settings = {"epochs": 4, "weighted": True, "capture": capture}
    first = quick(small, DataLoader(sorted_data, batch_size=13), accumulate=8, **settings)
    second = quick(large, DataLoader(sorted_data, batch_size=96), **settings)
    for a, b in zip(small.parameters(), large.parameters()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-5)


def test_evaluate_and_lr_find_take_weights_and_metrics_do_not_look_at_them():
    model = network()
    with cr.no_grad():
        output = model.eval()(X)
        expected = F.cross_entropy(output, Y, sample_weight=W).item()
    model.train()
    for size in (96, 7, 1):
        measured = train.evaluate(
            model, (X, Y, W), "accuracy", F.cross_entropy, weighted=True, batch_size=size
        )
        assert measured["loss"] == pytest.approx(expected, rel=1e-5)
        assert measured["accuracy"] == (output.argmax(1) == Y).numpy().mean()
    curve = train.lr_find(model, F.cross_entropy, sgd(model), ALL, steps=5, weighted=True)
    assert len(curve) == 5
    assert train.predict(model, ALL, weighted=True).shape == (96, 2)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 2)

    def forward(self, a, b):
        return self.layer(cr.cat([a, b], 1))


def test_weights_follow_the_target_whatever_comes_before_it():
    assert len(quick(Two(), (X, X.clone(), Y, W), weighted=True)) == 2
    coder = nn.Sequential(nn.Linear(4, 4))
    assert len(quick(coder, (X, W), loss=nn.MSELoss(), weighted=True)) == 2  # input and target at once
    with pytest.raises(
        TypeError, match=r"a batch must be \(inputs..., target, weight\), all tensors, got \['Tensor'\]"
    ):
        quick(coder, (X,), loss=nn.MSELoss(), weighted=True)


def test_a_loss_of_ones_own_gets_them_by_name_and_one_without_is_refused():
    seen = []

    def own(output, target, *, sample_weight):
        seen.append(sample_weight.shape)
        return F.cross_entropy(output, target, sample_weight=sample_weight)

    quick(network(), loader(), loss=own, weighted=True, epochs=1)
    assert seen == [(20,)] * 4 + [(16,)]
    text = (
        r"weighted=True calls loss\(output, target, sample_weight=...\), but <lambda> takes no sample_weight"
    )
    with pytest.raises(TypeError, match=f"fit: {text}"):
        quick(network(), loader(), loss=lambda o, t: F.cross_entropy(o, t), weighted=True)
    with pytest.raises(TypeError, match=f"evaluate: {text}"):
        train.evaluate(network(), ALL, loss=lambda o, t: F.cross_entropy(o, t), weighted=True)


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_no_number_of_copies_stop_before_the_weights_change(bad, capture):
    weights = W.clone()
    weights[45] = bad
    model, good = network(), network()
    batches = DataLoader(TensorDataset(X, Y, weights), batch_size=20)
    with pytest.raises(
        ValueError, match=rf"fit: sample_weight must be finite and not negative, got {bad} at position 5"
    ):
        quick(model, batches, weighted=True, capture=capture)
    quick(good, DataLoader(TensorDataset(X[:40], Y[:40], W[:40]), batch_size=20), epochs=1, weighted=True)
    assert bits(model) == bits(good)


def test_a_batch_of_nothing_follows_the_policy_of_values_that_are_not_finite():
    weights = W.clone()
    weights[20:40] = 0.0
    data = DataLoader(TensorDataset(X, Y, weights), batch_size=20)
    with pytest.raises(FloatingPointError, match="all sample weights are 0 in epoch 1, step 2"):
        quick(network(), data, weighted=True)
    with pytest.warns(RuntimeWarning, match="all sample weights are 0.*its update is left out"):
        history = quick(network(), data, weighted=True, nan="skip")
    assert history["skipped"] == [1, 1]
    with pytest.raises(ValueError, match="evaluate: all sample weights are 0"):
        train.evaluate(network(), (X, Y, W * 0), loss=F.cross_entropy, weighted=True)
