"""`capture`: a Python function of tensors, recorded once for each kind of call and replayed natively."""

from __future__ import annotations

import copy
import functools
import threading
import warnings
from collections.abc import Callable, Collection, Iterable
from typing import Any

from chainrule import _core
from chainrule._capture.program import PASSES, Program
from chainrule._capture.tree import TENSOR, flatten, flatten_results, restore
from chainrule.autograd import wrap
from chainrule.grad_mode import is_grad_enabled

_MOST_SIGNATURES = 256  # kinds of calls that are remembered without a program
_CHECKED = 3  # replays of each program that check=True compares


class _Signature:
    """The calls of one signature: how many ran eagerly, and the programs recorded for it."""

    def __init__(self) -> None:
        self.eager = 0
        self.programs: list[Program] = []


class Captured:
    """A captured function; see `capture`."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        check: bool,
        warmup: int,
        max_programs: int,
        copy_results: bool,
        passes: Collection[str],
    ) -> None:
        self._function = function
        self._options = {
            "check": check,
            "warmup": warmup,
            "max_programs": max_programs,
            "copy_results": copy_results,
            "passes": passes,
        }
        self._check, self._warmup, self._most, self._copy = check, warmup, max_programs, copy_results
        # A chain's operations could not be compared one by one.
        self._passes = tuple(p for p in passes if p != "chain") if check else passes
        self._lock = threading.RLock()  # one call at a time: the memory is the program's
        self._inside = False
        self._signatures: dict[Any, _Signature] = {}
        self._recent: list[tuple[_Signature, Program]] = []  # the least recently used first
        self._recorded, self._warned = 0, False
        self._native: _core.Call | None = None  # of the program that ran last
        functools.update_wrapper(self, function, updated=())

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs that are kept, the most recently used last."""
        return tuple(program for _, program in self._recent)

    @property
    def function(self) -> Callable[..., Any]:
        """The Python function, uncaptured."""
        return self._function

    def clear(self) -> None:
        """Forgets all programs and gives their memory back."""
        with self._lock:
            self._signatures.clear()
            self._recent.clear()
            self._native = None

    def __repr__(self) -> str:
        return f"capture({getattr(self._function, '__qualname__', self._function)}, {len(self._recent)} programs)"

    def __copy__(self) -> Captured:
        """Captures the same function once more: programs are not shared."""
        return Captured(self._function, **self._options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Captured:
        """Captures the copied function; of a method, the copied object's."""
        return Captured(copy.deepcopy(self._function, memo), **self._options)

    def __reduce__(self) -> Any:
        raise TypeError(
            "capture: a captured function cannot be pickled, because its programs hold this process's memory; pickle "
            "what the plain function needs, and capture it again there"
        )

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise TypeError(
            "capture: a method is captured for each object: in __init__, self.step = chainrule.capture(self.step)"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs and self._lock.acquire(blocking=False):
            try:
                result = self._call_natively(args)
            finally:
                self._lock.release()
            if result is not NotImplemented:
                return result
        return self._look(args, kwargs)

    def _call_natively(self, args: tuple) -> Any:
        """The program that ran last, where that needs no look of Python's; otherwise NotImplemented."""
        if self._native is None or self._inside:
            return NotImplemented
        self._inside = True
        try:
            return self._native(args)
        finally:
            self._inside = False

    def _look(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """A call that Python has to look at: another kind than the last, or not seen before."""
        if _core.recording():
            raise RuntimeError(
                "capture: a captured function was called while another one is recorded; call the plain function "
                "there: it is the attribute `function`"
            )
        plain = None if kwargs else _core.plain_tensors(args)
        if plain is not None:
            inputs, signature = plain
            structure = _plain(len(args))
        else:
            inputs = []
            structure = (tuple, (), flatten(args, inputs, "argument"), flatten(kwargs, inputs, "argument"))
            signature = _core.signature(inputs)
        key = (structure, is_grad_enabled(), signature)
        with self._lock:
            if self._inside:
                raise RuntimeError("capture: the captured function calls itself")
            self._inside = True
            try:
                return self._call(key, structure, inputs)
            finally:
                self._inside = False

    def _call(self, key: Any, structure: Any, inputs: list[_core.Tensor]) -> Any:
        signature = self._signatures.get(key)
        if signature is None:
            if len(self._signatures) >= _MOST_SIGNATURES + self._most:
                self._signatures = {k: s for k, s in self._signatures.items() if s.programs}
            signature = self._signatures[key] = _Signature()
        reason = None
        for program in signature.programs:
            reason = program.broken()
            if reason is None:
                if self._check and program.replays < _CHECKED:
                    program.check(self._function, structure, inputs, self._passes)
                else:
                    program.replay(inputs)
                    plain = structure == _plain(len(inputs))
                    self._native = program.native_call(self._copy) if plain else None
                if self._recent[-1][1] is not program:
                    self._recent.remove((signature, program))
                    self._recent.append((signature, program))
                return program.results(self._copy)
        if signature.eager < self._warmup:
            result = self._eager(structure, inputs)
            signature.eager += 1
            return result
        return self._record(signature, structure, inputs, reason)

    def _eager(self, structure: Any, inputs: list[_core.Tensor]) -> Any:
        """The function itself; its results as a replay gives them."""
        args, kwargs = restore(structure, iter([wrap(t) for t in inputs]))
        outputs: list[_core.Tensor] = []
        shape = flatten_results(self._function(*args, **kwargs), outputs)
        return restore(shape, (wrap(_core.clone(t)) for t in outputs))

    def _record(self, signature: _Signature, structure: Any, inputs: list[_core.Tensor], reason: str | None):
        program = Program(_text(structure, inputs))
        program.record(self._function, structure, inputs, self._passes)
        self._recorded, self._native = self._recorded + 1, None
        if self._recorded > (self._most if reason else 4 * self._most) and not self._warned:
            self._warned = True
            warnings.warn(
                f"capture: recorded {self._recorded} times, which costs more than it saves; the last time because "
                f"{reason or 'its arguments were of another kind'}. Numbers that change from call to call should be "
                "argument tensors; more kinds of calls need a larger max_programs",
                RuntimeWarning,
                stacklevel=4,
            )
        signature.programs.append(program)
        self._recent.append((signature, program))
        if len(self._recent) > self._most:
            oldest, dropped = self._recent.pop(0)
            oldest.programs.remove(dropped)
        return program.results(self._copy)


def _plain(count: int) -> tuple:
    """The structure of a call with so many tensors and nothing else."""
    return (tuple, (), (tuple, (), *(TENSOR,) * count), (dict, ()))


def _text(structure: Any, inputs: list[_core.Tensor]) -> str:
    return ", ".join(f"{t.dtype.name} {list(t.shape)}" for t in inputs) or "no tensors"


def capture(
    fn: Callable[..., Any] | None = None,
    *,
    check: bool = False,
    warmup: int = 1,
    max_programs: int = 8,
    copy_results: bool = True,
    passes: Iterable[str] = PASSES,
) -> Any:
    """Turns a function made of tensor operations into one that replays them natively, with the same bits.

    The first call of each kind (structure of the arguments, shapes, dtypes, gradient mode) runs the function, the
    second records it while it runs, later ones replay: one native call, no Python. A recorded function is recorded
    again when something it depends on changes; what it freezes is described in docs/capture.md.

    Args:
        fn: takes any nesting of tensors, NumPy arrays (they arrive as tensors) and hashable values; gives tensors
            or None, in tuples, lists, dictionaries and dataclasses.
        check: the first replays run the function beside, and compare every bit; goes without the pass 'chain'.
        warmup: calls of each kind that run eagerly before one is recorded.
        max_programs: recordings that are kept; the least recently used goes.
        copy_results: results are fresh tensors. Without, they are the program's own, which the next call overwrites.
        passes: what a recording goes through, which keeps its bits: 'dead' drops calls whose results nothing reads,
            'fuse' lets linear and batch norm do their ReLU too, 'in_place' writes results over dead inputs,
            'chain' runs elementwise calls that follow one another together, block by block, 'prepare' packs
            weights that the function only reads once per change.

    Raises (on a call):
        RuntimeError: the function reads a value while it is recorded (`item()`, `numpy()`, `bool(tensor)`), writes
            into an argument, keeps an intermediate tensor, or calls itself or another captured function.
        ValueError: an argument requires grad.
        TypeError: an argument is neither a tensor nor hashable, or a result is no tensor.

    Example:
        >>> @chainrule.capture
        ... def step(x, y):
        ...     optimizer.zero_grad()
        ...     loss = F.cross_entropy(model(x), y)
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
    """
    if fn is None:
        return functools.partial(
            capture,
            check=check,
            warmup=warmup,
            max_programs=max_programs,
            copy_results=copy_results,
            passes=passes,
        )
    if not callable(fn):
        raise TypeError(f"capture: fn must be callable, got {type(fn).__name__}")
    for name, value, least in (("warmup", warmup, 0), ("max_programs", max_programs, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"capture: {name} must be an integer of at least {least}, got {value!r}")
    passes = (passes,) if isinstance(passes, str) else tuple(passes)
    for name in passes:
        if name not in PASSES:
            raise ValueError(f"capture: passes must be of {', '.join(PASSES)}; got {name!r}")
    return Captured(
        fn,
        check=check,
        warmup=warmup,
        max_programs=max_programs,
        copy_results=copy_results,
        passes=passes,
    )
