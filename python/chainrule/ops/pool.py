"""2-D pooling and its chain rule: each result is made of a window of the input.

Shapes: input (N, C, H, W) or (C, H, W), output (N, C, H', W') or (C, H', W') with
H' = floor((H + 2·padding - dilation·(kernel_size - 1) - 1) / stride) + 1. With `ceil_mode` it is
the ceiling, but no window starts in the padding behind the input. Sizes are an int or
(height, width).
"""

from __future__ import annotations

from chainrule import _core, _validate
from chainrule.autograd import _unwrap, record, wrap

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "max_pool2d",
    "min_pool2d",
]


def _pair(op, name, value, minimum=1):
    """An int twice, a pair as it is; the native op checks the range."""
    return (value, value) if type(value) is int else _validate.pair(op, name, value, minimum)


def _window(op, kernel_size, stride, padding):
    kernel = _pair(op, "kernel_size", kernel_size)
    return (
        kernel,
        kernel if stride is None else _pair(op, "stride", stride),
        _pair(op, "padding", padding, 0),
    )


def _wanted(x):
    return getattr(x, "_node", None) is not None and _core.grad_enabled()


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest value of each window; padding counts as -inf, NaN wins.

    Args:
        stride: the window's size unless given.
        padding: at most half of kernel_size.
        dilation: the distance between a window's elements.
        return_indices: also give each value's position in its plane, h·W + w, as int64: the first
            of equal values. A window without an element (large dilation, small input) gives -inf
            and -1.

    Raises:
        ValueError: not 3 or 4 dimensions, sizes that are not positive, padding above half of the
            window, a window larger than the padded input.
        TypeError: a dtype that is not floating.

    Example:
        >>> max_pool2d(tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2)
        tensor([[[4.]]])
    """
    op = ("max_pool2d", _core.max_pool2d, max_pool2d_backward)
    return _select(op, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d_backward(node, g):
    return _select_backward(node, g)


def min_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The smallest value of each window; arguments as max_pool2d, padding counts as +inf."""
    op = ("min_pool2d", _core.min_pool2d, min_pool2d_backward)
    return _select(op, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def min_pool2d_backward(node, g):
    return _select_backward(node, g)


def _select(op, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    name, forward, rule = op
    window = (*_window(name, kernel_size, stride, padding), _pair(name, "dilation", dilation))
    y, offsets = forward(input, window, bool(ceil_mode), return_indices or _wanted(input))
    saved = () if offsets is None else (offsets,)
    out = record(y, (input,), rule, saved, (input._t.shape, window))
    return (out, wrap(_core.pool_indices(offsets))) if return_indices else out


def _select_backward(node, g):
    """The gradient of a value belongs to the element it came from."""
    shape, window = node.params
    return (_core.pool_select_grad(g, node.saved[0], shape, window),)


def avg_pool2d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window.

    Args:
        stride: the window's size unless given.
        padding: zeros around the input, at most half of kernel_size.
        count_include_pad: whether these zeros count as elements; what lies beyond them never does.
        divisor_override: divides the sum instead of the number of elements.

    Raises:
        ValueError: as max_pool2d, and for divisor_override=0.
        TypeError: a dtype that is not floating.
    """
    if divisor_override == 0:
        raise ValueError("avg_pool2d: divisor_override must not be zero, got 0")
    window = _window("avg_pool2d", kernel_size, stride, padding)
    params = (*window, bool(ceil_mode), bool(count_include_pad), divisor_override or 0)
    y = _core.avg_pool2d(input, params)
    return record(y, (input,), avg_pool2d_backward, params=(input._t.shape, params))


def avg_pool2d_backward(node, g):
    shape, params = node.params
    return (_core.avg_pool2d_grad(g, shape, params),)


def _output_size(op, x, size):
    """None keeps the input's size."""
    if size is not None and not isinstance(size, int):
        size = tuple(
            own if wanted is None else wanted for own, wanted in zip(x.shape[-2:], size, strict=True)
        )
    return tuple(x.shape[-2:]) if size is None else _pair(op, "output_size", size)


def adaptive_avg_pool2d(input, output_size):
    """The mean of as many windows as wanted: row i covers [i·H/H', (i+1)·H/H'), rounded outwards.

    Args:
        output_size: an int or (height, width); None keeps the input's size.

    Example:
        >>> adaptive_avg_pool2d(randn(2, 8, 7, 5), 1).shape
        (2, 8, 1, 1)
    """
    x = _unwrap(input)
    size = _output_size("adaptive_avg_pool2d", x, output_size)
    y = _core.adaptive_avg_pool2d(x, size)
    return record(y, (input,), adaptive_avg_pool2d_backward, params=x.shape)


def adaptive_avg_pool2d_backward(node, g):
    return (_core.adaptive_avg_pool2d_grad(g, node.params),)


_NO_WINDOW = ((0, 0), (0, 0), (0, 0), (0, 0))


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The largest value of as many windows as wanted; windows as adaptive_avg_pool2d."""
    x = _unwrap(input)
    size = _output_size("adaptive_max_pool2d", x, output_size)
    y, offsets = _core.adaptive_max_pool2d(x, size, return_indices or _wanted(input))
    saved = () if offsets is None else (offsets,)
    out = record(y, (input,), adaptive_max_pool2d_backward, saved, (x.shape, _NO_WINDOW))
    return (out, wrap(_core.pool_indices(offsets))) if return_indices else out


def adaptive_max_pool2d_backward(node, g):
    return _select_backward(node, g)
