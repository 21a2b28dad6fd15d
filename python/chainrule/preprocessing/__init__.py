"""Preprocessing of tables under scikit-learn's names: fitted on the training part, applied to all."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.preprocessing.base import NotFittedError, Transformer, clone, refuse_held_out
from chainrule.preprocessing.encode import LabelEncoder, OrdinalEncoder
from chainrule.preprocessing.onehot import OneHotEncoder
from chainrule.preprocessing.scale import MinMaxScaler, RobustScaler, StandardScaler

__all__ = [
    "LabelEncoder",
    "MinMaxScaler",
    "NotFittedError",
    "OneHotEncoder",
    "OrdinalEncoder",
    "RobustScaler",
    "StandardScaler",
    "Transformer",
    "clone",
    "refuse_held_out",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
