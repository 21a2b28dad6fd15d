"""The nets whose whole training steps are measured; `lib` is chainrule or torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np


def make_net(lib, args: dict[str, Any]):
    """The module, and a function (net, x, t) that gives the loss."""
    make = {"cnn": _cnn, "mlp": _mlp, "autoencoder": _autoencoder}[args["net"]]
    return make(lib, args)


def sizes_of(args: dict[str, Any]) -> list[int]:
    return [int(s) for s in args["sizes"].split(",")]


def channels_of(args: dict[str, Any]) -> list[int]:
    return [int(c) for c in args.get("channels", "32,64").split(",")]


def weights(args: dict[str, Any]) -> list[np.ndarray]:
    """Initial parameters in the module's order and shapes: with these every library starts from the same net."""
    rng = np.random.default_rng(0)

    def layer(*shape: int, out: int = 0) -> list[np.ndarray]:
        fan_in = np.prod(shape[1:], dtype=np.float32)
        return [
            rng.standard_normal(shape, dtype=np.float32) / np.sqrt(fan_in),
            np.zeros(out or shape[0], np.float32),
        ]

    def norm(channels: int) -> list[np.ndarray]:
        return [np.ones(channels, np.float32), np.zeros(channels, np.float32)]

    if args["net"] == "mlp":
        layers = [layer(b, a) for a, b in pairwise(sizes_of(args))]
    elif args["net"] == "cnn":
        a, b = channels_of(args)
        layers = [layer(a, 1, 3, 3), norm(a), layer(b, a, 3, 3), norm(b), layer(128, b * 49), layer(10, 128)]
    else:
        layers = [layer(16, 1, 3, 3), layer(32, 16, 3, 3)]
        layers += [layer(32, 16, 4, 4, out=16), layer(16, 1, 4, 4, out=1)]
    return [p for pair in layers for p in pair]


def _cross_entropy(lib):
    return lambda net, x, t: lib.nn.functional.cross_entropy(net(x), t)


def _cnn(lib, args):
    nn = lib.nn
    first, second = channels_of(args)
    net = nn.Sequential(
        nn.Conv2d(1, first, 3, padding=1),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3, padding=1),
        nn.BatchNorm2d(second),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * 49, 128),
        nn.ReLU(),
        nn.Dropout(args.get("dropout", 0.5)),
        nn.Linear(128, 10),
    )
    return net, _cross_entropy(lib)


def _mlp(lib, args):
    nn = lib.nn
    sizes = sizes_of(args)
    layers: list[Any] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    if sizes[-1] == 1:
        bce = lib.nn.functional.binary_cross_entropy_with_logits
        return nn.Sequential(*layers[:-1]), lambda net, x, t: bce(net(x), t)
    return nn.Sequential(*layers[:-1]), _cross_entropy(lib)


def _autoencoder(lib, args):
    nn = lib.nn
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        nn.Sigmoid(),
    )
    return net, lambda net, x, t: lib.nn.functional.mse_loss(net(x), x)
