"""Checks of arguments that several transforms have."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from numbers import Real
from typing import Any

import numpy as np

from chainrule import _validate


class InterpolationMode(Enum):
    """How pixels between pixels are found; the strings 'nearest', 'nearest-exact' and 'bilinear' do as well."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"


def interpolation(op: str, value: Any) -> InterpolationMode:
    try:
        return value if isinstance(value, InterpolationMode) else InterpolationMode(value)
    except ValueError:
        allowed = ", ".join(repr(mode.value) for mode in InterpolationMode)
        raise ValueError(f"{op}: interpolation must be one of {allowed}, got {value!r}") from None


def probability(op: str, value: Any, name: str = "p") -> float:
    number = _validate.real(op, name, value)
    if not 0 <= number <= 1:
        raise ValueError(f"{op}: {name} must be in [0, 1], got {value}")
    return number


def numbers(op: str, name: str, value: Any, lengths: Sequence[int]) -> list[float]:
    """A sequence of finite numbers of one of these lengths."""
    what = " or ".join(str(n) for n in lengths)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"{op}: {name} must be a sequence of {what} numbers, got {value!r}")
    if len(value) not in lengths:
        raise ValueError(f"{op}: {name} must have {what} numbers, got {value!r}")
    found = [_validate.real(op, name, item) for item in value]
    if not np.isfinite(found).all():
        raise ValueError(f"{op}: {name} must be finite, got {value!r}")
    return found


def span(op: str, name: str, value: Any, least: float = -np.inf, most: float = np.inf) -> tuple[float, float]:
    """Two numbers, low <= high, in [least, most]."""
    low, high = numbers(op, name, value, (2,))
    if not least <= low <= high <= most:
        rule = f"low <= high in [{least:g}, {most:g}]"
        raise ValueError(f"{op}: {name} must be a pair (low, high), {rule}, got {value!r}")
    return low, high


def symmetric(op: str, name: str, value: Any) -> tuple[float, float]:
    """(low, high) as given, or (-value, value)."""
    if not isinstance(value, Real):
        return span(op, name, value)
    number = _validate.real(op, name, value, "non-negative")
    return span(op, name, (-number, number))


def size_pair(op: str, name: str, value: Any) -> tuple[int, int]:
    """(height, width) from an int or from a sequence of one or two."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
        value = value[0]
    return _validate.pair(op, name, value)


def odd_pair(op: str, name: str, value: Any) -> tuple[int, int]:
    """Two odd sizes, from one or two."""
    sizes = size_pair(op, name, value)
    if not all(size % 2 for size in sizes):
        raise ValueError(f"{op}: {name} must be odd, got {value}")
    return sizes


def padding_sides(op: str, value: Any) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, from an int, (left and right, top and bottom) or all four."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        sides = [value] * 4
    elif len(value) in (1, 2, 4):
        sides = list(value) * (4 // len(value))
    else:
        raise ValueError(f"{op}: padding must be an int or have 1, 2 or 4 of them, got {value!r}")
    for side in sides:
        _validate.integer(op, "padding", side, 0)
    return tuple(int(side) for side in sides)


def transforms(op: str, value: Any) -> list[Any]:
    """A list of at least one callable."""
    if callable(value) or isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(f"{op}: transforms must be a sequence of callables, got {type(value).__name__}")
    found = list(value)
    for position, item in enumerate(found):
        if not callable(item):
            raise TypeError(f"{op}: transform {position} must be callable, got {type(item).__name__}")
    return found
