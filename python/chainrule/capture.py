"""Recording one call of a function and replaying it natively.

`record(step)` is the first form of capture: one signature per recorded function. The first call runs eagerly
(optimizer state is born), the second records while it runs, later ones replay the recorded native calls on
the same memory, with the same bits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule import _core, autograd
from chainrule.autograd import Leaf, wrap
from chainrule.tensor import Tensor


class _Active(threading.local):
    function: Recorded | None = None  # what this thread records


_active = _Active()


def on_replay(refresh: Callable[[], None]) -> None:
    """Called while recording, by what has data that Python may change between replays (hyperparameters):
    refresh() runs before every replay. Outside a recording this does nothing."""
    if _active.function is not None:
        _active.function._refresh[refresh] = None


@dataclass
class _Grad:
    """What the recorded call found in a leaf's `.grad` and what it left there: the same tensor where it
    accumulated, another where it had cleared it."""

    leaf: Leaf
    before: Tensor | None
    after: Tensor | None

    def check(self) -> None:
        """RuntimeError where eager would accumulate and the replay would overwrite, or the other way."""
        found = self.leaf.grad
        cleared = self.before is not None and self.after is not self.before
        if cleared or found is self.before:
            return
        state = "no gradient" if self.before is None else "the gradient it accumulates into"
        raise RuntimeError(
            f"record: the call was recorded with {state} in a parameter's .grad, now it is "
            f"{'None' if found is None else 'another'}; clear gradients inside the recorded function"
        )


class Recorded:
    """A function of tensors whose second call is recorded; see `record`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._lock = threading.RLock()  # one call at a time: the memory is the program's
        self._inside = False
        self._calls = 0
        self._program = _core.Program()
        self._inputs: tuple[_core.Tensor, ...] = ()
        self._outputs: tuple[_core.Tensor, ...] = ()
        self._single = True
        self._refresh: dict[Callable[[], None], None] = {}
        self._leaves: set[Leaf] = set()  # that the first call gave gradients to
        self._grads: list[_Grad] = []

    @property
    def program(self) -> _core.Program:
        """The recorded calls: `calls`, `bytes`, `names()`."""
        return self._program

    def __call__(self, *inputs: Tensor):
        for i, x in enumerate(inputs):
            if not isinstance(x, Tensor):
                raise TypeError(f"record: input {i} must be a Tensor, got {type(x).__name__}")
        with self._lock:
            if self._inside:
                raise RuntimeError("record: the function calls itself")
            self._inside = True
            try:
                if self._calls >= 2:
                    return self._replay(inputs)
                result = self._record(inputs) if self._calls == 1 else self._first(inputs)
                self._calls += 1  # a call that raised does not count
                return result
            finally:
                self._inside = False

    def _first(self, inputs):
        autograd.watch.leaves = self._leaves = set()
        try:
            outputs, single = _tensors_of(self._function(*inputs))
        finally:
            autograd.watch.leaves = None
        results = tuple(wrap(_core.clone(t)) for t in outputs)
        return results[0] if single else results

    def _record(self, inputs):
        program = _core.Program()
        held = tuple(_core.clone(x._t) for x in inputs)
        self._refresh = {}
        before = {leaf: leaf.grad for leaf in self._leaves}
        program.begin()
        _active.function = self
        try:
            self._outputs, self._single = _tensors_of(self._function(*(wrap(x) for x in held)))
        finally:
            _active.function = None
            program.end()
        self._program, self._inputs = program, held
        self._grads = [_Grad(leaf, grad, leaf.grad) for leaf, grad in before.items()]
        return self._results()

    def _replay(self, inputs):
        if len(inputs) != len(self._inputs):
            raise TypeError(f"record: recorded with {len(self._inputs)} inputs, called with {len(inputs)}")
        for i, (held, x) in enumerate(zip(self._inputs, inputs, strict=True)):
            if held.shape != x._t.shape or held.dtype is not x._t.dtype:
                raise ValueError(
                    f"record: input {i} was recorded as {list(held.shape)} {held.dtype.name}, "
                    f"got {list(x._t.shape)} {x._t.dtype.name}"
                )
        for grad in self._grads:
            grad.check()
        for held, x in zip(self._inputs, inputs, strict=True):
            _core.copy_(held, x._t)
        for refresh in self._refresh:
            refresh()
        self._program.replay()
        for grad in self._grads:
            grad.leaf.grad = grad.after
        return self._results()

    def _results(self):
        results = tuple(wrap(_core.clone(t)) for t in self._outputs)
        return results[0] if self._single else results


def _tensors_of(result: Any) -> tuple[tuple[_core.Tensor, ...], bool]:
    """What a recorded function gave, and whether it was one tensor rather than a tuple."""
    single = isinstance(result, Tensor)
    tensors = (result,) if single else result
    if not isinstance(tensors, (tuple, list)) or not all(isinstance(t, Tensor) for t in tensors):
        raise TypeError(
            f"record: the function must return a Tensor or a tuple of Tensors, got {type(result).__name__}"
        )
    return tuple(t._t for t in tensors), single


def record(function: Callable[..., Any]) -> Recorded:
    """Makes `function(*tensors)` record its second call and replay from the third on.

    The function takes Tensors of fixed shapes and gives a Tensor or a tuple of them; everything in it that is
    not a tensor operation happens once, while recording. Results are fresh, detached tensors.

    Example:
        >>> @record
        ... def step(x, y):
        ...     optimizer.zero_grad()
        ...     loss = F.cross_entropy(model(x), y)
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
    """
    return Recorded(function)
