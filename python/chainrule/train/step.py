"""One training step: forward, backward, clipping, update; eager or captured."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from chainrule._capture import capture as captured
from chainrule.creation import tensor
from chainrule.grad_mode import no_grad
from chainrule.nn.utils import clip_grad_norm_, clip_grad_value_
from chainrule.ops import stack
from chainrule.tensor import Tensor
from chainrule.train.batches import split_batch
from chainrule.train.outside import modules_of
from chainrule.train.penalty import Penalty


class StepResult(NamedTuple):
    """The mean loss over the step's samples, their number (or the sum of their weights), and, where wanted, outputs
    and targets.
    """

    loss: float
    samples: float
    finite: bool
    parts: list[tuple[Any, Any]]


def scalar_loss(op: str, value: Any) -> Tensor:
    """`value` as a tensor with one number and no dimensions; ValueError or TypeError for others."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{op}: loss must return a tensor with one number, got {type(value).__name__}")
    if value.numel() != 1:
        raise ValueError(
            f"{op}: loss must return one number, got shape {list(value.shape)}; take its mean (reduction='mean')"
        )
    return value.reshape(()) if value.ndim else value


class Step:
    """Trains on a group of batches: their gradients add up to that of one large batch, then one update.

    The two halves, gradients and update, are captured apart, so that the loss and the gradients can be looked
    at in between: where they are not finite the weights are still as they were.
    """

    def __init__(
        self,
        op: str,
        model: Any,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Any,
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        penalty: Callable[[], Tensor] | None = None,
        decay: Penalty | None = None,
        average: Any = None,
        capture: bool = False,
        weighted: bool = False,
        keep: bool = False,
        stop_at_bad: bool = True,
    ) -> None:
        self.op, self.optimizer, self.average, self.weighted = op, optimizer, average, weighted
        self.keep, self.stop_at_bad = keep, stop_at_bad
        self.before_update: Callable[[], None] | None = None
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = _gradient_step(op, model, loss, penalty, parameters, keep)
        update = _update_step(optimizer, average, parameters, clip_norm, clip_value, decay)
        # What forward changes beside the weights: batch norm's statistics would keep a NaN.
        buffers = [b for m in modules_of(model, loss, penalty) for b in m.buffers(recurse=False)]
        self._buffers = [(b, b.detach().clone()) for b in buffers] if stop_at_bad else []
        self._gradients = captured(gradients) if capture else gradients
        self._update = captured(update) if capture else update

    def __call__(self, batches: list[Any]) -> StepResult:
        """Where a loss or gradient is not finite and `stop_at_bad`, leaves weights, buffers and optimizer alone."""
        split = [split_batch(self.op, batch, self.weighted) for batch in batches]
        counts = [batch.total(self.op) for batch in split]
        samples = sum(counts)
        total, finite, parts = 0.0, True, []
        with no_grad():
            for buffer, before in self._buffers:
                before.copy_(buffer)
        for (inputs, target, weight), count in zip(split, counts):
            if (
                samples and not count
            ):  # all of its weights are 0: it adds nothing, and its own mean would be 0/0
                continue
            # Numbers that change from call to call are tensors: a captured function takes others as constants.
            share = None if len(split) == 1 else tensor(count / samples if samples else math.nan)
            value, probe, output = self._gradients(inputs, target, weight, share)
            loss = value.item()
            total += loss * count
            finite = finite and math.isfinite(loss) and math.isfinite(probe.item())
            if self.keep:
                parts.append((output.detach() if isinstance(output, Tensor) else output, target))
        if finite or not self.stop_at_bad:
            if self.before_update is not None:
                self.before_update()
            self._update()
            if self.average is not None:
                self.average.count()
        else:
            self.optimizer.zero_grad()
            with no_grad():
                for buffer, before in self._buffers:
                    buffer.copy_(before)
        return StepResult(total / samples if samples else math.nan, samples, finite, parts)


def _gradient_step(
    op: str, model: Any, loss: Any, penalty: Any, parameters: list[Tensor], keep: bool
) -> Callable[..., Any]:
    def gradients(
        inputs: tuple[Tensor, ...], target: Tensor, weight: Tensor | None, share: Tensor | None
    ) -> Any:
        output = model(*inputs)
        value = loss(output, target) if weight is None else loss(output, target, sample_weight=weight)
        value = scalar_loss(op, value)
        if penalty is not None:
            value = value + penalty()
        (value if share is None else value * share).backward()
        with no_grad():
            found = [p.grad.sum() for p in parameters if p.grad is not None]
            probe = stack(found).sum() if found else value.detach()
        return value.detach(), probe, output if keep else None

    return gradients


def _update_step(
    optimizer: Any,
    average: Any,
    parameters: list[Tensor],
    clip_norm: float | None,
    clip_value: float | None,
    decay: Penalty | None,
) -> Callable[[], None]:
    def update() -> None:
        if clip_norm is not None:
            clip_grad_norm_(parameters, clip_norm)
        if clip_value is not None:
            clip_grad_value_(parameters, clip_value)
        if decay is not None:
            decay.decay()
        optimizer.step()
        if average is not None:
            average.add()
        optimizer.zero_grad()

    return update
