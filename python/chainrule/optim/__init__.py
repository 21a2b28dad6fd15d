"""Optimizers: each updates all parameters of a group in one native call."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.optim.adam import Adam, AdamW
from chainrule.optim.optimizer import Optimizer
from chainrule.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
