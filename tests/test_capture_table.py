"""Captured and eager training agree in every bit after 200 steps, for every layer, loss and optimizer there is.

A layer, loss or optimizer without a row fails. test_isa.py runs this file on every instruction set.
"""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F
from schedules import ALL as SCHEDULES
from schedules import advance

STEPS = 200


class Listed(nn.Module):
    """Children in a ModuleList and in a ModuleDict."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 5), nn.Linear(5, 4)])
        self.heads = nn.ModuleDict({"up": nn.Linear(4, 3), "down": nn.Linear(4, 3)})

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.heads["up"](x) - self.heads["down"](x)


class Embedded(nn.Module):
    """Vectors of the classes that numbers fall into."""

    def __init__(self):
        super().__init__()
        self.vectors = nn.Embedding(5, 3, padding_idx=1)

    def forward(self, x):
        return self.vectors((x.abs() * 2).long().clamp(0, 4))


LAYERS = {  # what is made, and the shape that goes in
    "AvgPool2d": (lambda: nn.AvgPool2d(3, 2, 1), (3, 2, 7, 8)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(5), (4, 5)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (2, 3, 4, 5)),
    "Conv2d": (lambda: nn.Conv2d(2, 5, 3, padding=1), (3, 2, 6, 7)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1), (2, 3, 4, 5)),
    "Dropout": (lambda: nn.Dropout(0.3), (4, 19)),
    "Dropout2d": (lambda: nn.Dropout2d(0.3), (4, 5, 3, 2)),
    "ELU": (lambda: nn.ELU(0.7), (3, 11)),
    "Embedding": (Embedded, (3, 4)),
    "Flatten": (lambda: nn.Flatten(), (2, 3, 4)),
    "GELU": (lambda: nn.Sequential(nn.GELU(), nn.GELU("tanh")), (3, 11)),
    "Hardsigmoid": (lambda: nn.Hardsigmoid(), (3, 11)),
    "Hardswish": (lambda: nn.Hardswish(), (3, 11)),
    "Hardtanh": (lambda: nn.Hardtanh(-0.5, 0.8), (3, 11)),
    "Identity": (lambda: nn.Identity(), (2, 3)),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), (3, 11)),
    "Linear": (lambda: nn.Linear(7, 5), (4, 7)),
    "LogSigmoid": (lambda: nn.LogSigmoid(), (3, 11)),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), (3, 9)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (2, 3, 6, 7)),
    "MinPool2d": (lambda: nn.MinPool2d(2), (2, 3, 6, 7)),
    "Mish": (lambda: nn.Mish(), (3, 11)),
    "ModuleDict": (Listed, (3, 6)),
    "ModuleList": (Listed, (3, 6)),
    "PReLU": (lambda: nn.PReLU(5), (3, 5, 7)),
    "ReLU": (lambda: nn.ReLU(), (3, 11)),
    "ReLU6": (lambda: nn.ReLU6(), (3, 11)),
    "SELU": (lambda: nn.SELU(), (3, 11)),
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 2)), (5, 4)),
    "SiLU": (lambda: nn.SiLU(), (3, 11)),
    "Sigmoid": (lambda: nn.Sigmoid(), (3, 11)),
    "Softmax": (lambda: nn.Softmax(1), (3, 9)),
    "Softplus": (lambda: nn.Softplus(2.0, 1.5), (3, 11)),
    "Tanh": (lambda: nn.Tanh(), (3, 11)),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), (2, 6)),
}
WRAPPED = {  # layers after something has been done to them
    "weight_norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(7, 5)), (4, 7)),
    "weight_norm-whole": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 2), dim=None),
        (2, 2, 4, 4),
    ),
}
NO_LAYERS = {"Module": "the base class", "Parameter": "a tensor"}


def labels(rng, shape):
    return rng.integers(0, shape[1], shape[0])


def probabilities(rng, shape):
    return rng.random(shape, dtype=np.float32)


def signs(rng, shape):
    return np.where(rng.random(shape) < 0.5, np.float32(-1), np.float32(1))


LOSSES = {  # what is made, what prepares the prediction, and the target
    "BCELoss": (nn.BCELoss, F.sigmoid, probabilities),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, None, probabilities),
    "CrossEntropyLoss": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), None, labels),
    "FocalLoss": (nn.FocalLoss, None, probabilities),
    "HingeEmbeddingLoss": (nn.HingeEmbeddingLoss, None, signs),
    "HingeLoss": (nn.HingeLoss, None, signs),
    "HuberLoss": (lambda: nn.HuberLoss(delta=0.5), None, probabilities),
    "KLDivLoss": (
        lambda: nn.KLDivLoss(reduction="batchmean"),
        lambda x: F.log_softmax(x, dim=1),
        probabilities,
    ),
    "L1Loss": (nn.L1Loss, None, probabilities),
    "MSELoss": (nn.MSELoss, None, probabilities),
    "NLLLoss": (nn.NLLLoss, lambda x: F.log_softmax(x, dim=1), labels),
    "SmoothL1Loss": (lambda: nn.SmoothL1Loss(beta=0.5), None, probabilities),
}
OPTIMIZERS = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            {"momentum": 0.8, "dampening": 0.1, "maximize": True}, {"momentum": 0.9, "average": True}],
    "Adam": [{}, {"amsgrad": True, "weight_decay": 0.01}, {"maximize": True, "betas": (0.8, 0.95)},
             {"eps": 1e-3, "eps_inside_sqrt": True}],
    "AdamW": [{}, {"amsgrad": True, "weight_decay": 0.1}],
    "NAdam": [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{}, {"weight_decay": 0.1, "maximize": True}],
    "RMSprop": [{}, {"momentum": 0.9}, {"centered": True, "weight_decay": 0.01}, {"centered": True, "momentum": 0.5},
                {"eps": 1e-3, "eps_inside_sqrt": True}],
    "Adagrad": [{}, {"lr_decay": 0.1, "initial_accumulator_value": 0.1}],
    "Adadelta": [{}, {"rho": 0.5, "weight_decay": 0.01}],
    "Lion": [{}, {"weight_decay": 0.1}],
}  # fmt: skip


class Scaled(nn.Module):
    """A layer behind something to train."""

    def __init__(self, make, shape):
        super().__init__()
        self.scale = nn.Parameter(cr.ones(shape[1:]))
        self.layer = make()

    def forward(self, x):
        return self.layer(x * self.scale)


def states(captured, make, shape, loss, target, make_optimizer):
    """Losses, and weights, buffers and optimizer state at the end. The learning rate follows a schedule."""
    cr.manual_seed(5)
    model = Scaled(make, shape)
    optimizer = make_optimizer(model.parameters())

    def step(x, t):
        optimizer.zero_grad()
        value = loss(model(x), t)
        value.backward()
        optimizer.step()
        return value

    run = cr.capture(step) if captured else step
    rng, losses = np.random.default_rng(6), []
    for i in range(STEPS):
        optimizer.param_groups[0]["lr"] = 1e-3 / (1 + i // 20)
        x = rng.standard_normal(shape, dtype=np.float32)
        losses.append(run(cr.from_numpy(x), target(rng)).item())
    if captured:
        assert [p.replays for p in run.programs] == [STEPS - 2]
    tensors = [*model.parameters(), *model.buffers()]
    tensors += [
        v for p in model.parameters() for v in optimizer.state[p].values() if isinstance(v, cr.Tensor)
    ]
    return losses, [t.detach().numpy().tobytes() for t in tensors]


def assert_bits(*arguments):
    expected, actual = states(False, *arguments), states(True, *arguments)
    assert actual[0] == expected[0]
    assert actual[1] == expected[1]


def adam(parameters):
    return optim.Adam(parameters, lr=1e-3)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", [*LAYERS, *WRAPPED])
def test_layers(name, count, threads):
    threads(count)
    make, shape = {**LAYERS, **WRAPPED}[name]
    with cr.no_grad():
        out = make()(cr.ones(shape)).shape
    assert_bits(
        make, shape, F.mse_loss, lambda rng: cr.from_numpy(rng.standard_normal(out, dtype=np.float32)), adam
    )


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, count, threads):
    threads(count)
    make_loss, prepare, target = LOSSES[name]
    criterion = make_loss()

    def loss(x, t):
        return criterion(x if prepare is None else prepare(x), t)

    assert_bits(lambda: nn.Linear(6, 4), (9, 6), loss, lambda rng: cr.from_numpy(target(rng, (9, 4))), adam)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("name", "settings"), [(name, s) for name, rows in OPTIMIZERS.items() for s in rows], ids=str
)
def test_optimizers(name, settings, count, threads):
    threads(count)
    assert_bits(
        lambda: nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 1)),
        (12, 30),
        F.binary_cross_entropy_with_logits,
        lambda rng: cr.from_numpy(rng.random((12, 1), dtype=np.float32)),
        lambda parameters: getattr(optim, name)(parameters, lr=1e-3, **settings),
    )


def scheduled(captured, make):
    """Losses, rates and weights, with a schedule stepped between the calls."""
    cr.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 2))
    groups = [{"params": model[0].parameters(), "lr": 2e-3}, {"params": model[2].parameters(), "lr": 1e-3}]
    optimizer = optim.SGD(groups, momentum=0.5)
    scheduler = make(optim.lr_scheduler, optimizer)

    def step(x):
        optimizer.zero_grad()
        value = (model(x) ** 2).mean()
        value.backward()
        optimizer.step()
        return value

    run = cr.capture(step) if captured else step
    rng, seen = np.random.default_rng(6), []
    for _ in range(40):
        seen.append(run(cr.from_numpy(rng.standard_normal((5, 6), dtype=np.float32))).item())
        advance(scheduler, seen[-1])
        seen += [group["lr"] for group in optimizer.param_groups]
    if captured:
        assert [p.replays for p in run.programs] == [38]  # none was recorded again
    return seen, [p.detach().numpy().tobytes() for p in model.parameters()]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    expected = scheduled(False, SCHEDULES[name])
    assert scheduled(True, SCHEDULES[name]) == expected
    assert expected != scheduled(True, lambda s, o: s.LambdaLR(o, lambda epoch: 1.0))


def public_classes(module):
    return {
        name for name, value in vars(module).items() if inspect.isclass(value) and not name.startswith("_")
    }


def test_every_layer_and_loss_has_a_row():
    assert public_classes(nn) == {*LAYERS, *LOSSES, *NO_LAYERS}


def test_every_optimizer_has_a_row():
    assert public_classes(optim) - {"Optimizer", "NoReturn"} == set(OPTIMIZERS)


def test_every_schedule_has_a_row():
    rows = {name.partition("-")[0] for name in SCHEDULES}
    assert public_classes(optim.lr_scheduler) - {"LRScheduler", "NoReturn"} == rows
