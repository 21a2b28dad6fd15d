"""Whole training steps in MLX: its modules and its Adam, value_and_grad and the update in one mx.compile.

MLX keeps channels last, so inputs and weights are turned round once, before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from nets import channels_of, sizes_of, weights
from steps import RATE, Step, batches, in_turn


def _layers(args: dict[str, Any]) -> list[Callable]:
    if args["net"] == "mlp":
        sizes = sizes_of(args)
        layers: list[Callable] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.relu]
        return layers[:-1]
    if args["net"] == "cnn":
        layers = []
        for before, after in pairwise([1, *channels_of(args)]):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm(after), nn.relu, nn.MaxPool2d(2)]
        layers += [lambda x: x.reshape(len(x), -1), nn.Linear(channels_of(args)[1] * 49, 128), nn.relu]
        return [*layers, nn.Dropout(args.get("dropout", 0.5)), nn.Linear(128, 10)]
    return [
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.relu,
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.relu,
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
        nn.relu,
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        mx.sigmoid,
    ]


def _channels_last(args: dict[str, Any], arrays: list[np.ndarray]) -> list[np.ndarray]:
    """PyTorch's parameters in MLX's layout; the first linear layer behind an image sees its pixels in that order."""
    turned = [a.transpose(0, 2, 3, 1) if a.ndim == 4 else a for a in arrays]
    if args["net"] == "autoencoder":
        for i in (4, 6):
            turned[i] = arrays[i].transpose(1, 2, 3, 0)
    if args["net"] == "cnn":
        turned[8] = arrays[8].reshape(128, -1, 7, 7).transpose(0, 2, 3, 1).reshape(128, -1)
    return turned


def _net(args: dict[str, Any]) -> nn.Sequential:
    net = nn.Sequential(*_layers(args))
    pairs = [
        (layer, name) for layer in net.layers if isinstance(layer, nn.Module) for name in ("weight", "bias")
    ]
    pairs = [(layer, name) for layer, name in pairs if name in layer]
    for (layer, name), array in zip(pairs, _channels_last(args, weights(args)), strict=True):
        assert layer[name].shape == array.shape
        layer[name] = mx.array(array)
    return net


def _loss(args: dict[str, Any], net: nn.Module, x: mx.array, t: mx.array) -> mx.array:
    y = net(x)
    if args["net"] == "autoencoder":
        return nn.losses.mse_loss(y, x)
    if t.ndim == 2:
        return nn.losses.binary_cross_entropy(y, t, reduction="mean")
    return nn.losses.cross_entropy(y, t, reduction="mean")


def mlx_step(case) -> Step:
    """Every call waits for its loss and for the new parameters."""
    net = _net(case.args)
    arrays, targets = batches(case)
    xs = [mx.array(a.reshape(len(a), 28, 28, 1) if a.ndim == 4 else a) for a in arrays]
    ts = [mx.array(t) for t in targets]
    if case.args.get("predict"):
        predict = mx.compile(net.eval())

        def forward(x, t):
            y = predict(x)
            mx.eval(y)
            return y

        return in_turn(forward, xs, ts)
    optimizer = optim.Adam(RATE, bias_correction=True)
    optimizer.init(net.trainable_parameters())
    state = [net.state, optimizer.state]
    if case.args["net"] == "cnn":
        state.append(mx.random.state)  # for dropout
    mx.eval(state)
    loss_and_gradients = nn.value_and_grad(net, partial(_loss, case.args, net))

    @partial(mx.compile, inputs=state, outputs=state)
    def update(x, t):
        loss, gradients = loss_and_gradients(x, t)
        optimizer.update(net, gradients)
        return loss

    def step(x, t):
        loss = update(x, t)
        mx.eval(loss, state)
        return loss

    return in_turn(step, xs, ts)
