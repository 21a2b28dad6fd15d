"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from typing import Any

from chainrule.creation import empty
from chainrule.tensor import Tensor


class Parameter(Tensor):
    """A tensor that registers itself when assigned to a module, and wants a gradient.

    Shares the memory of `data` and forgets how it was computed.

    Example::

        self.scale = nn.Parameter(cr.ones(3))
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}")
        if requires_grad and not data.is_floating_point():
            raise TypeError(
                f"Parameter: only float32 and float64 can be trained, got {data.dtype.name}; "
                "convert it with .float() or give requires_grad=False"
            )
        return Tensor._make_subclass(cls, data.detach(), requires_grad)

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        pass  # __new__ has made everything; Tensor's __init__ would copy the data

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
