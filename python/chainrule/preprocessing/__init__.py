"""Preprocessing of tables under scikit-learn's names: fitted on the training part, applied to all."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.preprocessing.base import NotFittedError, Transformer, clone, refuse_held_out
from chainrule.preprocessing.columns import ColumnTransformer, make_column_selector, make_column_transformer
from chainrule.preprocessing.encode import LabelEncoder, OrdinalEncoder
from chainrule.preprocessing.impute import SimpleImputer
from chainrule.preprocessing.missing import DropReport, MissingIndicator, drop_missing
from chainrule.preprocessing.model_impute import ModelImputer
from chainrule.preprocessing.onehot import OneHotEncoder
from chainrule.preprocessing.pipeline import Pipeline, make_pipeline
from chainrule.preprocessing.scale import MinMaxScaler, RobustScaler, StandardScaler

__all__ = [
    "ColumnTransformer",
    "DropReport",
    "LabelEncoder",
    "MinMaxScaler",
    "MissingIndicator",
    "ModelImputer",
    "NotFittedError",
    "OneHotEncoder",
    "OrdinalEncoder",
    "Pipeline",
    "RobustScaler",
    "SimpleImputer",
    "StandardScaler",
    "Transformer",
    "clone",
    "drop_missing",
    "make_column_selector",
    "make_column_transformer",
    "make_pipeline",
    "refuse_held_out",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
