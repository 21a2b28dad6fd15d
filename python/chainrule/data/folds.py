"""Cross-validation: k folds, plain, stratified, by whole groups, and both, under scikit-learn's names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule._validate import integer
from chainrule._warn import warn
from chainrule.data.aligned import check_row_labels, common_length
from chainrule.data.labels import class_numbers
from chainrule.data.part import mark_part, part_of
from chainrule.data.split import shuffled, take_rows


class KFold:
    """`n_splits` folds, each of which is held out once: ``split(X)`` yields (training, held-out) sample numbers.

    Folds are successive stretches of the data, or with `shuffle` of a random order that `random_state` fixes;
    without it the default generator draws. Sizes differ by at most one, the first ones are larger. Without
    `shuffle` the numbers are scikit-learn's.

    Raises ValueError for fewer samples than folds.

    Example::

        for train, dev in KFold(5, shuffle=True, random_state=0).split(x):
            fit(x[train], y[train], valid=(x[dev], y[dev]))
    """

    def __init__(self, n_splits: int = 5, *, shuffle: bool = False, random_state: int | None = None) -> None:
        op = type(self).__name__
        self.n_splits = integer(op, "n_splits", n_splits, 2)
        if not isinstance(shuffle, bool):
            raise TypeError(f"{op}: shuffle must be a bool, got {shuffle!r}")
        if random_state is not None and not shuffle:
            raise ValueError(f"{op}: random_state={random_state} has no effect without shuffle=True")
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields for each fold the numbers of the other samples and its own, both increasing."""
        fold_of = self._fold_of_each(len(X), y, groups)
        numbers = np.arange(len(fold_of))
        for fold in range(self.n_splits):
            yield numbers[fold_of != fold], numbers[fold_of == fold]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(n_splits={self.n_splits}, random_state={self.random_state}, "
            f"shuffle={self.shuffle})"
        )

    def _fold_of_each(self, count: int, y: Any, groups: Any) -> np.ndarray:
        self._check_enough(count, "samples")
        fold_of = np.empty(count, dtype=np.int64)
        order = self._order(count)
        for fold, stretch in enumerate(np.array_split(order, self.n_splits)):
            fold_of[stretch] = fold
        return fold_of

    def _order(self, count: int) -> np.ndarray:
        return shuffled(count, self.random_state) if self.shuffle else np.arange(count)

    def _check_enough(self, count: int, what: str) -> None:
        if count < self.n_splits:
            raise ValueError(
                f"{type(self).__name__}: n_splits={self.n_splits} folds need as many {what}, got {count}"
            )

    def _labels(self, name: str, labels: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
        op = type(self).__name__
        if labels is None:
            raise ValueError(f"{op}: split() needs {name}, one label per sample")
        return class_numbers(op, name, labels, count)


class StratifiedKFold(KFold):
    """KFold with every class of `y` in each fold in the proportions of the whole, to within one sample.

    Warns of a class with fewer samples than folds, which some folds then lack. Raises ValueError for a class with
    a single sample: where it is held out, nothing has learned it.
    """

    def _fold_of_each(self, count: int, y: Any, groups: Any) -> np.ndarray:
        classes, members = self._labels("y", y, count)
        self._check_enough(count, "samples")
        counts = np.bincount(members)
        self._check_classes(classes, counts)
        # Classes by first appearance. The sorted samples, dealt to the folds like cards, say how many each gets.
        by_appearance = np.argsort(np.unique(members, return_index=True)[1], kind="stable")
        dealt = np.repeat(by_appearance, counts[by_appearance])
        table = np.stack(
            [
                np.bincount(dealt[fold :: self.n_splits], minlength=len(counts))
                for fold in range(self.n_splits)
            ]
        )
        order = self._order(count)
        fold_of = np.empty(count, dtype=np.int64)
        by_class = order[np.argsort(members[order], kind="stable")]
        fold_of[by_class] = np.repeat(np.tile(np.arange(self.n_splits), len(counts)), table.T.ravel())
        return fold_of

    def _check_classes(self, classes: np.ndarray, counts: np.ndarray) -> None:
        op, least = type(self).__name__, int(counts.argmin())
        if counts[least] < 2:
            raise ValueError(
                f"{op}: class {classes[least]} has a single sample, which cannot be learned and tested; merge classes"
            )
        if counts[least] < self.n_splits:
            warn(
                f"{op}: class {classes[least]} has {counts[least]} samples, fewer than n_splits={self.n_splits}: "
                "some folds have none"
            )


class GroupKFold(KFold):
    """KFold with all samples of a group in one fold.

    The largest groups first, each to the fold that has the fewest samples so far; with `shuffle` a random order of
    the groups is cut into stretches. Raises ValueError for fewer groups than folds.
    """

    def _fold_of_each(self, count: int, y: Any, groups: Any) -> np.ndarray:
        found, members = self._labels("groups", groups, count)
        self._check_enough(len(found), "groups")
        fold_of_group = np.empty(len(found), dtype=np.int64)
        if self.shuffle:
            for fold, stretch in enumerate(np.array_split(self._order(len(found)), self.n_splits)):
                fold_of_group[stretch] = fold
            return fold_of_group[members]
        sizes = np.bincount(members)
        held = np.zeros(self.n_splits, dtype=np.int64)
        for group in np.argsort(sizes, kind="stable")[::-1]:
            fold = int(held.argmin())
            held[fold] += sizes[group]
            fold_of_group[group] = fold
        return fold_of_group[members]


class StratifiedGroupKFold(StratifiedKFold):
    """KFold with all samples of a group in one fold and the classes of `y` as evenly spread as whole groups allow.

    Groups whose classes are most uneven go first, each to the fold where the shares of each class then vary least
    between folds (standard deviation, mean over classes; of equals the fold with fewest samples). With `shuffle`
    equal groups come in random order.
    """

    def _fold_of_each(self, count: int, y: Any, groups: Any) -> np.ndarray:
        classes, labels = self._labels("y", y, count)
        found, members = self._labels("groups", groups, count)
        self._check_enough(len(found), "groups")
        totals = np.bincount(labels)
        self._check_classes(classes, totals)
        table = np.zeros((len(found), len(classes)))
        np.add.at(table, (members, labels), 1)
        order = self._order(len(found))
        order = order[np.argsort(-table[order].std(axis=1), kind="stable")]
        held = np.zeros((self.n_splits, len(classes)))
        fold_of_group = np.empty(len(found), dtype=np.int64)
        for group in order:
            fold = self._least_uneven(held, table[group], totals)
            held[fold] += table[group]
            fold_of_group[group] = fold
        return fold_of_group[members]

    def _least_uneven(self, held: np.ndarray, group: np.ndarray, totals: np.ndarray) -> int:
        best, least, fewest = 0, np.inf, np.inf
        for fold in range(self.n_splits):
            held[fold] += group
            spread = float((held / totals).std(axis=0).mean())
            held[fold] -= group
            samples = held[fold].sum()
            if spread < least or (np.isclose(spread, least) and samples < fewest):
                best, least, fewest = fold, spread, samples
        return best


def folds(*arrays: Any, cv: Any = 5, y: Any = None, groups: Any = None) -> Iterator[list[Any]]:
    """Cross-validation of the training part: yields ``[a_train, a_dev, b_train, b_dev, ...]`` for each fold, marked.

    `cv` is a number of folds (KFold) or an object with ``split(X, y, groups)``; `y` are the labels that a
    stratified one reads, `groups` the groups. Kinds of arrays as in ``train_test_split``.

    Raises ValueError for a test part: it is for one evaluation at the end. Otherwise as ``train_test_split``.

    Example::

        for x_tr, x_dev, y_tr, y_dev in folds(x_train, y_train, cv=StratifiedKFold(5), y=y_train):
            ...
    """
    op = "folds"
    count = common_length(op, arrays)
    check_row_labels(op, arrays, y=y, groups=groups)
    if part_of([*arrays, y]) == "test":
        raise ValueError(
            f"{op}: the data is the test part of a split; cross-validation chooses, and what has chosen cannot "
            "measure. Take the training part"
        )
    splitter = KFold(cv) if isinstance(cv, int) else cv
    return _marked_folds(arrays, splitter.split(np.arange(count), y, groups))


def _marked_folds(arrays: Sequence[Any], pairs: Any) -> Iterator[list[Any]]:
    for numbers in pairs:
        out = []
        for array in arrays:
            for part, rows in zip(("train", "dev"), numbers, strict=True):
                values = take_rows(array, rows)
                out.append(values if isinstance(values, list) else mark_part(values, part))
        yield out
