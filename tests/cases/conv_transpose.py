"""Transpose convolution. The reference adds each tap's share, then cuts off the padding."""

import numpy as np

import chainrule as cr
from cases.conv import pair
from op_cases import Bad, Case, Input


def reference(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    if x.ndim == 3:
        return reference(x[None], w, b, stride, padding, output_padding, groups, dilation)[0]
    (sh, sw), (dh, dw), (kh, kw) = pair(stride), pair(dilation), w.shape[2:]
    (ph, pw), extra = pair(padding), pair(output_padding)
    n, c, h, wide = x.shape
    full = [
        (h - 1) * sh + dh * (kh - 1) + 1 + extra[0],
        (wide - 1) * sw + dw * (kw - 1) + 1 + extra[1],
    ]
    parts = x.reshape(n, groups, c // groups, h, wide)
    filters = w.reshape(groups, c // groups, *w.shape[1:])
    y = np.zeros((n, groups, w.shape[1], *full), x.dtype)
    for k in range(kh):
        for m in range(kw):
            rows = slice(k * dh, k * dh + sh * (h - 1) + 1, sh)
            columns = slice(m * dw, m * dw + sw * (wide - 1) + 1, sw)
            y[..., rows, columns] += np.einsum("ngchw,gcf->ngfhw", parts, filters[..., k, m])
    y = y.reshape(n, groups * w.shape[1], *full)[:, :, ph : full[0] - ph, pw : full[1] - pw]
    return y if b is None else y + b[:, None, None]


def conv(name, x, w, bias=True, layouts=("contiguous",) * 3, large=False, no_peer="", **params):
    out = (w[1] * params.get("groups", 1),)
    shapes = [x, w, out] if bias else [x, w]
    inputs = [Input(s, layout=k) for s, k in zip(shapes, layouts, strict=False)]
    return Case(
        f"conv_transpose2d-{name}",
        cr.conv_transpose2d,
        reference,
        inputs,
        params,
        torch=None if no_peer else "conv_transpose2d",
        no_peer=no_peer,
        large=large,
    )


def strided(step_h, step_w):
    step = (step_h, step_w)
    return [
        conv(f"stride-{step}", (2, 3, 4, 5), (3, 4, 3, 3), stride=step, padding=1),
        conv(f"stride-{step}-wide-kernel", (1, 2, 3, 6), (2, 3, 2, 5), stride=step, padding=(0, 2)),
        conv(
            f"stride-{step}-dilation",
            (1, 2, 5, 4),
            (2, 2, 3, 2),
            stride=step,
            padding=(2, 1),
            dilation=(2, 3),
            output_padding=(1, 2),
        ),
    ]


CASES = [
    conv("plain", (2, 3, 5, 5), (3, 5, 3, 3)),
    conv("no-bias", (2, 3, 5, 6), (3, 5, 3, 3), bias=False, padding=1),
    conv("one-pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv("1x1", (2, 6, 5, 7), (6, 9, 1, 1)),
    conv("1x1-stride", (2, 6, 3, 4), (6, 9, 1, 1), stride=2),
    conv("doubling", (2, 4, 4, 5), (4, 3, 2, 2), stride=2),
    conv("doubling-even", (1, 4, 4, 5), (4, 3, 4, 4), stride=2, padding=1),
    conv("row-kernel", (2, 3, 4, 9), (3, 2, 1, 5), stride=(1, 2)),
    conv("column-kernel", (2, 3, 9, 4), (3, 2, 5, 1), stride=(3, 1)),
    conv("stride-beyond-kernel", (1, 2, 3, 3), (2, 2, 2, 2), stride=(5, 4)),
    conv("padding-beyond-kernel", (1, 2, 9, 9), (2, 2, 2, 2), padding=3),
    *[case for h in (1, 2, 3) for w in (1, 2, 3) for case in strided(h, w)],
    conv("output-padding", (2, 2, 4, 4), (2, 3, 3, 3), stride=2, padding=1, output_padding=1),
    conv("output-padding-long-rows", (1, 1, 3, 40), (1, 2, 3, 3), stride=2, padding=1, output_padding=1),
    conv("output-padding-axes", (2, 2, 4, 4), (2, 3, 3, 3), stride=(3, 2), output_padding=(2, 0)),
    conv("output-padding-dilation", (1, 2, 4, 4), (2, 3, 3, 3), dilation=3, output_padding=2),
    conv("groups", (2, 6, 4, 5), (6, 2, 3, 3), groups=2, stride=2, padding=1),
    conv("depthwise", (2, 5, 4, 5), (5, 1, 3, 3), groups=5, padding=1),
    # Pairs of rows and columns straight from the source's rows: either parity of the padding on either axis,
    # whole vectors between masked ones, strips that reach back, a last pair of one row or column, rows shorter
    # than a vector, bands of one image, no source.
    *[
        conv(f"pairs-{h}-{w}", (2, 3, 4, 53), (3, 1, 3, 3), groups=3, stride=2, padding=(h, w))
        for h in (0, 1, 2, 3)
        for w in (0, 1, 2, 3)
    ],
    conv("pairs-even", (1, 2, 3, 37), (2, 2, 3, 3), groups=2, stride=2, padding=(1, 0), output_padding=1),
    *[
        conv(f"pairs-width-{n}", (2, 2, 3, n), (2, 1, 3, 3), groups=2, stride=2)
        for n in (1, 2, 3, 5, 8, 9, 17)
    ],
    conv("pairs-one", (2, 1, 1, 1), (1, 3, 3, 3), stride=2, padding=1, bias=False),
    conv("pairs-no-rows", (1, 2, 0, 5), (2, 1, 3, 3), groups=2, stride=2, no_peer="PyTorch refuses"),
    conv("pairs-no-columns", (1, 2, 4, 0), (2, 1, 3, 3), groups=2, stride=2, no_peer="PyTorch refuses"),
    conv("pairs-far", (1, 2, 7, 23), (2, 1, 3, 3), groups=2, stride=2, padding=(6, 20)),
    conv("large-pairs-bands", (1, 1, 271, 180), (1, 1, 3, 3), stride=2, padding=1, large=True),
    *[conv(f"filters-{n}", (1, 2, 4, 4), (2, n, 3, 3), stride=2) for n in (1, 3, 7, 9, 17)],
    *[conv(f"width-{n}", (1, 1, 2, n), (1, 2, 1, 3), padding=(0, 1)) for n in (1, 15, 17, 48, 49)],
    conv("spread", (2, 3, 8, 8), (3, 40, 3, 3), padding=1),
    conv("spread-stride", (2, 3, 8, 8), (3, 70, 3, 5), padding=1, stride=2, output_padding=1),
    conv("one-image", (3, 4, 5), (3, 4, 3, 3), stride=2),
    conv("no-images", (0, 3, 4, 5), (3, 4, 3, 3), stride=2),
    *[
        conv(f"layout-{k}", (2, 4, 5, 6), (4, 3, 3, 2), groups=2, stride=2, layouts=(k,) * 3)
        for k in ("transposed", "sliced", "expanded")
    ],
    # A product and a sum (col2im): images of a unit together, phases, shifts over both ends, gaps, bands of a
    # large image, two blocks of channels, and either operand as the one that is packed once.
    conv("col2im-no-rows", (1, 48, 0, 5), (48, 2, 3, 3), stride=2, no_peer="PyTorch refuses"),
    conv("col2im-no-columns", (2, 48, 4, 0), (48, 1, 3, 3), no_peer="PyTorch refuses"),
    conv("col2im-stride-beyond-all", (1, 48, 1, 1), (48, 2, 3, 3), stride=2**31 - 1),
    conv("large-col2im-images", (9, 50, 3, 3), (50, 5, 4, 4), stride=2, padding=1, large=True),
    conv("large-col2im-wide", (2, 48, 3, 37), (48, 4, 3, 5), stride=2, padding=(1, 2), large=True),
    conv("large-col2im-stride", (6, 48, 5, 6), (48, 4, 4, 5), stride=3, output_padding=2, large=True),
    conv("large-col2im-strides", (5, 48, 5, 19), (48, 3, 3, 3), stride=(3, 1), padding=1, large=True),
    conv("large-col2im-gaps", (9, 64, 4, 5), (64, 7, 2, 2), stride=(4, 3), output_padding=1, large=True),
    conv("large-col2im-doubling", (3, 48, 9, 37), (48, 5, 2, 2), stride=2, large=True),
    conv("large-col2im-doubling-ends", (3, 48, 5, 20), (48, 4, 3, 2), stride=2, padding=(0, 1), large=True),
    conv("large-col2im-padding", (1, 48, 9, 12), (48, 6, 3, 3), stride=2, padding=(4, 7), large=True),
    conv("large-col2im-dilation", (5, 48, 7, 6), (48, 4, 3, 3), stride=2, dilation=(3, 2), large=True),
    conv("large-col2im-groups", (2, 96, 6, 5), (96, 3, 4, 4), groups=2, stride=2, padding=1, large=True),
    conv("large-col2im-bands", (1, 64, 40, 44), (64, 3, 4, 4), stride=2, padding=1, large=True),
    conv("large-col2im-bands-dilation", (1, 64, 50, 21), (64, 2, 3, 2), stride=2, dilation=4, large=True),
    conv("large-col2im-few", (1, 300, 6, 5), (300, 7, 5, 5), padding=2, large=True),
    conv("large-winograd", (3, 18, 13, 15), (18, 20, 3, 3), padding=1, large=True),
    conv("large-winograd-padding", (4, 16, 17, 14), (16, 18, 3, 3), padding=(0, 3), large=True),
    conv("large-product", (1, 70, 23, 22), (70, 33, 1, 1), large=True),
    conv("large-product-not-of-stride-2", (1, 64, 24, 25), (64, 32, 1, 1), stride=2, large=True),
    conv(
        "large-product-not-of-a-border",
        (1, 66, 24, 24),
        (66, 64, 1, 1),
        dilation=(2, 1),
        output_padding=(1, 0),
        large=True,
    ),
    conv("large-product-groups", (3, 128, 17, 13), (128, 25, 1, 1), groups=2, large=True),
    conv("large-packed", (2, 48, 20, 19), (48, 26, 3, 3), stride=2, padding=1, output_padding=1, large=True),
    conv("large", (16, 16, 14, 14), (16, 32, 3, 3), padding=1, large=True),
    conv("large-doubling", (8, 32, 14, 14), (32, 16, 4, 4), stride=2, padding=1, large=True),
    conv("large-one-image", (1, 16, 40, 44), (16, 24, 2, 2), stride=2, large=True),
]


def call(x=(2, 6, 4, 4), w=(6, 4, 3, 3), bias=None, **params):
    return lambda: cr.conv_transpose2d(
        cr.ones(x), cr.ones(w), None if bias is None else cr.ones(bias), **params
    )


BAD = [
    Bad(
        "conv_transpose2d-channels",
        call(w=(8, 4, 3, 3)),
        ValueError,
        r"conv_transpose2d: weight expects 8 input channels, x has 6 "
        r"\(x: \[2, 6, 4, 4\], weight: \[8, 4, 3, 3\], groups=1\)",
    ),
    Bad(
        "conv_transpose2d-groups",
        call(groups=4),
        ValueError,
        "groups must divide the 6 input channels",
    ),
    Bad(
        "conv_transpose2d-bias",
        call(bias=(6,)),
        ValueError,
        r"bias must have shape \[4\], got \[6\]",
    ),
    Bad("conv_transpose2d-stride-zero", call(stride=(1, 0)), ValueError, "stride must be positive"),
    Bad(
        "conv_transpose2d-padding-negative",
        call(padding=-1),
        ValueError,
        "padding must be non-negative",
    ),
    Bad(
        "conv_transpose2d-output-padding",
        call(stride=2, output_padding=2),
        ValueError,
        "output_padding must be smaller than stride or dilation",
    ),
    Bad("conv_transpose2d-all-cut", call(padding=3), ValueError, "the result would have height 0"),
    Bad(
        "conv_transpose2d-huge",
        call(stride=2**31 - 1),
        ValueError,
        "the result's sizes must be at most",
    ),
    Bad(
        "conv_transpose2d-rank",
        call(x=(6, 4)),
        ValueError,
        r"conv_transpose2d: x must be \[N, C, H, W\]",
    ),
    Bad(
        "conv_transpose2d-dtypes",
        lambda: cr.conv_transpose2d(cr.ones(1, 1, 3, 3), cr.ones(1, 1, 2, 2, dtype=cr.float64)),
        TypeError,
        "conv_transpose2d: inputs must have one dtype, got float32 and float64",
    ),
]
