"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule import _core
from chainrule.optim import _check
from chainrule.optim.optimizer import Kind, Optimizer, epsilons

_Rule = _core.OptimPack.Rule
_RULES = {  # by centered, momentum
    (False, False): _Rule.rmsprop,
    (False, True): _Rule.rmsprop_momentum,
    (True, False): _Rule.rmsprop_centered,
    (True, True): _Rule.rmsprop_centered_momentum,
}


class RMSprop(Optimizer):
    """Steps scaled by a running average s of the squared gradient, parameter by parameter.

    s ← α·s + (1 − α)·g², p ← p − lr·g/(√s + eps) (Tieleman and Hinton, 2012, lecture 6.5). `centered`
    subtracts the square of the gradient's own average from s (Graves, 2013). With momentum μ the step
    is b ← μ·b + g/(√s + eps), p ← p − lr·b. weight_decay·p is added to the gradient. Formulas and
    defaults are PyTorch's; `foreach` and `fused` are accepted, the update is always one native call. A centred s
    that rounding makes negative counts as 0.

    With `eps_inside_sqrt`, which PyTorch lacks, the step is lr·g/√(s + eps), as many textbooks write it.

    Raises:
        ValueError: lr, eps, momentum or weight_decay is negative or infinite, or alpha outside [0, 1].

    Example:
        >>> optimizer = RMSprop(model.parameters(), lr=1e-2, momentum=0.9)
        >>> optimizer.zero_grad(); loss.backward(); optimizer.step()
    """

    _own = ("eps_inside_sqrt",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        fused: bool | None = None,
        eps_inside_sqrt: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "eps_inside_sqrt": eps_inside_sqrt,
        }
        super().__init__(params, defaults)

    def _check(self, group):
        _check.at_least_zero("RMSprop", group, "lr", "eps", "momentum", "weight_decay")
        _check.share("RMSprop", group, "alpha")

    def _values(self, group):
        return (
            float(group["lr"]),
            float(group["weight_decay"]),
            float(group["alpha"]),
            *epsilons(group),
            float(group["momentum"]),
        )

    def _structure(self, group):
        return (group["centered"], group["momentum"] > 0, group["maximize"])

    def _kind(self, group):
        centered, remembers = bool(group["centered"]), group["momentum"] > 0
        state = ["step", "square_avg"]
        state += ["grad_avg"] * centered + ["momentum_buffer"] * remembers
        return Kind(_RULES[centered, remembers], tuple(state))
