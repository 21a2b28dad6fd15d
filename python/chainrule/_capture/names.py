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
        if op in ("LOAD_ATTR", "LOAD_METHOD") and scope:
            attributes.append(value)
            continue
        if scope:
            yield Chain(scope, name, tuple(attributes))
        scope, attributes = "", []
        if op in ("LOAD_GLOBAL", "LOAD_NAME"):
            scope, name = "global", value
        elif op in ("LOAD_DEREF", "LOAD_CLASSDEREF"):
            scope, name = "cell", value
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

    def now(self) -> Any:
        if self.key is None:
            try:
                return self.holder.cell_contents
            except ValueError:  # an empty cell
                return MISSING
        if type(self.holder) is dict:
            return self.holder.get(self.key, MISSING)
        return getattr(self.holder, self.key, MISSING)


def places_of(function: Callable[..., Any]) -> list[Place]:
    """Everything that the chains of a function lead through, each once."""
    own_self = None
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(
        function, (FunctionType, MethodType)
    ):  # an object that is called: a module, for instance
        function = getattr(function, "forward", None) or MethodType(type(function).__call__, function)
    if isinstance(function, MethodType):
        own_self, function = function.__self__, function.__func__
    if not isinstance(function, FunctionType):
        return []
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    found: dict[tuple, Place] = {}

    def add(text: str, holder: Any, key: str | None) -> Any:
        place = Place(text, holder, key, None)
        place = place._replace(value=place.now())
        found.setdefault((id(holder), key), place)
        return place.value

    for chain in dict.fromkeys(chains_of(function.__code__, own_self is not None)):
        if chain.scope == "self":
            value = own_self
        elif chain.scope == "global":
            if chain.name not in function.__globals__:
                continue  # a builtin
            value = add(chain.name, function.__globals__, chain.name)
        elif chain.name in cells:
            value = add(chain.name, cells[chain.name], None)
        else:
            continue  # of a function written inside
        text = chain.name
        for attribute in chain.attributes:
            text += f".{attribute}"
            holder = _holder(value, attribute)
            if holder is None:
                break
            value = add(text, holder, attribute)
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
