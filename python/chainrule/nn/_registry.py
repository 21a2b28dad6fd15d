"""The registers of a module: parameters, buffers and children, by name and in order."""

from __future__ import annotations

from typing import Any

from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor


class Registry:
    """What ``Module`` keeps under names: the attribute protocol, without calls or walking.

    ``_parameters``, ``_buffers`` and ``_modules`` hold what was registered; each entry is an
    ordinary instance attribute as well, so that reading ``self.weight`` costs no more than any
    attribute. Everything is rebound through attributes, which keeps the two one.
    """

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers: set[str]

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _non_persistent_buffers=set())

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._adopt("_parameters", name, value)
        elif isinstance(value, Registry):
            self._adopt("_modules", name, value)
        else:
            self._check_rebinding(name, value)
            object.__setattr__(self, name, value)

    def _adopt(self, which: str, name: str, value: Any) -> None:
        registry = self._registry(which)
        object.__setattr__(self, name, value)  # first: an attribute that is computed refuses it
        self._forget(name, keep=which)
        registry[name] = value

    def __delattr__(self, name: str) -> None:
        self._forget(name)
        object.__delattr__(self, name)

    def _registry(self, which: str) -> dict[str, Any]:
        try:
            return self.__dict__[which]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before assigning parameters, "
                "buffers or modules"
            ) from None

    def _forget(self, name: str, keep: str = "") -> None:
        for which in ("_parameters", "_buffers", "_modules"):
            if which != keep:
                self.__dict__.get(which, {}).pop(name, None)
        if keep != "_buffers":
            self.__dict__.get("_non_persistent_buffers", set()).discard(name)

    def _check_rebinding(self, name: str, value: Any) -> None:
        """Keeps a registered name to its kind: a parameter may become None, not a number."""
        for which, kind, what in (
            ("_parameters", Parameter, "a Parameter"),
            ("_buffers", Tensor, "a Tensor"),
            ("_modules", Registry, "a Module"),
        ):
            registry = self.__dict__.get(which)
            if registry is not None and name in registry:
                if value is not None and not isinstance(value, kind):
                    raise TypeError(
                        f"{type(self).__name__}: {name} must be {what} or None, got {type(value).__name__}"
                    )
                registry[name] = value

    def _check_new_name(self, name: str, which: str) -> dict[str, Any]:
        registry = self._registry(which)
        if not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: a name must be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{type(self).__name__}: a name is not empty and has no dot: {name!r}")
        if hasattr(self, name) and name not in registry:
            raise KeyError(f"{type(self).__name__}: attribute {name!r} already exists")
        return registry

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under `name`; None reserves the name and stays out of state_dict."""
        registry = self._check_new_name(name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"{type(self).__name__}: parameter {name!r} must be a Parameter or None, "
                f"got {type(param).__name__}"
            )
        registry[name] = param
        object.__setattr__(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that isn't trained; only a persistent one is part of state_dict."""
        registry = self._check_new_name(name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"{type(self).__name__}: buffer {name!r} must be a Tensor or None, "
                f"got {type(tensor).__name__}"
            )
        registry[name] = tensor
        object.__setattr__(self, name, tensor)
        if persistent:
            self._non_persistent_buffers.discard(name)
        else:
            self._non_persistent_buffers.add(name)

    def add_module(self, name: str, module: Registry | None) -> None:
        """Adds a child module under `name`."""
        registry = self._check_new_name(name, "_modules")
        if module is not None and not isinstance(module, Registry):
            raise TypeError(
                f"{type(self).__name__}: module {name!r} must be a Module or None, "
                f"got {type(module).__name__}"
            )
        registry[name] = module
        object.__setattr__(self, name, module)

    register_module = add_module
