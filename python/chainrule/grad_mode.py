"""Whether the ops of this thread are recorded for backward."""

from __future__ import annotations

import functools

from chainrule import _core

_IS_GENERATOR = 0x20  # inspect.CO_GENERATOR, without the cost of importing inspect


class _SetMode:
    """Base of no_grad and enable_grad: a context manager and a decorator."""

    _value = False

    def __enter__(self) -> None:
        if not hasattr(self, "_before"):
            self._before: list[bool] = []
        self._before.append(_core.set_grad_enabled(self._value))

    def __exit__(self, *error) -> None:
        _core.set_grad_enabled(self._before.pop())

    def __call__(self, function):
        code = getattr(function, "__code__", None)
        if code is not None and code.co_flags & _IS_GENERATOR:
            return self._around_generator(function)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with type(self)():
                return function(*args, **kwargs)

        return wrapped

    def _around_generator(self, function):
        """In force while the generator runs, and not between its steps, where the caller's code runs."""

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            steps = function(*args, **kwargs)
            resume = functools.partial(steps.send, None)
            while True:
                with type(self)():
                    try:
                        value = resume()
                    except StopIteration as end:
                        return end.value
                try:
                    resume = functools.partial(steps.send, (yield value))
                except BaseException as error:  # thrown in by the caller; GeneratorExit when it closes
                    resume = functools.partial(steps.throw, error)

        return wrapped

    def __new__(cls, function=None):
        self = super().__new__(cls)
        return self if function is None else self(function)


class no_grad(_SetMode):
    """Inside, ops are not recorded. `with no_grad(): ...` or `@no_grad()`."""


class enable_grad(_SetMode):
    """Inside, ops are recorded again, within a no_grad block."""

    _value = True


class set_grad_enabled:
    """`with set_grad_enabled(flag):`, or called alone: switches recording for this thread."""

    def __init__(self, enabled: bool) -> None:
        self._before = _core.set_grad_enabled(bool(enabled))

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error) -> None:
        _core.set_grad_enabled(self._before)


def is_grad_enabled() -> bool:
    """Whether ops of this thread are recorded."""
    return _core.grad_enabled()
