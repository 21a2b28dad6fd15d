"""Convolution layers: Conv2d, ConvTranspose2d."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import _validate
from chainrule.creation import empty
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor

_Pair = int | tuple[int, int]


class _ConvNd(Module):
    """Arguments, parameters and text that both directions share."""

    weight: Parameter
    bias: Parameter | None
    stride: tuple[int, int]
    padding: Any

    def _set_up(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Pair,
        stride: _Pair,
        dilation: _Pair,
        groups: int,
        padding_mode: str,
    ) -> None:
        op = type(self).__name__
        _validate.channel_groups(op, groups, in_channels=in_channels, out_channels=out_channels)
        if padding_mode != "zeros":
            raise ValueError(
                f"{op}: padding_mode must be 'zeros', got {padding_mode!r}; pad the input yourself"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _validate.pair(op, "kernel_size", kernel_size)
        self.stride = _validate.pair(op, "stride", stride)
        self.dilation = _validate.pair(op, "dilation", dilation)
        self.output_padding = (0, 0)
        self.groups = groups
        self.padding_mode = padding_mode

    def _make_parameters(self, channels: tuple[int, int], bias: bool, **where: Any) -> None:
        self.weight = Parameter(empty(*channels, *self.kernel_size, **where))
        self.register_parameter("bias", Parameter(empty(self.out_channels, **where)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        init.reset_weight_and_bias(type(self).__name__, self.weight, self.bias)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0, 0):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else text + ", bias=False"


class Conv2d(_ConvNd):
    """2-D cross-correlation of each image with learned kernels, plus a bias.

    Shapes: input (N, in_channels, H, W), output (N, out_channels, H', W') with
    H' = floor((H + 2·padding - dilation·(kernel_size - 1) - 1) / stride) + 1; weight
    (out_channels, in_channels / groups, kH, kW). `padding` is an int, a pair, ``"valid"`` (none)
    or ``"same"`` (H' = H; stride 1 only). Weight and bias start uniform over ±1/sqrt(fan_in).

    Raises ValueError for sizes that are not positive, negative padding, `groups` that do not
    divide both channel counts, and inputs that do not fit.

    Example::

        nn.Conv2d(3, 16, kernel_size=3, padding=1)(cr.randn(8, 3, 32, 32)).shape  # (8, 16, 32, 32)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Pair,
        stride: _Pair = 1,
        padding: str | _Pair = 0,
        dilation: _Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._set_up(in_channels, out_channels, kernel_size, stride, dilation, groups, padding_mode)
        if isinstance(padding, str):
            F.string_padding("Conv2d", padding, self.kernel_size, self.stride, self.dilation)
            self.padding = padding
        else:
            self.padding = _validate.pair("Conv2d", "padding", padding, 0)
        channels = (out_channels, in_channels // groups)
        self._make_parameters(channels, bias, device=device, dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class ConvTranspose2d(_ConvNd):
    """Transposed convolution: the gradient of Conv2d with respect to its input, as a layer.

    Shapes: input (N, in_channels, H, W), output (N, out_channels, H', W') with
    H' = (H - 1)·stride - 2·padding + dilation·(kernel_size - 1) + output_padding + 1; weight
    (in_channels, out_channels / groups, kH, kW). `output_padding`, smaller than stride or
    dilation, picks one of the sizes that Conv2d would map to H.

    Raises ValueError as Conv2d does.

    Example::

        up = nn.ConvTranspose2d(16, 3, kernel_size=2, stride=2)
        up(cr.randn(8, 16, 8, 8)).shape  # (8, 3, 16, 16)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Pair,
        stride: _Pair = 1,
        padding: _Pair = 0,
        output_padding: _Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: _Pair = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        op = "ConvTranspose2d"
        self._set_up(in_channels, out_channels, kernel_size, stride, dilation, groups, padding_mode)
        self.padding = _validate.pair(op, "padding", padding, 0)
        self.output_padding = _validate.pair(op, "output_padding", output_padding, 0)
        steps = zip(self.output_padding, self.stride, self.dilation, strict=True)
        if any(extra >= max(stride, dilation) for extra, stride, dilation in steps):
            raise ValueError(
                f"{op}: output_padding must be smaller than stride or dilation, got "
                f"output_padding={self.output_padding}, stride={self.stride}, "
                f"dilation={self.dilation}"
            )
        channels = (in_channels, out_channels // groups)
        self._make_parameters(channels, bias, device=device, dtype=dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return F.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _extra(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, int]:
        """The output padding that gives the wanted (height, width)."""
        wanted = tuple(output_size)[-2:]
        extra = []
        for axis, size in enumerate(wanted):
            smallest = (
                (input.shape[axis - 2] - 1) * self.stride[axis]
                - 2 * self.padding[axis]
                + self.dilation[axis] * (self.kernel_size[axis] - 1)
                + 1
            )
            largest = smallest + max(self.stride[axis], self.dilation[axis]) - 1
            if not smallest <= size <= largest:
                raise ValueError(
                    f"ConvTranspose2d: output_size must lie in {smallest} to {largest} on axis "
                    f"{axis}, got {size} (x: {list(input.shape)})"
                )
            extra.append(size - smallest)
        if len(extra) != 2:
            raise ValueError(f"ConvTranspose2d: output_size must be a pair, got {output_size}")
        return extra[0], extra[1]
