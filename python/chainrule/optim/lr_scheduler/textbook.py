"""Two schedules of textbooks, which PyTorch lacks: by the length of the gradient, and a decay to 0."""

from __future__ import annotations

import math

from chainrule import _validate
from chainrule.optim.lr_scheduler.scheduler import LRScheduler
from chainrule.optim.optimizer import Optimizer


class GradientNormLR(LRScheduler):
    """lr = initial · ‖g‖: large steps far from a minimum, where gradients are large, small ones near.

    ‖g‖ is the length (L2 norm) of the gradient of all parameters of the optimizer together; of a
    single number, its absolute value. It is stepped between `backward()` and `optimizer.step()`, so
    that the step along a gradient has the rate that belongs to it. It reads the gradients, so it
    cannot be recorded: capture the part before it and the part after it apart.

    Args:
        compounding: lr ← lr · ‖g‖ instead, from step to step. The rate is then the product of all
            lengths so far: it vanishes where they are below 1, and explodes where they are above.

    Raises:
        RuntimeError: in `step`, no parameter has a gradient.

    Example:
        >>> scheduler = GradientNormLR(optimizer)
        >>> optimizer.zero_grad(); loss.backward(); scheduler.step(); optimizer.step()
    """

    _follows_update = False

    def __init__(self, optimizer: Optimizer, *, compounding: bool = False, last_epoch: int = -1) -> None:
        self.compounding = compounding
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self._is_initial:
            return self._rates()
        grads = [p.grad for group in self.optimizer.param_groups for p in group["params"]]
        lengths = [g.norm().item() for g in grads if g is not None]
        if not lengths:
            raise RuntimeError(
                "GradientNormLR.step: no parameter has a gradient; call backward() on the loss first"
            )
        length = math.hypot(*lengths)
        return [rate * length for rate in (self._rates() if self.compounding else self.base_lrs)]


class EpochDecayLR(LRScheduler):
    """lr = initial · (1 − (i + 1)/epochs) in epoch i = 0, 1, …, epochs − 1.

    The first epoch has the rate initial · (1 − 1/epochs), the last one the rate 0: it changes nothing
    (PolynomialLR, which starts at the initial rate, reaches 0 one epoch later). After that it stays 0.

    Args:
        compounding: lr ← lr · (1 − (i + 1)/epochs) instead, from epoch to epoch: the rate is the
            product of all factors so far, and falls much faster.

    Raises:
        ValueError: epochs is not positive.

    Example:
        >>> scheduler = EpochDecayLR(optimizer, epochs=100)
        >>> for epoch in range(100):
        ...     train_one_epoch(); scheduler.step()
    """

    def __init__(
        self, optimizer: Optimizer, epochs: int, *, compounding: bool = False, last_epoch: int = -1
    ) -> None:
        self.epochs = _validate.integer("EpochDecayLR", "epochs", epochs)
        self.compounding = compounding
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        factor = max(0.0, 1.0 - (self.last_epoch + 1) / self.epochs)
        return [rate * factor for rate in (self._rates() if self.compounding else self.base_lrs)]
