"""Weights that stay packed between replays: packed again after every change, however it comes about."""

import ctypes

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F

# A layer and the shape of its input, for each way that packs weights: tiles, panels, Winograd's filtering.
LAYERS = {
    "tiles": (lambda: nn.Conv2d(3, 8, 3, padding=1), (2, 3, 9, 11)),
    "tiles in groups": (lambda: nn.Conv2d(8, 8, 3, groups=4), (2, 8, 9, 11)),
    "panels": (lambda: nn.Conv2d(32, 32, 3, stride=2), (4, 32, 33, 33)),
    "Winograd": (lambda: nn.Conv2d(32, 32, 3, padding=1), (1, 32, 24, 24)),
    "transpose": (lambda: nn.ConvTranspose2d(16, 24, 3, padding=1), (1, 16, 40, 40)),
}
NOTE = ", weights stay packed"


def bits(t):
    return t.detach().numpy().tobytes()


def predictor(kind, **options):
    """A layer beside a large parameter that pays for its workspace, captured; and an input."""
    make, shape = LAYERS[kind]
    cr.manual_seed(3)
    layer, ballast = make(), cr.zeros(1 << 20)

    def predict(x):
        with cr.no_grad():
            return layer(x) + ballast[0]

    captured, x = cr.capture(predict, warmup=0, **options), cr.randn(shape)
    captured(x)
    captured(x)
    return layer, predict, captured, x


@pytest.mark.parametrize("kind", LAYERS)
def test_weights_are_packed_in_the_first_replay_only(kind):
    layer, predict, captured, x = predictor(kind)
    assert NOTE in captured.programs[0].listing
    first = bits(captured(x))
    unseen = np.ctypeslib.as_array(
        (ctypes.c_float * layer.weight.numel()).from_address(layer.weight._t.data_ptr)
    )
    unseen *= 2  # which nothing can notice: the program goes on with what it has packed
    assert bits(captured(x)) == first != bits(predict(x))


@pytest.mark.parametrize("kind", LAYERS)
def test_every_change_of_the_weights_is_seen(kind):
    layer, predict, captured, x = predictor(kind)
    weight = layer.weight
    other = {name: cr.randn(t.shape) for name, t in layer.state_dict().items()}

    def train():
        optimizer = optim.SGD(layer.parameters(), lr=0.1)
        layer(x).square().mean().backward()
        optimizer.step()

    @cr.capture
    def scale():
        with cr.no_grad():
            weight.mul_(1.25)

    changes = [
        lambda: weight.data.add_(1),
        train,
        scale,
        scale,
        scale,
        lambda: layer.load_state_dict(other),
        lambda: weight.data[1:2].zero_(),
    ]
    for i, change in enumerate(changes):
        before = bits(captured(x))
        change()
        assert bits(captured(x)) == bits(predict(x)) != before, i
    assert NOTE in captured.programs[-1].listing
    array = weight.detach().numpy()  # from now on NumPy may write it at any time
    for _ in range(3):
        before = bits(captured(x))
        array *= 1.5
        assert bits(captured(x)) == bits(predict(x)) != before


def test_a_consumer_of_dlpack_may_write_the_weights():
    layer, predict, captured, x = predictor("tiles")
    array = np.from_dlpack(layer.weight.detach())
    before = bits(captured(x))
    address = array.__array_interface__["data"][0]
    np.ctypeslib.as_array((ctypes.c_float * array.size).from_address(address))[:] *= 2
    assert bits(captured(x)) == bits(predict(x)) != before


def test_what_prints_and_saves_weights_does_not_write_them(tmp_path):
    layer, _, captured, x = predictor("Winograd")
    print(layer.weight, layer.weight.tolist()[0][0], cr.tensor([layer.bias[0].detach()]))
    cr.save(layer.state_dict(), tmp_path / "layer.safetensors")
    first = bits(captured(x))
    address = layer.weight._t.data_ptr
    np.ctypeslib.as_array((ctypes.c_float * layer.weight.numel()).from_address(address))[:] *= 2
    assert bits(captured(x)) == first


def test_weights_in_the_memory_of_numpy_and_in_arguments_are_packed_every_time():
    rng = np.random.default_rng(0)
    array = rng.standard_normal((8, 3, 3, 3), dtype=np.float32)
    shared, ballast = cr.from_numpy(array), cr.zeros(1 << 20)
    x = cr.randn(2, 3, 9, 9)
    for f, args in (
        (lambda x: F.conv2d(x, shared) + ballast[0], lambda: (x,)),
        (lambda x, w: F.conv2d(x, w) + ballast[0], lambda: (x, cr.randn(8, 3, 3, 3))),
    ):
        captured = cr.capture(f, warmup=0)
        for _ in range(4):
            array += 1
            given = args()
            assert bits(captured(*given)) == bits(f(*given))
        assert NOTE not in captured.programs[-1].listing


def test_a_step_that_updates_its_weights_keeps_nothing():
    layer, x = nn.Conv2d(3, 8, 3), cr.randn(2, 3, 9, 9)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)

    @cr.capture
    def step(x):
        optimizer.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(x)
    assert NOTE not in step.programs[0].listing


def test_weights_of_which_one_group_overwrites_the_other_are_not_kept():
    layer, ballast = nn.Conv2d(64, 64, 3, padding=1, groups=2), cr.zeros(1 << 20)
    captured = cr.capture(lambda x: (layer(x) + ballast[0]).detach(), warmup=0)
    for _ in range(3):
        x = cr.randn(1, 64, 24, 24)
        assert bits(captured(x)) == bits(layer(x))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_image_that_is_computed_directly_takes_the_filtered_weights_away(bad):
    _, predict, captured, x = predictor("Winograd")
    spoiled = x.clone()
    spoiled[0, 0, 5, 5] = bad
    for image in (x, spoiled, spoiled, x, x):
        assert bits(captured(image)) == bits(predict(image))


def test_what_is_kept_takes_a_fifth_of_the_memory_at_most():
    layers = [nn.Conv2d(64, 64, 3, padding=1) for _ in range(8)]

    def predict(x):
        for layer in layers:
            x = layer(x)
        return x.detach()

    def run(passes):
        captured, x = cr.capture(predict, passes=passes, warmup=0), cr.randn(1, 64, 24, 24)
        captured(x), captured(x)
        return captured.programs[0]

    plain, kept = run(()), run(("prepare",))
    total = plain.bytes + sum(p.numel() * 4 for layer in layers for p in layer.parameters())
    assert plain.bytes < kept.bytes <= plain.bytes + total / 5
    assert 0 < kept.listing.count(NOTE) < len(layers)


def test_a_restored_check_marks_what_it_writes():
    layer, predict, captured, x = predictor("tiles")

    @cr.capture(check=True)
    def step():
        with cr.no_grad():
            layer.weight.add_(0.5)

    for _ in range(5):
        step()
        assert bits(captured(x)) == bits(predict(x))
