"""2-D convolution and its chain rule."""

from __future__ import annotations

from chainrule import _core, _validate
from chainrule.autograd import _unwrap, record
from chainrule.ops.view import squeeze, unsqueeze

__all__ = ["conv2d"]


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of every image with every filter, plus a bias per filter.

    y[n, o, i, j] is bias[o] plus the sum over c, k, l of
    weight[o, c, k, l] · x[n, c, i·stride + k·dilation - padding, j·stride + l·dilation - padding].

    Args:
        input: (N, C, H, W), or one image (C, H, W).
        weight: (O, C / groups, KH, KW).
        bias: (O,) or None.
        stride, dilation: an int, or one per axis.
        padding: zeros added on every side: an int, one per axis, 'valid' (none) or 'same' (the
            result is as large as the input; stride 1 only; an odd total puts the larger part below
            and to the right).
        groups: channels and filters fall into this many groups that do not see each other.

    Returns:
        (N, O, H', W') with H' = floor((H + 2·padding - dilation·(KH - 1) - 1) / stride) + 1.

    Raises:
        ValueError: channels, groups and bias that do not fit each other, stride or dilation below
            1, negative padding, a kernel larger than the padded input.
        TypeError: dtypes that differ or are not floating.

    Example:
        >>> conv2d(ones(1, 1, 4, 4), ones(1, 1, 3, 3), padding=1).shape
        (1, 1, 4, 4)
    """
    if _unwrap(input).ndim == 3:
        batch = unsqueeze(input, 0)
        return squeeze(conv2d(batch, weight, bias, stride, padding, dilation, groups), 0)
    stride = _validate.pair("conv2d", "stride", stride)
    dilation = _validate.pair("conv2d", "dilation", dilation)
    if isinstance(padding, str):
        padding = _named_padding(padding, _unwrap(weight).shape, stride, dilation)
    else:
        padding = _validate.pair("conv2d", "padding", padding, 0)
    groups = _validate.integer("conv2d", "groups", groups)
    params = (stride, padding, dilation, groups)
    native = _core.conv2d(input, weight, bias, params)
    return record(native, (input, weight, bias), conv2d_backward, (input._t, weight._t), params)


def conv2d_backward(node, g):
    (x, w), params = node.saved, node.params
    return (
        _core.conv2d_input_grad(g, w, x.shape, params) if node.parents[0] is not None else None,
        _core.conv2d_weight_grad(g, x, w.shape, params) if node.parents[1] is not None else None,
        _core.conv2d_bias_grad(g) if node.parents[2] is not None else None,
    )


def _named_padding(name, weight_shape, stride, dilation):
    """'valid' and 'same' as (top, left, bottom, right)."""
    _validate.choice("conv2d", "padding", name, ("same", "valid"))
    if name == "valid" or len(weight_shape) != 4:  # a wrong rank is reported by the op
        return (0, 0)
    if stride != (1, 1):
        raise ValueError(f"conv2d: padding='same' needs stride 1, got stride={stride}")
    tall, wide = (step * (size - 1) for step, size in zip(dilation, weight_shape[2:], strict=True))
    return (tall // 2, wide // 2, tall - tall // 2, wide - wide // 2)
