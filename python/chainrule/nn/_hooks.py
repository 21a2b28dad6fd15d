"""Handles with which forward hooks are taken off again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

_next_id = itertools.count()


class RemovableHandle:
    """Returned when a hook is registered; ``remove()`` takes the hook off, any number of times."""

    __slots__ = ("_hooks", "id")

    def __init__(self, hooks: dict[int, Any]) -> None:
        self._hooks = hooks
        self.id = next(_next_id)

    def remove(self) -> None:
        """Takes the hook off."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_hook(
    hooks: dict[int, tuple[Callable[..., Any], bool]],
    hook: Callable[..., Any],
    prepend: bool,
    with_kwargs: bool,
) -> RemovableHandle:
    """Adds `hook` to an ordered table of hooks, at its end or, with `prepend`, at its start."""
    if not callable(hook):
        raise TypeError(f"register_hook: the hook must be callable, got {type(hook).__name__}")
    handle = RemovableHandle(hooks)
    entry = {handle.id: (hook, with_kwargs)}
    if prepend:
        entry.update(hooks)
        hooks.clear()
    hooks.update(entry)
    return handle


def call_with_hooks(
    forward: Callable[..., Any],
    module: Any,
    pre_hooks: dict[int, tuple[Callable[..., Any], bool]],
    hooks: dict[int, tuple[Callable[..., Any], bool]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Runs pre-hooks, `forward`, hooks. A hook that returns None leaves what it was given."""
    for hook, with_kwargs in tuple(pre_hooks.values()):
        if with_kwargs:
            changed = hook(module, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise TypeError(
                        "forward pre-hook: with_kwargs=True must return None or (args, kwargs), "
                        f"got {type(changed).__name__}"
                    )
                args, kwargs = changed
        else:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    output = forward(*args, **kwargs)
    for hook, with_kwargs in tuple(hooks.values()):
        changed = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
        if changed is not None:
            output = changed
    return output
