"""What schedules share: epochs, initial rates, the step, the state."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

from chainrule.optim.optimizer import Optimizer

# What PyTorch's states hold besides, without meaning here.
_IGNORED = {"_get_lr_called_within_step", "_is_initial", "verbose"}


class LRScheduler:
    """Base of all schedules.

    A subclass says in `get_lr` what the rates of the groups become in `last_epoch`. `step` writes them
    to `optimizer.param_groups`, where the next step reads them, captured or not.

    Args:
        optimizer: whose rates are set. Its groups get an `initial_lr`, which is kept when it is there.
        last_epoch: the epoch to continue after; -1 to begin, which sets the rates of epoch 0 at once.

    Raises:
        TypeError: `optimizer` is no optimizer.
        ValueError: last_epoch is not -1, and a group has no `initial_lr`.
    """

    _is_initial = False
    _follows_update = True  # whether it is stepped after the optimizer

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        name = type(self).__name__
        self.optimizer = check_optimizer(name, optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ValueError(
                    f"{name}: last_epoch={last_epoch} continues a schedule, but group {i} has no 'initial_lr'"
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            del self._is_initial

    def get_lr(self) -> list[float]:
        """The rates in `last_epoch`, one for each group; `get_last_lr` gives what was set."""
        raise NotImplementedError

    def get_last_lr(self) -> list[float]:
        """The rates that the last step set, one for each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Goes to the next epoch, or to `epoch`, and sets the rates. Call it after `optimizer.step()`.

        Warns:
            UserWarning: the optimizer has not made a step yet, so that no step has the rates of epoch 0.
        """
        leaves_first = self._step_count == 1 and self.last_epoch >= 0
        if leaves_first and self._follows_update and not any(self.optimizer._fused):
            warnings.warn(
                f"{type(self).__name__}.step: called before optimizer.step(), so that no step is made with "
                "the first learning rate; call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            rates = getattr(self, "_get_closed_form_lr", self.get_lr)()
        self._set(rates)

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything but the optimizer, whose state holds the rates themselves."""
        return {key: copy.deepcopy(value) for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a copy of what `state_dict` gave. The rates come with the optimizer's own state.

        Raises:
            ValueError: the state is of another kind of schedule.
        """
        own, name = set(self.state_dict()), type(self).__name__
        lacks, odd = sorted(own - set(state_dict)), sorted(set(state_dict) - own - _IGNORED)
        if lacks or odd:
            raise ValueError(
                f"{name}.load_state_dict: the state lacks {lacks} and has {odd} besides; "
                "is it of another scheduler?"
            )
        vars(self).update({key: copy.deepcopy(state_dict[key]) for key in own})


def check_optimizer(op: str, optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{op}: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def per_group(op: str, name: str, value: Any, optimizer: Optimizer) -> list:
    """`value` for each group, or its items if it is a list or a tuple of as many."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{op}: {name} needs one value for each of {count} groups, got {len(value)}")
    return list(value)
