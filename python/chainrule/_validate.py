"""Checks of arguments, with one wording: ``Conv2d: stride must be positive, got 0``."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

from chainrule import _core


def integer(op: str, name: str, value: Any, minimum: int = 1) -> int:
    """`value` as an int of at least `minimum`.

    Raises TypeError for what isn't an integer (a float or a bool, too), ValueError for a value
    below the minimum.
    """
    return _at_least(op, name, _index(op, name, value, "an int"), minimum, value)


def numeric(op: str, name: str, value: Any) -> float:
    """`value` as a float, NaN and infinity too; TypeError for what isn't a number."""
    if not isinstance(value, Real):
        raise TypeError(f"{op}: {name} must be a number, got {type(value).__name__}")
    return float(value)


def real(op: str, name: str, value: Any, rule: str = "") -> float:
    """`value` as a float, which the `rule` may want "positive" or "non-negative".

    Raises TypeError for what isn't a number, ValueError for one against the rule, and for NaN.
    """
    x = numeric(op, name, value)
    fits = {"": x == x, "positive": x > 0, "non-negative": x >= 0}
    if not fits[rule]:
        raise ValueError(f"{op}: {name} must be {rule or 'a number'}, got {value}")
    return x


def share(op: str, name: str, value: Any, interval: str = "[0, 1]") -> float:
    """`value` as a float in the `interval`, which is [0, 1] with or without its ends: "[0, 1)", "(0, 1]", "(0, 1)".

    Raises TypeError for what isn't a number, ValueError for one outside, and for NaN.
    """
    x = numeric(op, name, value)
    if not 0 <= x <= 1 or (x == 0 and interval[0] == "(") or (x == 1 and interval[-1] == ")"):
        raise ValueError(f"{op}: {name} must be in {interval}, got {value}")
    return x


def pair(op: str, name: str, value: Any, minimum: int = 1) -> tuple[int, int]:
    """`value`, an int or (height, width), as a pair of ints of at least `minimum`."""
    what = "an int or a pair of ints"
    if not isinstance(value, Sequence) or isinstance(value, str):
        number = _at_least(op, name, _index(op, name, value, what), minimum, value)
        return number, number
    if len(value) != 2:
        raise ValueError(f"{op}: {name} must be {what}, got {value!r}")
    height, width = (_index(op, name, item, what, value) for item in value)
    _at_least(op, name, min(height, width), minimum, tuple(value))
    return height, width


def channel_groups(op: str, groups: Any, **channels: Any) -> None:
    """Raises ValueError unless `groups` divides each of the named channel counts."""
    integer(op, "groups", groups)
    for name, count in channels.items():
        integer(op, name, count)
        if count % groups:
            raise ValueError(f"{op}: groups must divide {name}, got groups={groups}, {name}={count}")


def choice(op: str, name: str, value: Any, allowed: Sequence[str]) -> str:
    """`value` if it is one of the `allowed` strings; otherwise raises ValueError."""
    if value not in allowed:
        raise ValueError(f"{op}: {name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def not_recording(op: str) -> None:
    """RuntimeError while this thread records a program: a value that Python reads would be frozen in it."""
    if _core.recording():
        raise RuntimeError(
            f"{op}: reading a value while a program is recorded would freeze it; return the tensor"
        )


def _index(op: str, name: str, value: Any, what: str, whole: Any = None) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        shown = value if whole is None else whole
        raise TypeError(f"{op}: {name} must be {what}, got {shown!r}") from None


def _at_least(op: str, name: str, number: int, minimum: int, shown: Any) -> int:
    if number < minimum:
        rule = {0: "non-negative", 1: "positive"}.get(minimum, f"at least {minimum}")
        raise ValueError(f"{op}: {name} must be {rule}, got {shown}")
    return number
