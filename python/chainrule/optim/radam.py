"""RAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim.optimizer import Kind, Optimizer, moments


class RAdam(Optimizer):
    """Adam that trusts the average of the square as far as it is of enough gradients: no warm-up needed.

    m and v are Adam's averages. With ρ∞ = 2/(1 − β₂) − 1 and ρ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ), the step is
    lr·m̂·r·√(1 − β₂ᵗ)/(√v + eps) with r² = (ρ−4)(ρ−2)ρ∞/((ρ∞−4)(ρ∞−2)ρ) where ρ > 5, else lr·m̂
    (Liu et al., 2020). weight_decay·p is added to the gradient, or with `decoupled_weight_decay` p
    shrinks by lr·weight_decay. Formulas and defaults are PyTorch's; `foreach` and `fused` are accepted, the
    update is always one native call.

    With `eps_inside_sqrt`, which PyTorch lacks, the denominator is √(v + eps).

    Raises:
        ValueError: lr, eps or weight_decay is negative or infinite, or a beta outside [0, 1).

    Example:
        >>> optimizer = RAdam(model.parameters(), lr=1e-3)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _own = ("eps_inside_sqrt",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
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
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "eps_inside_sqrt": eps_inside_sqrt,
        }
        super().__init__(params, defaults)

    def _check(self, group):
        _check.at_least_zero("RAdam", group, "lr", "eps", "weight_decay")
        _check.betas("RAdam", group)

    def _values(self, group):
        return moments(group)

    def _structure(self, group):
        return (group["decoupled_weight_decay"], group["maximize"])

    def _kind(self, group):
        state = ("step", "exp_avg", "exp_avg_sq")
        return Kind(_core.OptimPack.Rule.radam, state, group["decoupled_weight_decay"])
