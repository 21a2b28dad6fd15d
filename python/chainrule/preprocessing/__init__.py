"""Preprocessing of tables under scikit-learn's names: fitted on the training part, applied to all."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.preprocessing.augment import jitter, mixup
from chainrule.preprocessing.balance import ClassBalance, class_balance, class_weights, sample_weights
from chainrule.preprocessing.base import NotFittedError, Transformer, clone, refuse_held_out
from chainrule.preprocessing.columns import ColumnTransformer, make_column_selector, make_column_transformer
from chainrule.preprocessing.encode import LabelEncoder, OrdinalEncoder
from chainrule.preprocessing.features import PolynomialFeatures, RatioFeatures
from chainrule.preprocessing.impute import SimpleImputer
from chainrule.preprocessing.missing import DropReport, MissingIndicator, drop_missing
from chainrule.preprocessing.model_impute import ModelImputer
from chainrule.preprocessing.onehot import OneHotEncoder
from chainrule.preprocessing.pipeline import Pipeline, make_pipeline
from chainrule.preprocessing.resample import oversample, smote, undersample
from chainrule.preprocessing.scale import MinMaxScaler, RobustScaler, StandardScaler

__all__ = [
    "ClassBalance",
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
    "PolynomialFeatures",
    "RatioFeatures",
    "RobustScaler",
    "SimpleImputer",
    "StandardScaler",
    "Transformer",
    "class_balance",
    "class_weights",
    "clone",
    "drop_missing",
    "jitter",
    "make_column_selector",
    "make_column_transformer",
    "make_pipeline",
    "mixup",
    "oversample",
    "refuse_held_out",
    "sample_weights",
    "smote",
    "undersample",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
