"""A small network and small data, for the tests of training."""

import numpy as np

import chainrule as cr
from chainrule import nn, train
from chainrule.nn import functional as F


def points(n=96, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4)).astype(np.float32)
    return cr.tensor(x), cr.tensor((x.sum(1) > 0).astype(np.int64))


def network(outputs=2, dropout=0.0):
    cr.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, outputs))


def sgd(model, lr=0.1):
    return cr.optim.SGD(model.parameters(), lr=lr)


def bits(model):
    return [t.numpy().tobytes() for t in model.state_dict().values()]


def quick(model, data=None, dev=None, epochs=2, optimizer=None, loss=F.cross_entropy, **settings):
    data = points() if data is None else data
    return train.fit(model, loss, optimizer or sgd(model), data, dev, epochs, quiet=True, **settings)
