"""One recording of a captured function: for one signature, and while its guards hold."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Collection
from typing import Any

from chainrule import _core
from chainrule._capture.guards import Guards
from chainrule._capture.tree import TENSOR, flatten_results, restore
from chainrule._tracing import Trace, tracing
from chainrule.autograd import GradientBuffer, Leaf, wrap

PASSES = ("dead", "fuse", "in_place", "chain", "prepare")


class Program:
    """The recorded calls of one signature.

    Attributes:
        signature: the arguments it was recorded for, as text.
        replays: how often it ran; `last_seconds`: how long the last replay took.
    """

    def __init__(self, signature: str) -> None:
        self.signature = signature
        self._native = _core.Program()
        self._replay: _core.Replay | None = None
        self._native_call: _core.Call | None = None
        self._outputs: list[_core.Tensor] = []
        self._structure: Any = TENSOR
        self._guards: Guards | None = None
        self._gradients = _core.GradientList()
        self._left: list[tuple[Leaf, GradientBuffer | None]] = []

    @property
    def replays(self) -> int:
        return 0 if self._replay is None else self._replay.replays

    @property
    def last_seconds(self) -> float:
        return 0.0 if self._replay is None else self._replay.last_seconds

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
        passes: Collection[str],
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
        self._native.finish(held, outputs, **{name: name in passes for name in PASSES})
        self._outputs = outputs
        if (change := guards.changed_inside()) is not None:
            raise RuntimeError(
                f"capture: {change} while the function was recorded; a replay runs no Python, so it would stay as it "
                "is. Do that outside of the captured function, or keep the value in a tensor"
            )
        guards.add_trace(trace)
        self._guards = guards
        for leaf, (entry, clears) in trace.leaves.items():
            self._add_gradient(leaf, entry, clears)
        self._replay = _core.Replay(self._native, held, self._gradients)

    def _add_gradient(self, leaf: Leaf, entry: _core.Tensor | None, clears: bool) -> None:
        """What the call found in a leaf's `.grad`, and what it left there."""
        found, native, after = entry is not None, self._native, leaf.grad
        used = found and not clears and native.touches(entry)
        own = leaf.buffer is not None and after is leaf.buffer.tensor
        buffer, after = (leaf.buffer, None) if own else (None, after)
        stays = after is not None and after._t is entry and not clears and not native.writes(entry)
        hooks = dict(leaf.hooks or {})
        self._gradients.add(leaf, found, clears, entry if used else None, buffer, after, stays, hooks)
        self._left.append((leaf, buffer))

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
        if (i := self._gradients.first_broken()) >= 0:
            was = "not " if self._gradients.found(i) else ""
            return f"a parameter's .grad was {was}None while recording, or its hooks changed"
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
        self._guards.refresh()
        self._refuse_alias(self._replay.run(inputs, traced))

    def native_call(self, copy: bool) -> _core.Call:
        """The whole call, for arguments that are nothing but tensors; NotImplemented where Python has to look."""
        if self._native_call is None:
            single = self._outputs[0] if self._structure is TENSOR else None
            results = functools.partial(self.results, copy)
            guards = self._guards
            self._native_call = _core.Call(
                self._replay, guards.identities, guards.settings, results, single, copy
            )
        return self._native_call

    def check(
        self,
        function: Callable[..., Any],
        structure: Any,
        inputs: list[_core.Tensor],
        passes: Collection[str],
    ) -> None:
        """A replay beside the function itself, from the same state: RuntimeError where a bit differs.

        The function is recorded once more for that, so that the first operation that differs has a name.
        """
        # Not the tensors themselves where they are the programs' own: a held gradient is never written.
        grads = [None if b and leaf.grad is b.tensor else (leaf.grad,) for leaf, b in self._left]
        before = self._native.state()
        self.replay(inputs, traced=True)
        after, trace, names = self._native.state(), self._native.trace, self._native.names()
        self._native.restore(before)
        for (leaf, buffer), grad in zip(self._left, grads, strict=True):
            leaf.grad = buffer.tensor if grad is None else grad[0]
        again = Program(self.signature)
        again.record(function, structure, inputs, passes, traced=True)
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
