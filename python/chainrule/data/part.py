"""Which part of a split some data belongs to, so that what trains or chooses can refuse the test part.

The splits mark what they give, and most of what is made of marked data is marked as well: docs/splits.md lists what
keeps a mark and what loses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from chainrule._part import PARTS, get, put, worst
from chainrule._validate import choice
from chainrule.data.dataset import Dataset

T = TypeVar("T")
_MANY = 1000


def mark_part(data: T, part: str) -> T:
    """Says that `data` is the 'train', 'dev' or 'test' part: a tensor, an array, a pandas frame, a table of
    ``datasets``, a dictionary of columns or a dataset; returns it.

    The mark of an array holds for its memory: for every view of it, and for an array that it is a view of. That of a
    table by columns holds for each of them.

    Raises ValueError for another name of a part, TypeError for an object that cannot be marked (a list).

    Example::

        x_dev = mark_part(x_test, "dev")  # this one is for choosing; there is another test part
    """
    choice("mark_part", "part", part, PARTS)
    try:
        put(data, part)
    except TypeError:
        raise TypeError(f"mark_part: cannot mark an object of type {type(data).__name__}") from None
    return data


def part_of(data: Any) -> str | None:
    """The part that `data` was marked as: 'test' where anything in it is of a test part, else 'dev', else 'train';
    None if nothing is known.

    Looks through loaders and subsets (`dataset`), concatenated datasets (`datasets`), `tensors`, `arrays`, what a
    dataset of one's own holds in its attributes, tuples, lists and dictionaries.
    """
    found: list[str] = []
    waiting, seen = [data], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        part = get(item)
        if part is not None:
            found.append(part)
        else:
            waiting.extend(_inside(item))
    return worst(found)


def parts_of_split(arrays: Any) -> tuple[str, str]:
    """What the two parts of a split of `arrays` are: of a held-out part, dev and test; of a training part,
    training and dev."""
    return {"test": ("dev", "test"), "train": ("train", "dev"), "dev": ("dev", "dev")}.get(
        part_of(list(arrays)) or "", ("train", "test")
    )


def _inside(item: Any) -> list[Any]:
    """What a collection, a loader or a dataset draws from."""
    if isinstance(item, Mapping):
        item = list(item.values())
    if isinstance(item, tuple | list):
        # Of a long list of samples the first ones will do; not of the parts of a dataset.
        few = item if len(item) <= _MANY else item[:8]
        return [value for value in few if hasattr(value, "__len__") and not isinstance(value, str)]
    own = getattr(item, "__dict__", {})
    known = [own[name] for name in ("dataset", "datasets", "tensors", "arrays") if name in own]
    if known or not isinstance(item, Dataset):
        return known
    return [value for value in own.values() if hasattr(value, "__len__") and not isinstance(value, str)]
