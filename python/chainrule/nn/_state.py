"""The state of a module as a flat dictionary of tensors, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from chainrule.autograd import no_grad
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.nn.module import Module


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def named_state(module: Module, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Parameters and persistent buffers by full name; a shared one appears under each name."""
    for path, child in module.named_modules(remove_duplicate=False):
        start = prefix + (path + "." if path else "")
        for name, parameter in child._parameters.items():
            if parameter is not None:
                yield start + name, parameter
        for name, buffer in child._buffers.items():
            if buffer is not None and name not in child._non_persistent_buffers:
                yield start + name, buffer


def load_state(module: Module, state: Mapping[str, Tensor], strict: bool) -> IncompatibleKeys:
    """Checks the whole of `state` against `module`, then copies; see ``Module.load_state_dict``."""
    if not isinstance(state, Mapping):
        raise TypeError(f"load_state_dict: expected a dictionary, got {type(state).__name__}")
    own = dict(named_state(module))
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    problems: list[str] = []
    if strict and missing:
        problems.append(f"missing keys: {', '.join(missing)}")
    if strict and unexpected:
        problems.append(f"unexpected keys: {', '.join(map(str, unexpected))}")
    for name, target in own.items():
        if name in state:
            problems.extend(_mismatches(name, target, state[name]))
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ValueError(f"load_state_dict: the state does not fit {type(module).__name__}:{lines}")
    with no_grad():
        for name, target in own.items():
            if name in state:
                target.copy_(state[name])
    return IncompatibleKeys(missing, unexpected)


def _mismatches(name: str, target: Tensor, source: object) -> Iterator[str]:
    if not isinstance(source, Tensor):
        yield f"{name}: expected a Tensor, got {type(source).__name__}"
        return
    if tuple(source.shape) != tuple(target.shape):
        yield f"{name}: shape {list(source.shape)}, the module has {list(target.shape)}"
    if source.dtype != target.dtype:
        yield f"{name}: dtype {source.dtype}, the module has {target.dtype}"
