"""Where tensors live."""

from __future__ import annotations

from typing import Any

from chainrule import _core


class device(str):
    """A device by its name: `device('cpu')`, which equals the string 'cpu'. This build has no other.

    Raises:
        ValueError: any other name.

    Example:
        >>> x = zeros(2, device=device("cpu"))
    """

    __slots__ = ()

    def __new__(cls, type: Any = "cpu", index: int | None = None) -> device:
        if str(type) not in ("cpu", "cpu:0") or index not in (None, 0):
            raise ValueError(
                f"device: this build has no device {str(type)!r}"
                f"{'' if index is None else f' with index {index}'}; use 'cpu'"
            )
        return super().__new__(cls, "cpu")

    @property
    def type(self) -> str:
        return "cpu"

    @property
    def index(self) -> None:  # type: ignore[override]
        return None

    def __repr__(self) -> str:
        return "device(type='cpu')"


def check_device(op: str, device: Any) -> None:
    """ValueError, naming the op, unless device is None or the CPU."""
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        meant = isinstance(device, str) and isinstance(getattr(_core, device, None), _core.dtype)
        hint = f"the dtype is chainrule.{device}" if meant else "use 'cpu'"
        raise ValueError(f"{op}: this build has no device {device!r}; {hint}")
