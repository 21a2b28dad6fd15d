"""Lion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim.optimizer import Kind, Optimizer


class Lion(Optimizer):
    """Steps of one size, lr, in the direction of a running average's sign.

    p ← p − lr·(sign(β₁m + (1−β₁)g) + weight_decay·p), m ← β₂m + (1−β₂)g (Chen et al., 2023, "Symbolic
    Discovery of Optimization Algorithms", algorithm 2; not in PyTorch). The authors advise an lr three
    to ten times smaller, and a weight_decay as much larger, than AdamW's. `foreach` and `fused` are
    accepted, the update is always one native call.

    Raises:
        ValueError: lr or weight_decay is negative or infinite, or a beta outside [0, 1).

    Example:
        >>> optimizer = Lion(model.parameters(), lr=1e-4, weight_decay=0.1)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        )

    def _check(self, group):
        _check.at_least_zero("Lion", group, "lr", "weight_decay")
        _check.betas("Lion", group)

    def _values(self, group):
        beta1, beta2 = group["betas"]
        return (float(group["lr"]), float(group["weight_decay"]), float(beta1), float(beta2))

    def _structure(self, group):
        return (group["maximize"],)

    def _kind(self, group):
        return Kind(_core.OptimPack.Rule.lion, ("exp_avg",), decoupled=True)
