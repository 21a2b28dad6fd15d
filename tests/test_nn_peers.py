"""Every module over a grid of its arguments agrees with PyTorch: values, gradients, state."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from peers import (
    DTYPES,
    agree,
    agree_backward,
    copy_state,
    module_pair,
    pair,
    parameter_pairs,
    same_state,
    torch,
    uniform,
)

pytestmark = pytest.mark.peers


class PeerMinPool2d(torch.nn.Module):
    """PyTorch has none: the smallest value is minus the largest of the negated values."""

    def __init__(self, *args, **kwargs):
        super().__init__()
        self.pool = torch.nn.MaxPool2d(*args, **kwargs)

    def forward(self, x):
        return -self.pool(-x)


@dataclass(frozen=True)
class ModuleCase:
    name: str
    shape: tuple[int, ...]
    args: tuple = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __str__(self):
        arguments = [*map(str, self.args), *(f"{k}={v}" for k, v in self.kwargs.items())]
        return f"{self.name}({', '.join(arguments)})-{list(self.shape)}".replace(" ", "")


def case(name, shape, *args, **kwargs):
    return ModuleCase(name, shape, args, kwargs)


def linear():
    for shape in [(7, 5), (5,), (2, 3, 5), (1, 5), (0, 5), (130, 5)]:
        for bias in (True, False):
            yield case("Linear", shape, 5, 3, bias=bias)
    yield from (case("Linear", (4, 1), 1, 1), case("Linear", (12, 33), 33, 65), case("Linear", (3, 5), 5, 0))


def conv():
    image = (2, 4, 9, 8)
    for kwargs in [
        {}, {"bias": False}, {"stride": 2}, {"stride": (2, 3)}, {"padding": 1}, {"padding": (2, 1)},
        {"padding": "same"}, {"padding": "valid"}, {"padding": "same", "dilation": 2}, {"dilation": (2, 1)},
        {"groups": 2}, {"groups": 2, "stride": 2, "padding": 1, "bias": False},
        {"stride": 2, "padding": 2, "dilation": 2},
    ]:  # fmt: skip
        yield case("Conv2d", image, 4, 6, 3, **kwargs)
    for kernel in (1, (1, 3), (4, 1), 2, (5, 4)):
        yield case("Conv2d", image, 4, 5, kernel)
        yield case("Conv2d", image, 4, 5, kernel, padding="same")
    yield case("Conv2d", image, 4, 8, 3, groups=4)  # depthwise, two kernels a channel
    yield from (case("Conv2d", (4, 9, 8), 4, 6, 3), case("Conv2d", (0, 4, 9, 8), 4, 6, 3))
    yield from (case("Conv2d", (1, 1, 3, 3), 1, 1, 3), case("Conv2d", (3, 1, 28, 28), 1, 17, 5, padding=2))


def conv_transpose():
    image = (2, 4, 5, 6)
    for kwargs in [
        {}, {"bias": False}, {"stride": 2}, {"stride": (3, 2), "output_padding": (2, 1)}, {"padding": 1},
        {"padding": (2, 1)}, {"stride": 2, "padding": 1, "output_padding": 1}, {"dilation": 2},
        {"dilation": (2, 3), "output_padding": (1, 2)}, {"groups": 2},
        {"groups": 2, "stride": 2, "padding": 1},
    ]:  # fmt: skip
        yield case("ConvTranspose2d", image, 4, 6, 3, **kwargs)
    for kernel in (1, 2, (1, 3), (4, 2)):
        yield case("ConvTranspose2d", image, 4, 5, kernel, stride=2)
    yield from (case("ConvTranspose2d", (4, 5, 6), 4, 6, 3), case("ConvTranspose2d", (0, 4, 5, 6), 4, 6, 3))


def pool():
    image = (2, 3, 9, 8)
    common = [
        {}, {"stride": 1}, {"stride": (2, 3)}, {"padding": 1}, {"stride": 2, "ceil_mode": True},
        {"stride": 2, "padding": 1, "ceil_mode": True},
    ]  # fmt: skip
    for name in ("MaxPool2d", "MinPool2d", "AvgPool2d"):
        for kwargs in common:
            yield case(name, image, 3, **kwargs)
        for kernel in (1, 2, (2, 3), (3, 1)):
            yield case(name, image, kernel)
        yield from (case(name, (3, 9, 8), 2), case(name, (0, 3, 9, 8), 2))
    for name in ("MaxPool2d", "MinPool2d"):
        yield case(name, image, 2, dilation=2)
        yield case(name, image, (3, 2), stride=2, padding=1, dilation=(1, 2), ceil_mode=True)
    for padded in (True, False):
        for ceil in (True, False):
            yield case("AvgPool2d", image, 3, 2, 1, ceil_mode=ceil, count_include_pad=padded)
            yield case(
                "AvgPool2d", image, 3, 2, 1, ceil_mode=ceil, count_include_pad=padded, divisor_override=5
            )


SMOOTH_AND_KINKED = ("ELU", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish", "ReLU6",
                     "SELU", "SiLU", "Softplus")  # fmt: skip
ARGUMENTS = {
    "ELU": [(0.3,), (2.0,)],
    "GELU": [("none",), ("tanh",)],
    "Hardtanh": [(-0.5, 0.25), (0.0, 1.5)],
    "LeakyReLU": [(0.3,), (-0.2,)],
    "Softplus": [(2.0,), (0.5, 0.3), (3.0, 1000.0)],
}  # fmt: skip


def activations():
    for shape in [(), (7,), (3, 4), (2, 3, 5), (2, 3, 4, 5), (0, 3)]:
        for name in ("ReLU", "Sigmoid", "Tanh", "Identity", *SMOOTH_AND_KINKED):
            yield case(name, shape)
        for name in ("Softmax", "LogSoftmax"):
            for dim in range(-len(shape), len(shape)):
                if np.prod(shape) == 0 or shape[dim] > 1:
                    yield case(name, shape, dim=dim)
    for name, grid in ARGUMENTS.items():
        for args in grid:
            yield case(name, (3, 5, 7), *args)
    yield from (case("PReLU", shape, 5, 0.7) for shape in [(3, 5), (2, 5, 4), (2, 5, 3, 4), (0, 5)])
    yield from (case("PReLU", shape) for shape in [(), (7,), (3, 4)])
    yield case("Dropout", (3, 4), 0.0)
    yield from (case("Dropout2d", shape, p) for shape in [(3, 4, 5), (2, 3, 4, 5)] for p in (0.0, 1.0))
    yield from (
        case("Flatten", (2, 3, 4, 5), *dims) for dims in [(), (0,), (2,), (1, 2), (0, -2), (-2, -1), (3, 3)]
    )
    yield from (case("Flatten", (4,), 0), case("Flatten", (0, 3, 2)))
    yield from (case("Unflatten", (2, 12, 3), 1, size) for size in [(3, 4), (2, 2, 3), (-1, 6), (12,)])
    yield case("Unflatten", (2, 12), -1, (4, 3))


CASES = [*linear(), *conv(), *conv_transpose(), *pool(), *activations()]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_module_agrees(case, dtype):
    peer = PeerMinPool2d if case.name == "MinPool2d" else None
    ours, theirs = module_pair(case.name, case.args, case.kwargs, dtype, peer)
    x, peer_x = pair(uniform(case.shape, dtype, seed=7), requires_grad=True)
    # PyTorch warns where padding="same" is uneven, as we need not.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer_y = theirs(peer_x)
    y = ours(x)
    # PyTorch's Hardsigmoid divides by a six of float32 in float64, too.
    bound = 1e-7 if case.name == "Hardsigmoid" and dtype == "float64" else None
    agree(y, peer_y, str(case), bound)
    agree_backward(y, peer_y, [("x", x, peer_x), *parameter_pairs(ours, theirs)], str(case), bound)


def test_pooling_positions_agree():
    x, peer_x = pair(uniform((2, 3, 9, 8), "float64"))
    for kwargs in ({}, {"stride": 1, "padding": 1}, {"dilation": 2, "ceil_mode": True}):
        ours, theirs = module_pair("MaxPool2d", (2,), {"return_indices": True, **kwargs})
        for mine, peer in zip(ours(x), theirs(peer_x), strict=True):
            agree(mine, peer, f"MaxPool2d {kwargs}")


@pytest.mark.parametrize("size", [(9, 12), (10, 13), (2, 4, 10, 12)], ids=str)
def test_transposed_convolution_to_a_wanted_size_agrees(size):
    ours, theirs = module_pair("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1})
    x, peer_x = pair(uniform((2, 4, 5, 6), "float64"))
    if len(size) == 2 and size[1] == 13:
        with pytest.raises(ValueError, match="output_size must lie in 11 to 12 on axis 1, got 13"):
            ours(x, output_size=size)
    else:
        agree(ours(x, output_size=size), theirs(peer_x, output_size=size), str(size))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, None])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("BatchNorm1d", (6, 5)),
        ("BatchNorm1d", (4, 5, 7)),
        ("BatchNorm2d", (3, 5, 4, 3)),
        ("BatchNorm2d", (1, 5, 9, 2)),
    ],
)
def test_batch_norm_agrees(name, shape, tracked, affine, momentum, dtype):
    kwargs = {"momentum": momentum, "affine": affine, "track_running_stats": tracked, "eps": 1e-3}
    ours, theirs = module_pair(name, (5,), kwargs, dtype)
    for step, training in enumerate([True, True, True, False, True, False]):
        ours.train(training), theirs.train(training)
        ours.zero_grad(), theirs.zero_grad()
        x, peer_x = pair(uniform(shape, dtype, seed=step) + 0.5, requires_grad=True)
        y, peer_y = ours(x), theirs(peer_x)
        agree(y, peer_y, f"step {step}")
        agree_backward(y, peer_y, [("x", x, peer_x), *parameter_pairs(ours, theirs)], f"step {step}")
        for (key, mine), (_, peer) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
            agree(mine, peer, f"step {step}: {key}")


def test_batch_norm_agrees_where_the_mean_is_large():
    # float32 cannot hold more: at mean 1000 one unit in the last place of x is 6e-5, with a deviation of
    # about 1.2 the output is uncertain by 5e-5 in either library; the bound says that nothing worse happens.
    ours, theirs = module_pair("BatchNorm1d", (5,), {}, "float32")
    x, peer_x = pair(uniform((64, 5), "float32") + np.float32(1000.0))
    agree(ours(x), theirs(peer_x), "mean 1000", bound=1e-4)


def test_batch_norm_switched_to_batch_statistics_agrees():
    ours, theirs = module_pair("BatchNorm1d", (5,))
    ours.track_running_stats = theirs.track_running_stats = False
    x, peer_x = pair(uniform((6, 5), "float64"))
    agree(ours(x), theirs(peer_x), "training")
    for (key, mine), (_, peer) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        agree(mine, peer, key)
    agree(ours.eval()(x), theirs.eval()(peer_x), "evaluation")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_whole_network_agrees(dtype, training):
    def network(nn):
        features = [
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.0),
        ]
        head = nn.Sequential(nn.Flatten(), nn.Linear(96, 16), nn.Tanh(), nn.Linear(16, 10))
        return nn.Sequential(*features, head)

    torch.manual_seed(0)
    ours, theirs = network(cr.nn).to(getattr(cr, dtype)), network(torch.nn).to(getattr(torch, dtype))
    same_state(ours, theirs)
    copy_state(ours, theirs)
    ours.train(training), theirs.train(training)
    x, peer_x = pair(uniform((12, 1, 8, 8), dtype), requires_grad=True)
    labels, peer_labels = pair(np.arange(12) % 10)
    loss, peer_loss = (
        cr.nn.CrossEntropyLoss()(ours(x), labels),
        torch.nn.CrossEntropyLoss()(theirs(peer_x), peer_labels),
    )
    agree(loss, peer_loss, "loss")
    loss.backward(), peer_loss.backward()
    for name, mine, peer in [("x", x, peer_x), *parameter_pairs(ours, theirs)]:
        if name == "0.bias" and training:
            # Batch norm takes the mean away again: the exact gradient is 0, and both give rounding errors.
            assert max(abs(mine.grad.numpy()).max(), abs(peer.grad.numpy()).max()) < {"float32": 1e-6}.get(
                dtype, 1e-15
            )
        else:
            agree(mine.grad, peer.grad, name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("padding", [None, 0, -1])
def test_embedding_agrees(padding, dtype):
    ours, theirs = module_pair("Embedding", (9, 4), {"padding_idx": padding}, dtype)
    for shape in [(), (7,), (3, 0), (5, 6)]:
        ours.zero_grad(), theirs.zero_grad()
        index, peer_index = pair(np.random.default_rng(3).integers(0, 9, shape))
        y, peer_y = ours(index), theirs(peer_index)
        agree(y, peer_y, str(shape))
        agree_backward(y, peer_y, parameter_pairs(ours, theirs), str(shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [0, 1, -1, -2, None])
@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("Linear", (5, 3), (4, 5)),
        ("Conv2d", (2, 3, 2), (2, 2, 5, 4)),
        ("ConvTranspose2d", (2, 3, 2), (1, 2, 3, 4)),
    ],
)
def test_weight_norm_agrees(name, args, shape, dim, dtype):
    ours, theirs = module_pair(name, args, {}, dtype)
    for module, nn in ((ours, cr.nn), (theirs, torch.nn)):
        nn.utils.parametrizations.weight_norm(module, dim=dim)
    assert repr(ours) == repr(theirs)
    same_state(ours, theirs)
    copy_state(ours, theirs)
    x, peer_x = pair(uniform(shape, dtype), requires_grad=True)
    y, peer_y = ours(x), theirs(peer_x)
    agree(y, peer_y, "output")
    agree_backward(y, peer_y, [("x", x, peer_x), *parameter_pairs(ours, theirs)], "weight_norm")
    for module, nn in ((ours, cr.nn), (theirs, torch.nn)):
        nn.utils.parametrize.remove_parametrizations(module, "weight")
    same_state(ours, theirs)
    agree(ours.weight, theirs.weight, "weight")


def test_softmax_without_a_dimension_guesses_as_pytorch_and_warns():
    for shape in [(4,), (2, 3), (2, 3, 4), (2, 3, 4, 5)]:
        for name in ("Softmax", "LogSoftmax"):
            ours, theirs = module_pair(name)
            x, peer_x = pair(uniform(shape, "float64"))
            with pytest.warns(UserWarning, match=f"{name}: give dim; using dim="):
                y = ours(x)
            with pytest.warns(UserWarning, match="Implicit dimension choice"):
                peer_y = theirs(peer_x)
            agree(y, peer_y, f"{name} {shape}")


def test_text_agrees():
    for name, args, kwargs in [
        ("Linear", (3, 4), {"bias": False}), ("Conv2d", (4, 8, 3), {"padding": 1, "groups": 2}),
        ("ConvTranspose2d", (4, 8, 3), {"stride": 2, "output_padding": 1}), ("MaxPool2d", (2,), {}),
        ("AvgPool2d", (3,), {"stride": 2}),
        ("Dropout", (0.3,), {}), ("Flatten", (), {}), ("Softmax", (1,), {}),
        ("ReLU", (), {}), ("Sigmoid", (), {}), ("Dropout2d", (), {}), ("ELU", (), {}), ("ELU", (0.3, True), {}),
        ("SELU", (), {"inplace": True}), ("GELU", ("tanh",), {}), ("SiLU", (), {}), ("Mish", (True,), {}),
        ("LeakyReLU", (0.2,), {"inplace": True}), ("PReLU", (3,), {}), ("Softplus", (2.0,), {}), ("Hardtanh", (), {}),
        ("Hardtanh", (-2.0, 3.0, True), {}), ("ReLU6", (True,), {}), ("LogSigmoid", (), {}), ("Hardswish", (), {}),
        ("Hardsigmoid", (), {}), ("Embedding", (10, 3), {}), ("Embedding", (10, 3), {"padding_idx": -1}),
    ]:  # fmt: skip
        assert repr(getattr(cr.nn, name)(*args, **kwargs)) == repr(getattr(torch.nn, name)(*args, **kwargs))
    ours, theirs = (nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU())) for nn in (cr.nn, torch.nn))
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "ConvTranspose2d"])
def test_initial_weights_fill_the_same_range(name):
    args = (40, 50) if name == "Linear" else (8, 12, 5)
    ours, theirs = getattr(cr.nn, name)(*args), getattr(torch.nn, name)(*args)
    fan_in = theirs.weight[0].numel()
    bound = 1 / np.sqrt(fan_in)
    for key, mine, _ in parameter_pairs(ours, theirs):
        values = mine.detach().numpy()
        assert abs(values).max() <= bound
        # The largest of n uniform numbers is within 20 / n of the end, but for chance e^-20.
        assert abs(values).max() >= bound * max(1 - 20 / values.size, 0.3), key


def test_initialisers_agree_in_scale():
    for name, kwargs in [
        ("xavier_uniform_", {"gain": 2.0}), ("xavier_normal_", {}), ("kaiming_uniform_", {"a": 0.3}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ]:  # fmt: skip
        ours, theirs = cr.empty(64, 32, 3, 3), torch.empty(64, 32, 3, 3)
        getattr(cr.nn.init, name)(ours, **kwargs), getattr(torch.nn.init, name)(theirs, **kwargs)
        # 18,432 numbers: the standard error of the deviation is 0.5 %.
        assert abs(ours.std().item() / theirs.std().item() - 1) < 0.04, name
    for gain in ("linear", "tanh", "relu", "leaky_relu", "sigmoid", "conv2d"):
        assert cr.nn.init.calculate_gain(gain) == torch.nn.init.calculate_gain(gain)
