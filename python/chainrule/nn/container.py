"""Modules that hold modules: Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chainrule.nn.module import Module


class _ModuleSequence(Module):
    """Children named "0", "1", ... with the ways of a list."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def _key(self, index: int) -> str:
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(
                f"{type(self).__name__}: index {position} is out of range for {len(self)} modules"
            )
        return list(self._modules)[position]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(list(self._modules.items())[index])
        return self._modules[self._key(index)]

    def _slice(self, items: list[tuple[str, Any]]) -> Module:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        doomed = names[index] if isinstance(index, slice) else [self._key(index)]
        kept = [module for name, module in self._modules.items() if name not in doomed]
        for name in names:
            delattr(self, name)
        self.extend(kept)

    def append(self, module: Module) -> Any:
        """Adds `module` at the end; returns self."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Adds each of `modules` at the end; returns self."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Puts `module` before position `index`, as ``list.insert`` does."""
        modules = list(self)
        modules.insert(index, module)
        for position, item in enumerate(modules):
            name = str(position)
            if name in self._modules:
                setattr(self, name, item)
            else:
                self.add_module(name, item)


class Sequential(_ModuleSequence):
    """Feeds the output of each module to the next.

    Takes modules, named "0", "1", ..., or one dictionary of named modules.

    Example::

        model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 1))
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            named = list(args[0].items())
        else:
            named = [(str(position), module) for position, module in enumerate(args)]
        for name, module in named:
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: entry {name!r} must be a Module, got {type(module).__name__}")
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def _slice(self, items: list[tuple[str, Any]]) -> Sequential:
        return type(self)(dict(items))


class ModuleList(_ModuleSequence):
    """A list of modules whose parameters the parent module sees.

    A plain Python list would hide them from ``parameters()`` and ``state_dict()``.

    Example::

        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _slice(self, items: list[tuple[str, Any]]) -> ModuleList:
        return type(self)([module for _, module in items])

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        return type(self)([*self, *modules])


class ModuleDict(Module):
    """A dictionary of modules whose parameters the parent module sees.

    Example::

        heads = nn.ModuleDict({"age": nn.Linear(64, 1), "place": nn.Linear(64, 50)})
        heads["age"](cr.randn(8, 64)).shape  # (8, 1)
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        if name not in self._modules:
            raise KeyError(name)
        delattr(self, name)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Pairs of name and module."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module]) -> None:
        """Adds or replaces the named modules."""
        for name, module in modules.items():
            self.add_module(name, module)
