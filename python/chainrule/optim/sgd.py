"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim._fused import Fused
from chainrule.optim.optimizer import Optimizer
from chainrule.tensor import Tensor

_Rule = _core.OptimPack.Rule


class SGD(Optimizer):
    """p ← p − lr·v, with v the gradient or, with momentum μ, v ← μ·v + (1 − dampening)·g.

    g is the gradient plus weight_decay·p. The first step sets v to g, whatever the dampening.
    Nesterov's variant steps along g + μ·v (Sutskever et al., 2013). Formulas and defaults are
    PyTorch's; `foreach` and `fused` are accepted, the update is always one native call.

    Raises:
        ValueError: a negative setting, or nesterov without momentum or with dampening.

    Example:
        >>> optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group):
        _check.at_least_zero("SGD", group, "lr", "momentum", "weight_decay")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov needs momentum > 0 and dampening = 0, "
                f"got momentum={group['momentum']}, dampening={group['dampening']}"
            )

    def _values(self, group):
        return (
            float(group["lr"]),
            float(group["weight_decay"]),
            float(group["momentum"]),
            float(group["dampening"]),
        )

    def _structure(self, group):
        return (group["momentum"] != 0, group["nesterov"], group["maximize"])

    def _fuse(self, group, params, before):
        structure = self._structure(group)
        remembers, nesterov, maximize = structure
        fused = Fused(group["params"], params, structure)

        def make(members: list[Tensor]):
            natives = [p._t for p in members]
            if not remembers:
                return _core.OptimPack(_Rule.sgd, natives, [], maximize)
            # A buffer found in the state has taken its first step, unless an earlier pack knows.
            flags = [float(self._has_started(p, before)) for p in members]
            started = _core.zeros_persistent((len(members),), _core.float64)
            _core.set_values(started, flags)
            fused.started.update((id(p), (started, i)) for i, p in enumerate(members))
            buffers = [self._state_of(p, "momentum_buffer") for p in members]
            return _core.OptimPack(_Rule.sgd_momentum, natives, [started, *buffers], maximize, nesterov)

        return fused.pack(make)

    def _has_started(self, p: Tensor, before: Fused | None) -> bool:
        if before is not None and id(p) in before.started:
            flags, i = before.started[id(p)]
            return bool(flags.numpy()[i])
        return self.state[p].get("momentum_buffer") is not None
