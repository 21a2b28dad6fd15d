"""What must be as it was while a program was recorded; otherwise the function is recorded again.

Values that Python code names (names.py), the modules that ran (mode, parameters, buffers, children, settings,
hooks) and the optimizers that stepped. Checked before every replay: a few dozen comparisons of identity, natively.
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
_REGISTRIES = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks")
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
        self._native = _core.GuardList()
        self._texts: list[tuple[str, Any]] = []  # of the native checks: what it is, and an item's value
        self._others: list[Place] = []
        self._contents: list[tuple[Any, Any, str]] = []
        self._seen: set[int] = set()
        for place in places_of(function):
            if type(place.holder) is dict:
                self._add_item(place.holder, place.key, place.value, place.text)
            else:
                self._others.append(place)
            self._add_value(place.value, place.text)
        for module in trace.modules.values():
            self._add_module(module)
        self._optimizers = [(o, o._snapshot(self._native)) for o in trace.optimizers.values()]
        while len(self._texts) < len(self._native):
            self._texts.append(("the parameters of an optimizer", None))

    def _add_item(self, holder: dict, key: Any, value: Any, text: str) -> None:
        self._native.add_item(holder, key, value)
        self._texts.append((text, value))

    def _add_value(self, value: Any, text: str) -> None:
        if isinstance(value, Tensor):
            if id(value) not in self._seen and value.is_leaf:
                self._seen.add(id(value))
                self._native.add_tensor(value, value._t, value._node)
                self._texts.append((f"the memory or requires_grad of {text}", None))
        elif type(value) in (list, set, dict) and len(value) <= _MOST_ITEMS:
            items = [*value, *value.values()] if type(value) is dict else value
            if all(map(is_scalar, items)):
                self._contents.append((value, value.copy(), text))

    def _add_module(self, module: Any) -> None:
        own, kind = module.__dict__, type(module).__name__
        for name, value in own.items():
            if is_scalar(value):
                self._add_item(own, name, value, f"{kind}.{name}")
        for registry in _REGISTRIES:
            members = own[registry]
            self._native.add_size(members)
            self._texts.append((f"{kind}'s {registry[1:]}", None))
            for name, member in members.items():
                self._add_item(members, name, member, f"{kind}.{name}")
                self._add_value(member, f"{kind}.{name}")

    def broken(self) -> str | None:
        """What is not as it was, in words; None when all is."""
        index = self._native.first_broken()
        while index >= 0:
            text, before = self._texts[index]
            value = self._native.now(index)
            if not same(value, before):
                return _change(text, before, MISSING if value is ... else value)
            index = self._native.first_broken(index + 1)
        for place in self._others:
            value = place.now()
            if value is not place.value and not same(value, place.value):
                return _change(place.text, place.value, value)
        for container, before, text in self._contents:
            if container != before:
                return f"the content of {text} changed"
        for optimizer, before in self._optimizers:
            if not optimizer._fits(before):
                return f"the groups, state or kind of step of {type(optimizer).__name__} changed"
        return None

    def refresh(self) -> None:
        """Brings what is data, such as learning rates, to where the program reads it."""
        for optimizer, _ in self._optimizers:
            optimizer._refresh()


def _change(text: str, before: Any, value: Any) -> str:
    if is_scalar(before) and is_scalar(value) and not (before is None and value is MISSING):
        return f"{text} changed from {before!r} to {value!r}"
    return f"{text} changed"
