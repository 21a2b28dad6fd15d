"""A schedule that looks at a metric."""

from __future__ import annotations

import math
from typing import Any, SupportsFloat

from chainrule import _validate
from chainrule.optim._check import as_number, at_least_zero
from chainrule.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, per_group
from chainrule.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """lr is multiplied by `factor` when a metric has not improved for more than `patience` epochs.

    Args:
        mode: ``"min"``: less is better, or ``"max"``.
        patience: how many epochs without improvement are let pass.
        threshold, threshold_mode: what counts as improvement: by more than that part of the best
            (``"rel"``), or by more than that (``"abs"``).
        cooldown: epochs after a reduction that do not count as bad.
        min_lr: no rate goes below; a number, or a list of one for each group.
        eps: reductions by no more than that are left out.

    Raises:
        ValueError: factor is not below 1, a setting is none of its choices, or threshold, min_lr or eps negative or
            not finite.

    Example:
        >>> scheduler = ReduceLROnPlateau(optimizer, patience=5)
        >>> for epoch in range(100):
        ...     train_one_epoch(); scheduler.step(validation_loss())
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        name = "ReduceLROnPlateau"
        self.optimizer = check_optimizer(name, optimizer)
        self.factor = _validate.share(name, "factor", factor, "[0, 1)")
        self.mode = _validate.choice(name, "mode", mode, ("min", "max"))
        self.threshold = threshold
        self.threshold_mode = _validate.choice(name, "threshold_mode", threshold_mode, ("rel", "abs"))
        self.patience = _validate.integer(name, "patience", patience, 0)
        self.cooldown = _validate.integer(name, "cooldown", cooldown, 0)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = per_group(name, "min_lr", min_lr, optimizer)
        at_least_zero(name, {"threshold": threshold, "eps": eps}, "threshold", "eps")
        for least in self.min_lrs:
            at_least_zero(name, {"min_lr": least}, "min_lr")
        self.eps = eps
        self.last_epoch = 0
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self._last_lr = self._rates()

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction was made less than `cooldown` epochs ago."""
        return self.cooldown_counter > 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Goes to the next epoch, or to `epoch`, with the metric of the one that ended."""
        metric = as_number("ReduceLROnPlateau.step", "metrics", metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(metric):
            self.best = metric
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._rates()

    def _is_better(self, metric: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "rel":
            return sign * metric < sign * self.best * (1 - sign * self.threshold)
        return sign * metric < sign * self.best - self.threshold

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):  # one was added
            if self.default_min_lr is None:
                raise ValueError(
                    f"ReduceLROnPlateau: min_lrs has {len(self.min_lrs)} values, "
                    f"but there are {len(groups)} groups now"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, least)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate

    def get_lr(self) -> Any:
        raise NotImplementedError("ReduceLROnPlateau.get_lr: the rates depend on metrics; see get_last_lr")
