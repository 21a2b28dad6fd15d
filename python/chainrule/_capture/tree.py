"""Arguments and results: any nesting of tuples, lists and dictionaries around tensors."""

from __future__ import annotations

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
    if kind is tuple or kind is list:
        return (kind, *[flatten(v, tensors, f"{what}[{i}]") for i, v in enumerate(value)])
    if kind is dict:
        return (dict, *[(k, exact(k), flatten(v, tensors, f"{what}[{k!r}]")) for k, v in value.items()])
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (
            kind,
            *[flatten(v, tensors, f"{what}.{k}") for k, v in zip(value._fields, value, strict=True)],
        )
    return constant(value, what)


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
            f"capture: {what} must be a tensor, an array or a hashable value, or tuples, lists and dictionaries of "
            f"them, got {type(value).__name__}"
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
    if kind is dict:
        return {k: restore(v, tensors) for k, _, v in structure[1:]}
    items = [restore(s, tensors) for s in structure[1:]]
    return kind(items) if kind in (tuple, list) else kind(*items)


def flatten_results(value: Any, tensors: list[_core.Tensor], what: str = "the result") -> Any:
    """The same of what a function gave: tensors and None."""
    if isinstance(value, Tensor):
        tensors.append(value._t)
        return TENSOR
    if value is None:
        return (None, None, Constant(None))
    kind = type(value)
    if kind is tuple or kind is list:
        return (kind, *[flatten_results(v, tensors, f"{what}[{i}]") for i, v in enumerate(value)])
    if kind is dict:
        return (
            dict,
            *[(k, exact(k), flatten_results(v, tensors, f"{what}[{k!r}]")) for k, v in value.items()],
        )
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        pairs = zip(value._fields, value, strict=True)
        return (kind, *[flatten_results(v, tensors, f"{what}.{k}") for k, v in pairs])
    raise TypeError(
        f"capture: the function must return tensors, or tuples, lists and dictionaries of them; {what} is of type "
        f"{kind.__name__}, and a value that is no tensor would be frozen"
    )
