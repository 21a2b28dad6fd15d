"""NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim.optimizer import Kind, Optimizer, moments


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: each step takes the next one's share of the average.

    m and v are Adam's averages. With μₜ = β₁(1 − ½·0.96^(t·momentum_decay)) and Πₜ = μ₁·…·μₜ,
    p ← p − lr·(μₜ₊₁·m/(1 − Πₜ₊₁) + (1 − μₜ)·g/(1 − Πₜ))/(√v̂ + eps), v̂ = v/(1 − β₂ᵗ) (Dozat, 2016).
    weight_decay·p is added to the gradient, or with `decoupled_weight_decay` p shrinks by
    lr·weight_decay. Formulas and defaults are PyTorch's; `foreach` and `fused` are accepted, the
    update is always one native call. The product Π is float64.

    With `eps_inside_sqrt`, which PyTorch lacks, the denominator is √(v̂ + eps).

    Raises:
        ValueError: lr, eps, weight_decay or momentum_decay is negative or infinite, or a beta outside
            [0, 1).

    Example:
        >>> optimizer = NAdam(model.parameters(), lr=2e-3)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _own = ("eps_inside_sqrt",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        fused: bool | None = None,
        eps_inside_sqrt: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "eps_inside_sqrt": eps_inside_sqrt,
        }
        super().__init__(params, defaults)

    def _check(self, group):
        _check.at_least_zero("NAdam", group, "lr", "eps", "weight_decay", "momentum_decay")
        _check.betas("NAdam", group)

    def _values(self, group):
        return (*moments(group), float(group["momentum_decay"]))

    def _structure(self, group):
        return (group["decoupled_weight_decay"], group["maximize"])

    def _kind(self, group):
        state = ("step", "mu_product", "exp_avg", "exp_avg_sq")
        return Kind(_core.OptimPack.Rule.nadam, state, group["decoupled_weight_decay"], {"mu_product": 1.0})
