"""Splits that keep groups whole: all samples of one patient, one video, one writer go to one part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def whole_groups(
    op: str,
    order: np.ndarray,
    sizes: np.ndarray,
    members: np.ndarray,
    names: Sequence[str],
    classes: np.ndarray,
) -> list[np.ndarray]:
    """The sample numbers of each part, in the order of the shuffle, with every group in one part.

    `members` and `classes` number each sample's group and class. Groups come in the order of the shuffle; each goes
    where the classes of all parts then differ least from what they should be, in relative squares.

    Raises ValueError for fewer groups than parts.
    """
    _, first = np.unique(members[order], return_index=True)
    queue = members[order][np.sort(first)]
    if len(queue) < len(sizes):
        raise ValueError(
            f"{op}: {len(queue)} groups cannot fill {len(sizes)} parts ({', '.join(names)}); a group is never divided"
        )
    table = np.zeros((len(queue), int(classes.max()) + 1))  # samples per group and class
    np.add.at(table, (members, classes), 1)
    wanted = np.outer(sizes / sizes.sum(), table.sum(axis=0))
    held = np.zeros_like(wanted)
    part_of_group = np.empty(len(queue), dtype=np.int64)
    for place, group in enumerate(queue):
        change = (((held + table[group] - wanted) ** 2 - (held - wanted) ** 2) / wanted).sum(axis=1)
        empty = held.sum(axis=1) == 0
        if empty.sum() == len(queue) - place:  # the last ones fill what has nothing yet
            change[~empty] = np.inf
        part = int(change.argmin())
        held[part] += table[group]
        part_of_group[group] = part
    part_of = part_of_group[members]
    return [order[part_of[order] == part] for part in range(len(sizes))]
