"""Samplers that look at labels and groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule._validate import integer
from chainrule.creation import from_numpy
from chainrule.data.labels import class_numbers
from chainrule.data.sampler import OrderSampler, Sampler
from chainrule.random import Generator, randint, randperm
from chainrule.tensor import Tensor


class StratifiedSampler(OrderSampler):
    """Every sample once, in a new random order each pass in which each stretch has the shares of the whole.

    Batches cut from it then hold each class in proportion to its size, to within a sample or two. `labels` holds one
    class per sample: a tensor, an array, or a list of numbers or texts.

    The samples of a class, in random order, are spread evenly over the pass: of n samples number j stands at
    (j + ½) / n (Webster's method of apportionment at every length). The pass begins at a random one of all samples
    and goes round, so that each is as likely at every place.

    Raises ValueError for labels that are not one-dimensional, and for NaN.

    Example::

        loader = DataLoader(data, batch_size=32, sampler=StratifiedSampler(labels))
    """

    def __init__(self, labels: Any, generator: Generator | None = None) -> None:
        classes, self._codes = class_numbers("StratifiedSampler", "labels", labels)
        self._sizes = np.bincount(self._codes, minlength=len(classes))
        self.generator = generator

    def order(self) -> Tensor:
        count = len(self._codes)
        shuffled = randperm(count, generator=self.generator).numpy()
        by_class = shuffled[np.argsort(self._codes[shuffled], kind="stable")]
        starts = np.repeat(np.cumsum(self._sizes) - self._sizes, self._sizes)
        places = (np.arange(count) - starts + 0.5) / np.repeat(self._sizes, self._sizes)
        ties = randperm(
            count, generator=self.generator
        ).numpy()  # classes of one size meet at the same places
        spread = by_class[np.lexsort((ties, places))]
        first = randint(0, max(count, 1), (1,), generator=self.generator).item()
        return from_numpy(np.roll(spread, first))

    def __len__(self) -> int:
        return len(self._codes)


class GroupBatchSampler(Sampler):
    """Batches of whole groups: `groups_per_batch` of them, with all their samples, so that none is torn apart.

    `groups` holds what each sample belongs to (a patient, a query, a sentence's length): a tensor, an array, or a
    list of numbers or texts. Groups come in a new random order each pass unless ``shuffle=False``, the samples of
    a group in the order of the data. The sizes of batches follow from the groups. `drop_last` leaves out a last
    batch of fewer groups.

    Raises ValueError for groups that are not one-dimensional, and for NaN.

    Example::

        loader = DataLoader(data, batch_sampler=GroupBatchSampler(patients, groups_per_batch=4))
    """

    def __init__(
        self,
        groups: Any,
        groups_per_batch: int = 1,
        shuffle: bool = True,
        drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None:
        names, codes = class_numbers("GroupBatchSampler", "groups", groups)
        self._members = np.split(
            np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
        )
        if not len(codes):
            self._members = []
        self.groups_per_batch = integer("GroupBatchSampler", "groups_per_batch", groups_per_batch)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator

    def __iter__(self) -> Iterator[list[int]]:
        count = len(self._members)
        order = randperm(count, generator=self.generator).tolist() if self.shuffle else range(count)
        for batch in range(len(self)):
            groups = order[batch * self.groups_per_batch : (batch + 1) * self.groups_per_batch]
            yield np.concatenate([self._members[group] for group in groups]).tolist()

    def __len__(self) -> int:
        count = len(self._members)
        return count // self.groups_per_batch if self.drop_last else -(-count // self.groups_per_batch)
