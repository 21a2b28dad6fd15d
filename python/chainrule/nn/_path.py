"""Names the module in which an error arose: ``in model.encoder.2 (Conv2d)``."""

from __future__ import annotations

import itertools
import sys
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.nn.module import Module

_MARK = "_chainrule_module_path"


def add_module_path(error: Exception, call_code: CodeType) -> None:
    """Appends the path of the innermost running module to the text of `error`, once.

    Runs only when an error passes through ``Module.__call__``, whose code object is `call_code`:
    the frames on the stack that run it are the modules from the outermost to the one that failed,
    so a call that succeeds keeps no books. The type of the error stays as it is. Errors whose
    text isn't their single string argument are left alone.
    """
    if getattr(error, _MARK, False) or isinstance(error, KeyError):
        return
    if len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    path = running_path(sys._getframe(1), call_code)
    if path:
        error.args = (f"{error.args[0]}, in {path}",)
        setattr(error, _MARK, True)


def running_path(frame: FrameType | None, call_code: CodeType) -> str:
    """The innermost module that runs `frame`, ``model.encoder.2 (Conv2d)``; empty outside of modules."""
    chain, root_name = _running_modules(frame, call_code)
    if not chain:
        return ""
    return f"{'.'.join([root_name, *_child_names(chain)])} ({type(chain[-1]).__name__})"


def not_a_tensor(module: Module, error: Exception, args: tuple[Any, ...]) -> TypeError | None:
    """What to say where `forward` asked an argument for its shape, say, and it was a list and no tensor."""
    if not isinstance(error, AttributeError) or not hasattr(Tensor, error.name or ""):
        return None
    if isinstance(error.obj, Tensor) or not any(error.obj is arg for arg in args):
        return None
    return TypeError(
        f"{type(module).__name__}: expects a Tensor, got {type(error.obj).__name__}; "
        "make one with tensor(...)"
    )


def _running_modules(frame: FrameType | None, call_code: CodeType) -> tuple[list[Module], str]:
    chain: list[Module] = []
    caller: FrameType | None = None
    while frame is not None:
        if frame.f_code is call_code:
            chain.append(frame.f_locals["self"])
            caller = frame.f_back
        frame = frame.f_back
    chain.reverse()
    return chain, _variable_name(caller, chain[0]) if chain else ""


def _variable_name(frame: FrameType | None, module: Module) -> str:
    """What the caller calls the outermost module; ``model`` where it has no name of its own."""
    if frame is not None:
        for variables in (frame.f_locals, frame.f_globals):
            for name, value in variables.items():
                if value is module and name != "self" and not name.startswith("_"):
                    return name
    return "model"


def _child_names(chain: list[Module]) -> list[str]:
    names = []
    for parent, child in itertools.pairwise(chain):
        if parent is child:
            continue
        found = (name for name, module in parent.named_modules() if module is child)
        # A module that its parent holds in a plain list has no name: the brackets show that.
        names.append(next(found, f"<{type(child).__name__}>"))
    return names
