"""Losses as modules; docs/losses.md has them side by side, with shapes, formulas and sources.

Each reduces by ``"mean"``, ``"sum"`` or not at all (``"none"``). Input and target never broadcast
against each other: shapes that differ raise ValueError with both of them. Each may be called with
``sample_weight`` (N,), too: the result is that of as many copies of each sample.
"""

from __future__ import annotations

from typing import ClassVar

from chainrule import _validate
from chainrule.nn import functional as F
from chainrule.nn.module import Module
from chainrule.tensor import Tensor


class _Loss(Module):
    reductions: ClassVar = ("none", "mean", "sum")

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = _validate.choice(type(self).__name__, "reduction", reduction, self.reductions)


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


class L1Loss(_Loss):
    """|input - target|. Shapes: input and target alike, a scalar out unless ``"none"``.

    Example::

        nn.L1Loss()(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0]))  # 1
    """

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction, sample_weight=sample_weight)


class MSELoss(_Loss):
    """(input - target)². Shapes: input and target alike, a scalar out unless ``"none"``.

    Half of it, ½(ŷ - y)², is ``HuberLoss(delta=math.inf)``.

    Example::

        nn.MSELoss()(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0]))  # 2
    """

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction, sample_weight=sample_weight)


class HuberLoss(_Loss):
    """½d² up to |d| = `delta`, `delta`·(|d| - ½`delta`) beyond, for d = input - target (Huber 1964).

    Shapes: input and target alike, a scalar out unless ``"none"``. Raises ValueError unless
    `delta` is positive; ``math.inf`` gives ½d² everywhere.

    Example::

        loss = nn.HuberLoss(delta=2.0)(model(x), y)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = _validate.real("HuberLoss", "delta", delta, "positive")

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.huber_loss(
            input, target, reduction=self.reduction, delta=self.delta, sample_weight=sample_weight
        )


class SmoothL1Loss(_Loss):
    """½d²/`beta` where |d| < `beta`, |d| - ½`beta` elsewhere, for d = input - target (Girshick 2015).

    Shapes: input and target alike, a scalar out unless ``"none"``. Raises ValueError for a negative
    `beta`; with 0 it is L1Loss.

    Example::

        nn.SmoothL1Loss()(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0]))  # 0.75
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = _validate.real("SmoothL1Loss", "beta", beta, "non-negative")

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.smooth_l1_loss(
            input, target, reduction=self.reduction, beta=self.beta, sample_weight=sample_weight
        )


class HingeLoss(_Loss):
    """max(0, 1 - target · input), for labels 1 and -1 and scores of any size.

    Shapes: input and target alike, a scalar out unless ``"none"``. Raises ValueError for other
    labels: of 0 and 1 make ``2 * target - 1``. PyTorch has no such class; scikit-learn's
    ``hinge_loss`` and Keras's ``Hinge`` are the same formula.

    Example::

        loss = nn.HingeLoss()(model(x), 2 * y - 1)  # y is 0 or 1, both (N, 1)
    """

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.hinge_loss(input, target, reduction=self.reduction, sample_weight=sample_weight)


class HingeEmbeddingLoss(_Loss):
    """input where target is 1, max(0, `margin` - input) where it is -1: input is a distance of pairs.

    Shapes: input and target alike, a scalar out unless ``"none"``. Raises ValueError for other
    targets than 1 and -1.

    Example::

        nn.HingeEmbeddingLoss()(cr.tensor([0.5, 0.25]), cr.tensor([1.0, -1.0]))  # 0.625
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = _validate.real("HingeEmbeddingLoss", "margin", margin)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.hinge_embedding_loss(
            input, target, margin=self.margin, reduction=self.reduction, sample_weight=sample_weight
        )


class CrossEntropyLoss(_WeightedLoss):
    """Softmax and negative log-likelihood in one: takes raw scores, not probabilities.

    Shapes: input (N, C) or (N, C, d1, ...), target int64 labels (N,) or (N, d1, ...) below C,
    or probabilities shaped as the input; `weight` (C,) scales the classes. Labels equal to
    `ignore_index` don't count; `label_smoothing` in [0, 1] mixes in the uniform distribution.

    Raises IndexError for a label out of range, ValueError for shapes that do not fit. Warns where
    softmax or sigmoid made the input.

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
        self.ignore_index = ignore_index
        self.label_smoothing = _validate.share("CrossEntropyLoss", "label_smoothing", label_smoothing)

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
            sample_weight=sample_weight,
        )


class NLLLoss(_WeightedLoss):
    """Minus the log-probability of the label; takes what LogSoftmax gives.

    Shapes and `weight`, `ignore_index` as CrossEntropyLoss with labels.

    Example::

        nn.NLLLoss()(F.log_softmax(cr.zeros(3, 4), dim=1), cr.tensor([0, 1, 2]))  # 1.3863
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

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            sample_weight=sample_weight,
        )


class KLDivLoss(_Loss):
    """target · (log target - input) for log-probabilities input, Kullback and Leibler's divergence.

    Shapes: input and target alike, a scalar out unless ``"none"``. `reduction` may be
    ``"batchmean"``, which is the divergence; ``"mean"`` divides by the number of elements, and
    warns. With `log_target` the target holds log-probabilities, too.

    Example::

        loss = nn.KLDivLoss(reduction="batchmean")(F.log_softmax(student, 1), F.softmax(teacher, 1))
    """

    reductions: ClassVar = ("none", "mean", "sum", "batchmean")

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.kl_div(
            input, target, reduction=self.reduction, log_target=self.log_target, sample_weight=sample_weight
        )


class BCELoss(_WeightedLoss):
    """-(y log p + (1 - y) log(1 - p)) for probabilities p in [0, 1]; logs stop at -100.

    Shapes: input and target alike; `weight` scales the elements. Prefer BCEWithLogitsLoss, which
    is exact where a sigmoid has already rounded to 0 or 1.

    Example::

        nn.BCELoss()(cr.tensor([0.5, 0.5]), cr.tensor([0.0, 1.0]))  # 0.6931
    """

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.binary_cross_entropy(
            input, target, weight=self.weight, reduction=self.reduction, sample_weight=sample_weight
        )


class BCEWithLogitsLoss(_WeightedLoss):
    """BCELoss of sigmoid(input), computed without overflow: takes raw scores.

    Shapes: input and target alike; `weight` scales the elements, `pos_weight` the positive term.
    Warns where sigmoid or softmax made the input. Raises ValueError for a target outside [0, 1].

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

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            weight=self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
            sample_weight=sample_weight,
        )


class FocalLoss(_Loss):
    """`alpha`_t · (1 - p_t)^`gamma` · (-log p_t) of raw scores (Lin et al. 2017).

    p_t is the probability that sigmoid(input) gives to the right class, `alpha`_t is `alpha` for
    positives and 1 - `alpha` for negatives; `alpha` = -1 leaves it out. Shapes: input and target (in
    [0, 1]) alike, a scalar out unless ``"none"``. The function is ``F.sigmoid_focal_loss``, with
    torchvision's defaults, which has no such class: here the reduction is ``"mean"``, as in the others.

    Raises ValueError for `alpha`, `gamma` or a target out of range. Warns where sigmoid made the input.

    Example::

        loss = nn.FocalLoss(gamma=2.0)(model(x), y)  # both (N, 1)
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.alpha = _validate.real("FocalLoss", "alpha", alpha)
        if not (0 <= self.alpha <= 1 or self.alpha == -1):
            raise ValueError(f"FocalLoss: alpha must be in [0, 1], or -1 for none, got {alpha}")
        self.gamma = _validate.real("FocalLoss", "gamma", gamma, "non-negative")

    def forward(self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        return F.sigmoid_focal_loss(
            input, target, self.alpha, self.gamma, self.reduction, sample_weight=sample_weight
        )
