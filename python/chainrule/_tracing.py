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
        # Leaves that got gradients, in order, and whether their `.grad` was None when they got the first.
        self.leaves: dict[Any, bool] = {}


class _Tracing(threading.local):
    trace: Trace | None = None


tracing = _Tracing()
