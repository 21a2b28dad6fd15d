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

    With `average`, which PyTorch lacks, v is the running average of textbooks: v ← μ·v + (1 − μ)·g,
    from v = 0 on, so that the first steps are small. It is on the scale of g, as v without it is
    1/(1 − μ) times as long.

    Raises:
        ValueError: a negative or infinite setting; nesterov without momentum, with dampening or with
            average; average with dampening or momentum above 1.

    Example:
        >>> optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _own = ("average",)

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
        average: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "average": average,
        }
        super().__init__(params, defaults)

    def _check(self, group):
        _check.at_least_zero("SGD", group, "lr", "momentum", "weight_decay")
        _check.finite("SGD", group, "dampening")
        momentum, dampening = group["momentum"], group["dampening"]
        if group["nesterov"] and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "SGD: nesterov needs momentum > 0 and dampening = 0, "
                f"got momentum={momentum}, dampening={dampening}"
            )
        if group["average"] and (group["nesterov"] or dampening != 0 or momentum > 1):
            raise ValueError(
                "SGD: average needs momentum in [0, 1], dampening = 0 and no nesterov, "
                f"got momentum={momentum}, dampening={dampening}, nesterov={group['nesterov']}"
            )

    def _values(self, group):
        momentum = float(group["momentum"])
        dampening = momentum if group["average"] else float(group["dampening"])
        return (float(group["lr"]), float(group["weight_decay"]), momentum, dampening)

    def _structure(self, group):
        return (group["momentum"] != 0, group["nesterov"], group["maximize"], group["average"])

    def _fuse(self, group, params, before):
        structure = self._structure(group)
        remembers, nesterov, maximize, average = structure
        fused = Fused(group["params"], params, structure)

        def make(members: list[Tensor]):
            natives = [p._t for p in members]
            if not remembers:
                return _core.OptimPack(_Rule.sgd, natives, [], maximize)
            started = []
            for p in members:
                fused.started[id(p)] = flag = _core.zeros_persistent((), _core.float64)
                _core.set_values(flag, (float(average or self._has_started(p, before)),))
                started.append(flag)
            buffers = [self._state_of(p, "momentum_buffer") for p in members]
            return _core.OptimPack(_Rule.sgd_momentum, natives, [*started, *buffers], maximize, nesterov)

        return fused.pack(make)

    def _has_started(self, p: Tensor, before: Fused | None) -> bool:
        """A buffer found in the state has taken its first step, unless an earlier pack knows."""
        if before is not None and id(p) in before.started:
            return bool(before.started[id(p)].numpy())
        return self.state[p].get("momentum_buffer") is not None
