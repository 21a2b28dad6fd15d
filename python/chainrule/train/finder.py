"""lr_find: which learning rates make the loss fall."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule._validate import integer, numeric
from chainrule.data.seeding import owners_of
from chainrule.grad_mode import no_grad
from chainrule.nn import Module
from chainrule.tensor import Tensor
from chainrule.train.batches import as_loader, refuse_test_part
from chainrule.train.check import check_loss, check_model, check_optimizer, check_penalty
from chainrule.train.outside import modules_of, outside_tensors
from chainrule.train.random_state import RandomState
from chainrule.train.step import Step
from chainrule.train.table import Table, finish, new_axes
from chainrule.train.where import located


class LRCurve(Table):
    """Rows of ``lr_find``: 'lr', the 'loss' of its batch, and 'smooth', the running mean of the losses."""

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls steepest, over the logarithm of the rate.

        The first tenth is left out, in which the running mean has few losses, and what comes after the minimum.

        Raises ValueError where it never falls.
        """
        smooth = np.array(self["smooth"])
        if len(smooth) < 10:
            raise ValueError(f"LRCurve: {len(smooth)} steps are too few to suggest a rate; begin lower")
        first = len(smooth) // 10
        last = first + int(smooth[first:].argmin())
        slopes = np.gradient(smooth)[first : last + 1]
        if slopes.min() >= 0:
            raise ValueError("LRCurve: the loss falls at no rate; begin lower, or look at the model")
        return self["lr"][first + int(slopes.argmin())]

    def plot(self, path: Any = None, axes: Any = None) -> Any:
        """The loss over the rate, and the suggestion. Returns matplotlib's figure; `path` saves it."""
        figure, (panel, *_) = new_axes(axes)
        panel.plot(self["lr"], self["loss"], alpha=0.3, label="loss of a batch")
        panel.plot(self["lr"], self["smooth"], label="smoothed")
        with contextlib.suppress(ValueError):  # there may be none
            panel.axvline(self.suggestion, color="grey", ls="--", label=f"steepest: {self.suggestion:.2g}")
        panel.set(xscale="log", xlabel="learning rate", ylabel="loss")
        panel.grid(alpha=0.3)
        panel.legend()
        return finish(figure, path)


def lr_find(
    model: Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: Any,
    train: Any,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
    smoothing: float = 0.9,
    diverged: float = 4.0,
    batch_size: int = 32,
    penalty: Callable[[], Tensor] | None = None,
    weighted: bool = False,
) -> LRCurve:
    """Trains for some steps with a learning rate that grows from `low` to `high`, and looks at the loss.

    (Smith, 2017.) It ends early where the smoothed loss is `diverged` times its lowest, or not finite. Groups of
    parameters keep the ratios of their rates to the first that is not 0; a group with 0 stays as it is, unless all
    have 0. Afterwards model, optimizer, modes and random generators are as before, to the bit, also after an error.

    Args:
        train, weighted: as in ``fit``; train is started again as often as needed.
        smoothing: the weight of the past in the mean of the losses, in [0, 1).

    Raises ValueError for low, high, steps or smoothing out of range, for no data or a test part, and for an optimizer
    of another model; TypeError for arguments of another kind, as ``fit``.

    Example:
        >>> curve = lr_find(model, nn.CrossEntropyLoss(), optimizer, (x, y))
        >>> optimizer.param_groups[0]["lr"] = curve.suggestion
    """
    op = "lr_find"
    integer(op, "steps", steps, 3)
    for name, value in (("low", low), ("high", high), ("smoothing", smoothing), ("diverged", diverged)):
        numeric(op, name, value)
    if not 0 < low < high or not math.isfinite(high) or not 0 <= smoothing < 1:
        raise ValueError(
            f"{op}: needs 0 < low < high and 0 <= smoothing < 1, got low={low}, high={high}, smoothing={smoothing}"
        )
    check_model(op, model)
    check_loss(op, loss, weighted)
    check_optimizer(op, optimizer, model, loss, penalty)
    check_penalty(op, penalty)
    refuse_test_part(op, "train", train)
    loader = as_loader(op, "train", train, batch_size, shuffle=True)
    restore = _snapshot(model, loss, penalty, optimizer, loader)
    curve = LRCurve()
    try:
        model.train()
        optimizer.zero_grad()
        rates = [group["lr"] for group in optimizer.param_groups]
        first = next(filter(None, rates), None)
        ratios = [1.0 if first is None else rate / first for rate in rates]
        take_step = Step(op, model, loss, optimizer, penalty=penalty, weighted=weighted)
        mean, lowest, batches = 0.0, math.inf, _endless(op, loader)
        for number in range(steps):
            lr = low * (high / low) ** (number / (steps - 1))
            for group, ratio in zip(optimizer.param_groups, ratios):
                group["lr"] = lr * ratio
            with located(f"in update {number + 1}"):
                result = take_step([next(batches)])
            if not result.finite:
                break
            mean = smoothing * mean + (1 - smoothing) * result.loss
            smooth = mean / (1 - smoothing ** (number + 1))
            curve.rows.append({"lr": lr, "loss": result.loss, "smooth": smooth})
            lowest = min(lowest, smooth)
            if smooth > diverged * lowest and lowest > 0:
                break
    finally:
        restore()
    return curve


def _endless(op: str, loader: Any) -> Iterator[Any]:
    while True:
        count = 0
        for batch in loader:
            count += 1
            yield batch
        if not count:
            raise ValueError(f"{op}: train gave no batches")


def _snapshot(model: Module, loss: Any, penalty: Any, optimizer: Any, loader: Any) -> Callable[[], None]:
    """What puts everything back that training changes."""
    outside = outside_tensors(model, loss, penalty, optimizer).values()
    tensors = [(t, t.detach().clone()) for t in (*model.parameters(), *model.buffers(), *outside)]
    modes = [(module, module.training) for module in model.modules()]
    settings = copy.deepcopy(optimizer.state_dict())
    generators = RandomState([*owners_of(loader), *modules_of(model, loss, penalty)])
    state = generators.get()

    @no_grad()
    def restore() -> None:
        for tensor, before in tensors:
            tensor.copy_(before)
        for module, training in modes:
            module.training = training
        optimizer.load_state_dict(settings)
        optimizer.zero_grad()
        generators.set(state)

    return restore
