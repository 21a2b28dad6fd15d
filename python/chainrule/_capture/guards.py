"""What must be as it was while a program was recorded; otherwise the function is recorded again.

Values that Python code names (names.py), the modules that ran (mode, parameters, buffers, children, settings,
hooks) and the optimizers that stepped. Checked before every replay: a few dozen comparisons of identity.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from chainrule import _core
from chainrule._capture.names import MISSING, Place, places_of
from chainrule._tracing import Trace
from chainrule.tensor import Tensor

_SCALARS = (bool, int, float, complex, str, bytes, type(None), enum.Enum, type(_core.float32))
_REGISTRIES = ("_parameters", "_buffers", "_modules")
_HOOKS = ("_forward_pre_hooks", "_forward_hooks")
_MOST_ITEMS = 64  # of a container whose content is compared


def is_scalar(value: Any) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(map(is_scalar, value))
    return isinstance(value, _SCALARS)


def same(value: Any, before: Any) -> bool:
    """Whether an immutable value is what it was; other objects have been compared by identity."""
    if type(value) is not type(before) or not is_scalar(before):
        return False
    return value == before or (value != value and before != before)


class Guards:
    """The conditions of one program."""

    def __init__(self, function: Callable[..., Any], trace: Trace) -> None:
        self._items: list[tuple[dict, str, Any, str]] = []
        self._others: list[Place] = []
        self._contents: list[tuple[Any, Any, str]] = []
        self._tensors: dict[int, tuple[Tensor, _core.Tensor, Any, str]] = {}
        self._sizes: list[tuple[dict, int, str]] = []
        for place in places_of(function):
            if type(place.holder) is dict:
                self._items.append((place.holder, place.key, place.value, place.text))
            else:
                self._others.append(place)
            self._add_value(place.value, place.text)
        for module in trace.modules.values():
            self._add_module(module)
        self._optimizers = [(o, o._snapshot()) for o in trace.optimizers.values()]

    def _add_value(self, value: Any, text: str) -> None:
        if isinstance(value, Tensor):
            self._tensors[id(value)] = (value, value._t, value._node if value.is_leaf else None, text)
        elif type(value) in (list, set, dict) and len(value) <= _MOST_ITEMS:
            items = [*value, *value.values()] if type(value) is dict else value
            if all(map(is_scalar, items)):
                self._contents.append((value, value.copy(), text))

    def _add_module(self, module: Any) -> None:
        own, kind = module.__dict__, type(module).__name__
        for name, value in own.items():
            if is_scalar(value):
                self._items.append((own, name, value, f"{kind}.{name}"))
        for registry in _REGISTRIES:
            members = own[registry]
            self._sizes.append((members, len(members), f"{kind}'s {registry[1:]}"))
            for name, member in members.items():
                self._items.append((members, name, member, f"{kind}.{name}"))
                self._add_value(member, f"{kind}.{name}")
        for hooks in _HOOKS:
            self._contents.append((own[hooks], own[hooks].copy(), f"{kind}'s {hooks[1:]}"))

    def broken(self) -> str | None:
        """What is not as it was, in words; None when all is."""
        for holder, key, before, text in self._items:
            value = holder.get(key, MISSING)
            if value is not before and not same(value, before):
                return _change(text, before, value)
        for tensor, native, node, text in self._tensors.values():
            if tensor._t is not native:
                return f"the memory of {text} was replaced"
            if node is not tensor._node and tensor.is_leaf:
                return f"requires_grad of {text} changed"
        for place in self._others:
            value = place.now()
            if value is not place.value and not same(value, place.value):
                return _change(place.text, place.value, value)
        for container, before, text in self._contents:
            if container != before:
                return f"the content of {text} changed"
        for members, size, text in self._sizes:
            if len(members) != size:
                return f"{text} changed"
        for optimizer, before in self._optimizers:
            if not optimizer._fits(before):
                return f"the parameters, state or kind of step of {type(optimizer).__name__} changed"
        return None

    def refresh(self) -> None:
        """Brings what is data, such as learning rates, to where the program reads it."""
        for optimizer, _ in self._optimizers:
            optimizer._refresh()


def _change(text: str, before: Any, value: Any) -> str:
    if is_scalar(before) and is_scalar(value):
        return f"{text} changed from {before!r} to {value!r}"
    return f"{text} was {'deleted' if value is MISSING else 'replaced'}"
