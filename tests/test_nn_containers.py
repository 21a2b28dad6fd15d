"""Containers, registers, state_dict, and the errors of modules."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from test_nn import NAMES, Net, assert_same, values


def test_sequential_is_a_list_of_modules():
    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]
    net = nn.Sequential(*layers)
    assert len(net) == 3
    assert list(net) == layers
    assert net[-1] is layers[2]
    assert isinstance(net[:2], nn.Sequential)
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    net.append(nn.Sigmoid()).insert(0, nn.Identity())
    assert [type(m).__name__ for m in net] == ["Identity", "Linear", "ReLU", "Linear", "Sigmoid"]
    del net[0]
    net[1] = nn.Tanh()
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "Linear", "Sigmoid"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    with pytest.raises(IndexError, match="Sequential: index 4 is out of range for 4 modules"):
        net[4]
    with pytest.raises(TypeError, match="Sequential: entry '1' must be a Module, got function"):
        nn.Sequential(nn.ReLU(), cr.relu)


def test_named_sequential_and_module_dict():
    net = nn.Sequential({"hidden": nn.Linear(2, 3), "out": nn.Linear(3, 1)})
    assert net.hidden is net[0]
    assert next(iter(net.state_dict())) == "hidden.weight"
    table = nn.ModuleDict({"a": nn.ReLU()})
    table["b"] = nn.Linear(1, 1)
    assert list(table) == ["a", "b"]
    assert "b" in table
    assert len(table) == 2
    assert [n for n, _ in table.named_parameters()] == ["b.weight", "b.bias"]
    del table["a"]
    assert list(table.keys()) == ["b"]
    with pytest.raises(KeyError):
        del table["a"]


def test_module_list():
    blocks = nn.ModuleList([nn.Linear(1, 1)])
    blocks += [nn.ReLU(), nn.Linear(1, 2)]
    assert len(blocks) == 3
    assert isinstance(blocks[1:], nn.ModuleList)
    assert [n for n, _ in blocks.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    joined = blocks + nn.ModuleList([nn.Tanh()])
    assert isinstance(joined, nn.ModuleList)
    assert [type(m) for m in joined] == [nn.Linear, nn.ReLU, nn.Linear, nn.Tanh]
    assert joined[0] is blocks[0]
    assert len(blocks) == 3
    with pytest.raises(NotImplementedError, match=r"ModuleList defines no forward\(\)"):
        blocks(cr.ones(1))


# ---- the attribute protocol ----


def test_registered_names_keep_their_kind():
    net = Net()
    with pytest.raises(TypeError, match="Net: scale must be a Parameter or None, got Tensor"):
        net.scale = cr.ones(2)
    with pytest.raises(TypeError, match="Net: features must be a Module or None, got int"):
        net.features = 3
    with pytest.raises(TypeError, match="Net: seen must be a Tensor or None, got int"):
        net.seen = 1
    net.seen = cr.tensor(5)
    assert net.state_dict()["seen"].item() == 5
    net.scale = None
    assert "scale" not in net.state_dict()
    del net.blocks
    assert not any(n.startswith("blocks") for n in net.state_dict())


def test_bad_registrations():
    net = Net()
    with pytest.raises(KeyError, match="attribute 'forward' already exists"):
        net.register_buffer("forward", cr.ones(1))
    with pytest.raises(KeyError, match=r"has no dot: 'a\.b'"):
        net.add_module("a.b", nn.ReLU())
    with pytest.raises(TypeError, match="a name must be a string, got int"):
        net.register_parameter(1, None)
    with pytest.raises(TypeError, match="parameter 'w' must be a Parameter or None, got Tensor"):
        net.register_parameter("w", cr.ones(1))
    with pytest.raises(TypeError, match="module 'm' must be a Module or None, got str"):
        net.add_module("m", "x")
    with pytest.raises(TypeError, match="Parameter: data must be a Tensor, got list"):
        nn.Parameter([1.0])

    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) before"):
        Forgetful()


# ---- state ----


def test_state_dict_round_trip():
    net, other = Net(), Net()
    with cr.no_grad():
        for t in [*other.parameters(), *other.buffers()]:
            t.add_(3)
    other.load_state_dict(net.state_dict())
    assert_same(values(net), values(other))
    # Copied, not shared; and state_dict shares with its own module.
    state = net.state_dict()
    state["scale"].fill_(7)
    assert net.scale.tolist() == [7, 7]
    assert other.scale.tolist() == [1, 1]
    assert not state["scale"].requires_grad
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    assert next(iter(net.state_dict(prefix="net."))) == "net.scale"


def broken(**changes):
    state = {name: cr.tensor(array) for name, array in values(Net()).items()}
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            del state[name]
        else:
            state[name] = value
    return state


@pytest.mark.parametrize(
    ("state", "texts"),
    [
        (broken(blocks__1__bias=None), ["missing keys: blocks.1.bias"]),
        (broken(extra=cr.ones(1), seen=None), ["missing keys: seen", "unexpected keys: extra"]),
        (
            broken(blocks__1__weight=cr.ones(4, 2), scale=cr.ones(3)),
            [r"blocks.1.weight: shape \[4, 2\], the module has \[2, 4\]", r"scale: shape \[3\]"],
        ),
        (broken(scale=cr.ones(2, dtype=cr.float64)), ["scale: dtype .*float64, the module has .*float32"]),
        (broken(blocks__1__bias=np.ones(2)), ["blocks.1.bias: expected a Tensor, got ndarray"]),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(state, texts):
    net = Net()
    before = values(net)
    for text in texts:
        with pytest.raises(ValueError, match=rf"load_state_dict: the state does not fit Net:(.|\n)*{text}"):
            net.load_state_dict(state)
        assert_same(values(net), before)


def test_not_strict_reports_what_it_passed_over():
    net = Net()
    state = broken(extra=cr.ones(1), seen=None, scale=cr.full((2,), 5.0))
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["seen"]
    assert result.unexpected_keys == ["extra"]
    assert net.scale.tolist() == [5, 5]
    with pytest.raises(ValueError, match=r"scale: shape \[3\]"):
        net.load_state_dict({"scale": cr.ones(3)}, strict=False)
    with pytest.raises(TypeError, match="load_state_dict: expected a dictionary, got list"):
        net.load_state_dict(NAMES)


# ---- errors name the module ----


def test_an_error_names_the_path_of_the_module():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(ValueError, match=r"linear: .*x: \[2, 4\].*, in model\.2 \(Linear\)$"):
        model(cr.ones(2, 3))
    with pytest.raises(ValueError, match=r", in model\.0 \(Linear\)$"):
        model(cr.ones(2, 7))
    net = Net()
    net.blocks[1] = nn.Linear(9, 2)
    with pytest.raises(ValueError, match=r", in net\.blocks\.1 \(Linear\)$"):
        net(cr.ones(2, 3))
    with pytest.raises(ValueError, match=r", in net\.features\.0 \(Linear\)$"):
        net(cr.ones(2, 4))
    with pytest.raises(ValueError, match=r", in model \(Conv2d\)$"):
        nn.Conv2d(3, 4, 3)(cr.ones(2, 1, 8, 8))


def test_an_error_inside_a_module_keeps_its_type_and_is_named_once():
    class Picky(nn.Module):
        def forward(self, x):
            raise OverflowError("too much")

    outer = nn.Sequential(nn.Sequential(Picky()))
    with pytest.raises(OverflowError, match=r"^too much, in outer\.0\.0 \(Picky\)$"):
        outer(cr.ones(1))


def test_one_value_per_channel_is_refused_and_leaves_the_statistics():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match=r"batch_norm: .*, in model\.1 \(BatchNorm1d\)$"):
        model(cr.ones(1, 3))
    assert model[1].num_batches_tracked.item() == 0
    assert model[1].running_var.tolist() == [1] * 4
    model.eval()(cr.ones(1, 3))


# ---- bad arguments ----


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: nn.Linear(-1, 2), ValueError, "Linear: in_features must be non-negative, got -1"),
        (lambda: nn.Linear(2, 2.5), TypeError, "Linear: out_features must be an int, got 2.5"),
        (lambda: nn.Linear(2, True), TypeError, "Linear: out_features must be an int, got True"),
        (lambda: nn.Linear(2, 2, dtype=cr.int64), TypeError,
         "Parameter: only float32 and float64 can be trained, got int64"),
        (lambda: nn.Conv2d(3, 4, 0), ValueError, "Conv2d: kernel_size must be positive, got 0"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError,
         "Conv2d: kernel_size must be an int or a pair of ints"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), ValueError, "Conv2d: stride must be positive, got 0"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), ValueError, "Conv2d: padding must be non-negative, got -1"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), ValueError,
         "padding must be one of same, valid, got 'full'"),
        (lambda: nn.Conv2d(3, 4, 3, 2, "same"), ValueError, "padding='same' needs stride 1"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError,
         "groups must divide in_channels, got groups=2, in_channels=3"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), ValueError, "groups must divide out_channels"),
        (lambda: nn.Conv2d(4, 4, 3, padding_mode="reflect"), ValueError, "padding_mode must be 'zeros'"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1), ValueError,
         "output_padding must be smaller than"),
        (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size must be positive"),
        (lambda: nn.MaxPool2d(3, padding=2), ValueError, "padding must be at most half of kernel_size"),
        (lambda: nn.MinPool2d(2, stride=(1, 0)), ValueError,
         r"MinPool2d: stride must be positive, got \(1, 0\)"),
        (lambda: nn.AvgPool2d(2, divisor_override=0), ValueError,
         "AvgPool2d: divisor_override must not be zero"),
        (lambda: nn.BatchNorm1d(0), ValueError, "BatchNorm1d: num_features must be positive, got 0"),
        (lambda: nn.BatchNorm1d(2, eps=-1), ValueError, "BatchNorm1d: eps must be non-negative"),
        (lambda: nn.BatchNorm2d(2, momentum=2), ValueError, r"momentum must be None or in \[0, 1\], got 2"),
        (lambda: nn.Dropout(1.5), ValueError, r"Dropout: p must be in \[0, 1\], got 1.5"),
        (lambda: nn.Dropout(math.nan), ValueError, r"Dropout: p must be in \[0, 1\], got nan"),
        (lambda: nn.Unflatten(1, (-1, -1)), ValueError, "at most one of them -1"),
        (lambda: nn.init.kaiming_normal_(cr.ones(3)), ValueError, "needs at least 2 dimensions"),
        (lambda: nn.init.calculate_gain("swish"), ValueError, "nonlinearity must be one of"),
        (lambda: nn.Linear(2, 2).to(cr.float32, speed=9), TypeError, "Module.to: unknown arguments speed"),
    ],
)  # fmt: skip
def test_bad_arguments_raise_and_name_the_rule(make, error, match):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: nn.Linear(3, 2)(cr.ones(2, 3).long()), TypeError, r"linear: .*in model \(Linear\)"),
        (lambda: nn.Linear(3, 2)(cr.ones(2, 3, dtype=cr.float64)), TypeError, r"linear: .*float64"),
        (lambda: nn.Linear(3, 2)(cr.tensor(1.0)), ValueError, "linear: "),
        (lambda: nn.Linear(3, 2)(np.ones((2, 3))), TypeError,
         r"^linear: expected a tensor, got numpy\.ndarray.*, in model \(Linear\)$"),
        *((lambda junk=junk, layer=layer: layer(junk), TypeError, rf", in (model|layer) \({type(layer).__name__}\)$")
          for junk in ([1.0], None, "a", 2.5, np.ones((2, 3)), nn.ReLU())
          for layer in (nn.Linear(3, 2), nn.Conv2d(3, 4, 3), nn.BatchNorm1d(3).eval(), nn.ReLU(), nn.Softmax(dim=1),
                        nn.Flatten(), nn.MaxPool2d(2), nn.Dropout(0.5))),
        (lambda: nn.BatchNorm1d(3)([1.0]), TypeError,
         r"^BatchNorm1d: expects a Tensor, got list; make one with tensor\(...\), in model \(BatchNorm1d\)$"),
        (lambda: nn.Linear(2, 2).register_forward_hook(3), TypeError, "the hook must be callable, got int"),
        (lambda: nn.ReLU().register_forward_pre_hook(None), TypeError, "the hook must be callable, got NoneType"),
        (lambda: nn.Conv2d(3, 4, 3)(cr.ones(3, 3)), ValueError, "conv2d: "),
        (lambda: nn.Conv2d(3, 4, 3)(cr.ones(1, 3, 2, 8)), ValueError, "conv2d: "),
        (lambda: nn.Conv2d(3, 4, 3)(cr.ones(1, 6, 8, 8)), ValueError,
         r"conv2d: weight expects 3 input channels, x has 6"),
        (lambda: nn.ConvTranspose2d(3, 4, 3)(cr.ones(1, 6, 8, 8)), ValueError, "conv_transpose2d: "),
        (lambda: nn.MaxPool2d(4)(cr.ones(1, 1, 3, 8)), ValueError, r"max_pool2d: .*in model \(MaxPool2d\)"),
        (lambda: nn.AvgPool2d(2)(cr.ones(8, 8)), ValueError, "avg_pool2d: "),
        (lambda: nn.BatchNorm2d(3)(cr.ones(4, 3)), ValueError,
         r"expected an input of shape \(N, C, H, W\) \(x: \[4, 3\]\)"),
        (lambda: nn.BatchNorm1d(3)(cr.ones(4, 2)), ValueError, r"batch_norm: .*in model \(BatchNorm1d\)"),
        (lambda: nn.Softmax(dim=2)(cr.ones(4, 2)), IndexError, r"softmax: .*in model \(Softmax\)"),
        (lambda: nn.Flatten(3)(cr.ones(4, 2)), IndexError, r"flatten: .*in model \(Flatten\)"),
        (lambda: nn.Unflatten(1, (2, 2))(cr.ones(4, 5)), ValueError,
         "dimension 1 of size 5 doesn't split into"),
        (lambda: nn.Unflatten(2, (2, 2))(cr.ones(4, 5)), IndexError, "dim 2 is out of range"),
    ],
)  # fmt: skip
def test_bad_inputs_raise_and_name_the_rule(call, error, match):
    with pytest.raises(error, match=match):
        call()
