"""The one-cycle schedule."""

from __future__ import annotations

import math

from chainrule import _validate
from chainrule.optim._check import at_least_zero
from chainrule.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, per_group
from chainrule.optim.optimizer import Optimizer


class OneCycleLR(LRScheduler):
    """One rise of the rate and one fall over `total_steps` batches (Smith and Topin, 2019).

    From max_lr/div_factor up to max_lr in the first `pct_start` of the steps, then down to
    max_lr/(div_factor·final_div_factor); with `three_phase` down to the initial rate first, in as
    many steps as up. The momentum (betas[0] where the optimizer has betas) goes the other way,
    between max_momentum and base_momentum, unless `cycle_momentum` is off. It is stepped after every
    batch.

    Args:
        max_lr, base_momentum, max_momentum: a number, or a list of one for each group.
        total_steps: or `epochs` and `steps_per_epoch`, whose product it is.
        anneal_strategy: ``"cos"`` or ``"linear"``.

    Raises:
        ValueError: no number of steps is given, or a setting is out of its range; in `step`, more than
            total_steps steps.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer("OneCycleLR", optimizer)
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        _validate.share("OneCycleLR", "pct_start", pct_start)
        self._anneal_func_type = _validate.choice(
            "OneCycleLR", "anneal_strategy", anneal_strategy, ("cos", "linear")
        )
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self.cycle_momentum = cycle_momentum
        rates = per_group("OneCycleLR", "max_lr", max_lr, optimizer)
        for rate in rates:
            at_least_zero("OneCycleLR", {"max_lr": rate}, "max_lr")
        _validate.real("OneCycleLR", "div_factor", div_factor, "positive")
        _validate.real("OneCycleLR", "final_div_factor", final_div_factor, "positive")
        if cycle_momentum:
            self.use_beta1 = "betas" in optimizer.defaults
            if not self.use_beta1 and "momentum" not in optimizer.defaults:
                raise ValueError(
                    f"OneCycleLR: cycle_momentum needs an optimizer with momentum or betas, "
                    f"got {type(optimizer).__name__}"
                )
            highs = self._momenta("max_momentum", max_momentum)
            lows = self._momenta("base_momentum", base_momentum)
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group["initial_lr"] = rates[i] / div_factor
                group["max_lr"] = rates[i]
                group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    group["max_momentum"], group["base_momentum"] = highs[i], lows[i]
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: the cycle has {self.total_steps} steps, this would be step {self.last_epoch}"
            )
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if self.last_epoch <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        part = (self.last_epoch - start) / (end - start) if end != start else 1.0
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                momentum = self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], part)
                if self.use_beta1:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return rates

    def _momenta(self, name: str, value: float | list[float]) -> list[float]:
        """One for each group, in the range that the optimizer has for it."""
        momenta = per_group("OneCycleLR", name, value, self.optimizer)
        for momentum in momenta:
            if self.use_beta1:
                _validate.share("OneCycleLR", name, momentum, "[0, 1)")
            else:
                at_least_zero("OneCycleLR", {name: momentum}, name)
        return momenta

    def _anneal(self, start: float, end: float, part: float) -> float:
        if self._anneal_func_type == "linear":
            return start + (end - start) * part
        return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


def _total_steps(total: int | None, epochs: int | None, per_epoch: int | None) -> int:
    if total is not None:
        return _validate.integer("OneCycleLR", "total_steps", total)
    if epochs is None or per_epoch is None:
        raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
    return _validate.integer("OneCycleLR", "epochs", epochs) * _validate.integer(
        "OneCycleLR", "steps_per_epoch", per_epoch
    )


def _phases(total: int, share: float, three: bool) -> list[dict]:
    """The last step of each phase, and the names under which groups hold what it goes between."""

    def phase(end_step, start_lr, end_lr, start_momentum, end_momentum):
        return dict(locals())

    up = phase(share * total - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        return [up, phase(total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    down = phase(2 * share * total - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
    return [up, down, phase(total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")]
