"""Pooling layers: MaxPool2d, MinPool2d, AvgPool2d."""

from __future__ import annotations

from typing import Any

from chainrule import _validate
from chainrule.nn import functional as F
from chainrule.nn.module import Module
from chainrule.tensor import Tensor

_Pair = int | tuple[int, int]


class _Pool2d(Module):
    """Window, step and padding, which may not exceed half of the window."""

    def _set_window(
        self, kernel_size: _Pair, stride: _Pair | None, padding: _Pair, dilation: _Pair = 1
    ) -> None:
        op = type(self).__name__
        window = _validate.pair(op, "kernel_size", kernel_size)
        border = _validate.pair(op, "padding", padding, 0)
        _validate.pair(op, "stride", kernel_size if stride is None else stride)
        _validate.pair(op, "dilation", dilation)
        if any(2 * wide > size for wide, size in zip(border, window, strict=True)):
            raise ValueError(
                f"{op}: padding must be at most half of kernel_size, got padding={padding}, "
                f"kernel_size={kernel_size}"
            )
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool2d(_Pool2d):
    """The largest value in each window; `stride` is the window's size unless given.

    Shapes: input (N, C, H, W), output (N, C, H', W') with
    H' = floor((H + 2·padding - dilation·(kernel_size - 1) - 1) / stride) + 1, or its ceiling with
    `ceil_mode`. Padding counts as -inf. With `return_indices` the result is (values, positions).

    Raises ValueError for sizes that are not positive and for padding above half the window.

    Example::

        nn.MaxPool2d(2)(cr.randn(8, 16, 32, 32)).shape  # (8, 16, 16, 16)
    """

    def __init__(
        self,
        kernel_size: _Pair,
        stride: _Pair | None = None,
        padding: _Pair = 0,
        dilation: _Pair = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self._set_window(kernel_size, stride, padding, dilation)
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MinPool2d(_Pool2d):
    """The smallest value in each window; arguments and shapes as MaxPool2d's, padding is +inf.

    Example::

        nn.MinPool2d(2)(cr.randn(8, 16, 32, 32)).shape  # (8, 16, 16, 16)
    """

    def __init__(
        self,
        kernel_size: _Pair,
        stride: _Pair | None = None,
        padding: _Pair = 0,
        dilation: _Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self._set_window(kernel_size, stride, padding, dilation)
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return F.min_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class AvgPool2d(_Pool2d):
    """The mean of each window; `stride` is the window's size unless given.

    Shapes: as MaxPool2d without dilation. Padding counts as zeros in the mean unless
    `count_include_pad` is off; `divisor_override` replaces the number that is divided by.

    Raises ValueError as MaxPool2d does, and for ``divisor_override=0``.

    Example::

        nn.AvgPool2d(2)(cr.randn(8, 16, 32, 32)).shape  # (8, 16, 16, 16)
    """

    def __init__(
        self,
        kernel_size: _Pair,
        stride: _Pair | None = None,
        padding: _Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self._set_window(kernel_size, stride, padding)
        if divisor_override == 0:
            raise ValueError("AvgPool2d: divisor_override must not be zero, got 0")
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
