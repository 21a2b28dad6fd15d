"""What scripts ask before they choose a device. This build has none but the CPU."""

from __future__ import annotations

from typing import NoReturn

from chainrule._absent import absent as _absent_error


def is_available() -> bool:
    """Whether tensors can live on anything but the CPU: no."""
    return False


def device_count() -> int:
    """The number of accelerators: 0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """The accelerator in use: None."""


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
