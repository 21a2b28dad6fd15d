"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim.optimizer import Kind, Optimizer


class Adadelta(Optimizer):
    """Steps in units of the parameters: their own average size over that of the gradient.

    s ← ρ·s + (1 − ρ)·g², d = g·√(u + eps)/√(s + eps), u ← ρ·u + (1 − ρ)·d², p ← p − lr·d
    (Zeiler, 2012). weight_decay·p is added to the gradient. Formulas and defaults are PyTorch's;
    `foreach` and `fused` are accepted, the update is always one native call.

    Raises:
        ValueError: lr, eps or weight_decay is negative or infinite, or rho outside [0, 1].

    Example:
        >>> optimizer = Adadelta(model.parameters())
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, group):
        _check.at_least_zero("Adadelta", group, "lr", "eps", "weight_decay")
        _check.share("Adadelta", group, "rho")

    def _values(self, group):
        return (float(group["lr"]), float(group["weight_decay"]), float(group["rho"]), float(group["eps"]))

    def _structure(self, group):
        return (group["maximize"],)

    def _kind(self, group):
        return Kind(_core.OptimPack.Rule.adadelta, ("step", "square_avg", "acc_delta"))
