"""Settings of training that are numbers: what is none is named, as what is out of range is."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.optim import lr_scheduler
from training import network, points, quick, sgd


def adam():
    return cr.optim.Adam(network().parameters())


def finder(**settings):
    model = network()
    return train.lr_find(model, nn.CrossEntropyLoss(), sgd(model), points(), **settings)


SETTINGS = {
    "CrossEntropyLoss: label_smoothing": lambda x: nn.CrossEntropyLoss(label_smoothing=x),
    "Dropout: p": nn.Dropout,
    "Dropout2d: p": nn.Dropout2d,
    "EMA: decay": lambda x: train.EMA(network(), x),
    "EarlyStopping: min_delta": lambda x: train.EarlyStopping(min_delta=x),
    "Penalty: l1": lambda x: train.Penalty(network(), x),
    "Penalty: l2": lambda x: train.Penalty(network(), l2=x),
    "evaluate: threshold": lambda x: train.evaluate(network(), points(), "accuracy", threshold=x),
    "fit: threshold": lambda x: quick(network(), threshold=x),
    "lr_find: low": lambda x: finder(low=x),
    "lr_find: high": lambda x: finder(high=x),
    "lr_find: smoothing": lambda x: finder(smoothing=x),
    "lr_find: diverged": lambda x: finder(diverged=x),
    "learning_curve: sizes": lambda x: train.learning_curve(network, quick, points(), [x]),
    "log_uniform: low": lambda x: train.log_uniform(x, 1.0),
    "uniform: high": lambda x: train.uniform(0.0, x),
    "ConstantLR: factor": lambda x: lr_scheduler.ConstantLR(adam(), x),
    "LinearLR: start_factor": lambda x: lr_scheduler.LinearLR(adam(), x),
    "OneCycleLR: pct_start": lambda x: lr_scheduler.OneCycleLR(adam(), 1.0, 10, pct_start=x),
    "OneCycleLR: base_momentum": lambda x: lr_scheduler.OneCycleLR(adam(), 1.0, 10, base_momentum=x),
    "ReduceLROnPlateau: factor": lambda x: lr_scheduler.ReduceLROnPlateau(adam(), factor=x),
    "ReduceLROnPlateau.step: metrics": lambda x: lr_scheduler.ReduceLROnPlateau(adam()).step(x),
}


@pytest.mark.parametrize("value", ["0.5", {}], ids=str)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_no_number_is_named(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a number, got "):
        SETTINGS[name](value)


def test_numbers_of_numpy_are_numbers():
    assert nn.Dropout(np.float32(0.5)).p == 0.5
    assert nn.CrossEntropyLoss(label_smoothing=np.float64(0.25)).label_smoothing == 0.25
    assert train.EMA(network(), np.float64(0.5)).decay == 0.5
    lr_scheduler.ReduceLROnPlateau(adam()).step(np.float32(0.5))
    lr_scheduler.ReduceLROnPlateau(adam()).step(cr.tensor(0.5))


@pytest.mark.parametrize(
    ("kind", "settings", "text"),
    [
        ("SGD", {"base_momentum": -0.1}, "base_momentum must be at least 0, got -0.1"),
        ("SGD", {"max_momentum": float("inf")}, "max_momentum must be finite, got inf"),
        ("Adam", {"base_momentum": -0.1}, r"base_momentum must be in \[0, 1\), got -0.1"),
        ("Adam", {"max_momentum": [1.0]}, r"max_momentum must be in \[0, 1\), got 1.0"),
    ],
)
def test_momenta_that_the_optimizer_would_refuse_are_refused_by_the_cycle(kind, settings, text):
    p = cr.zeros(1, requires_grad=True)
    optimizer = getattr(cr.optim, kind)([p], lr=0.1)
    before = dict(optimizer.param_groups[0])
    with pytest.raises(ValueError, match=f"^OneCycleLR: {text}"):
        lr_scheduler.OneCycleLR(optimizer, 1.0, 10, **settings)
    assert optimizer.param_groups[0] == before
