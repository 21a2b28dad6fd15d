"""2-D transpose convolution and its chain rule."""

from __future__ import annotations

from chainrule import _core, _validate
from chainrule.autograd import _unwrap, record
from chainrule.ops.view import squeeze, unsqueeze

__all__ = ["conv_transpose2d"]


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The input gradient of a convolution as an operation of its own, plus a bias per channel.

    Every x[n, c, i, j] adds weight[c, o, k, l] · x[n, c, i, j] to
    y[n, o, i·stride + k·dilation - padding, j·stride + l·dilation - padding].

    Args:
        input: (N, C, H, W), or one image (C, H, W).
        weight: (C, O / groups, KH, KW).
        bias: (O,) or None.
        stride, dilation: an int, or one per axis.
        padding: rows and columns cut off on every side of the result: an int, or one per axis.
        output_padding: rows and columns added below and to the right, fewer than stride or
            dilation.
        groups: as in conv2d.

    Returns:
        (N, O, H', W') with
        H' = (H - 1)·stride - 2·padding + dilation·(KH - 1) + output_padding + 1.

    Raises:
        ValueError, TypeError: as conv2d does.

    Example:
        >>> conv_transpose2d(ones(1, 8, 4, 4), ones(8, 3, 2, 2), stride=2).shape
        (1, 3, 8, 8)
    """
    if _unwrap(input).ndim == 3:
        batch = unsqueeze(input, 0)
        more = (stride, padding, output_padding, groups, dilation)
        return squeeze(conv_transpose2d(batch, weight, bias, *more), 0)
    op = "conv_transpose2d"
    params = (
        _validate.pair(op, "stride", stride),
        _validate.pair(op, "padding", padding, 0),
        _validate.pair(op, "output_padding", output_padding, 0),
        _validate.pair(op, "dilation", dilation),
        _validate.integer(op, "groups", groups),
    )
    native = _core.conv_transpose2d(input, weight, bias, params)
    return record(native, (input, weight, bias), conv_transpose2d_backward, (input._t, weight._t), params)


def conv_transpose2d_backward(node, g):
    (x, w), params = node.saved, node.params
    gx = gw = gb = None
    if node.parents[0] is not None:
        gx = _core.conv_transpose2d_input_grad(g, w, x.shape, params)
    if node.parents[1] is not None:
        gw = _core.conv_transpose2d_weight_grad(g, x, w.shape, params)
    if node.parents[2] is not None:
        gb = _core.conv2d_bias_grad(g)
    return gx, gw, gb
