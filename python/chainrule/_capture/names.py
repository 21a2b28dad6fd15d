"""The values outside of a function that its own code names: globals, closure cells and the attribute chains written
there."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from chainrule.tensor import Tensor

MISSING = object()


class Chain(NamedTuple):
    """A name as the code writes it: where it is looked up, and the attributes after it."""

    scope: str  # global, cell or self
    name: str
    attributes: tuple[str, ...]


def chains_of(code: CodeType, own_self: bool) -> Iterator[Chain]:
    """The chains in a function's code and in the functions written inside it."""
    first = code.co_varnames[0] if own_self and code.co_argcount else None
    scope, name, attributes = "", "", []
    for instruction in dis.get_instructions(code):
        op, value = instruction.opname, instruction.argval
        if op == "EXTENDED_ARG":
            continue
        if op in ("LOAD_ATTR", "LOAD_METHOD") and scope:
            attributes.append(value)
            continue
        if scope:
            yield Chain(scope, name, tuple(attributes))
        scope, attributes = "", []
        if op in ("LOAD_GLOBAL", "LOAD_NAME"):
            scope, name = "global", value
        elif op in ("LOAD_DEREF", "LOAD_CLASSDEREF"):
            scope, name = ("self", first) if value == first else ("cell", value)
        elif op.startswith("LOAD_FAST") and first in (value if isinstance(value, tuple) else (value,))[-1:]:
            scope, name = "self", first  # of a pair, the last is the one that attributes follow
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from chains_of(inner, False)


class Place(NamedTuple):
    """Where a value is found again: a mapping's key, a cell (key None), or an object's attribute."""

    text: str
    holder: Any
    key: str | None
    value: Any
    last: bool = False  # of some chain: the code uses the value itself

    def now(self) -> Any:
        if self.key is None:
            try:
                return self.holder.cell_contents
            except ValueError:  # an empty cell
                return MISSING
        if type(self.holder) is dict:
            return self.holder.get(self.key, MISSING)
        return getattr(self.holder, self.key, MISSING)


_LIBRARIES = ("chainrule", "numpy", "torch", "functools")
_MOST_FUNCTIONS = 256


def is_library(value: Any) -> bool:
    """Whether a function or class is one that nobody changes."""
    return str(getattr(value, "__module__", "") or "").split(".")[0] in _LIBRARIES


def places_of(function: Callable[..., Any]) -> list[Place]:
    """Everything that the chains of a function lead through, and those of the user's functions that it names."""
    found: dict[tuple, Place] = {}
    waiting: list[tuple[FunctionType, Any]] = []
    seen: set[tuple[int, int]] = set()

    def follow(value: Any, own_self: Any = None) -> None:
        while isinstance(value, functools.partial):
            value = value.func
        if isinstance(value, MethodType):
            value, own_self = value.__func__, value.__self__
        if not isinstance(value, FunctionType):
            return
        key = (id(value.__code__), id(own_self))
        if key not in seen and len(seen) < _MOST_FUNCTIONS:
            seen.add(key)
            waiting.append((value, own_self))

    def add(text: str, holder: Any, key: str | None, last: bool) -> Any:
        place = Place(text, holder, key, None, last)
        place = place._replace(value=place.now())
        before = found.setdefault((id(holder), key), place)
        if last and not before.last:
            found[id(holder), key] = before._replace(last=True)
        if isinstance(place.value, (FunctionType, MethodType, functools.partial)) and not is_library(
            place.value
        ):
            follow(place.value)
        return place.value

    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(
        function, (FunctionType, MethodType)
    ):  # an object that is called: a module, for instance
        function = getattr(function, "forward", None) or MethodType(type(function).__call__, function)
    follow(function)
    while waiting:
        current, own_self = waiting.pop()
        cells = dict(zip(current.__code__.co_freevars, current.__closure__ or (), strict=True))
        for chain in dict.fromkeys(chains_of(current.__code__, own_self is not None)):
            attributes = chain.attributes
            if chain.scope == "self":
                value = own_self
            elif chain.scope == "global":
                if chain.name not in current.__globals__:
                    continue  # a builtin
                value = add(chain.name, current.__globals__, chain.name, not attributes)
            elif chain.name in cells:
                value = add(chain.name, cells[chain.name], None, not attributes)
            else:
                continue  # of a function written inside
            text = chain.name
            for i, attribute in enumerate(attributes):
                text += f".{attribute}"
                holder = _holder(value, attribute)
                if holder is None:
                    static = inspect.getattr_static(value, attribute, None)
                    if isinstance(static, FunctionType) and not is_library(static):
                        follow(static, value)
                    break
                value = add(text, holder, attribute, i == len(attributes) - 1)
    return list(found.values())


def _holder(value: Any, attribute: str) -> Any:
    """Where an attribute lies, if reading it runs no code: None ends the chain."""
    if value is MISSING or isinstance(value, Tensor):
        return None
    own = getattr(value, "__dict__", None)
    if type(own) is dict and attribute in own:
        return own
    if isinstance(value, ModuleType):
        return None
    static = inspect.getattr_static(value, attribute, MISSING)
    if static is MISSING or isinstance(static, (FunctionType, classmethod, staticmethod)):
        return None
    if hasattr(type(static), "__get__") and not inspect.ismemberdescriptor(static):
        return None  # a property
    return value
