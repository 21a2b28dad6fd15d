"""Interrupts: Ctrl-C during a training."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupts:
    """Ctrl-C asks for an end after the update in progress; the second one ends it at once.

    Only in the main thread, and where the program has no handler of its own.
    """

    def __init__(self) -> None:
        self.requested = False
        self._takes = False

    def __enter__(self) -> Interrupts:
        self._takes = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._takes:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *error: object) -> None:
        if self._takes:
            signal.signal(signal.SIGINT, signal.default_int_handler)
