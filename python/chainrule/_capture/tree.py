"""Arguments and results: any nesting of tuples, lists, dictionaries and dataclasses around tensors."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np

from chainrule import _core
from chainrule._capture.guards import exact, is_scalar
from chainrule.nn._registry import Registry
from chainrule.tensor import Tensor

# What stands in a structure for the next tensor.
TENSOR = object()


def flatten(value: Any, tensors: list[_core.Tensor], what: str) -> Any:
    """The structure of `value`, which hashes and compares; its tensors are added to `tensors`.

    NumPy arrays count as tensors. Other leaves are part of the structure. TypeError, naming the place, for a
    leaf that does not hash.
    """
    kind = type(value)
    if kind is Tensor or isinstance(value, Tensor):
        if value._node is not None:
            raise ValueError(
                f"capture: {what} requires grad: a program works on copies of its arguments, so the gradient would "
                "be lost; pass x.detach(), or let the function close over the tensor"
            )
        tensors.append(value._t)
        return TENSOR
    if isinstance(value, np.ndarray):
        tensors.append(_core.copy_numpy(value))
        return TENSOR
    parts = _parts(value)
    if parts is not None:
        keys, items = parts
        return (kind, keys, *[flatten(v, tensors, what + place) for place, v in items])
    return constant(value, what)


def _parts(value: Any) -> tuple[tuple, list[tuple[str, Any]]] | None:
    """A container's keys, and what it holds with its place in it; None for what is no container.

    A dataclass is copied field by field, without its `__init__`: one that keeps more than fields is no container.
    """
    kind = type(value)
    if kind is tuple or kind is list:
        return (), [(f"[{i}]", v) for i, v in enumerate(value)]
    if kind is dict or kind is OrderedDict:
        return tuple((k, exact(k)) for k in value), [(f"[{k!r}]", v) for k, v in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (), [(f".{k}", v) for k, v in zip(value._fields, value, strict=True)]
    if dataclasses.is_dataclass(value) and not _stands_for_itself(value):
        names = tuple(f.name for f in dataclasses.fields(value))
        if getattr(value, "__dict__", {}).keys() <= set(names) and all(
            hasattr(value, name) for name in names
        ):
            return names, [(f".{name}", getattr(value, name)) for name in names]
    return None


def constant(value: Any, what: str) -> tuple:
    """A leaf that is no tensor, as part of a structure."""
    if not is_scalar(value) and type(value).__hash__ is object.__hash__ and not _stands_for_itself(value):
        raise TypeError(
            f"capture: {what} is a {type(value).__name__}, which is equal to itself whatever it holds; pass the "
            "values that matter, or let the function close over it"
        )
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"capture: {what} must be a tensor, an array or a hashable value, or tuples, lists, dictionaries and "
            f"dataclasses of them, got {type(value).__name__}"
        ) from None
    return (None, exact(value), Constant(value))


class Constant:
    """A value beside what it compares by."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant)

    def __hash__(self) -> int:
        return 0


def _stands_for_itself(value: Any) -> bool:
    """Modules, optimizers, functions and classes: what they hold is guarded, or does not change."""
    return isinstance(value, (type, FunctionType, Registry)) or hasattr(value, "param_groups")


def restore(structure: Any, tensors: Iterator[Tensor]) -> Any:
    """What `flatten` took apart, with these tensors in it."""
    if structure is TENSOR:
        return next(tensors)
    kind = structure[0]
    if kind is None:
        return structure[2].value
    keys, items = structure[1], [restore(s, tensors) for s in structure[2:]]
    if kind is dict or kind is OrderedDict:
        return kind(zip((k for k, _ in keys), items, strict=True))
    if kind is tuple or kind is list:
        return kind(items)
    if not keys:
        return kind(*items)
    value = object.__new__(kind)  # what __init__ and __post_init__ did once must not be done again
    for name, item in zip(keys, items, strict=True):
        object.__setattr__(value, name, item)
    return value


def flatten_results(value: Any, tensors: list[_core.Tensor], what: str = "the result") -> Any:
    """The same of what a function gave: tensors and None."""
    if isinstance(value, Tensor):
        tensors.append(value._t)
        return TENSOR
    if value is None:
        return (None, None, Constant(None))
    kind = type(value)
    parts = _parts(value)
    if parts is not None:
        keys, items = parts
        return (kind, keys, *[flatten_results(v, tensors, what + place) for place, v in items])
    raise TypeError(
        f"capture: the function must return tensors, or tuples, lists, dictionaries and dataclasses of them; {what} "
        f"is of type {kind.__name__}, and a value that is no tensor would be frozen"
    )
