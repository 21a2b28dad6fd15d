"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim.optimizer import Kind, Optimizer, moments

_Rule = _core.OptimPack.Rule


class Adam(Optimizer):
    """Steps in units of lr, scaled by running averages m of the gradient and v of its square.

    m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← p − lr·m̂/(√v̂ + eps), with m̂ = m/(1−β₁ᵗ) and
    v̂ = v/(1−β₂ᵗ) (Kingma and Ba, 2015). `amsgrad` takes the largest v so far (Reddi et al., 2018).
    weight_decay·p is added to the gradient. Formulas and defaults are PyTorch's; `foreach` and
    `fused` are accepted, the update is always one native call.

    With `eps_inside_sqrt`, which PyTorch lacks, the step is lr·m̂/√(v̂ + eps), as many textbooks write
    it: steps along tiny gradients (below √eps) become much shorter.

    Raises:
        ValueError: lr, eps or weight_decay is negative or infinite, or a beta is outside [0, 1).

    Example:
        >>> optimizer = Adam(model.parameters(), lr=1e-3)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _decoupled = False
    _own = ("eps_inside_sqrt",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
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
            "amsgrad": amsgrad,
            "maximize": maximize,
            "eps_inside_sqrt": eps_inside_sqrt,
        }
        super().__init__(params, defaults)

    def _check(self, group):
        name = type(self).__name__
        _check.at_least_zero(name, group, "lr", "eps", "weight_decay")
        _check.betas(name, group)

    def _values(self, group):
        return moments(group)

    def _structure(self, group):
        return (group["amsgrad"], group["maximize"])

    def _kind(self, group):
        state = ("step", "exp_avg", "exp_avg_sq")
        if group["amsgrad"]:
            return Kind(_Rule.adam_amsgrad, (*state, "max_exp_avg_sq"), self._decoupled)
        return Kind(_Rule.adam, state, self._decoupled)


class AdamW(Adam):
    """Adam whose weight decay shrinks p by lr·weight_decay, apart from the gradient.

    (Loshchilov and Hutter, 2019.) Settings as Adam's, with weight_decay = 0.01.
    """

    _decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        eps_inside_sqrt: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            fused=fused,
            eps_inside_sqrt=eps_inside_sqrt,
        )
