"""Schedules one after the other, or at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from chainrule import _validate
from chainrule.optim.lr_scheduler.plateau import ReduceLROnPlateau
from chainrule.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer
from chainrule.optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """Several schedules of one optimizer; their states are kept in order."""

    _schedulers: list[LRScheduler]

    def state_dict(self) -> dict[str, Any]:
        children, self._schedulers = self._schedulers, []
        try:
            state = super().state_dict()
        finally:
            self._schedulers = children
        return {**state, "_schedulers": [s.state_dict() for s in children]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        children = self._schedulers
        states = state_dict.get("_schedulers")
        if not isinstance(states, list | tuple) or len(states) != len(children):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: expects the states of {len(children)} schedulers; "
                "is it of another scheduler?"
            )
        before = [child.state_dict() for child in children]
        try:
            for child, state in zip(children, states, strict=True):
                child.load_state_dict(state)
            super().load_state_dict({**state_dict, "_schedulers": []})
        except ValueError:
            for child, state in zip(children, before, strict=True):
                child.load_state_dict(state)
            raise
        finally:
            self._schedulers = children


class SequentialLR(_Composed):
    """Schedules one after the other: the i-th begins, at its epoch 0, in epoch milestones[i − 1].

    Raises:
        ValueError: there are none, one is of another optimizer or a ReduceLROnPlateau, or `milestones`
            are not one fewer, in increasing order.

    Example:
        >>> warm_up = LinearLR(optimizer, start_factor=0.1, total_iters=5)
        >>> scheduler = SequentialLR(optimizer, [warm_up, ExponentialLR(optimizer, 0.9)], milestones=[5])
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("SequentialLR", optimizer)
        self._schedulers = _of_one_optimizer("SequentialLR", schedulers, optimizer)
        self._milestones = [_validate.integer("SequentialLR", "milestones", m) for m in milestones]
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers need {len(schedulers) - 1} milestones, "
                f"got {len(milestones)}"
            )
        if sorted(set(self._milestones)) != self._milestones:
            raise ValueError(f"SequentialLR: milestones must increase, got {list(milestones)}")
        self.optimizer = optimizer
        self.last_epoch = last_epoch + 1
        # Each schedule has set the rates of its epoch 0 when it was made. Undone, but for the first.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        _step_back(self)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Goes to the next epoch, with the schedule whose turn it is."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """Schedules at once: each multiplies what the ones before it have set.

    Meant for those that multiply the rate there is (StepLR, ExponentialLR, LinearLR and others), not
    for those that compute it from the initial one.

    Raises:
        ValueError: there are none, or one is of another optimizer or a ReduceLROnPlateau.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if optimizer is None and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._schedulers = _of_one_optimizer("ChainedScheduler", schedulers, optimizer)
        self.optimizer = check_optimizer("ChainedScheduler", optimizer)
        self._last_lr = self._rates()

    def step(self) -> None:  # type: ignore[override]
        """Steps each of them, in order."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()


def _of_one_optimizer(op: str, schedulers: Sequence[LRScheduler], optimizer: Any) -> list[LRScheduler]:
    if not schedulers:
        raise ValueError(f"{op}: needs at least one scheduler")
    for i, s in enumerate(schedulers):
        if not isinstance(s, LRScheduler):
            raise TypeError(f"{op}: scheduler {i} must be an LRScheduler, got {type(s).__name__}")
        if isinstance(s, ReduceLROnPlateau):
            raise ValueError(f"{op}: scheduler {i} is a ReduceLROnPlateau, which needs a metric at each step")
        if s.optimizer is not optimizer:
            raise ValueError(f"{op}: scheduler {i} ({type(s).__name__}) is of another optimizer")
    return list(schedulers)


def _step_back(scheduler: LRScheduler) -> None:
    if isinstance(scheduler, _Composed):
        for child in scheduler._schedulers:
            _step_back(child)
    else:
        scheduler.last_epoch -= 1
