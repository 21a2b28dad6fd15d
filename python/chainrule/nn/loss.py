"""Losses: L1Loss, MSELoss, CrossEntropyLoss, NLLLoss, BCELoss, BCEWithLogitsLoss.

Each reduces by ``"mean"``, ``"sum"`` or not at all (``"none"``). Input and target never broadcast
against each other: shapes that differ raise ValueError with both of them.
"""

from __future__ import annotations

from chainrule import _validate
from chainrule.nn import functional as F
from chainrule.nn.module import Module
from chainrule.tensor import Tensor


class _Loss(Module):
    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = _validate.choice(
            type(self).__name__, "reduction", reduction, ("none", "mean", "sum")
        )


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


class L1Loss(_Loss):
    """|input - target|. Shapes: input and target alike, a scalar out unless ``"none"``."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """(input - target)². Shapes: input and target alike, a scalar out unless ``"none"``."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(_WeightedLoss):
    """Softmax and negative log-likelihood in one: takes raw scores, not probabilities.

    Shapes: input (N, C) or (N, C, d1, ...), target int64 labels (N,) or (N, d1, ...) below C,
    or probabilities shaped as the input; `weight` (C,) scales the classes. Labels equal to
    `ignore_index` don't count; `label_smoothing` in [0, 1] mixes in the uniform distribution.

    Raises IndexError for a label out of range, ValueError for shapes that do not fit.

    Example::

        loss = nn.CrossEntropyLoss()(model(x), labels)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"CrossEntropyLoss: label_smoothing must be in [0, 1], got {label_smoothing}")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """Minus the log-probability of the label; takes what LogSoftmax gives.

    Shapes and `weight`, `ignore_index` as CrossEntropyLoss with labels.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class BCELoss(_WeightedLoss):
    """-(y log p + (1 - y) log(1 - p)) for probabilities p in [0, 1]; logs stop at -100.

    Shapes: input and target alike; `weight` scales the elements. Prefer BCEWithLogitsLoss, which
    is exact where a sigmoid has already rounded to 0 or 1.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """BCELoss of sigmoid(input), computed without overflow: takes raw scores.

    Shapes: input and target alike; `weight` scales the elements, `pos_weight` the positive term.

    Example::

        loss = nn.BCEWithLogitsLoss()(model(x), y)  # both (N, 1)
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            weight=self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
        )
