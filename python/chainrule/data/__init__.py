"""Datasets, samplers, loaders and splits; also importable as ``chainrule.utils.data``."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.data.collate import default_collate, default_convert
from chainrule.data.dataset import (
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from chainrule.data.loader import DataLoader
from chainrule.data.part import mark_part, part_of
from chainrule.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
)
from chainrule.data.split import train_dev_test_split, train_test_split

__all__ = [
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "default_collate",
    "default_convert",
    "mark_part",
    "part_of",
    "random_split",
    "train_dev_test_split",
    "train_test_split",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
