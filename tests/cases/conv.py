"""Convolution. The reference is the definition: one slice of the padded image per tap."""

import warnings

import numpy as np

import chainrule as cr
from op_cases import Bad, Case, Input


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def reference(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    if x.ndim == 3:
        return reference(x[None], w, b, stride, padding, dilation, groups)[0]
    (sh, sw), (dh, dw), (kh, kw) = pair(stride), pair(dilation), w.shape[2:]
    tall, wide = dh * (kh - 1), dw * (kw - 1)
    if padding == "same":
        borders = ((tall // 2, tall - tall // 2), (wide // 2, wide - wide // 2))
    else:
        borders = tuple((p, p) for p in pair(0 if padding == "valid" else padding))
    x = np.pad(x, ((0, 0), (0, 0), *borders))
    n, c, height, width = x.shape
    oh, ow = (height - tall - 1) // sh + 1, (width - wide - 1) // sw + 1
    filters = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    y = np.zeros((n, groups, filters.shape[1], oh, ow), x.dtype)
    for k in range(kh):
        for m in range(kw):
            rows = slice(k * dh, k * dh + sh * (oh - 1) + 1, sh)
            columns = slice(m * dw, m * dw + sw * (ow - 1) + 1, sw)
            part = x[:, :, rows, columns].reshape(n, groups, c // groups, oh, ow)
            y += np.einsum("ngchw,gfc->ngfhw", part, filters[..., k, m])
    y = y.reshape(n, w.shape[0], oh, ow)
    return y if b is None else y + b[:, None, None]


def conv(
    name, x, w, bias=True, layouts=("contiguous",) * 3, torch="conv2d", no_peer="", large=False, **params
):
    shapes = [x, w, w[:1]] if bias else [x, w]
    inputs = [Input(s, layout=k) for s, k in zip(shapes, layouts, strict=False)]
    return Case(f"conv2d-{name}", cr.conv2d, reference, inputs, params, torch, no_peer, large=large)


def peer_warns(torch, *tensors, **params):
    """PyTorch warns that padding='same' with an even kernel makes it copy the image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nn.functional.conv2d(*tensors, **params)


def strided(step_h, step_w):
    """One case per step: every kind of border, and kernels that are not square."""
    step = (step_h, step_w)
    return [
        conv(f"stride-{step}", (2, 3, 9, 11), (4, 3, 3, 3), stride=step, padding=1),
        conv(f"stride-{step}-wide-kernel", (1, 2, 6, 13), (3, 2, 2, 5), stride=step, padding=(0, 2)),
        conv(
            f"stride-{step}-dilation",
            (1, 2, 10, 9),
            (2, 2, 3, 2),
            stride=step,
            padding=(2, 1),
            dilation=(2, 3),
        ),
    ]


CASES = [
    conv("plain", (2, 3, 8, 8), (5, 3, 3, 3)),
    conv("no-bias", (2, 3, 8, 8), (5, 3, 3, 3), bias=False, padding=1),
    conv("one-pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv("1x1", (2, 6, 5, 7), (9, 6, 1, 1)),
    conv("1x1-stride", (2, 6, 5, 7), (9, 6, 1, 1), stride=2),
    conv("1x1-padding", (1, 2, 3, 3), (3, 2, 1, 1), padding=2),
    conv("row-kernel", (2, 3, 4, 19), (2, 3, 1, 5), padding=(0, 2)),
    conv("column-kernel", (2, 3, 19, 4), (2, 3, 5, 1), padding=(2, 0)),
    conv("kernel-covers-image", (3, 2, 4, 5), (3, 2, 4, 5)),
    conv("kernel-larger-than-image", (1, 2, 2, 3), (2, 2, 5, 7), padding=(2, 3)),
    conv("padding-of-the-kernel", (1, 1, 4, 4), (2, 1, 3, 3), padding=3),
    conv("stride-beyond-kernel", (1, 2, 11, 10), (2, 2, 2, 2), stride=(5, 4), padding=1),
    conv("stride-beyond-image", (1, 2, 3, 3), (2, 2, 2, 2), stride=9),
    conv("stride-beyond-column", (1, 1, 7, 1), (2, 1, 3, 3), stride=3, padding=1),
    conv("stride-beyond-columns", (1, 3, 7, 1), (2, 3, 3, 3), stride=3, padding=1),
    *[case for h in (1, 2, 3) for w in (1, 2, 3) for case in strided(h, w)],
    conv("dilation", (1, 2, 9, 9), (3, 2, 3, 3), dilation=2, padding=2),
    conv("groups", (2, 6, 5, 6), (4, 3, 3, 3), groups=2, padding=1),
    conv("groups-stride", (2, 6, 7, 6), (9, 2, 2, 3), groups=3, stride=2, padding=1),
    conv("depthwise", (2, 5, 7, 9), (5, 1, 3, 3), groups=5, padding=1),
    conv("depthwise-stride", (2, 5, 9, 19), (5, 1, 3, 3), groups=5, padding=1, stride=2),
    # Rows of sixteen vectors and more, and their ends, where an instruction set has 16-byte vectors.
    conv("depthwise-wide", (1, 2, 6, 67), (2, 1, 3, 3), groups=2, padding=1),
    conv("depthwise-wide-padding", (1, 2, 3, 66), (2, 1, 3, 3), groups=2, padding=(0, 2)),
    # Straight from the image's rows: whole vectors between masked ones, tiles that reach back, few rows,
    # columns wholly in the padding, bands of one image.
    conv("rows-wide", (2, 3, 6, 45), (3, 1, 3, 3), groups=3, padding=1),
    conv("rows-stride-wide", (2, 3, 11, 71), (3, 1, 3, 3), groups=3, padding=1, stride=2),
    conv("rows-few", (2, 2, 3, 21), (4, 1, 3, 3), groups=2, padding=(1, 0)),
    conv("rows-far", (1, 2, 5, 18), (2, 1, 3, 3), groups=2, padding=(4, 19)),
    conv("rows-far-stride", (1, 2, 5, 18), (2, 1, 3, 3), groups=2, padding=(5, 22), stride=2),
    *[
        conv(
            f"rows-no-{k}",
            x,
            (2, 1, 3, 3),
            groups=2,
            stride=2,
            padding=3,
            torch=None,
            no_peer="PyTorch refuses",
        )
        for k, x in (("rows", (1, 2, 0, 5)), ("columns", (1, 2, 5, 0)), ("pixels", (1, 2, 0, 0)))
    ],
    conv("large-rows-bands", (1, 1, 262, 280), (2, 1, 3, 3), padding=1, large=True),
    conv("depthwise-multiplier", (1, 3, 6, 6), (6, 1, 3, 3), groups=3, stride=2),
    conv("first-layer", (1, 3, 16, 16), (8, 3, 7, 7), stride=2, padding=3),
    # Filters and columns around the tiles of every instruction set.
    *[conv(f"filters-{n}", (1, 2, 5, 5), (n, 2, 3, 3), padding=1) for n in (1, 2, 3, 4, 7, 8, 9, 15, 17)],
    *[conv(f"width-{n}", (1, 1, 2, n), (2, 1, 1, 3), padding=(0, 1)) for n in (1, 3, 15, 16, 17, 47, 48, 49)],
    *[conv(f"channels-{n}", (1, n, 4, 4), (2, n, 2, 2)) for n in (1, 5, 17)],
    conv("spread", (2, 3, 8, 8), (40, 3, 3, 3), padding=1),
    conv("spread-stride", (2, 3, 8, 9), (70, 3, 3, 3), padding=1, stride=2),
    conv("same", (1, 2, 6, 7), (2, 2, 3, 5), padding="same"),
    conv("same-even", (1, 2, 6, 7), (2, 2, 4, 2), padding="same", torch=peer_warns),
    conv(
        "same-dilation",
        (1, 2, 6, 7),
        (2, 2, 2, 3),
        padding="same",
        dilation=(3, 2),
        torch=peer_warns,
    ),
    conv("valid", (1, 2, 6, 7), (2, 2, 3, 3), padding="valid"),
    conv("one-image", (3, 6, 7), (4, 3, 3, 3), padding=1),
    conv("no-images", (0, 3, 6, 7), (4, 3, 3, 3), padding=1),
    conv("no-filters", (2, 3, 6, 7), (0, 3, 3, 3), torch=None, no_peer="PyTorch refuses"),
    *[
        conv(f"layout-{k}", (2, 4, 5, 6), (6, 2, 3, 2), groups=2, layouts=(k,) * 3)
        for k in ("transposed", "sliced", "expanded")
    ],
    conv("large", (16, 16, 14, 14), (32, 16, 3, 3), padding=1, large=True),
    conv("large-digits", (32, 1, 8, 8), (32, 1, 3, 3), padding=1, large=True),
    conv("large-one-image", (1, 8, 40, 44), (40, 8, 3, 3), padding=1, large=True),
    conv("large-stride", (6, 6, 33, 31), (24, 6, 5, 5), stride=2, padding=2, large=True),
    conv("large-1x1", (4, 32, 20, 20), (48, 32, 1, 1), large=True),
    # Wide enough for panels that are packed: odd tails of filters, taps and positions, several blocks of taps.
    conv("large-packed", (2, 40, 23, 21), (27, 40, 3, 3), padding=1, large=True),
    conv("large-packed-1x1", (4, 80, 11, 13), (29, 80, 1, 1), large=True),
    conv("large-product", (2, 80, 17, 19), (29, 80, 1, 1), large=True),
    conv("large-product-parts", (1, 40, 49, 47), (31, 40, 1, 1), large=True),
    conv("large-product-parts-across-images", (2, 64, 33, 41), (50, 32, 1, 1), groups=2, large=True),
    conv("large-product-not-of-stride-2", (1, 64, 39, 40), (48, 64, 1, 1), stride=2, large=True),
    conv("large-product-deep", (1, 600, 9, 11), (43, 600, 1, 1), large=True),
    conv("large-product-groups", (1, 140, 17, 19), (60, 70, 1, 1), groups=2, bias=False, large=True),
    conv(
        "large-packed-groups",
        (2, 72, 27, 25),
        (50, 36, 3, 3),
        stride=2,
        padding=(2, 1),
        dilation=(1, 2),
        groups=2,
        large=True,
    ),
    # Few positions and long sums: dot products with rows gathered position by position.
    conv("large-dots", (1, 48, 6, 7), (50, 48, 3, 3), padding=1, large=True),
    conv("large-dots-1x1", (1, 400, 7, 7), (53, 400, 1, 1), large=True),
    conv(
        "large-dots-stride",
        (1, 96, 9, 11),
        (96, 48, 5, 3),
        groups=2,
        padding=2,
        stride=2,
        dilation=(1, 2),
        large=True,
    ),
    # Winograd's tiles of 4x4 results: whole and cut ones, groups, more tiles than an item or a block holds.
    conv("large-winograd", (3, 18, 13, 15), (20, 18, 3, 3), padding=1, large=True),
    conv("large-winograd-no-padding", (4, 16, 10, 17), (17, 16, 3, 3), bias=False, large=True),
    conv("large-winograd-padding", (1, 17, 22, 21), (33, 17, 3, 3), padding=(3, 2), large=True),
    conv("large-winograd-part-of-a-panel", (1, 20, 20, 31), (18, 20, 3, 3), padding=1, large=True),
    conv("large-winograd-groups", (2, 40, 18, 18), (36, 20, 3, 3), padding=1, groups=2, large=True),
    conv("large-winograd-channels", (2, 70, 30, 29), (50, 70, 3, 3), padding=1, large=True),
    conv("large-winograd-few-tiles", (1, 70, 18, 17), (50, 70, 3, 3), padding=1, large=True),
    conv("large-winograd-blocks", (6, 16, 60, 61), (16, 16, 3, 3), padding=1, large=True),
    conv("large-depthwise", (4, 32, 30, 30), (32, 1, 3, 3), groups=32, padding=1, large=True),
]


def call(x=(2, 6, 8, 8), w=(4, 6, 3, 3), bias=None, **params):
    return lambda: cr.conv2d(cr.ones(x), cr.ones(w), None if bias is None else cr.ones(bias), **params)


def gradient(grad, x=(2, 6, 8, 8), w=(4, 6, 3, 3)):
    native = cr.ones(grad)._t, cr.ones(w)._t, x, ((1, 1), (0, 0), (1, 1), 1)
    return lambda: cr._core.conv2d_input_grad(*native)


BAD = [
    Bad(
        "conv2d-channels",
        call(w=(16, 8, 3, 3)),
        ValueError,
        r"conv2d: weight expects 8 input channels, x has 6 "
        r"\(x: \[2, 6, 8, 8\], weight: \[16, 8, 3, 3\], groups=1\)",
    ),
    Bad(
        "conv2d-group-channels",
        call(groups=2),
        ValueError,
        "weight expects 12 input channels, x has 6",
    ),
    Bad(
        "conv2d-groups",
        call(w=(4, 2, 3, 3), groups=3),
        ValueError,
        "groups must divide the 4 output channels",
    ),
    Bad("conv2d-groups-zero", call(groups=0), ValueError, "conv2d: groups must be positive, got 0"),
    Bad("conv2d-bias", call(bias=(5,)), ValueError, r"conv2d: bias must have shape \[4\], got \[5\]"),
    Bad("conv2d-stride-zero", call(stride=0), ValueError, "conv2d: stride must be positive, got 0"),
    Bad(
        "conv2d-stride-pair",
        call(stride=(1, 2, 3)),
        ValueError,
        "conv2d: stride must be an int or a pair",
    ),
    Bad("conv2d-stride-float", call(stride=1.5), TypeError, "conv2d: stride must be an int"),
    Bad("conv2d-stride-huge", call(stride=2**40), ValueError, "conv2d: stride must be at most"),
    Bad(
        "conv2d-dilation-zero",
        call(dilation=(1, 0)),
        ValueError,
        r"conv2d: dilation must be positive",
    ),
    Bad(
        "conv2d-padding-negative",
        call(padding=-1),
        ValueError,
        "conv2d: padding must be non-negative, got -1",
    ),
    Bad(
        "conv2d-padding-name",
        call(padding="full"),
        ValueError,
        "must be one of same, valid, got 'full'",
    ),
    Bad(
        "conv2d-same-stride",
        call(padding="same", stride=2),
        ValueError,
        "padding='same' needs stride 1",
    ),
    Bad(
        "conv2d-small-image",
        call(x=(2, 6, 2, 8)),
        ValueError,
        r"result would have height 0 \(x: \[2, 6, 2, 8\]",
    ),
    Bad("conv2d-small-width", call(dilation=(1, 4)), ValueError, "the result would have width 0"),
    Bad(
        "conv2d-empty-kernel",
        call(w=(4, 6, 0, 3)),
        ValueError,
        "the kernel must have at least one row and column",
    ),
    Bad("conv2d-rank", call(x=(6, 8)), ValueError, r"conv2d: x must be \[N, C, H, W\].*\[6, 8\]"),
    Bad("conv2d-rank-5", call(x=(1, 2, 6, 8, 8)), ValueError, r"conv2d: x must be \[N, C, H, W\]"),
    Bad("conv2d-weight-rank", call(w=(6, 3, 3)), ValueError, "conv2d: weight must have 4 dimensions"),
    Bad(
        "conv2d-dtypes",
        lambda: cr.conv2d(cr.ones(1, 1, 3, 3), cr.ones(1, 1, 2, 2, dtype=cr.float64)),
        TypeError,
        "conv2d: inputs must have one dtype, got float32 and float64",
    ),
    Bad(
        "conv2d-int",
        lambda: cr.conv2d(cr.ones(1, 1, 3, 3, dtype=cr.int64), cr.ones(1, 1, 2, 2, dtype=cr.int64)),
        TypeError,
        "conv2d: not defined for int64",
    ),
    Bad(
        "conv2d-grad-shape",
        gradient((2, 4, 6, 5)),
        ValueError,
        r"conv2d_input_grad: grad must have the result's shape \[2, 4, 6, 6\], got \[2, 4, 6, 5\]",
    ),
]
