"""Marks of the parts of a split, as the ops see them: what is made of marked data by indexing, viewing, copying,
casting and joining is marked as well. `chainrule.data.part` is the public face.

A tensor's mark belongs to the object, since every tensor made of it passes through an op of ours. NumPy's views do
not; they share memory, though, so an array's mark also belongs to that range of the memory. A pandas object carries
its mark in `attrs`, which its own methods hand on. Marks keep nothing alive.

An op asks ``if marks:`` first, so that marks cost nothing where there are none.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

PARTS = ("train", "dev", "test")  # the later, the more there is to lose
_FRAME_KEY = "chainrule.part"


class Mark(weakref.ref):
    """The part that an object is, and those that ranges of its memory are where it owns an array's memory."""

    __slots__ = ("key", "part", "spans")
    key: int
    part: str | None
    spans: Sequence[tuple[int, int, str]]


# By identity: tensors and arrays compare by value.
marks: dict[int, Mark] = {}


def _forget(mark: Any) -> None:
    if marks.get(mark.key) is mark:
        del marks[mark.key]


def _new_mark(x: Any, part: str | None = None) -> Mark:
    mark = Mark(x, _forget)
    mark.key, mark.part, mark.spans = id(x), part, ()
    marks[mark.key] = mark
    return mark


def _mark_of(x: Any) -> Mark:
    """The mark of `x`, a new one where it has none; TypeError where `x` cannot be referred to weakly."""
    mark = marks.get(id(x))
    return _new_mark(x) if mark is None else mark


def put(x: Any, part: str) -> None:
    """Marks an object; of an array, the memory too, of a table by columns each of them. TypeError for what cannot be
    marked."""
    if isinstance(x, dict):
        for column in x.values():
            if not isinstance(column, list | tuple):
                put(column, part)
        if type(x) is dict:  # which itself cannot be referred to weakly
            return
    if not hasattr(x, "_t") and is_frame(x):
        x.attrs[_FRAME_KEY] = part
        _mark_of(Mark)  # pandas hands the mark on without telling: from now on ops have to look
        return
    _mark_of(x).part = part
    if isinstance(x, np.ndarray) and x.size:
        low, high = _span(x)
        owner = _mark_of(_owner(x))
        # What is marked anew is no longer what it was.
        others = [span for span in owner.spans if not low <= span[0] <= span[1] <= high]
        owner.spans = [*others, (low, high, part)]


def get(x: Any) -> str | None:
    """The part of an object: its own mark, or of an array the worst among those of the memory it reaches."""
    mark = marks.get(id(x))
    if mark is not None and mark.part is not None:
        return mark.part
    if not isinstance(x, np.ndarray):
        return x.attrs.get(_FRAME_KEY) if is_frame(x) else None
    if not x.size:
        return None
    owner = marks.get(id(_owner(x)))
    if owner is None or not owner.spans:
        return None
    low, high = _span(x)
    return worst(part for start, end, part in owner.spans if start < high and low < end)


def follow(out: Any, source: Any) -> Any:
    """`out`, a new tensor, array or table, marked as the tensor or table `source` is."""
    mark = marks.get(id(source))
    if mark is not None and mark.part is not None:
        if not hasattr(out, "_t"):
            put(out, mark.part)
        else:
            _new_mark(out, mark.part)
    return out


def join(out: Any, sources: Iterable[Any]) -> Any:
    """`out`, a new tensor, marked as the worst of the sources is: tensors, arrays and pandas objects."""
    part = worst(map(get, sources))
    if part is not None:
        put(out, part)
    return out


def worst(parts: Iterable[str | None]) -> str | None:
    """'test' before 'dev' before 'train' before nothing."""
    return max(filter(None, parts), key=PARTS.index, default=None)


def is_frame(x: Any) -> bool:
    """Whether `x` is a pandas frame or series, found out without importing pandas."""
    return type(x).__module__.partition(".")[0] == "pandas" and hasattr(x, "attrs")


def _owner(array: np.ndarray) -> np.ndarray:
    """The array that a view's memory belongs to."""
    while True:
        base: Any = array.base
        if not isinstance(
            base, np.ndarray
        ):  # sliding windows and memoryviews stand between a view and its array
            base = getattr(base, "base", getattr(base, "obj", None))
        if not isinstance(base, np.ndarray):
            return array
        array = base


def _span(array: np.ndarray) -> tuple[int, int]:
    """The first address of an array's elements, and the one after the last."""
    start = array.__array_interface__["data"][0]
    reaches = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    return start + sum(r for r in reaches if r < 0), start + sum(r for r in reaches if r > 0) + array.itemsize
