"""Datasets, samplers, loaders and splits; also importable as ``chainrule.utils.data``."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.data.collate import default_collate, default_convert
from chainrule.data.dataset import (
    ArrayDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    TransformDataset,
    random_split,
)
from chainrule.data.duplicates import Duplicates, duplicates_across
from chainrule.data.folds import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, folds
from chainrule.data.loader import DataLoader
from chainrule.data.part import mark_part, part_of
from chainrule.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from chainrule.data.split import train_dev_test_split, train_test_split
from chainrule.data.strata import GroupBatchSampler, StratifiedSampler
from chainrule.data.workers import get_worker_info

__all__ = [
    "ArrayDataset",
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Duplicates",
    "GroupBatchSampler",
    "GroupKFold",
    "IterableDataset",
    "KFold",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StratifiedGroupKFold",
    "StratifiedKFold",
    "StratifiedSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "TransformDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "duplicates_across",
    "folds",
    "get_worker_info",
    "mark_part",
    "part_of",
    "random_split",
    "train_dev_test_split",
    "train_test_split",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
