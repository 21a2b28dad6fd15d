"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim.optimizer import Kind, Optimizer, epsilons


class Adagrad(Optimizer):
    """Steps scaled by the sum of all squared gradients so far, so that they only become smaller.

    s ← s + g², p ← p − lrₜ·g/(√s + eps), with lrₜ = lr/(1 + (t − 1)·lr_decay) (Duchi et al., 2011).
    s begins with `initial_accumulator_value`; weight_decay·p is added to the gradient. Formulas and
    defaults are PyTorch's; `foreach` and `fused` are accepted, the update is always one native call.

    With `eps_inside_sqrt`, which PyTorch lacks, the step is lrₜ·g/√(s + eps).

    Raises:
        ValueError: a setting is negative or infinite.

    Example:
        >>> optimizer = Adagrad(model.parameters(), lr=1e-2)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _own = ("eps_inside_sqrt",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        fused: bool | None = None,
        eps_inside_sqrt: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
            "eps_inside_sqrt": eps_inside_sqrt,
        }
        super().__init__(params, defaults)

    def _check(self, group):
        names = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
        _check.at_least_zero("Adagrad", group, *names)

    def _values(self, group):
        return (
            float(group["lr"]),
            float(group["weight_decay"]),
            float(group["lr_decay"]),
            *epsilons(group),
        )

    def _structure(self, group):
        return (group["maximize"],)

    def _kind(self, group):
        first = {"sum": float(group["initial_accumulator_value"])}
        return Kind(_core.OptimPack.Rule.adagrad, ("step", "sum"), first=first)
