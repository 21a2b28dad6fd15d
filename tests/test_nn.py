"""Modules without a peer at hand: dropout, modes, hooks, registers, containers, state, copies."""

import copy
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2)])
        self.scale = nn.Parameter(cr.ones(2))
        self.register_buffer("seen", cr.tensor(0))
        self.register_buffer("scratch", cr.zeros(2), persistent=False)

    def forward(self, x):
        x = self.features(x)
        for block in self.blocks:
            x = block(x)
        return x * self.scale


NAMES = [
    "scale", "seen", "features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias",
    "features.1.running_mean", "features.1.running_var", "features.1.num_batches_tracked", "blocks.0.weight",
    "blocks.0.bias", "blocks.1.weight", "blocks.1.bias",
]  # fmt: skip


def values(module):
    return {name: t.numpy().copy() for name, t in module.state_dict().items()}


def assert_same(a, b):
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


# ---- dropout ----


def test_dropout_in_evaluation_is_its_input():
    x = cr.randn(3, 4)
    assert nn.Dropout(0.5).eval()(x) is x


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_zeroes_with_its_probability_and_scales_the_rest(p):
    x = cr.ones(200, 500, requires_grad=True)
    y = nn.Dropout(p)(x)
    kept = y.detach().numpy() != 0
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / (1 - p), rtol=1e-6)
    # 100,000 draws: five standard errors of the share that is kept.
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / kept.size)
    # Neighbours are independent, along rows and columns.
    for other in (np.roll(kept, 1, 0), np.roll(kept, 1, 1)):
        assert abs(np.corrcoef(kept.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(kept.size)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_dropout_draws_anew_each_time_and_repeats_with_the_seed():
    layer, x = nn.Dropout(0.5), cr.ones(1000)
    first, second = layer(x).numpy(), layer(x).numpy()
    assert (first != second).any()
    cr.manual_seed(0)
    np.testing.assert_array_equal(layer(x).numpy(), first)


def test_dropout_of_everything_and_of_nothing():
    x = cr.ones(10, requires_grad=True)
    y = nn.Dropout(1.0)(x)
    y.sum().backward()
    assert y.abs().sum().item() == 0
    assert x.grad.abs().sum().item() == 0
    np.testing.assert_array_equal(nn.Dropout(0.0)(x).detach().numpy(), x.detach().numpy())


def test_inplace_leaves_the_input_alone():
    x = cr.tensor([-1.0, 2.0])
    assert nn.ReLU(inplace=True)(x).tolist() == [0, 2]
    nn.Dropout(1.0, inplace=True)(x)
    assert x.tolist() == [-1, 2]


# ---- modes and gradients ----


def test_train_and_eval_reach_every_module():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.features.train()
    assert [m.training for m in net.features.modules()] == [True] * 4
    assert not net.training
    assert all(m.training for m in net.train().modules())
    with pytest.raises(ValueError, match=r"Module\.train: mode must be a bool, got 1"):
        net.train(1)


def test_batch_norm_moves_its_statistics_in_training_only():
    layer, x = nn.BatchNorm1d(4), cr.randn(6, 4)
    layer.eval()(x)
    assert layer.running_mean.abs().sum().item() == 0
    assert layer.num_batches_tracked.item() == 0
    layer.train()(x)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * x.numpy().mean(0), rtol=1e-5, atol=1e-7)
    assert layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert layer.running_mean.abs().sum().item() == 0
    assert layer.running_var.tolist() == [1] * 4


def test_zero_grad_drops_or_zeroes():
    net = Net()
    net(cr.randn(5, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_frozen_parameters_get_no_gradient():
    net = Net()
    net.features.requires_grad_(False)
    net(cr.randn(5, 3)).sum().backward()
    frozen = [n for n, p in net.named_parameters() if p.grad is None]
    assert frozen == [n for n, _ in net.named_parameters() if n.startswith("features")]


def test_to_converts_floating_tensors_and_keeps_the_parameters():
    net = Net()
    before = list(net.parameters())
    net(cr.randn(5, 3)).sum().backward()
    net.double()
    assert all(a is b for a, b in zip(net.parameters(), before, strict=True))
    assert {p.dtype for p in before} == {p.grad.dtype for p in before} == {cr.float64}
    assert net.seen.dtype == cr.int64
    assert net.features[1].running_mean.dtype == cr.float64
    net(cr.randn(5, 3, dtype=cr.float64))
    assert net.to("cpu", cr.float32).scale.dtype == cr.float32
    assert net.to(cr.zeros(1, dtype=cr.float64)).scale.dtype == cr.float64
    assert net.float().scale.dtype == cr.float32


# ---- walking ----


def test_names_are_pytorchs():
    net = Net()
    assert list(net.state_dict()) == NAMES
    assert [n for n, _ in net.named_parameters()] == [n for n in NAMES if "running" not in n and n != "seen"
                                                      and "tracked" not in n]  # fmt: skip
    assert [n for n, _ in net.named_children()] == ["features", "blocks"]
    assert [n for n, _ in net.named_modules()][:3] == ["", "features", "features.0"]
    assert [n for n, _ in net.named_buffers(recurse=False)] == ["seen", "scratch"]
    assert sum(p.numel() for p in net.parameters()) == 2 + 16 + 8 + 20 + 10


def test_a_shared_module_counts_once_and_is_saved_under_each_name():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(net.parameters())) == 2
    assert len(list(net.modules())) == 3
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    net(cr.ones(1, 2)).sum().backward()
    assert layer.weight.grad.shape == (2, 2)


def test_apply_visits_children_first():
    visited = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert net.apply(lambda m: visited.append(type(m).__name__)) is net
    assert visited == ["Linear", "ReLU", "Sequential", "Sequential"]


# ---- hooks ----


def test_forward_hooks_see_and_replace():
    layer, seen = nn.Linear(2, 2), []
    first = layer.register_forward_hook(lambda m, args, out: seen.append((m, args, out)))
    x = cr.ones(1, 2)
    y = layer(x)
    assert seen[0][0] is layer
    assert seen[0][1][0] is x
    assert seen[0][2] is y
    layer.register_forward_hook(lambda m, args, out: out * 0)
    assert layer(x).tolist() == [[0, 0]]
    first.remove(), first.remove()
    layer(x)
    assert len(seen) == 2


def test_forward_pre_hooks_change_the_arguments():
    layer, order = nn.Identity(), []
    layer.register_forward_pre_hook(lambda m, args: order.append("a"))
    layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    with layer.register_forward_pre_hook(lambda m, args: order.append("first"), prepend=True):
        assert layer(cr.zeros(1)).item() == 1
    assert layer(cr.zeros(1)).item() == 1
    assert order == ["first", "a", "a"]
    layer.register_forward_pre_hook(lambda m, args, kwargs: ((args[0] * 5,), kwargs), with_kwargs=True)
    assert layer(cr.zeros(1)).item() == 5
    layer.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(TypeError, match=r"must return None or \(args, kwargs\)"):
        layer(cr.zeros(1))


# ---- copies ----


def test_deepcopy_shares_nothing():
    net = Net()
    net(cr.randn(5, 3)).sum().backward()
    twin = copy.deepcopy(net)
    assert_same(values(net), values(twin))
    assert not {id(p) for p in net.parameters()} & {id(p) for p in twin.parameters()}
    before = values(net)
    with cr.no_grad():
        for t in [*twin.parameters(), *twin.buffers()]:
            t.add_(1)
    assert_same(values(net), before)
    # What is registered and what the attribute shows are one tensor in the copy, too.
    assert twin.scale is twin._parameters["scale"]
    assert twin.seen is twin._buffers["seen"]
    assert twin.features[1].running_mean is twin.features[1]._buffers["running_mean"]
    twin(cr.randn(5, 3)).sum().backward()


def test_deepcopy_keeps_sharing_inside():
    layer = nn.Linear(2, 2)
    twin = copy.deepcopy(nn.Sequential(layer, layer))
    assert twin[0] is twin[1]
    assert twin[0].weight is not layer.weight


def test_hard_limits_have_no_gradient_at_their_bounds_and_keep_that_of_nan():
    for function, low, high in ((F.hardtanh, -1.0, 1.0), (F.relu6, 0.0, 6.0)):
        x = cr.tensor([low - 1, low, 0.5, high, high + 1, math.nan], requires_grad=True)
        function(x).sum().backward()
        assert x.grad.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]
