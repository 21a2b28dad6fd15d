"""The nets whose whole training steps are measured; `lib` is chainrule or torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def make_net(lib, args: dict[str, Any]):
    """The module, and a function (net, x, t) that gives the loss."""
    make = {"cnn": _cnn, "mlp": _mlp, "autoencoder": _autoencoder}[args["net"]]
    return make(lib, args)


def _cross_entropy(lib):
    return lambda net, x, t: lib.nn.functional.cross_entropy(net(x), t)


def _cnn(lib, args):
    nn = lib.nn
    first, second = (int(c) for c in args.get("channels", "32,64").split(","))
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
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    return net, _cross_entropy(lib)


def _mlp(lib, args):
    nn = lib.nn
    sizes = [int(s) for s in args["sizes"].split(",")]
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
