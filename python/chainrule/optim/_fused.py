"""The parameters of one group that have gradients, packed for native steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import _core
from chainrule.tensor import Tensor


class Fused:
    """Native packs over parameters and their state, one per dtype; usually one.

    Valid while the same parameters have gradients, live in the same memory, and the group's
    structure is the same.
    """

    __slots__ = (
        "_absent",
        "_natives",
        "_packs",
        "_params",
        "_total",
        "started",
        "structure",
        "values",
    )

    def __init__(self, group_params: Sequence[Tensor], params: Sequence[Tensor], structure: tuple) -> None:
        packed = {id(p) for p in params}
        self._params = list(params)
        self._natives = [p._t for p in params]
        self._absent = [p for p in group_params if id(p) not in packed]
        self._total = len(group_params)
        self._packs: list[tuple[_core.OptimPack, list[int] | None]] = []
        self.structure = structure
        self.values: tuple[float, ...] | None = None
        self.started: dict[int, _core.Tensor] = {}  # SGD: whether each parameter has taken its first step

    def pack(self, make: Callable[[list[Tensor]], Any]) -> Fused:
        """Calls make(parameters) for the parameters of each dtype."""
        by_dtype: dict[str, list[int]] = {}
        for i, t in enumerate(self._natives):
            by_dtype.setdefault(t.dtype.name, []).append(i)
        for places in by_dtype.values():
            pack = make([self._params[i] for i in places])
            self._packs.append((pack, None if len(by_dtype) == 1 else places))
        return self

    def gradients(self, group_params: Sequence[Tensor]) -> list[_core.Tensor] | None:
        """The gradients in the packs' order; None when the packs do not fit any more."""
        if len(group_params) != self._total:
            return None
        grads = []
        for p, native in zip(self._params, self._natives):
            leaf = p._leaf
            if leaf is None or (grad := leaf.grad) is None or p._t is not native:
                return None
            grads.append(grad._t)
        for p in self._absent:
            if p.grad is not None:
                return None
        return grads

    def step(self, hyper: _core.Tensor, grads: list[_core.Tensor]) -> None:
        for pack, places in self._packs:
            pack.step(hyper, grads if places is None else [grads[i] for i in places])
