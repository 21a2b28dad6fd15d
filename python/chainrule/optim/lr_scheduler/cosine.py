"""Schedules along a cosine."""

from __future__ import annotations

import math

from chainrule import _validate
from chainrule.optim._check import at_least_zero
from chainrule.optim.lr_scheduler.scheduler import LRScheduler
from chainrule.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial − eta_min)·(1 + cos(π·epoch/T_max))/2.

    From the initial rate to eta_min in T_max epochs, and back in as many (Loshchilov and Hutter, 2017,
    without restarts). Computed from the rate of the epoch before, so that it can be chained.

    Raises:
        ValueError: T_max is not positive, or eta_min negative or not finite.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = _validate.integer("CosineAnnealingLR", "T_max", T_max)
        at_least_zero("CosineAnnealingLR", {"eta_min": eta_min}, "eta_min")
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self._is_initial:
            return self._rates()
        t, half, low = self.last_epoch, self.T_max, self.eta_min
        if self._step_count == 1 and t > 0:
            return self._get_closed_form_lr()
        if (t - 1 - half) % (2 * half) == 0:  # the rate before was eta_min: its ratio to this one is infinite
            up = (1 - math.cos(math.pi / half)) / 2
            return [rate + (base - low) * up for base, rate in zip(self.base_lrs, self._rates(), strict=True)]
        ratio = (1 + math.cos(math.pi * t / half)) / (1 + math.cos(math.pi * (t - 1) / half))
        return [low + (rate - low) * ratio for rate in self._rates()]

    def _get_closed_form_lr(self):
        return [_between(base, self.eta_min, self.last_epoch / self.T_max) for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Along the cosine from the initial rate to eta_min, again and again (Loshchilov and Hutter, 2017).

    The first time takes T_0 epochs, each next one T_mult times as many. `step(epoch)` takes fractions
    of epochs, for calls after every batch: `scheduler.step(epoch + i / len(loader))`.

    Raises:
        ValueError: T_0 or T_mult is not positive, or eta_min negative or not finite; in `step`, a negative epoch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        name = "CosineAnnealingWarmRestarts"
        self.T_0 = self.T_i = _validate.integer(name, "T_0", T_0)
        self.T_mult = _validate.integer(name, "T_mult", T_mult)
        at_least_zero(name, {"eta_min": eta_min}, "eta_min")
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [_between(base, self.eta_min, self.T_cur / self.T_i) for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = 0 if epoch is None else epoch
            if epoch < 0:
                raise ValueError(f"CosineAnnealingWarmRestarts.step: epoch must be non-negative, got {epoch}")
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _update_lr(self, epoch: float | None = None) -> None:
        self.step(epoch)

    def _go_to(self, epoch: float) -> None:
        restarts = 0
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            self.T_i, self.T_cur = self.T_0, epoch
            if epoch >= self.T_0:
                restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
                self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
                self.T_i = self.T_0 * self.T_mult**restarts


def _between(high: float, low: float, part: float) -> float:
    return low + (high - low) * (1 + math.cos(math.pi * part)) / 2
