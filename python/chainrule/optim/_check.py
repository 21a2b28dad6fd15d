"""Ranges of optimizer settings, with one wording: ``Adam: lr must be at least 0, got -1``."""

from __future__ import annotations

import math
from typing import Any


def at_least_zero(op: str, group: dict[str, Any], *names: str) -> None:
    for name in names:
        value = as_number(op, name, group[name])
        if not value >= 0:
            raise ValueError(f"{op}: {name} must be at least 0, got {group[name]}")
        finite(op, group, name)


def finite(op: str, group: dict[str, Any], name: str) -> None:
    if not math.isfinite(as_number(op, name, group[name])):
        raise ValueError(f"{op}: {name} must be finite, got {group[name]}")


def share(op: str, group: dict[str, Any], name: str) -> None:
    """What a running average keeps of its value at each step."""
    if not 0 <= as_number(op, name, group[name]) <= 1:
        raise ValueError(f"{op}: {name} must be in [0, 1], got {group[name]}")


def betas(op: str, group: dict[str, Any]) -> None:
    pair = group["betas"]
    if not isinstance(pair, tuple | list):
        raise TypeError(f"{op}: betas must be two numbers in [0, 1), got {pair!r}")
    if len(pair) != 2 or not all(0 <= as_number(op, "betas", b) < 1 for b in pair):
        raise ValueError(f"{op}: betas must be two numbers in [0, 1), got {pair}")


def as_number(op: str, name: str, value: Any) -> float:
    """`value`, a number or a tensor of one, as a float; TypeError for others."""
    try:
        if isinstance(value, str | bytes):  # which float() would read
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{op}: {name} must be a number, got {value!r}") from None
