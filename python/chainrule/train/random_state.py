"""The state of every random generator that a training draws from, as data."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.creation import tensor
from chainrule.data.seeding import generators_of
from chainrule.generator import Generator, default_generator
from chainrule.tensor import Tensor


class RandomState:
    """Reads and restores the default generator, NumPy's and Python's global ones, and those that are attributes of
    loaders, samplers, datasets (their transforms, too) and modules.

    Generators that are deeper, or in a closure, are not found.
    """

    def __init__(self, owners: Iterable[Any]) -> None:
        self._own = generators_of(list(owners))

    def get(self) -> dict[str, Any]:
        """The states; tensors, numbers and texts."""
        version, numbers, gauss = random.getstate()
        return {
            "default": default_generator.get_state(),
            "numpy": _encoded(np.random.get_state(legacy=False)),
            "python": [version, tensor(np.array(numbers, dtype=np.int64)), gauss],
            "own": {name: _state(generator) for name, generator in self._own.items()},
        }

    def difference(self, state: Mapping[str, Any]) -> str | None:
        """Where the generators are others than those of a state, in words."""
        saved, own = list(state["own"]), list(self._own)
        return None if saved == own else f"random generators {saved or 'none'}, here {own or 'none'}"

    def set(self, state: Mapping[str, Any]) -> None:
        """Every generator goes on where it was."""
        default_generator.set_state(state["default"])
        np.random.set_state(_decoded(state["numpy"]))
        version, numbers, gauss = state["python"]
        random.setstate((version, tuple(numbers.tolist()), gauss))
        for name, generator in self._own.items():
            _restore(generator, state["own"][name])


def _state(generator: Any) -> Any:
    if isinstance(generator, Generator):
        return generator.get_state()
    if isinstance(generator, np.random.Generator):
        return _encoded(generator.bit_generator.state)
    version, numbers, gauss = generator.getstate()
    return [version, tensor(np.array(numbers, dtype=np.int64)), gauss]


def _restore(generator: Any, state: Any) -> None:
    if isinstance(generator, Generator):
        generator.set_state(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = _decoded(state)
    else:
        version, numbers, gauss = state
        generator.setstate((version, tuple(numbers.tolist()), gauss))


def _encoded(value: Any) -> Any:
    """NumPy's state with its arrays of unsigned numbers as int64 tensors, which have the same bits."""
    if isinstance(value, Mapping):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        wide = value.astype(np.uint64).view(np.int64)
        return {"array": tensor(wide), "dtype": value.dtype.name}
    return value.item() if isinstance(value, np.generic) else value


def _decoded(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if isinstance(value.get("array"), Tensor):
        return value["array"].numpy().view(np.uint64).astype(value["dtype"])
    return {key: _decoded(item) for key, item in value.items()}
