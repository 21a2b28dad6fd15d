"""Schedules agree with PyTorch's over 50 epochs, in rates, momenta and states."""

import warnings

import pytest

import chainrule as cr
from peers import torch
from schedules import PLATEAUS, SHARED

pytestmark = pytest.mark.peers
EPOCHS = 50


def sgd(library, lr=(0.5, 0.02), **options):
    params = [library.zeros(1, requires_grad=True) for _ in lr]
    groups = [{"params": [p], "lr": rate} for p, rate in zip(params, lr, strict=True)]
    return library.optim.SGD(groups, lr=0.1, momentum=0.9, **options)


def adam(library):
    return library.optim.Adam([library.zeros(1, requires_grad=True)], lr=0.3)


LIBRARIES = (cr, torch)


def settings(optimizer):
    return [(g["lr"], g.get("momentum", 0.0), *g.get("betas", ())) for g in optimizer.param_groups]


def agree(ours, theirs, where):
    for mine, peer in zip(ours, theirs, strict=True):
        for a, b in zip(mine, peer, strict=True):
            assert a == pytest.approx(b, rel=1e-12, abs=1e-15), where


@pytest.fixture(autouse=True)
def no_order():
    """The order of steps is not what is compared here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("make_optimizer", [sgd, adam])
@pytest.mark.parametrize("name", SHARED)
def test_50_epochs_agree(name, make_optimizer):
    if make_optimizer is adam and name in ("LambdaLR-each", "OneCycleLR-linear"):
        make_optimizer = lambda library: library.optim.Adam(sgd(library).param_groups)  # noqa: E731
    optimizers = [make_optimizer(library) for library in LIBRARIES]
    schedulers = [
        SHARED[name](library.optim.lr_scheduler, o) for library, o in zip(LIBRARIES, optimizers, strict=True)
    ]
    for epoch in range(EPOCHS):
        agree(*map(settings, optimizers), (name, epoch))
        ours, theirs = (s.get_last_lr() for s in schedulers)
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-15)
        for scheduler in schedulers:
            scheduler.step()


@pytest.mark.parametrize("name", SHARED)
def test_a_state_of_pytorch_continues_here(name):
    optimizers = [sgd(library) for library in LIBRARIES]
    theirs = SHARED[name](torch.optim.lr_scheduler, optimizers[1])
    for _ in range(13):
        theirs.step()
    ours = SHARED[name](cr.optim.lr_scheduler, optimizers[0])
    ours.load_state_dict(theirs.state_dict())
    optimizers[0].load_state_dict({"state": {}, "param_groups": optimizers[1].state_dict()["param_groups"]})
    for epoch in range(13, EPOCHS):
        agree(*map(settings, optimizers), (name, epoch))
        ours.step()
        theirs.step()


@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "ExponentialLR", "ConstantLR", "LinearLR", "PolynomialLR",
                                  "CosineAnnealingLR", "CosineAnnealingWarmRestarts-mult", "LambdaLR"])  # fmt: skip
@pytest.mark.parametrize("epoch", [0, 2, 5, 11, 40])
def test_a_given_epoch_agrees(name, epoch):
    optimizers = [sgd(library) for library in LIBRARIES]
    for library, optimizer in zip(LIBRARIES, optimizers, strict=True):
        scheduler = SHARED[name](library.optim.lr_scheduler, optimizer)
        for _ in range(3):
            scheduler.step()
        scheduler.step(epoch)
    agree(*map(settings, optimizers), name)


@pytest.mark.parametrize("mult", [1, 2])
def test_warm_restarts_after_every_batch_agree(mult):
    optimizers = [sgd(library) for library in LIBRARIES]
    schedulers = [
        library.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4, mult, 0.01)
        for library, o in zip(LIBRARIES, optimizers, strict=True)
    ]
    for i in range(150):
        for scheduler in schedulers:
            scheduler.step(i / 7)
        agree(*map(settings, optimizers), i)


@pytest.mark.parametrize("options", PLATEAUS)
def test_reduction_on_plateaus_agrees(options):
    optimizers = [sgd(library) for library in LIBRARIES]
    schedulers = [
        library.optim.lr_scheduler.ReduceLROnPlateau(o, **options)
        for library, o in zip(LIBRARIES, optimizers, strict=True)
    ]
    metric = 3.0
    for epoch in range(EPOCHS):
        metric = metric * 0.9 if epoch % 7 < 3 else metric * 1.01
        for scheduler in schedulers:
            scheduler.step(float("nan") if epoch == 20 else metric)
        agree(*map(settings, optimizers), epoch)
        ours, theirs = schedulers
        assert (ours.best, ours.num_bad_epochs, ours.cooldown_counter, ours.in_cooldown) == (
            theirs.best, theirs.num_bad_epochs, theirs.cooldown_counter, theirs.in_cooldown)  # fmt: skip


def test_a_continued_schedule_agrees():
    optimizers = [sgd(library) for library in LIBRARIES]
    for library, optimizer in zip(LIBRARIES, optimizers, strict=True):
        for group in optimizer.param_groups:
            group["initial_lr"] = 2 * group["lr"]
        s = library.optim.lr_scheduler
        for make in (
            lambda: s.CosineAnnealingLR(optimizer, 20, last_epoch=6),  # noqa: B023
            lambda: s.ExponentialLR(optimizer, 0.9, last_epoch=6),  # noqa: B023
            lambda: s.LinearLR(optimizer, 0.5, total_iters=20, last_epoch=6),  # noqa: B023
            lambda: s.StepLR(optimizer, 4, last_epoch=6),  # noqa: B023
        ):
            scheduler = make()
            for _ in range(5):
                scheduler.step()
    agree(*map(settings, optimizers), "")
