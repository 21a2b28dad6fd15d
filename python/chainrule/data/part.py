"""Which part of a split some data belongs to, so that what trains or chooses can refuse the test part.

The splits mark what they give. A mark belongs to the object: loaders, datasets and subsets made of a marked
tensor are found out, a slice or a converted copy of it is not.
"""

from __future__ import annotations

import weakref
from typing import Any, TypeVar

from chainrule._validate import choice

T = TypeVar("T")
PARTS = ("train", "dev", "test")

# By identity: tensors compare by value, and a mark must not keep them alive.
_marks: dict[int, tuple[weakref.ref[Any], str]] = {}


def mark_part(data: T, part: str) -> T:
    """Says that `data`, a tensor, an array or a dataset, is the 'train', 'dev' or 'test' part; returns it.

    Raises ValueError for another name of a part, TypeError for an object that cannot be marked (a list).

    Example::

        x_dev = mark_part(x_test, "dev")  # this one is for choosing; there is another test part
    """
    choice("mark_part", "part", part, PARTS)
    key = id(data)
    try:
        _marks[key] = (weakref.ref(data, lambda _: _marks.pop(key, None)), part)
    except TypeError:
        raise TypeError(f"mark_part: cannot mark an object of type {type(data).__name__}") from None
    return data


def part_of(data: Any) -> str | None:
    """The part that `data` was marked as, 'test' where anything in it was; None if nothing is known.

    Looks through loaders (`dataset`), subsets, concatenated datasets (`datasets`), `tensors`, `arrays`, tuples and
    lists.
    """
    found: list[str] = []
    waiting, seen = [data], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        reference, part = _marks.get(id(item), (None, ""))
        if reference is not None and reference() is item:
            found.append(part)
            continue
        if isinstance(item, tuple | list):
            # Of a long list of samples the first ones will do.
            waiting.extend(value for value in item[:8] if hasattr(value, "__len__"))
            continue
        own = getattr(item, "__dict__", {})
        waiting.extend(own[name] for name in ("dataset", "datasets", "tensors", "arrays") if name in own)
    return "test" if "test" in found else (found[-1] if found else None)


def parts_of_split(arrays: Any) -> tuple[str, str]:
    """What the two parts of a split of `arrays` are: of a held-out part, dev and test; of a training part,
    training and dev."""
    return {"test": ("dev", "test"), "train": ("train", "dev"), "dev": ("dev", "dev")}.get(
        part_of(list(arrays)) or "", ("train", "test")
    )
