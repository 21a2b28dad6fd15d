"""Pooling: windows of every kind against a reference that visits them one by one."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input, sweep


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def count(size, kernel, stride, padding, dilation, ceil_mode):
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    n = (-(-room // stride) if ceil_mode else room // stride) + 1
    return n - 1 if ceil_mode and (n - 1) * stride >= size + padding else n


def windows(x, kernel_size, stride, padding, dilation, ceil_mode):
    """(output position, rows, columns) of every window, as far as it lies inside the input."""
    kernel, padding, dilation = pair(kernel_size), pair(padding), pair(dilation)
    stride = kernel if stride is None else pair(stride)
    sizes = x.shape[-2:]
    axes = zip(sizes, kernel, stride, padding, dilation, strict=True)
    out = [count(*axis, ceil_mode) for axis in axes]

    def inside(axis, i):
        start = i * stride[axis] - padding[axis]
        taps = (start + k * dilation[axis] for k in range(kernel[axis]))
        return [t for t in taps if 0 <= t < sizes[axis]]

    return out, [((i, j), inside(0, i), inside(1, j)) for i in range(out[0]) for j in range(out[1])]


def select(worst, best):
    def reference(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        out, all_windows = windows(x, kernel_size, stride, padding, dilation, ceil_mode)
        values = np.full((*x.shape[:-2], *out), worst, x.dtype)
        indices = np.full(values.shape, -1, np.int64)
        for (i, j), rows, columns in all_windows:
            if rows and columns:
                flat = x[..., rows, :][..., columns].reshape(*x.shape[:-2], len(rows) * len(columns))
                at = best(flat, axis=-1)
                values[..., i, j] = np.take_along_axis(flat, at[..., None], -1)[..., 0]
                indices[..., i, j] = np.array([r * x.shape[-1] + c for r in rows for c in columns])[at]
        return (values, indices) if return_indices else values

    return reference


max_pool = select(-np.inf, np.argmax)
min_pool = select(np.inf, np.argmin)


def avg_pool(
    x,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    out, all_windows = windows(x, kernel_size, stride, padding, 1, ceil_mode)
    values = np.zeros((*x.shape[:-2], *out), x.dtype)
    kernel, border = pair(kernel_size), pair(padding)
    step = kernel if stride is None else pair(stride)
    for at, rows, columns in all_windows:
        starts = [at[a] * step[a] - border[a] for a in (0, 1)]
        padded = [min(starts[a] + kernel[a], x.shape[a - 2] + border[a]) - starts[a] for a in (0, 1)]
        elements = padded[0] * padded[1] if count_include_pad else len(rows) * len(columns)
        values[..., at[0], at[1]] = x[..., rows, :][..., columns].sum((-2, -1)) / (
            divisor_override or elements
        )
    return values


def adaptive(combine):
    def reference(x, output_size):
        height, width = (
            own if n is None else n for own, n in zip(x.shape[-2:], pair(output_size), strict=True)
        )
        cut = lambda i, n, size: slice(i * size // n, -(-(i + 1) * size // n))  # noqa: E731
        out = np.empty((*x.shape[:-2], height, width), x.dtype)
        for i in range(height):
            for j in range(width):
                part = x[..., cut(i, height, x.shape[-2]), cut(j, width, x.shape[-1])]
                out[..., i, j] = combine(part, (-2, -1))
        return out

    return reference


# name, shape, arguments that every pool has.
WINDOWS = [
    ("2x2", (2, 3, 8, 8), {"kernel_size": 2}),
    ("2x2-odd", (2, 2, 7, 35), {"kernel_size": 2}),
    ("2x2-wide", (1, 2, 4, 130), {"kernel_size": 2}),
    ("3x3-s1-p1", (1, 2, 9, 37), {"kernel_size": 3, "stride": 1, "padding": 1}),
    ("3x3-s2-p1", (2, 2, 11, 70), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("3x3-s3", (1, 2, 10, 61), {"kernel_size": 3}),
    ("4x3-uneven", (1, 2, 9, 12), {"kernel_size": (4, 3), "stride": (1, 2), "padding": (2, 1)}),
    ("gaps", (1, 2, 9, 40), {"kernel_size": 2, "stride": 4}),
    ("ceil", (1, 2, 6, 9), {"kernel_size": 2, "stride": 2, "ceil_mode": True, "padding": 1}),
    ("ceil-partial", (1, 1, 7, 40), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ("ceil-drops", (1, 1, 5, 5), {"kernel_size": 2, "stride": 3, "ceil_mode": True, "padding": 1}),
    ("1x1", (2, 1, 3, 5), {"kernel_size": 1}),
    ("whole", (2, 3, 7, 7), {"kernel_size": 7}),
    ("unbatched", (3, 6, 6), {"kernel_size": 2}),
    # Rows shorter than a vector, several of them in one; windows with more columns than a vector.
    ("2x2-short", (3, 3, 10, 10), {"kernel_size": 2}),
    ("2x2-shorter", (2, 5, 5, 3), {"kernel_size": 2}),
    ("3x3-s2-p1-short", (2, 2, 5, 6), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("5x5-s2-p2", (1, 2, 11, 45), {"kernel_size": 5, "stride": 2, "padding": 2}),
    ("2x4-s2", (1, 2, 4, 75), {"kernel_size": (2, 4), "stride": 2}),
    ("rows", (1, 3, 4, 101), {"kernel_size": (1, 101)}),
    ("long", (2, 2, 3, 100), {"kernel_size": (2, 60), "stride": (1, 20)}),
    ("long-p", (1, 2, 3, 70), {"kernel_size": (2, 66), "stride": 3, "padding": (0, 33)}),
    ("mostly-padding", (1, 2, 2, 3), {"kernel_size": 12, "stride": 1, "padding": 6}),
    ("far-apart", (1, 2, 9, 40), {"kernel_size": (1, 3), "stride": (5, 30), "padding": (0, 1)}),
    ("empty", (0, 3, 4, 4), {"kernel_size": 2}),
    ("one-pixel", (1, 1, 1, 1), {"kernel_size": 3, "stride": 1, "padding": 1}),
]
DILATED = [
    ("dilated", (1, 2, 9, 40), {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 2}),
    (
        "dilated-uneven",
        (1, 2, 12, 11),
        {"kernel_size": (2, 3), "stride": (2, 1), "dilation": (3, 2)},
    ),
]
WITHOUT_PAD = {"padding": 1, "count_include_pad": False}
COUNTS = [
    ("without-pad", (1, 2, 6, 20), {"kernel_size": 3, "stride": 2, **WITHOUT_PAD}),
    ("without-pad-s1", (1, 2, 6, 20), {"kernel_size": 3, "stride": 1, **WITHOUT_PAD}),
    (
        "ceil-clipped",
        (1, 1, 6, 6),
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    ),
    ("divisor", (1, 2, 6, 6), {"kernel_size": 2, "divisor_override": 3}),
    (
        "divisor-pad",
        (1, 2, 6, 7),
        {"kernel_size": 3, "padding": 1, "stride": 1, "divisor_override": 5},
    ),
]


def pools(name, op, reference, kinds, peer):
    cases = [Case(f"{name}-{n}", op, reference, [Input(s)], p, torch=peer) for n, s, p in kinds]
    for layout in ("transposed", "sliced", "expanded"):
        inputs = [Input((2, 2, 6, 10), layout=layout)]
        p = {"kernel_size": 2}
        cases.append(Case(f"{name}-{layout}", op, reference, inputs, p, torch=peer))
    for n, p in [("2x2", {"kernel_size": 2}),
                 ("3x3", {"kernel_size": 3, "stride": 2, "padding": 1}),
                 ("s1", {"kernel_size": 3, "stride": 1, "padding": 1})]:  # fmt: skip
        inputs = [Input((3, 8, 60, 61))]
        cases.append(Case(f"{name}-large-{n}", op, reference, inputs, p, torch=peer, large=True))
    return cases


# Few different values, so that most windows have ties, and now and then a NaN, never two in a window.
def special(shape, nan_every):
    values = np.random.default_rng(0).choice([0.0, -0.0, 1.0, -2.0, np.inf, -np.inf], shape)
    values[..., 2 :: nan_every[0], 3 :: nan_every[1]] = np.nan
    return Input(values=values)


def max_peer(torch, x, **params):
    return torch.nn.functional.max_pool2d(x, **params)


def min_peer(torch, x, *, return_indices=False, **params):
    y = torch.nn.functional.max_pool2d(-x, return_indices=return_indices, **params)
    return (-y[0], y[1]) if return_indices else -y


SPECIAL = [[[1.0, np.nan, 0.0, 0.0], [np.inf, 2.0, 0.0, -0.0],
            [-np.inf, -np.inf, 5.0, 5.0], [-np.inf, -np.inf, 5.0, 5.0]]]  # fmt: skip
INDICES = {"kernel_size": 2, "return_indices": True}
# Few different values, so that most windows have ties.
TIES = Input(values=np.random.default_rng(0).integers(0, 3, (2, 2, 9, 40)).astype(float))

CASES = [
    *pools("max_pool2d", ops.max_pool2d, max_pool, WINDOWS + DILATED, max_peer),
    *pools("min_pool2d", ops.min_pool2d, min_pool, WINDOWS + DILATED, min_peer),
    *pools("avg_pool2d", ops.avg_pool2d, avg_pool, WINDOWS + COUNTS, "avg_pool2d"),
    *[Case(f"{name}-{kind}", op, reference, [values], params, torch=peer, grad=False)
      for name, op, reference, peer in [("max_pool2d", ops.max_pool2d, max_pool, max_peer),
                                        ("min_pool2d", ops.min_pool2d, min_pool, min_peer)]
      for kind, values, params in [
          ("indices", Input((2, 2, 9, 40)), INDICES),
          ("ties", TIES, INDICES),
          ("ties-s1", TIES, {"kernel_size": 3, "stride": 1, "padding": 1, "return_indices": True}),
          ("special", Input(values=SPECIAL), INDICES),
          *[(f"special-{n}{name}", special((2, 2, 11, 71), (5, 7)), {**window, **indices})
            for n, window in [("2x2", {"kernel_size": 2}),
                              ("s1", {"kernel_size": 3, "stride": 1, "padding": 1}),
                              ("s2", {"kernel_size": 3, "stride": 2, "padding": 1}),
                              ("rows", {"kernel_size": (1, 5), "stride": (1, 3)})]
            for name, indices in [("", {}), ("-indices", {"return_indices": True})]],
          ("special-long", special((2, 2, 5, 71), (5, 80)), {"kernel_size": (2, 70)})]],
    Case("max_pool2d-without-elements", ops.max_pool2d, max_pool, [Input((1, 1, 1, 3))],
         {"kernel_size": (1, 2), "stride": 1, "padding": (0, 1), "dilation": (1, 4),
          "return_indices": True}, grad=False, no_peer="PyTorch gives an index outside of the plane"),
    *[case for name, combine in [("adaptive_avg_pool2d", np.mean), ("adaptive_max_pool2d", np.max)]
      for op, reference in [(getattr(ops, name), adaptive(combine))] for case in [
          *[Case(f"{name}-{pair(size)}-of-{list(shape)}", op, reference, [Input(shape)],
                 {"output_size": size}, torch=name)
            for shape, size in [((2, 3, 7, 5), 1), ((2, 2, 9, 40), (4, 3)), ((3, 4, 5), (6, 7)),
                                ((0, 2, 4, 4), 2), ((1, 2, 6, 33), (None, 1)), ((1, 1, 1, 1), 1)]],
          *sweep(name, op, reference, [], strided=(2, 2, 6, 10), large=(3, 8, 60, 61),
                 params={"output_size": (4, 3)}, torch=name)]],
]  # fmt: skip

x = cr.ones(1, 2, 4, 5)
BAD = [
    Bad("max_pool2d-rank", lambda: ops.max_pool2d(cr.ones(4, 4), 2), ValueError,
        r"max_pool2d: x must have 3 or 4 dimensions.*\(x: \[4, 4\]\)"),
    Bad("max_pool2d-dtype", lambda: ops.max_pool2d(cr.ones(1, 4, 4, dtype=cr.int64), 2), TypeError,
        "max_pool2d: not defined for int64"),
    Bad("max_pool2d-kernel", lambda: ops.max_pool2d(x, 0), ValueError,
        r"max_pool2d: kernel_size must be positive.*\[0, 0\] \(x: \[1, 2, 4, 5\]\)"),
    Bad("max_pool2d-stride", lambda: ops.max_pool2d(x, 2, 0), ValueError,
        "max_pool2d: stride must be positive"),
    Bad("max_pool2d-stride-pair", lambda: ops.max_pool2d(x, 2, (1, 0)), ValueError,
        "max_pool2d: stride must be positive"),
    Bad("max_pool2d-dilation", lambda: ops.max_pool2d(x, 2, dilation=-1), ValueError,
        "max_pool2d: dilation must be positive"),
    Bad("max_pool2d-huge", lambda: ops.max_pool2d(x, 2**40), ValueError,
        r"kernel_size must be .* below 2\^31"),
    Bad("min_pool2d-padding", lambda: ops.min_pool2d(x, 3, padding=2), ValueError,
        r"min_pool2d: padding must be at most half of .*\[2, 2\], kernel_size=\[3, 3\]"),
    Bad("min_pool2d-negative", lambda: ops.min_pool2d(x, 3, padding=-1), ValueError,
        "min_pool2d: padding must be non-negative"),
    Bad("avg_pool2d-window", lambda: ops.avg_pool2d(x, 6), ValueError,
        r"avg_pool2d: the window, kernel_size=\[6, 6\].*does not fit.*\(x: \[1, 2, 4, 5\]\)"),
    Bad("avg_pool2d-triple", lambda: ops.avg_pool2d(x, (2, 2, 2)), ValueError,
        "avg_pool2d: kernel_size must be an int or a pair"),
    Bad("avg_pool2d-float", lambda: ops.avg_pool2d(x, 2.0), TypeError,
        "avg_pool2d: kernel_size must be an int"),
    Bad("avg_pool2d-divisor", lambda: ops.avg_pool2d(x, 2, divisor_override=0), ValueError,
        "avg_pool2d: divisor_override must not be zero"),
    Bad("adaptive-size", lambda: ops.adaptive_avg_pool2d(x, 0), ValueError,
        r"adaptive_avg_pool2d: output_size must be positive.*\[0, 0\]"),
    Bad("adaptive-empty", lambda: ops.adaptive_max_pool2d(cr.ones(1, 2, 0, 5), 2), ValueError,
        "adaptive_max_pool2d: height and width must be positive"),
]  # fmt: skip
