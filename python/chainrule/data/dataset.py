"""Datasets: what a loader draws samples from."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule._part import is_frame
from chainrule.creation import tensor
from chainrule.data.fetch import Rows, as_batch
from chainrule.random import Generator, randperm
from chainrule.tensor import Tensor


class Dataset:
    """Samples by number: a subclass defines ``__getitem__(index)`` and ``__len__()``."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"Dataset: {type(self).__name__} defines no __getitem__()")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Samples as a stream: a subclass defines ``__iter__()``."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"IterableDataset: {type(self).__name__} defines no __iter__()")


class TensorDataset(Dataset):
    """Tensors that agree in their first size; sample i is the tuple of their i-th rows.

    A loader takes a batch of it as one indexed copy per tensor, not row by row.

    Raises ValueError for no tensors and for first sizes that differ, TypeError for lists and frames.

    Example::

        data = TensorDataset(images, labels)  # (N, 1, 8, 8) and (N,)
        image, label = data[0]
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        _check_first_sizes("TensorDataset", tensors)
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class TransformDataset(Dataset):
    """Tensors that agree in their first size, the first of them transformed sample by sample.

    Sample i is ``(transform(tensors[0][i]), tensors[1][i], ...)``. Random transforms draw anew each time, from the
    default generator: in a loader from the sample's own stream.

    Raises ValueError for no tensors and for first sizes that differ, TypeError for lists and frames.

    Example::

        train = TransformDataset((images, labels), transform=lambda image: image.flip(-1))
    """

    def __init__(self, tensors: Sequence[Any], transform: Callable[[Any], Any] | None = None) -> None:
        _check_first_sizes("TransformDataset", tensors)
        self.tensors = tuple(tensors)
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        first, *rest = (tensor[index] for tensor in self.tensors)
        return (first if self.transform is None else self.transform(first), *rest)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class ArrayDataset(Dataset):
    """NumPy arrays, memory maps and tensors that agree in their first size; a sample is a tuple of tensors.

    Nothing is converted or copied but the rows of a sample or a batch, so that a memory map may be larger than the
    memory. float16 becomes float32, integers except uint8 become int64, as in ``tensor()``. With `num_workers` a
    loader's threads read memory maps ahead.

    Raises ValueError for no arrays and for first sizes that differ, TypeError for other dtypes.

    Example::

        images = np.load("images.npy", mmap_mode="r")  # uint8 (N, 3, 32, 32)
        data = ArrayDataset(images, labels)
    """

    arrays: tuple[Any, ...]

    def __init__(self, *arrays: Any) -> None:
        for number, array in enumerate(arrays):
            dtype = getattr(array, "dtype", None)
            if not isinstance(array, np.ndarray | Tensor) or getattr(dtype, "kind", "f") not in "biuf":
                what = type(array).__name__ if dtype is None else f"{type(array).__name__} of {dtype}"
                raise TypeError(
                    f"ArrayDataset: expects arrays of numbers or bools, number {number} is a {what}"
                )
        _check_first_sizes("ArrayDataset", arrays)
        self.arrays = arrays

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(
            array[index] if isinstance(array, Tensor) else as_batch(array[index]) for array in self.arrays
        )

    def __len__(self) -> int:
        return self.arrays[0].shape[0]


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """The samples of several datasets, one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: needs at least one dataset, got none")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise TypeError("ConcatDataset: an IterableDataset has no numbered samples")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __getitem__(self, index: int) -> Any:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"ConcatDataset: index {index} is out of range for {size} samples")
        index %= size
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset]:
    """Splits `dataset` at random into parts of the given sizes, or fractions that sum to 1.

    What rounding down leaves over goes to the first parts, one each. The order is drawn from
    `generator`, or from the default generator that ``manual_seed`` sets.

    Raises ValueError for negative sizes and for sizes that do not add up to the dataset.

    Example::

        train, dev = random_split(data, [0.9, 0.1], generator=Generator().manual_seed(0))
    """
    total = len(dataset)
    if any(isinstance(length, float) for length in lengths) and math.isclose(sum(lengths), 1.0):
        sizes = [math.floor(total * fraction) for fraction in lengths]
        if all(fraction >= 0 for fraction in lengths):
            for part in range(total - sum(sizes)):
                sizes[part % len(sizes)] += 1
    else:
        sizes = list(lengths)
    whole = all(hasattr(size, "__index__") and size >= 0 for size in sizes)
    if not whole or sum(sizes) != total:
        raise ValueError(
            f"random_split: lengths must be sizes that sum to {total} or fractions that sum to 1, "
            f"got {list(lengths)}"
        )
    order = randperm(total, generator=generator).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def rows_below(dataset: Any) -> Rows | None:
    """The columns of a TensorDataset or ArrayDataset under any number of subsets; None for other datasets."""
    places: Tensor | None = None
    while type(dataset) is Subset:
        indices = dataset.indices
        if not isinstance(indices, Tensor):
            size = len(dataset.dataset)
            # A subset of nothing has an empty order, which reads none of this.
            indices = tensor([int(i) + size if i < 0 else int(i) for i in indices] or [0])
        places = indices if places is None else indices.index_select(0, places)
        dataset = dataset.dataset
    if type(dataset) is TensorDataset:
        return Rows(dataset.tensors, places)
    return Rows(dataset.arrays, places) if type(dataset) is ArrayDataset else None


def _check_first_sizes(op: str, columns: Sequence[Any]) -> None:
    for number, column in enumerate(columns):
        if not hasattr(column, "shape") or is_frame(column):
            raise TypeError(
                f"{op}: expects tensors, number {number} is a {type(column).__name__}; cr.tensor(...) makes one of it"
            )
    shapes = [list(column.shape) for column in columns]
    if not columns or not all(shapes):
        what = "arrays" if op == "ArrayDataset" else "tensors"
        raise ValueError(f"{op}: needs {what} with a first dimension, got {shapes}")
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(f"{op}: the first sizes must agree, got {shapes}")
