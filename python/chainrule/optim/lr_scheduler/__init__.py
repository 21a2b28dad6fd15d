"""Schedules of learning rates: they change `param_groups`, so eager and captured steps follow alike."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from chainrule.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from chainrule.optim.lr_scheduler.one_cycle import OneCycleLR
from chainrule.optim.lr_scheduler.plateau import ReduceLROnPlateau
from chainrule.optim.lr_scheduler.scheduler import LRScheduler
from chainrule.optim.lr_scheduler.sequence import ChainedScheduler, SequentialLR
from chainrule.optim.lr_scheduler.textbook import EpochDecayLR, GradientNormLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "EpochDecayLR",
    "ExponentialLR",
    "GradientNormLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
