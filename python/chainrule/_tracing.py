"""What happens while a function is recorded and later calls depend on: modules that ran, optimizers that stepped,
leaves that were given gradients. Nothing is noted outside of a recording."""

from __future__ import annotations

import threading
from typing import Any


class Trace:
    """The notes of one recording, or of the eager call before it."""

    def __init__(self) -> None:
        self.modules: dict[int, Any] = {}
        self.optimizers: dict[int, Any] = {}
        # Leaves whose gradient was read, cleared or added to: what their `.grad` held before (the native tensor),
        # and whether it was cleared or replaced first, whatever it was.
        self.leaves: dict[Any, tuple[Any, bool]] = {}


class _Tracing(threading.local):
    trace: Trace | None = None


tracing = _Tracing()


def touch(leaf: Any, clears: bool = False) -> None:
    """To be called before a leaf's `.grad` is read or changed."""
    trace = tracing.trace
    if trace is not None and leaf is not None and leaf not in trace.leaves:
        trace.leaves[leaf] = (None if leaf.grad is None else leaf.grad._t, clears)
