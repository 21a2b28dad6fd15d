"""A model's architecture as plain data, and back: the layers of this library, and classes that are registered."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from chainrule import nn
from chainrule.nn._state import named_state
from chainrule.nn.module import Module
from chainrule.random import get_rng_state, set_rng_state

Class = TypeVar("Class", bound=type)
_CONTAINERS = {"Sequential": nn.Sequential, "ModuleList": nn.ModuleList, "ModuleDict": nn.ModuleDict}
_registered: dict[str, type[Module]] = {}


def register_layer(cls: Class) -> Class:
    """Class decorator: models of this class can be saved with their architecture (``save_predictor``).

    What its constructor is called with is remembered: None, numbers, texts, lists, tuples and dictionaries of
    such, and modules. The program that loads the file imports the class before.

    Raises TypeError for what is no subclass of Module, ValueError for a name that is taken.

    Example::

        @cr.register_layer
        class Net(nn.Module):
            def __init__(self, hidden): ...
    """
    if not (isinstance(cls, type) and issubclass(cls, Module)):
        raise TypeError(f"register_layer: expects a subclass of nn.Module, got {cls!r}")
    name, known = cls.__name__, _registered.get(cls.__name__)
    same = known is not None and (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__)
    if name in _built_in() or (known is not None and not same):
        raise ValueError(f"register_layer: there is a layer named {name!r}; rename the class")
    original = cls.__init__

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if type(self) is cls:  # a subclass has arguments of its own
            self.__dict__["_constructor"] = (args, kwargs)
        original(self, *args, **kwargs)

    cls.__init__ = __init__  # type: ignore[misc]
    _registered[name] = cls
    return cls


def describe(op: str, model: Module) -> dict[str, Any]:
    """The architecture of `model`: dictionaries, lists, numbers and texts; ``build`` makes a model of it.

    Raises TypeError, which names the path, for a class that is not registered and an argument that is no plain
    data; ValueError for hooks and for a model that its constructors alone would not make again.
    """
    for path, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise ValueError(f"{op}: {_where(path, module)} has hooks, which a file cannot hold; remove them")
    found = _describe(op, model, {id(module): path for path, module in model.named_modules()})
    _compare(op, model, build(op, found))
    return found


def build(op: str, description: Mapping[str, Any]) -> Module:
    """A new model of that architecture, with initial weights; the default generator stays as it is.

    Raises ValueError for a layer that is not known here.
    """
    state = get_rng_state()
    try:
        return _build(op, description)
    finally:
        set_rng_state(state)


def load_weights(model: Module, weights: Mapping[str, Any]) -> None:
    """Copies weights into a model, which takes their dtypes."""
    own = {name: tensor.dtype for name, tensor in weights.items() if tensor.is_floating_point()}
    for path, module in model.named_modules():
        for name in (*module._parameters, *module._buffers):
            dtype = own.get(f"{path}.{name}" if path else name)
            if dtype is not None:
                module.to(dtype)
    model.load_state_dict(weights)


@functools.cache
def _built_in() -> dict[str, type[Module]]:
    found = {name: getattr(nn, name) for name in nn.__all__}
    return {
        n: c for n, c in found.items() if isinstance(c, type) and issubclass(c, Module) and c is not Module
    }


def _describe(op: str, module: Module, paths: Mapping[int, str]) -> dict[str, Any]:
    cls, name, path = type(module), type(module).__name__, paths.get(id(module), "?")
    if _CONTAINERS.get(name) is cls:
        children = [[key, _describe(op, child, paths)] for key, child in module._modules.items()]
        return {"layer": name, "children": children}
    if _built_in().get(name) is cls:
        keywords = dict(_arguments(module))
        return {"layer": name, "args": [], "kwargs": _encode(op, paths, path, keywords)["dict"]}
    if _registered.get(name) is not cls:
        hint = "decorate the class with @chainrule.register_layer"
        if "parametrizations" in module._modules:
            hint = "call nn.utils.parametrize.remove_parametrizations first"
        raise TypeError(f"{op}: {_where(path, module)} is of a class that is not registered; {hint}")
    if "_constructor" not in module.__dict__:
        raise TypeError(
            f"{op}: {_where(path, module)} was made before its class was registered; make it again"
        )
    args, kwargs = module.__dict__["_constructor"]
    return {
        "layer": name,
        "args": [_encode(op, paths, path, value) for value in args],
        "kwargs": _encode(op, paths, path, kwargs)["dict"],
    }


def _arguments(module: Module) -> Iterator[tuple[str, Any]]:
    """A built-in layer's constructor arguments, which are attributes of the same names."""
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or not hasattr(module, name):
            continue  # dtype and device travel with the weights; what is no attribute has one value only
        value = getattr(module, name)
        yield name, value is not None if name == "bias" else value


def _encode(op: str, paths: Mapping[int, str], path: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Module):
        return {"module": _describe(op, value, paths)}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_encode(op, paths, path, item) for item in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _encode(op, paths, path, item) for key, item in value.items()}}
    raise TypeError(
        f"{op}: an argument of {path or 'the model'} is a {type(value).__name__}; only numbers, texts, None, lists, "
        "tuples, dictionaries and modules can be saved"
    )


def _build(op: str, description: Mapping[str, Any]) -> Module:
    name = description["layer"]
    if "children" in description:
        children = {key: _build(op, child) for key, child in description["children"]}
        return _CONTAINERS[name](list(children.values()) if name == "ModuleList" else children)
    cls = _built_in().get(name) or _registered.get(name)
    if cls is None:
        raise ValueError(
            f"{op}: no layer {name!r} here; import the module that defines it (@chainrule.register_layer)"
        )
    args = [_decode(op, value) for value in description["args"]]
    return cls(*args, **{key: _decode(op, value) for key, value in description["kwargs"].items()})


def _decode(op: str, value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "module":
        return _build(op, content)
    if kind == "dict":
        return {key: _decode(op, item) for key, item in content.items()}
    if kind in ("list", "tuple"):
        items = [_decode(op, item) for item in content]
        return items if kind == "list" else tuple(items)
    if kind != "value":
        raise ValueError(f"{op}: unknown kind of argument {kind!r}")
    return content


def _compare(op: str, model: Module, made: Module) -> None:
    """ValueError, which names the path, where the constructors made another model than the one at hand."""
    ours = dict(model.named_modules(remove_duplicate=False))
    theirs = dict(made.named_modules(remove_duplicate=False))
    for path in ours.keys() | theirs.keys():
        a, b = ours.get(path), theirs.get(path)
        known = a is not None and type(a).__name__ in _built_in()
        if type(a) is not type(b) or (known and a.extra_repr() != b.extra_repr()):
            raise ValueError(
                f"{op}: {_where(path, a or b)} was changed after its constructor ran, which would make "
                f"{_text(b)} of {_text(a)}; let an argument of the constructor say so"
            )
    shapes = [{n: tuple(t.shape) for n, t in named_state(m)} for m in (model, made)]
    if shapes[0] != shapes[1]:
        name = next(iter(dict(shapes[0].items() ^ shapes[1].items())))
        raise ValueError(
            f"{op}: {name} has shape {shapes[0].get(name)}, made again by its constructor {shapes[1].get(name)}"
        )


def _text(module: Module | None) -> str:
    return "nothing" if module is None else f"{type(module).__name__}({module.extra_repr()})"


def _where(path: str, module: Module) -> str:
    return f"model.{path} ({type(module).__name__})" if path else f"the model ({type(module).__name__})"
