"""What scripts ask before they choose a device. This build has no CUDA part."""

from __future__ import annotations

from typing import NoReturn

from chainrule._absent import absent as _absent_error


def is_available() -> bool:
    """Whether tensors can live on a CUDA device: no."""
    return False


def device_count() -> int:
    """The number of CUDA devices: 0."""
    return 0


def manual_seed_all(seed: int) -> None:
    """Nothing: there is no device to seed. `chainrule.manual_seed` is for the CPU."""


manual_seed = manual_seed_all


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
