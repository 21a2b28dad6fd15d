"""What docs/dropout.md says: scaling while training and scaling while testing are the same. Whole channels drop."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F

P = 0.3


class Net(nn.Module):
    """Two layers with dropout between them; plain dropout is what the inverted one drops, scaled back."""

    def __init__(self, plain):
        super().__init__()
        cr.manual_seed(4)
        self.first, self.second = nn.Linear(6, 40).double(), nn.Linear(40, 3).double()
        self.plain = plain
        if plain:
            with cr.no_grad():
                self.second.weight.div_(1 - P)

    def forward(self, x):
        hidden = F.relu(self.first(x))
        if self.plain:
            hidden = F.dropout(hidden, P, self.training) * (1 - P)  # m · x, or (1 - p) · x
            return self.second(hidden)
        return self.second(F.dropout(hidden, P, self.training))

    def weights(self):
        """Those of a network with inverted dropout."""
        scale = 1 - P if self.plain else 1.0
        values = [self.first.weight, self.first.bias, self.second.weight * scale, self.second.bias]
        return [v.detach().numpy() for v in values]


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def inputs(rows=20):
    return cr.tensor(np.random.default_rng(0).standard_normal((rows, 6)))


@pytest.mark.parametrize("training", [True, False])
def test_inverted_and_plain_dropout_are_one_function(training):
    results = []
    for plain in (False, True):
        net = Net(plain).train(training)
        cr.manual_seed(9)
        results.append(net(inputs()).detach().numpy())
    close(*results)


def test_the_mean_over_masks_is_what_testing_computes():
    net, x = Net(False), inputs(1)
    with cr.no_grad():
        expected = net.eval()(x).numpy()
        drawn = net.train()(x.expand(200_000, 6)).numpy()
    error = abs(drawn.mean(0) - expected) / (drawn.std(0) / np.sqrt(len(drawn)))
    assert error.max() < 5  # standard errors


@pytest.mark.parametrize(
    ("make", "power"),
    [(optim.SGD, 2), (lambda groups: optim.Adam(groups, eps=1e-30), 1)],
    ids=["SGD", "Adam"],
)
def test_both_are_trained_into_the_same_weights(make, power):
    histories = []
    for plain in (False, True):
        net, rate = Net(plain), 0.02
        scaled = rate / (1 - P) ** power if plain else rate
        others = [*net.first.parameters(), net.second.bias]
        optimizer = make([{"params": others, "lr": rate}, {"params": [net.second.weight], "lr": scaled}])
        target = cr.tensor(np.random.default_rng(1).standard_normal((20, 3)))
        history = []
        for _ in range(30):
            optimizer.zero_grad()
            F.mse_loss(net(inputs()), target).backward()
            optimizer.step()
            history.append(net.weights())
        histories.append(history)
    for inverted, plain in zip(*histories, strict=True):
        for a, b in zip(inverted, plain, strict=True):
            close(a, b)
    moved = abs(histories[0][-1][2] - Net(False).weights()[2]).max()
    assert moved > 0.01, "nothing was trained"


@pytest.mark.parametrize("shape", [(30, 40, 5, 3), (30, 40, 7)])
def test_dropout2d_drops_whole_channels_and_scales_the_others(shape):
    x = cr.rand(*shape, dtype=cr.float64) + 0.5
    x.requires_grad_()
    layer = nn.Dropout2d(P)
    y = layer(x)
    ratio = (y / x).detach().numpy().reshape(*shape[:2], -1)
    kept = ratio[..., 0] != 0
    np.testing.assert_allclose(
        ratio, np.where(kept, 1 / (1 - P), 0)[..., None] * np.ones_like(ratio), rtol=1e-12
    )
    assert abs(kept.mean() - (1 - P)) < 5 * np.sqrt(P * (1 - P) / kept.size)
    assert len({row.tobytes() for row in kept}) > 1, "one mask for all samples"
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), ratio.reshape(shape), rtol=1e-12)
    assert layer.eval()(x) is x


def test_dropout2d_draws_one_number_a_channel_from_the_generator():
    cr.manual_seed(2)
    mask = F.dropout2d(cr.ones(5, 7, 3, 3), 0.5)[:, :, 0, 0].numpy()
    rest = cr.rand(3).tolist()
    cr.manual_seed(2)
    assert (F.dropout(cr.ones(5, 7), 0.5).numpy() == mask).all()
    assert cr.rand(3).tolist() == rest
