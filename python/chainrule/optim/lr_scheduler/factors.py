"""Schedules that multiply the rates, epoch by epoch."""

from __future__ import annotations

import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from chainrule import _validate
from chainrule.optim._check import at_least_zero
from chainrule.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, per_group
from chainrule.optim.optimizer import Optimizer


class _FactorLR(LRScheduler):
    """Multiplies the rates there are, so that schedules can be chained and rates be changed beside them."""

    def _ratio(self, epoch: int) -> float:
        """The rate in an epoch over that in the one before (in epoch 0: over the initial one)."""
        raise NotImplementedError

    def _factor(self, epoch: int) -> float:
        """The rate in an epoch over the initial one, where nothing else changes it."""
        raise NotImplementedError

    def get_lr(self):
        ratio = self._ratio(self.last_epoch)
        return [rate * ratio for rate in self._rates()]

    def _get_closed_form_lr(self):
        factor = self._factor(self.last_epoch)
        return [base * factor for base in self.base_lrs]


class StepLR(_FactorLR):
    """lr = initial · gamma^⌊epoch / step_size⌋.

    Raises:
        ValueError: step_size is not positive, or gamma negative or not finite.

    Example:
        >>> scheduler = StepLR(optimizer, step_size=30)
        >>> for epoch in range(90):
        ...     train_one_epoch(); scheduler.step()
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = _validate.integer("StepLR", "step_size", step_size)
        at_least_zero("StepLR", {"gamma": gamma}, "gamma")
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _ratio(self, epoch):
        return self.gamma if epoch > 0 and epoch % self.step_size == 0 else 1.0

    def _factor(self, epoch):
        return self.gamma ** (epoch // self.step_size)


class MultiStepLR(_FactorLR):
    """lr is multiplied by gamma at each of `milestones` (epochs); at one that occurs twice, twice.

    Raises:
        ValueError: a milestone is negative, or gamma negative or not finite.
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(_validate.integer("MultiStepLR", "milestones", m, 0) for m in milestones)
        at_least_zero("MultiStepLR", {"gamma": gamma}, "gamma")
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _ratio(self, epoch):
        return self.gamma ** self.milestones.get(epoch, 0)

    def _factor(self, epoch):
        return self.gamma ** bisect_right(sorted(Counter(self.milestones).elements()), epoch)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "milestones": dict(self.milestones)}


class ExponentialLR(_FactorLR):
    """lr = initial · gamma^epoch.

    Raises:
        ValueError: gamma is negative or not finite.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        at_least_zero("ExponentialLR", {"gamma": gamma}, "gamma")
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _ratio(self, epoch):
        return 1.0 if self._is_initial else self.gamma

    def _factor(self, epoch):
        return self.gamma**epoch


class ConstantLR(_FactorLR):
    """lr = initial · factor during the first `total_iters` epochs, the initial rate from then on.

    Raises:
        ValueError: factor is outside (0, 1], or total_iters is not positive.
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = _validate.share("ConstantLR", "factor", factor, "(0, 1]")
        self.total_iters = _validate.integer("ConstantLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def _ratio(self, epoch):
        return {0: self.factor, self.total_iters: 1.0 / self.factor}.get(epoch, 1.0)

    def _factor(self, epoch):
        return 1.0 if epoch >= self.total_iters else self.factor


class LinearLR(_FactorLR):
    """Warm-up: the factor of the initial rate goes from `start_factor` to `end_factor` in equal steps.

    (Goyal et al., 2017.) It is end_factor from epoch `total_iters` on.

    Raises:
        ValueError: start_factor is outside (0, 1], end_factor outside [0, 1], or total_iters not
            positive.

    Example:
        >>> warm_up = LinearLR(optimizer, start_factor=0.1, total_iters=5)
        >>> cosine = CosineAnnealingLR(optimizer, T_max=45)
        >>> scheduler = SequentialLR(optimizer, [warm_up, cosine], milestones=[5])
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = _validate.share("LinearLR", "start_factor", start_factor, "(0, 1]")
        self.end_factor = _validate.share("LinearLR", "end_factor", end_factor)
        self.total_iters = _validate.integer("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def _ratio(self, epoch):
        if epoch == 0:
            return self.start_factor
        if self._is_initial or epoch > self.total_iters:
            return 1.0
        change = self.end_factor - self.start_factor
        return 1.0 + change / (self.total_iters * self.start_factor + (epoch - 1) * change)

    def _factor(self, epoch):
        done = min(self.total_iters, epoch) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class PolynomialLR(_FactorLR):
    """lr = initial · (1 − epoch / total_iters)^power, and 0 from epoch `total_iters` on.

    Raises:
        ValueError: total_iters is not positive, or power negative or not finite.
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = _validate.integer("PolynomialLR", "total_iters", total_iters)
        at_least_zero("PolynomialLR", {"power": power}, "power")
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _ratio(self, epoch):
        if self._is_initial or epoch > self.total_iters:
            return 1.0
        now, before = (1.0 - e / self.total_iters for e in (epoch, epoch - 1))
        return (now / before) ** self.power

    def _factor(self, epoch):
        return (1.0 - min(self.total_iters, epoch) / self.total_iters) ** self.power


class LambdaLR(LRScheduler):
    """lr = initial · lr_lambda(epoch), with one function, or a list of one for each group.

    `state_dict` leaves functions out; of callable objects it keeps the attributes.

    Raises:
        TypeError: something is not callable.
        ValueError: there are not as many functions as groups.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        name = type(self).__name__
        self.lr_lambdas = per_group(name, "lr_lambda", lr_lambda, check_optimizer(name, optimizer))
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"{name}: lr_lambda must be callable, got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        functions, self.lr_lambdas = self.lr_lambdas, []  # which need not be copyable
        try:
            state = super().state_dict()
        finally:
            self.lr_lambdas = functions
        state["lr_lambdas"] = [
            None if isinstance(f, types.FunctionType | types.BuiltinFunctionType) else dict(vars(f))
            for f in functions
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        for f, attributes in zip(functions, self.lr_lambdas, strict=True):
            if attributes is not None:
                vars(f).update(attributes)
        self.lr_lambdas = functions


class MultiplicativeLR(LambdaLR):
    """lr is multiplied by lr_lambda(epoch) in each epoch after the first. Arguments as of LambdaLR."""

    def get_lr(self):
        if self._is_initial:
            return self._rates()
        return [rate * f(self.last_epoch) for rate, f in zip(self._rates(), self.lr_lambdas, strict=True)]
