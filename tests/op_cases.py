"""One table of op cases drives many tests: forward, gradients, errors, threads, instruction sets, replay, peers.

A family's cases are in `cases/<family>.py` as two lists: CASES and BAD.
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


@dataclass(frozen=True)
class Input:
    """One tensor argument: uniform values from [low, high), the same in every run.

    layout: 'contiguous', 'transposed' (the memory of the last two dimensions exchanged), 'sliced' (every second
    element of a larger tensor) or 'expanded' (stride 0 along the first dimension).
    dtype: None follows the run (float32 and float64); 'int64', 'bool', 'uint8', ... is fixed.
    values: given values instead of random ones.
    """

    shape: tuple[int, ...] = ()
    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None
    layout: str = "contiguous"
    values: Any = None
    grad: bool = True

    def array(self, dtype: str, seed: int) -> np.ndarray:
        if self.values is not None:
            return np.asarray(self.values, self.dtype or dtype)
        rng = np.random.default_rng(seed)
        kind = self.dtype or dtype
        if kind == "bool":
            return rng.integers(0, 2, self.shape).astype(bool)
        if kind in ("int64", "uint8"):
            return rng.integers(int(self.low), int(self.high), self.shape).astype(kind)
        values = rng.uniform(self.low, self.high, self.shape).astype(kind)
        if self.layout == "expanded":
            values[:] = values[:1]
        return values


@dataclass(frozen=True)
class Case:
    """op(*tensors, **params) against reference(*arrays, **params); both may give a tuple.

    torch: the peer's function; op's own arguments are passed on. None: there is no counterpart.
    grad: whether gradients are compared with finite differences (and with the peer).
    large: big enough for parallel regions; skips finite differences, joins the thread tests.
    tol32, tol64: bounds relative to the largest reference value; another than the default is justified in
    `why`.
    """

    name: str
    op: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: Sequence[Input]
    params: dict[str, Any] = field(default_factory=dict)
    torch: Callable[..., Any] | None = None
    grad: bool = True
    large: bool = False
    tol32: float = 1e-5
    tol64: float = 1e-10
    dtypes: tuple[str, ...] = ("float32", "float64")
    why: str = ""

    def __str__(self) -> str:
        return self.name

    def arrays(self, dtype: str) -> list[np.ndarray]:
        seed = zlib.crc32(self.name.encode())
        return [x.array(dtype, seed + i) for i, x in enumerate(self.inputs)]

    def tensors(self, dtype: str, requires_grad: bool = False) -> list[cr.Tensor]:
        out = []
        for x, array in zip(self.inputs, self.arrays(dtype), strict=True):
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
