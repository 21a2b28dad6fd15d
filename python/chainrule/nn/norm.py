"""Batch normalisation: BatchNorm1d, BatchNorm2d (Ioffe and Szegedy, 2015)."""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule import _validate
from chainrule._core import int64
from chainrule.creation import ones, tensor, zeros
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor


class _BatchNorm(Module):
    _layouts: ClassVar[dict[int, str]]
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        self.num_features = _validate.integer(op, "num_features", num_features)
        if not eps >= 0:
            raise ValueError(f"{op}: eps must be non-negative, got {eps}")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"{op}: momentum must be None or in [0, 1], got {momentum}")
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        where = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(num_features, **where)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **where)) if affine else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **where) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **where) if tracked else None)
        count = tensor(0, dtype=int64, device=device) if tracked else None
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Forgets the running mean and variance."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forgets statistics and sets weight to one and bias to zero."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        if len(input.shape) not in self._layouts:
            raise ValueError(
                f"{type(self).__name__}: expected an input of shape "
                f"{' or '.join(self._layouts.values())} (x: {list(input.shape)})"
            )
        tracking = self.training and self.track_running_stats
        momentum = self.momentum
        if momentum is None:
            # A cumulative average: the k-th batch moves the statistics by 1/k.
            momentum = 1.0 / (int(self.num_batches_tracked.item()) + 1) if tracking else 0.0
        # Tracking may be switched off later: training then leaves the statistics as they are.
        keeps = self.track_running_stats or not self.training
        output = F.batch_norm(
            input,
            self.running_mean if keeps else None,
            self.running_var if keeps else None,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
        )
        if tracking:
            self.num_batches_tracked.add_(1)
        return output

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Scales each feature to mean 0 and variance 1 over the batch, then by weight and bias.

    y = (x - mean) / sqrt(var + eps) · weight + bias, with the batch's own (biased) variance while
    training and the running statistics in evaluation. Each training batch moves those by
    `momentum` towards its mean and unbiased variance; ``momentum=None`` averages all batches
    alike (and reads a number back each step, which capture doesn't allow).

    Shapes: input and output (N, C) or (N, C, L); weight, bias, running_mean, running_var (C,).

    Raises ValueError for other shapes, and while training for a single value per channel, whose
    variance says nothing.

    Example::

        nn.BatchNorm1d(64)(cr.randn(12, 64))
    """

    _layouts: ClassVar[dict[int, str]] = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(_BatchNorm):
    """BatchNorm1d for images: statistics of each channel over batch, height and width.

    Shapes: input and output (N, C, H, W).

    Example::

        nn.BatchNorm2d(16)(cr.randn(8, 16, 32, 32)).shape  # (8, 16, 32, 32)
    """

    _layouts: ClassVar[dict[int, str]] = {4: "(N, C, H, W)"}
