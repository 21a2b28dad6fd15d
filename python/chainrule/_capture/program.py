"""One recording of a captured function: for one signature, and while its guards hold."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from chainrule import _core
from chainrule._capture.guards import Guards
from chainrule._capture.tree import TENSOR, flatten_results, restore
from chainrule._tracing import Trace, tracing
from chainrule.autograd import Leaf, wrap
from chainrule.tensor import Tensor


class _Grad:
    """What the recorded call found in a leaf's `.grad`, and what it left there."""

    def __init__(self, leaf: Leaf, entry: _core.Tensor | None, clears: bool, native: _core.Program) -> None:
        self.leaf = leaf
        self._found = entry is not None
        self._clears = clears  # whatever was there
        used = self._found and not clears and native.touches(entry)
        self._entry = entry if used else None  # where the calls read it, or add to it
        after = leaf.grad
        own = leaf.buffer is not None and after is leaf.buffer.tensor
        self._buffer, self._after = (leaf.buffer, None) if own else (None, after)
        self._stays = after is not None and after._t is entry and not clears and not native.writes(entry)
        self._hooks = dict(leaf.hooks or {})

    @property
    def after(self) -> Tensor | None:
        return self._after if self._buffer is None else self._buffer.tensor

    def fits(self) -> bool:
        leaf = self.leaf
        if (leaf.hooks and leaf.hooks != self._hooks) or (self._hooks and not leaf.hooks):
            return False
        return self._clears or (leaf.grad is not None) == self._found

    def prepare(self) -> None:
        """The gradient of now comes to where the calls use it; one that the user holds goes elsewhere."""
        buffer = self._buffer  # looked at here, because calls would take longer than the look
        if buffer is not None and sys.getrefcount(buffer.tensor) > 2 + (self.leaf.grad is buffer.tensor):
            buffer.let_go()
        if self._entry is not None and (grad := self.leaf.grad)._t is not self._entry:
            _core.copy_(self._entry, grad._t)

    def leave(self) -> None:
        if not self._stays:
            self.leaf.grad = self._after if self._buffer is None else self._buffer.tensor

    def reason(self) -> str:
        return f"a parameter's .grad was {'not ' if self._found else ''}None while recording, or its hooks changed"


class Program:
    """The recorded calls of one signature.

    Attributes:
        signature: the arguments it was recorded for, as text.
        replays: how often it ran; `last_seconds`: how long the last replay took.
    """

    def __init__(self, signature: str) -> None:
        self.signature = signature
        self.replays = 0
        self.last_seconds = 0.0
        self._native = _core.Program()
        self._inputs: list[_core.Tensor] = []
        self._outputs: list[_core.Tensor] = []
        self._structure: Any = TENSOR
        self._guards: Guards | None = None
        self._grads: list[_Grad] = []

    @property
    def calls(self) -> int:
        """Recorded operations."""
        return self._native.calls

    @property
    def buffers(self) -> int:
        """Blocks of the program's own memory; `bytes` in all."""
        return self._native.buffers

    @property
    def bytes(self) -> int:
        return self._native.bytes

    @property
    def listing(self) -> str:
        """The recorded operations, one a line, with dtypes and shapes."""
        return "\n".join(self._native.lines())

    def __repr__(self) -> str:
        return (
            f"Program({self.signature}: {self.calls} operations, {self.buffers} buffers, {self.bytes} bytes, "
            f"{self.replays} replays, the last in {self.last_seconds * 1e6:.1f} µs)"
        )

    # ---- recording ----

    def record(
        self,
        function: Callable[..., Any],
        structure: Any,
        inputs: list[_core.Tensor],
        traced: bool = False,
    ) -> None:
        """Runs the function and keeps what it did."""
        held = [_core.clone(t) for t in inputs]
        versions = [t.version for t in held]
        guards, trace = Guards(function), Trace()
        self._native.begin(traced)
        tracing.trace = trace
        try:
            args, kwargs = restore(structure, iter([wrap(t) for t in held]))
            result = function(*args, **kwargs)
            outputs: list[_core.Tensor] = []
            self._structure = flatten_results(result, outputs)
            del result, args, kwargs
        finally:
            tracing.trace = None
            self._native.end()
        for i, (t, version) in enumerate(zip(held, versions, strict=True)):
            if t.version != version:
                raise RuntimeError(
                    f"capture: {t.writer} writes into tensor {i} of the arguments; a program works on copies of its "
                    "arguments, so the caller's tensor would stay as it was: clone() it and return the clone"
                )
        self._check_memory(outputs)
        self._check_aliases(inputs)
        self._native.plan_memory(outputs)
        self._inputs, self._outputs = held, outputs
        if (change := guards.changed_inside()) is not None:
            raise RuntimeError(
                f"capture: {change} while the function was recorded; a replay runs no Python, so it would stay as it "
                "is. Do that outside of the captured function, or keep the value in a tensor"
            )
        guards.add_trace(trace)
        self._guards = guards
        self._grads = [_Grad(leaf, *entry, self._native) for leaf, entry in trace.leaves.items()]

    def _check_memory(self, outputs: list[_core.Tensor]) -> None:
        """RuntimeError where something outside still holds the program's memory, which replays write again."""
        if self._held(outputs) is not None:
            gc.collect()  # cycles
        if (writer := self._held(outputs)) is not None:
            raise RuntimeError(
                f"capture: the result of {writer} is still held after the call, but not only as a result: by a list, a "
                "closure, a hook or an attribute, perhaps. Its memory is the program's and will be written again; "
                "return the tensor and keep what the captured function gives"
            )

    def _held(self, outputs: list[_core.Tensor]) -> str | None:
        """The op that wrote some memory which not only results hold."""
        results = {id(t): t for t in outputs}
        for begin, size, writer in self._native.in_use():
            own = [t for t in results.values() if begin <= t.data_ptr < begin + max(size, 1)]
            if not own or own[0].storage_users > len(own):
                return writer
            for t in own:
                # Held by `outputs`, perhaps several times, by `results`, `own`, this name, and the call.
                if sys.getrefcount(t) > sum(o is t for o in outputs) + 4:
                    return writer
        return None

    # ---- replaying ----

    def broken(self) -> str | None:
        """Why this recording cannot serve the call; None when it can."""
        for grad in self._grads:
            if not grad.fits():
                return grad.reason()
        return self._guards.broken()

    def _check_aliases(self, inputs: list[_core.Tensor]) -> None:
        self._refuse_alias(next((i for i, t in enumerate(inputs) if self._native.writes(t)), -1))

    def _refuse_alias(self, index: int) -> None:
        if index >= 0:
            raise RuntimeError(
                f"capture: tensor {index} of the arguments shares memory with a parameter or another tensor that the "
                "call writes, which a program's copy of it would not show; pass a clone"
            )

    def replay(self, inputs: list[_core.Tensor], traced: bool = False) -> None:
        self._refuse_alias(self._native.load(self._inputs, inputs))
        self._guards.refresh()
        for grad in self._grads:
            grad.prepare()
        start = time.perf_counter()
        self._native.replay(traced)
        self.last_seconds = time.perf_counter() - start
        self.replays += 1
        for grad in self._grads:
            grad.leave()

    def check(self, function: Callable[..., Any], structure: Any, inputs: list[_core.Tensor]) -> None:
        """A replay beside the function itself, from the same state: RuntimeError where a bit differs.

        The function is recorded once more for that, so that the first operation that differs has a name.
        """
        # Not the tensors themselves where they are the programs' own: a held gradient is never written.
        grads = [(g, True if g.leaf.grad is g.after else g.leaf.grad) for g in self._grads]
        before = self._native.state()
        self.replay(inputs, traced=True)
        after, trace, names = self._native.state(), self._native.trace, self._native.names()
        self._native.restore(before)
        for g, grad in grads:
            g.leaf.grad = g.after if grad is True else grad
        again = Program(self.signature)
        again.record(function, structure, inputs, traced=True)
        other, other_names = again._native.trace, again._native.names()
        for i, (a, b) in enumerate(zip(trace, other)):
            if a != b or names[i] != other_names[i]:
                line = self._native.lines()[i]
                raise RuntimeError(
                    f"capture: operation {i} of the program, {line}, gives other bits than the function does now"
                    + (f", which runs {other_names[i]} there" if names[i] != other_names[i] else "")
                    + ". Something that the function depends on has changed without being seen: a number or an "
                    "array deeper than its own code names; make it an argument"
                )
        if len(trace) != len(other) or self._native.state() != after:
            raise RuntimeError(
                f"capture: the program has {len(trace)} operations, the function runs {len(other)} now; something "
                "that it depends on has changed without being seen; make it an argument"
            )

    def results(self, copy: bool) -> Any:
        if self._structure is TENSOR:
            return wrap(_core.clone(self._outputs[0]) if copy else self._outputs[0])
        tensors = (wrap(_core.clone(t) if copy else t) for t in self._outputs)
        return restore(self._structure, tensors)
