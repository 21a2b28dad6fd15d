"""One table of op cases drives many tests: forward, gradients, errors, threads, instruction sets, replay, peers.

A family's cases are in `cases/<family>.py` as two lists: CASES and BAD. A case is named after its op in
`chainrule.ops`, then a dash and what is particular about it. `test_table.py` checks the table itself.
"""

from __future__ import annotations

import importlib
import pkgutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import chainrule as cr

LAYOUTS = ("transposed", "sliced", "expanded")  # other than contiguous; see Input


@dataclass(frozen=True)
class Input:
    """One tensor argument: uniform values from [low, high), the same in every run, other ones in another draw.

    layout: 'contiguous', 'transposed' (the memory of the last two dimensions exchanged), 'sliced' (every second
    element of a larger tensor) or 'expanded' (stride 0 along the first dimension).
    dtype: None follows the run (float32 and float64); 'int64', 'uint8' and 'bool' (what is above 0) are fixed.
    values: given values instead of random ones.
    """

    shape: tuple[int, ...] = ()
    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None
    layout: str = "contiguous"
    values: Any = None
    grad: bool = True

    @property
    def dims(self) -> tuple[int, ...]:
        return self.shape if self.values is None else np.shape(self.values)

    def array(self, dtype: str, seed: int) -> np.ndarray:
        if self.values is not None:
            return np.asarray(self.values, self.dtype or dtype)
        rng = np.random.default_rng(seed)
        kind = self.dtype or dtype
        if kind in ("int64", "uint8"):
            values = rng.integers(int(self.low), int(self.high), self.shape).astype(kind)
        else:
            values = rng.uniform(self.low, self.high, self.shape)
            values = np.asarray(values > 0 if kind == "bool" else values, kind)
        if self.layout == "expanded":
            values[:] = values[:1]
        return values


@dataclass(frozen=True)
class Case:
    """op(*tensors, **params) against reference(*arrays, **params); both may give a tuple.

    torch: the peer's function; op's own arguments are passed on. Without a counterpart `no_peer` says why.
    grad: whether gradients are compared with finite differences and with the peer.
    smooth: False where a kink, a tie or a pole leaves the gradient to the peer alone.
    large: big enough for parallel regions; skips finite differences, joins the thread tests.
    recordable: False where the op reads values to find a shape, so that recording must refuse it.
    tol32, tol64: bounds relative to the largest reference value; another than the default is justified in
    `why`.
    """

    name: str
    op: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: Sequence[Input]
    params: dict[str, Any] = field(default_factory=dict)
    torch: Callable[..., Any] | str | None = None
    no_peer: str = ""
    grad: bool = True
    smooth: bool = True
    large: bool = False
    recordable: bool = True
    tol32: float = 1e-5
    tol64: float = 1e-10
    dtypes: tuple[str, ...] = ("float32", "float64")
    why: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def op_name(self) -> str:
        return self.name.partition("-")[0]

    def tolerance(self, dtype: str) -> float:
        return self.tol64 if dtype == "float64" else self.tol32

    def arrays(self, dtype: str, draw: int = 0) -> list[np.ndarray]:
        seed = zlib.crc32(self.name.encode()) + 100 * draw
        return [x.array(dtype, seed + i) for i, x in enumerate(self.inputs)]

    def tensors(self, dtype: str, requires_grad: bool = False, draw: int = 0) -> list[cr.Tensor]:
        out = []
        for x, array in zip(self.inputs, self.arrays(dtype, draw), strict=True):
            t = laid_out(array, x.layout)
            if requires_grad and x.grad and t.is_floating_point():
                t = t.detach().requires_grad_()
            out.append(t)
        return out


def laid_out(array: np.ndarray, layout: str) -> cr.Tensor:
    """A tensor with the array's values in the memory layout asked for."""
    if layout == "transposed" and array.ndim >= 2:
        return cr.tensor(np.ascontiguousarray(np.swapaxes(array, -1, -2))).transpose(-1, -2)
    if layout == "sliced" and array.ndim >= 1:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1] + 1), array.dtype)
        wide[..., 1::2] = array
        last = array.ndim - 1
        return cr.ops.slice_dim(cr.tensor(wide), last, 1, 2 * array.shape[-1] + 1, 2)
    if layout == "expanded" and array.ndim >= 1 and array.shape[0] > 0:
        return cr.tensor(array[:1]).expand(array.shape)
    return cr.tensor(array)


def copy_of(x: cr.Tensor, layout: str) -> cr.Tensor:
    """x's values in memory of their own, in that layout."""
    if layout == "contiguous":
        return x.clone()
    return laid_out(np.zeros(x.shape, x.dtype.name), layout).copy_(x)


def in_place(name: str, layout: str = "contiguous") -> Callable[..., cr.Tensor]:
    """The op `name` on a copy of its first argument in that layout: it must write there and count a version."""
    method = getattr(cr.ops, name)

    def op(x, *args, **params):
        y = copy_of(x, layout)
        memory, strides, version = y.data_ptr(), y.stride(), y._version
        assert method(y, *args, **params) is y
        assert (y.data_ptr(), y.stride()) == (memory, strides)
        assert y._version > version
        return y

    return op


def sweep(name, op, reference, shapes, *, strided=(4, 19), large=None, inputs=None, **more) -> list[Case]:
    """One case for each shape, one for each other memory layout, and a large one where its shape is given.

    inputs: makes the list of inputs from (shape, layout); left out, there is one, and low, high and dtype are its.
    """
    if inputs is None:
        own = {key: more.pop(key) for key in ("low", "high", "dtype") if key in more}

        def inputs(shape, layout):
            return [Input(shape, layout=layout, **own)]

    cases = [Case(f"{name}-{list(s)}", op, reference, inputs(s, "contiguous"), **more) for s in shapes]
    cases += [Case(f"{name}-{k}", op, reference, inputs(strided, k), **more) for k in LAYOUTS]
    if large is not None:
        cases.append(Case(f"{name}-large", op, reference, inputs(large, "contiguous"), large=True, **more))
    return cases


@dataclass(frozen=True)
class Bad:
    """A call that must raise `error` with a text that matches the regular expression `match`."""

    name: str
    call: Callable[[], Any]
    error: type[Exception]
    match: str

    def __str__(self) -> str:
        return self.name


def as_tuple(x: Any) -> tuple:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def runs(cases: Sequence[Case]) -> list[tuple[Case, str]]:
    """Every case in each of its dtypes."""
    return [(case, dtype) for case in cases for dtype in case.dtypes]


def _load() -> tuple[list[Case], list[Bad]]:
    cases: list[Case] = []
    bad: list[Bad] = []
    package = importlib.import_module("cases")
    for module in pkgutil.iter_modules(package.__path__):
        family = importlib.import_module(f"cases.{module.name}")
        cases += family.CASES
        bad += family.BAD
    names = [c.name for c in cases]
    twice = {n for n in names if names.count(n) > 1}
    assert not twice, f"case names occur twice: {sorted(twice)}"
    return cases, bad


CASES, BAD = _load()
