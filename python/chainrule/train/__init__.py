"""Training: fit, what it measures, and how it is watched, saved, resumed and repeated."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.train import metrics
from chainrule.train.average import EMA
from chainrule.train.callbacks import Callback, CSVLog, EarlyStopping, JSONLog, Schedule
from chainrule.train.checkpoint import Checkpoint
from chainrule.train.evaluate import evaluate, predict
from chainrule.train.finder import LRCurve, lr_find
from chainrule.train.fit import fit
from chainrule.train.history import History
from chainrule.train.penalty import Penalty
from chainrule.train.search import (
    LearningCurve,
    Results,
    best_of,
    learning_curve,
    log_uniform,
    search,
    uniform,
)
from chainrule.train.table import Table

__all__ = [
    "EMA",
    "CSVLog",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "JSONLog",
    "LRCurve",
    "LearningCurve",
    "Penalty",
    "Results",
    "Schedule",
    "Table",
    "best_of",
    "evaluate",
    "fit",
    "learning_curve",
    "log_uniform",
    "lr_find",
    "metrics",
    "predict",
    "search",
    "uniform",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
