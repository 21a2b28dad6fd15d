"""What must be as it was while a program was recorded; otherwise the function is recorded again.

Values that Python code names (names.py), the modules that ran (mode, parameters, buffers, children, settings,
hooks) and the optimizers that stepped. Checked before every replay: a few dozen comparisons of identity, natively.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from chainrule import _core
from chainrule._capture.names import MISSING, is_library, places_of
from chainrule._tracing import Trace
from chainrule.nn._registry import Registry
from chainrule.tensor import Tensor

_SCALARS = (bool, int, float, complex, str, bytes, type(None), enum.Enum, type(_core.float32), np.generic)
_REGISTRIES = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks")
_MOST_ITEMS, _MOST_DEPTH = 1024, 4  # of containers whose content is compared


def is_scalar(value: Any) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(map(is_scalar, value))
    return isinstance(value, _SCALARS)


def exact(value: Any) -> Any:
    """What immutable values have in common exactly when they are the same: -0.0 is not 0.0, 2 is not 2.0."""
    if isinstance(value, (tuple, frozenset)):
        return (type(value), *map(exact, value))
    if isinstance(value, (float, np.floating)):
        return (type(value), float(value).hex())
    return (type(value), value)


def same(value: Any, before: Any) -> bool:
    """Whether an immutable value is what it was; other objects have been compared by identity."""
    return type(value) is type(before) and is_scalar(before) and exact(value) == exact(before)


class Guards:
    """The conditions of one program."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Before the function is recorded: what it names."""
        self.identities = _core.GuardList()  # compared natively
        self._texts: list[tuple[str, Any]] = []  # of the native checks: what it is, and an item's value
        self._optimizers: list[tuple[Any, Any]] = []
        self._settings: list[tuple[Any, list, str]] = []  # of optimizers, before the function ran
        self._seen: dict[int, Any] = {}  # by identity; the values keep it theirs
        self._add_places(function)

    def add_trace(self, trace: Trace) -> None:
        """After it: the modules that ran and the optimizers that stepped."""
        for module in trace.modules.values():
            self._add_module(module)
            if not is_library(type(module).forward):
                self._add_places(module.forward)
        self._optimizers = [(o, o._snapshot(self.identities)) for o in trace.optimizers.values()]
        while len(self._texts) < len(self.identities):
            self._texts.append(("the parameters of an optimizer", None))

    def _add_places(self, function: Callable[..., Any]) -> None:
        for place in places_of(function):
            if type(place.holder) is dict:
                self._add_item(place.holder, place.key, place.value, place.text)
            else:
                if place.key is None:
                    self.identities.add_cell(place.holder)
                else:
                    self.identities.add_attribute(place.holder, place.key)
                self._texts.append((place.text, place.value))
            self._add_value(place.value, place.text, whole=place.last)

    def _add_item(self, holder: dict, key: Any, value: Any, text: str) -> None:
        self.identities.add_item(holder, key, value)
        self._texts.append((text, value))

    def _add_value(self, value: Any, text: str, whole: bool = True, depth: int = 0) -> None:
        """What a value consists of: a tensor's memory, containers' items, and, where the code uses an object of the
        user's as a whole, its attributes."""
        if is_scalar(value) or id(value) in self._seen or depth > _MOST_DEPTH:
            return
        if isinstance(value, Tensor):
            self._seen[id(value)] = value
            if value.is_leaf:
                self.identities.add_tensor(value, value._t, value._node)
                self._texts.append((f"the memory or requires_grad of {text}", None))
        elif hasattr(value, "param_groups"):
            self._seen[id(value)] = value
            self._settings.append((value, _settings(value), text))
            if not is_library(type(value).step):  # which may read them as numbers
                self._add_value(value.param_groups, f"{text}.param_groups")
        elif isinstance(value, Registry):
            for module in value.modules() if hasattr(value, "modules") else ():
                self._add_module(module)
        elif isinstance(value, (list, tuple)) and len(value) <= _MOST_ITEMS:
            self._seen[id(value)] = value
            if isinstance(value, list):
                self.identities.add_list(value)
                self._texts.append((f"the content of {text}", None))
            for i, item in enumerate(value):
                self._add_value(item, f"{text}[{i}]", depth=depth + 1)
        elif isinstance(value, dict) and len(value) <= _MOST_ITEMS:
            self._seen[id(value)] = value
            self._add_dict(value, text, depth)
        elif isinstance(value, set) and len(value) <= _MOST_ITEMS:
            self._seen[id(value)] = value
            self.identities.add_set(value)
            self._texts.append((f"the content of {text}", None))
        elif whole and type(getattr(value, "__dict__", None)) is dict and _is_plain(value):
            self._seen[id(value)] = value
            self._add_dict(value.__dict__, text, depth)

    def _add_dict(self, holder: dict, text: str, depth: int) -> None:
        self.identities.add_size(holder)
        self._texts.append((f"the content of {text}", None))
        for key, item in holder.items():
            self._add_item(holder, key, item, f"{text}[{key!r}]")
            self._add_value(item, f"{text}[{key!r}]", depth=depth + 1)

    def _add_module(self, module: Any) -> None:
        if id(module) in self._seen:
            return
        self._seen[id(module)] = module
        own, kind = module.__dict__, type(module).__name__
        self._add_dict(own, kind, 1)
        for registry in _REGISTRIES:
            if id(own[registry]) not in self._seen:  # deeper than containers are followed
                self._add_dict(own[registry], f"{kind}.{registry}", 1)

    def changed_inside(self) -> str | None:
        """What the recorded call itself changed."""
        for optimizer, before, text in self._settings:
            if _settings(optimizer) != before:
                return f"a setting of {text} changed"
        return self.broken()

    def broken(self) -> str | None:
        """What is not as it was, in words; None when all is."""
        index = self.identities.first_broken()
        while index >= 0:
            text, before = self._texts[index]
            value = self.identities.now(index)
            value = MISSING if value is ... else value
            if not same(value, before):
                return _change(text, before, value)
            self.identities.accept(index)
            index = self.identities.first_broken(index + 1)
        for optimizer, before in self._optimizers:
            if not optimizer._fits(before):
                return f"the groups, state or kind of step of {type(optimizer).__name__} changed"
        return None

    def refresh(self) -> None:
        """Brings what is data, such as learning rates, to where the program reads it."""
        for optimizer, _ in self._optimizers:
            optimizer._refresh()

    def settings(self) -> _core.GuardList | None:
        """The same, and what holds until it has to be done again; None where an optimizer no longer fits."""
        unchanged = _core.GuardList()
        for optimizer, before in self._optimizers:
            if not optimizer._fits(before):
                return None
            optimizer._refresh()
            optimizer._watch(unchanged)
            for i, group in enumerate(optimizer.param_groups):
                if not all(is_scalar(v) for k, v in group.items() if k != "params"):
                    unchanged.add_item(
                        group, "params", i
                    )  # never holds: what can change unseen is read again
        return unchanged


def _settings(optimizer: Any) -> list:
    return [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]


def _is_plain(value: Any) -> bool:
    """Whether an object is one of the user's, with attributes that are data."""
    return not isinstance(value, (type, ModuleType, FunctionType, MethodType)) and not is_library(type(value))


def _change(text: str, before: Any, value: Any) -> str:
    if is_scalar(before) and is_scalar(value) and not (before is None and value is MISSING):
        return f"{text} changed from {before!r} to {value!r}"
    return f"{text} changed"
