"""Seeded random splits of arrays into training, dev and test parts, stratified and by whole groups if wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule._part import is_frame
from chainrule.creation import from_numpy
from chainrule.data.aligned import check_row_labels, common_length
from chainrule.data.dataset import Dataset, Subset
from chainrule.data.groups import whole_groups
from chainrule.data.labels import class_numbers
from chainrule.data.part import mark_part, part_of, parts_of_split
from chainrule.random import Generator, randperm
from chainrule.tensor import Tensor


def train_test_split(
    *arrays: Any,
    test_size: float | int | None = None,
    train_size: float | int | None = None,
    random_state: int | None = None,
    seed: int | None = None,
    shuffle: bool = True,
    stratify: Any = None,
) -> list[Any]:
    """Splits each array along its first dimension into a training and a test part.

    Sizes are numbers of samples (int) or fractions (float: the test part rounds up, the training
    part down); one that isn't given is the rest, and without either the test part is a quarter.
    `seed`, or its other name `random_state`, fixes the shuffle; without it the default generator
    is used, which ``manual_seed`` sets. `stratify` holds one class label per sample: each part
    then has every class in the proportions of the whole, to within one sample.

    Returns ``[a_train, a_test, b_train, b_test, ...]``: tensors for tensors, NumPy arrays for
    NumPy arrays, pandas frames and series for those, Columns (a table that ``datasets`` read) for
    Columns, dictionaries of columns for those, lists for lists, all copies, and Subsets for
    datasets. All but lists are marked as the part they are (``part_of``), so that ``train.fit``
    can refuse the test part; splitting a training part again gives training and dev, splitting a
    test part dev and test.

    Raises ValueError for arrays of different lengths, pandas objects whose row labels differ, sizes
    that leave a part empty or do not fit, NaN labels, and classes with too few samples to be in
    both parts; TypeError for what has no samples by number.

    Example::

        x_train, x_test, y_train, y_test = train_test_split(x, y, train_size=0.8, stratify=y)
    """
    op = "train_test_split"
    if seed is not None and random_state is not None and seed != random_state:
        raise ValueError(f"{op}: seed={seed} and random_state={random_state} contradict each other")
    count = common_length(op, arrays)
    check_row_labels(op, arrays, stratify=stratify)
    sizes = _two_sizes(op, count, train_size, test_size)
    if not shuffle:
        if stratify is not None:
            raise ValueError(f"{op}: stratify needs shuffle=True")
        return _take_parts(arrays, _cut(np.arange(count), sizes), parts_of_split(arrays))
    order = shuffled(count, random_state if seed is None else seed)
    parts = _parts(op, order, sizes, stratify, ("train", "test"))
    return _take_parts(arrays, parts, parts_of_split(arrays))


def train_dev_test_split(
    *arrays: Any,
    sizes: Sequence[float | int] = (0.8, 0.1, 0.1),
    seed: int | None = 0,
    stratify: Any = None,
    groups: Any = None,
) -> list[Any]:
    """Splits each array at random into a training, a dev and a test part.

    `sizes` are three fractions that sum to 1 (samples left over by rounding go to the largest
    remainders) or three numbers of samples. With `stratify`, one class label per sample, the test
    part and then the dev part take every class by largest remainder; the rest trains.
    ``seed=None`` draws from the default generator.

    `groups` holds a label per sample, too: samples of one group (a patient, a writer) are never in two
    parts. Sizes, and with `stratify` the classes, are then as near as whole groups come, which is within
    about the largest group.

    Returns ``[a_train, a_dev, a_test, b_train, ...]``, marked (``part_of``); raises as ``train_test_split``
    does (with `groups` for a class of which whole groups leave a part without any), and
    ValueError for fewer than three groups, and for the dev or test part of a split.

    Example::

        parts = train_dev_test_split(x, y, seed=1, stratify=y)
        x_train, x_dev, x_test, y_train, y_dev, y_test = parts
    """
    op = "train_dev_test_split"
    count = common_length(op, arrays)
    check_row_labels(op, arrays, stratify=stratify, groups=groups)
    held_out = part_of(list(arrays))
    if held_out in ("dev", "test"):
        raise ValueError(
            f"{op}: the data is the {held_out} part of a split, of which no training part can be made; split the "
            "whole, or train_test_split() it into dev and test"
        )
    if len(sizes) != 3:
        raise ValueError(f"{op}: sizes must be three numbers, got {list(sizes)}")
    if any(isinstance(size, float) for size in sizes):
        if not all(0 < size < 1 for size in sizes) or not math.isclose(sum(sizes), 1.0):
            raise ValueError(f"{op}: fractions must be positive and sum to 1, got {list(sizes)}")
        totals = apportion(count, np.asarray(sizes, dtype=np.float64))
    else:
        totals = np.asarray(sizes)
    _check_totals(op, count, totals, list(sizes))
    order = shuffled(count, seed)
    names = ("train", "dev", "test")
    if groups is None:
        return _take_parts(arrays, _parts(op, order, totals, stratify, names), names)
    members = class_numbers(op, "groups", groups, count)[1]
    if stratify is None:
        nothing = np.zeros_like(members)
        return _take_parts(arrays, whole_groups(op, order, totals, members, names, nothing), names)
    classes, codes = class_numbers(op, "stratify", stratify, count)
    parts = whole_groups(op, order, totals, members, names, codes)
    table = np.stack([np.bincount(codes[part], minlength=len(classes)) for part in parts], axis=1)
    _check_classes(op, classes, np.bincount(codes), table, names, "; groups stay whole")
    return _take_parts(arrays, parts, names)


def apportion(total: int, weights: np.ndarray) -> np.ndarray:
    """Whole numbers that sum to `total`, in proportion to `weights`, by largest remainder.

    Hamilton's method: each gets its quota rounded down, and what is left goes to the largest
    fractional parts, the first among equals first.
    """
    quotas = total * weights / weights.sum()
    # A quota that is a whole number but for rounding error counts as that number.
    nearest = np.rint(quotas)
    quotas = np.where(np.abs(quotas - nearest) < 1e-9 * max(total, 1), nearest, quotas)
    shares = np.floor(quotas).astype(np.int64)
    left = total - int(shares.sum())
    remainders = np.round(quotas - shares, 9)  # equal ones differ by rounding error
    shares[np.argsort(-remainders, kind="stable")[:left]] += 1
    return shares


def _two_sizes(op: str, count: int, train_size: Any, test_size: Any) -> np.ndarray:
    def samples(name: str, size: Any, rounded: Any) -> int | None:
        if size is None:
            return None
        if isinstance(size, bool) or not isinstance(size, int | float | np.number):
            raise TypeError(f"{op}: {name} must be an int or a float, got {size!r}")
        if isinstance(size, float | np.floating):
            if not 0 < size < 1:
                raise ValueError(f"{op}: {name} as a fraction must be between 0 and 1, got {size}")
            return int(rounded(count * float(size)))
        return int(size)

    shares = [size for size in (train_size, test_size) if isinstance(size, float | np.floating)]
    if len(shares) == 2 and sum(shares) > 1:
        raise ValueError(f"{op}: train_size={train_size} and test_size={test_size} sum to more than 1")
    test = samples("test_size", test_size, math.ceil)
    train = samples("train_size", train_size, math.floor)
    if test is None:
        test = math.ceil(count * 0.25) if train is None else count - train
    if train is None:
        train = count - test
    totals = np.asarray([train, test])
    _check_totals(op, count, totals, [train_size, test_size], exact=False)
    return totals


def _check_totals(op: str, count: int, totals: np.ndarray, given: list[Any], exact: bool = True) -> None:
    too_many = totals.sum() != count if exact else totals.sum() > count
    if (totals <= 0).any() or too_many:
        raise ValueError(
            f"{op}: cannot split {count} samples into parts of {totals.tolist()} (sizes: {given})"
        )


def shuffled(count: int, seed: int | None) -> np.ndarray:
    generator = None
    if seed is not None:
        generator = Generator()
        generator.manual_seed(seed)
    return np.array(randperm(count, generator=generator).numpy())


def _cut(order: np.ndarray, sizes: Sequence[int] | np.ndarray) -> list[np.ndarray]:
    ends = np.cumsum(sizes)
    return [order[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _parts(
    op: str, order: np.ndarray, sizes: np.ndarray, stratify: Any, names: Sequence[str]
) -> list[np.ndarray]:
    """The sample numbers of each part, in the order of the shuffle."""
    if stratify is None:
        return _cut(order, sizes)
    classes, members = class_numbers(op, "stratify", stratify, len(order))
    counts = np.bincount(members, minlength=len(classes))
    table = _stratified_table(counts, sizes)
    _check_classes(op, classes, counts, table, names)
    # Samples that no part asked for (sizes below the total) are marked -1.
    numbers = np.append(np.arange(len(sizes)), -1)
    table = np.column_stack([table, counts - table.sum(axis=1)])
    part_of_each = np.empty(len(order), dtype=np.int64)
    by_class = order[np.argsort(members[order], kind="stable")]
    part_of_each[by_class] = np.repeat(np.tile(numbers, len(classes)), table.ravel())
    return [order[part_of_each[order] == part] for part in range(len(sizes))]


def _stratified_table(counts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Samples per class (row) and part (column): later parts first, the first takes the rest."""
    table = np.zeros((len(counts), len(sizes)), dtype=np.int64)
    remaining = counts.copy()
    for part in range(len(sizes) - 1, -1, -1):
        table[:, part] = apportion(int(sizes[part]), remaining.astype(np.float64))
        remaining = remaining - table[:, part]
    return table


def _check_classes(
    op: str, classes: np.ndarray, counts: np.ndarray, table: np.ndarray, names: Sequence[str], why: str = ""
) -> None:
    empty = np.flatnonzero((table == 0).any(axis=1))
    if len(empty):
        worst = empty[0]
        shares = ", ".join(f"{name} {n}" for name, n in zip(names, table[worst], strict=True))
        raise ValueError(
            f"{op}: class {classes[worst]} has too few samples ({counts[worst]}) to be in every "
            f"part ({shares}{why}); take larger parts, merge classes, or leave stratify out"
        )


def _take_parts(arrays: Sequence[Any], parts: Sequence[np.ndarray], names: Sequence[str]) -> list[Any]:
    taken = []
    for array in arrays:
        for part, name in zip(parts, names, strict=True):
            values = take_rows(array, part)
            taken.append(values if isinstance(values, list) else mark_part(values, name))
    return taken


def take_rows(array: Any, numbers: np.ndarray) -> Any:
    """The samples of those numbers, as a copy of the same kind; of a dataset as a Subset."""
    if isinstance(array, Tensor):
        return array.index_select(0, from_numpy(np.ascontiguousarray(numbers, dtype=np.int64)))
    if isinstance(array, np.ndarray):
        return array[numbers]
    if is_frame(array):
        return array.iloc[numbers]
    if hasattr(array, "rows"):  # datasets.Columns
        return array.rows(numbers)
    if isinstance(array, dict):
        return {name: take_rows(column, numbers) for name, column in array.items()}
    if isinstance(array, Dataset):
        return Subset(array, numbers.tolist())
    return [array[number] for number in numbers.tolist()]
