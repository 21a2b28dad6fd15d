"""Ops on batches of images, against references that go from one output pixel to the next."""

import colorsys

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input, sweep

NO_PEER = "PyTorch has no such function; test_transforms.py compares with Pillow"
BYTES_PEER = "PyTorch computes bytes with weights of 16 bits"


def rounded(op):
    """The op on bytes, which it rounds; its reference does not, so that what lies between two bytes may be either."""
    return lambda x, *rows, **params: op(x, *rows, **params).float()


def row(rows, n):
    return rows[n if len(rows) > 1 else 0]


def border_index(i, size, border):
    if 0 <= i < size:
        return i
    if border == "constant":
        return None
    pad = 10 * size + 100
    return np.pad(np.arange(size), pad, mode=border)[i + pad]


def crop(x, windows, size, border="constant", fill=0.0):
    fill = np.broadcast_to(fill, x.shape[1])
    out = np.empty((*x.shape[:2], *size), x.dtype)
    for n, c, i, j in np.ndindex(*out.shape):
        top, left, turned, mirrored = row(windows, n)
        r = border_index(top + (size[0] - 1 - i if turned else i), x.shape[2], border)
        k = border_index(left + (size[1] - 1 - j if mirrored else j), x.shape[3], border)
        out[n, c, i, j] = fill[c] if r is None or k is None else x[n, c, r, k]
    return out


def affine(x, matrices, size, mode="nearest", fill=0.0):
    height, width = x.shape[2:]
    out = np.empty((*x.shape[:2], *size))
    out[:] = np.reshape(np.broadcast_to(fill, x.shape[1]), (-1, 1, 1))
    for n, i, j in np.ndindex(x.shape[0], *size):
        u, v = row(matrices, n) @ (j + 0.5, i + 0.5, 1.0)
        if not (0 <= u < width and 0 <= v < height):
            continue
        if mode == "nearest":
            out[n, :, i, j] = x[n, :, int(v), int(u)]
            continue
        left, top = int(np.floor(u - 0.5)), int(np.floor(v - 0.5))
        a, b = u - 0.5 - left, v - 0.5 - top
        columns, rows = np.clip([left, left + 1], 0, width - 1), np.clip([top, top + 1], 0, height - 1)
        four = x[n][:, rows][:, :, columns].astype(float)
        out[n, :, i, j] = np.einsum("crk,r,k->c", four, [1 - b, b], [1 - a, a])
    return out


def weights(size, outputs, mode):
    """[outputs, size], rows of sum 1."""
    i = np.arange(outputs)[:, None]
    if mode.startswith("nearest"):
        chosen = i * size // outputs if mode == "nearest" else (2 * i + 1) * size // (2 * outputs)
        return (np.arange(size) == chosen).astype(float)
    scale = size / outputs
    reach = max(scale, 1.0) if mode == "antialias" else 1.0
    w = np.clip(1 - abs(np.arange(size) + 0.5 - (i + 0.5) * scale) / reach, 0, None)
    return w / w.sum(1, keepdims=True)


def resize(x, boxes, size, mode="antialias"):
    out = np.empty((*x.shape[:2], *size))
    for n in range(len(x)):
        top, left, height, width = row(boxes, n)
        part = x[n, :, top : top + height, left : left + width].astype(float)
        down, across = weights(height, size[0], mode), weights(width, size[1], mode)
        out[n] = np.einsum("ih,chw,jw->cij", down, part, across)
    return out


def color(x, kinds, factors):
    white = 255.0 if x.dtype == np.uint8 else 1.0
    out = x.astype(float)
    for n in range(len(x)):
        for kind, factor in zip(row(kinds, n), row(factors, n), strict=True):
            y = out[n]
            grey = np.tensordot([0.2989, 0.587, 0.114], y, 1) if len(y) == 3 else y[0]
            if kind == 0:
                y = factor * y
            elif kind == 1:
                y = factor * y + (1 - factor) * grey.mean()
            elif kind == 2 and len(y) == 3:
                y = factor * y + (1 - factor) * grey
            elif kind == 3 and len(y) == 3:
                y = np.stack([turned(*y[:, i, j] / white, factor) for i, j in np.ndindex(*grey.shape)], 1)
                y = y.reshape(out[n].shape) * white
            out[n] = np.clip(y, 0, white)
    return out


def turned(red, green, blue, turns):
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    return np.array(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value))


def one(*values):
    return np.array([values], np.int64)


def rows_of(dtype, make):
    """Inputs of the image and of its rows, which are fixed values."""
    return lambda shape, layout: [Input(shape, layout=layout), Input(values=make(shape[0]), dtype=dtype)]


def windows(n):
    rng = np.random.default_rng(n)
    return np.concatenate([rng.integers(-6, 7, (n, 2)), rng.integers(0, 2, (n, 2))], 1)


def matrices(n):
    return np.eye(2, 3) + np.random.default_rng(n).uniform(-0.4, 0.4, (n, 2, 3))


def peer_resize(torch, x, boxes, size, mode):
    smooth = mode == "antialias"
    more = {"antialias": smooth, "align_corners": False} if smooth or mode == "bilinear" else {}
    return torch.nn.functional.interpolate(x, size, mode="bilinear" if smooth else mode, **more)


def steps(n, count=4):
    rng = np.random.default_rng(n)
    kinds = np.stack([rng.permutation(5)[:count] - 1 for _ in range(n)]) if n else np.zeros((0, count), int)
    factors = rng.uniform(0.3, 1.6, (n, count))
    return kinds, np.where(kinds == 3, factors / 4 - 0.25, factors)


def images(name, op, reference, inputs, params, shapes, **more):
    return sweep(
        name, op, reference, shapes, strided=(3, 3, 5, 9), large=(5, 3, 90, 97), inputs=inputs, params=params,
        grad=False, **more,
    )  # fmt: skip


SHAPES = [(1, 1, 1, 1), (2, 3, 7, 19), (0, 3, 4, 5)]
IMAGE = Input((2, 3, 6, 9))
BYTE_IMAGE = Input((2, 3, 7, 21), low=0, high=256, dtype="uint8")
STEPS = [(kind, factor, (one(kind), np.array([[factor]])))
         for kind, factor in [(0, 0.0), (0, 1.7), (1, 0.4), (1, 2.5), (2, 0.0), (2, 1.9), (3, -0.5), (3, 0.3), (-1, np.nan)]]  # fmt: skip
ONLY = {"grad": False, "dtypes": ("float32",)}
ROUNDED = {**ONLY, "tol32": 0.505 / 150, "why": "bytes are rounded: half a level of 150 and more"}
BORDERS = ("constant", "edge", "reflect", "symmetric")
MODES = ("nearest", "nearest-exact", "bilinear", "antialias")

CASES = [
    *images("image_crop", ops.image_crop, crop, rows_of("int64", windows), {"size": (8, 21), "fill": 0.5},
            SHAPES, no_peer=NO_PEER),
    *[Case(f"image_crop-{border}-{kind}", ops.image_crop, crop, [x, Input(values=values, dtype="int64")],
           {"size": (15, 40), "border": border, "fill": 1.0}, no_peer=NO_PEER, **more)
      for border in BORDERS
      for kind, x, values, more in [("each", IMAGE, windows(2), {"grad": False}),
                                    ("far", Input((2, 2, 1, 5)), one(-40, 33, 1, 0), {"grad": False}),
                                    ("bytes", BYTE_IMAGE, one(-4, -9, 0, 1), ONLY)]],
    Case("image_crop-fills", ops.image_crop, crop, [IMAGE, Input(values=one(-1, -1, 0, 0), dtype="int64")],
         {"size": (8, 11), "fill": [0.25, -1.0, 3.0]}, grad=False, no_peer=NO_PEER),
    Case("image_crop-nothing", ops.image_crop, crop, [Input((2, 1, 0, 3)), Input(values=one(0, 0, 0, 0), dtype="int64")],
         {"size": (2, 3), "fill": 2.0}, grad=False, no_peer=NO_PEER),
    *[case for mode in ("nearest", "bilinear") for case in [
        *images("image_affine" + ("-bilinear" if mode == "bilinear" else ""), ops.image_affine, affine,
                rows_of("float64", matrices), {"size": (9, 70), "mode": mode, "fill": 0.5}, SHAPES, no_peer=NO_PEER),
        Case(f"image_affine-{mode}-bytes", rounded(ops.image_affine), affine,
             [BYTE_IMAGE, Input(values=matrices(2), dtype="float64")],
             {"size": (9, 20), "mode": mode, "fill": [7, 8, 255]}, no_peer=NO_PEER, **ROUNDED),
        Case(f"image_affine-{mode}-one", ops.image_affine, affine,
             [IMAGE, Input(values=[[[0.0, -1.0, 6.0], [1.0, 0.0, 0.0]]], dtype="float64")],
             {"size": (6, 6), "mode": mode}, grad=False, no_peer=NO_PEER),
        Case(f"image_affine-{mode}-nowhere", ops.image_affine, affine,
             [IMAGE, Input(values=[[[np.nan, 0.0, 0.0], [0.0, 1.0, 0.0]], [[1e300, 0, 0], [0, -np.inf, 0]]], dtype="float64")],
             {"size": (6, 6), "mode": mode, "fill": 3.0}, grad=False, no_peer=NO_PEER)]],
    *[case for mode in MODES for case in [
        *images("image_resize" + ("" if mode == "antialias" else f"-{mode}"), ops.image_resize, resize,
                lambda shape, layout: [Input(shape, layout=layout), Input(values=one(0, 0, *shape[2:]), dtype="int64")],
                {"size": (4, 13), "mode": mode}, SHAPES[:2], torch=peer_resize),
        Case(f"image_resize-{mode}-empty", ops.image_resize, resize,
             [Input((0, 3, 4, 5)), Input(values=one(0, 0, 4, 5), dtype="int64")],
             {"size": (4, 13), "mode": mode}, grad=False, no_peer=NO_PEER),
        Case(f"image_resize-{mode}-boxes", ops.image_resize, resize,
             [Input((3, 2, 17, 23)), Input(values=[[0, 0, 17, 23], [16, 3, 1, 9], [2, 22, 5, 1]], dtype="int64")],
             {"size": (5, 6), "mode": mode}, grad=False, no_peer=NO_PEER),
        *[Case(f"image_resize-{mode}-bytes-{list(size)}", rounded(ops.image_resize), resize,
               [BYTE_IMAGE, Input(values=one(0, 0, 7, 21), dtype="int64")], {"size": size, "mode": mode},
               no_peer=BYTES_PEER, **ROUNDED) for size in ((3, 30), (20, 4))]]],
    *images("image_color", ops.image_color, color,
            lambda shape, layout: [Input(shape, 0.0, 1.0, layout=layout),
                                   *(Input(values=v, dtype=v.dtype.name) for v in steps(shape[0]))],
            {}, [(1, 1, 1, 1), (2, 3, 5, 19), (0, 3, 4, 5)], no_peer=NO_PEER),
    *[Case(f"image_color-{kind}-{factor}-{channels}", ops.image_color, color,
           [Input((2, channels, 5, 7), 0.0, 1.0), *(Input(values=v, dtype=v.dtype.name) for v in step)], {},
           no_peer=NO_PEER, grad=False)
      for kind, factor, step in STEPS for channels in (1, 3)],
    *[Case(f"image_color-{kind}-{factor}-{channels}-bytes", rounded(ops.image_color), color,
           [Input((2, channels, 5, 7), 0, 256, dtype="uint8"), *(Input(values=v, dtype=v.dtype.name) for v in step)], {},
           no_peer=NO_PEER, **ROUNDED)
      for kind, factor, step in STEPS if factor != 0 for channels in (1, 3)],
]  # fmt: skip


x, byte = cr.ones(2, 3, 4, 5), cr.ones(2, 3, 4, 5, dtype=cr.uint8)
window, matrix = cr.tensor([[0, 0, 0, 0]]), cr.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
box, step, factor = cr.tensor([[0, 0, 4, 5]]), cr.tensor([[0]]), cr.tensor([[1.0]], dtype=cr.float64)
BAD = [
    Bad("image_crop-rank", lambda: ops.image_crop(cr.ones(4, 5), window, (2, 2)), ValueError,
        r"image_crop: x must have 4 dimensions, \[N, C, H, W\] \(x: \[4, 5\]\)"),
    Bad("image_crop-dtype", lambda: ops.image_crop(cr.ones(1, 1, 4, 5, dtype=cr.int64), window, (2, 2)), TypeError,
        "image_crop: not defined for int64"),
    Bad("image_crop-rows", lambda: ops.image_crop(x, cr.zeros(3, 4, dtype=cr.int64), (2, 2)), ValueError,
        r"image_crop: windows must have shape \[2, 4\] or \[1, 4\], got \[3, 4\]"),
    Bad("image_crop-rows-dtype", lambda: ops.image_crop(x, cr.zeros(1, 4), (2, 2)), TypeError,
        "image_crop: windows must be int64, got float32"),
    Bad("image_crop-size", lambda: ops.image_crop(x, window, (-1, 2)), ValueError,
        r"image_crop: size must be non-negative and below 2\^31, got \[-1, 2\]"),
    Bad("image_crop-border", lambda: ops.image_crop(x, window, (2, 2), "wrap"), ValueError,
        "image_crop: border must be one of 'constant', 'edge', 'reflect', 'symmetric', got 'wrap'"),
    Bad("image_crop-offset", lambda: ops.image_crop(x, cr.tensor([[0, 2**40, 0, 0]]), (2, 2)), IndexError,
        "image_crop: value 1099511627776 at position 1 is out of range"),
    Bad("image_crop-empty", lambda: ops.image_crop(cr.ones(1, 1, 0, 5), window, (2, 2), "edge"), ValueError,
        "image_crop: height and width must be positive"),
    Bad("image_crop-fill", lambda: ops.image_crop(x, window, (2, 2), fill=[1.0, 2.0]), ValueError,
        r"image_crop: fill must have one value or one for each of 3 channels, got shape \[2\]"),
    Bad("image_crop-fill-byte", lambda: ops.image_crop(byte, window, (2, 2), fill=256), ValueError,
        r"image_crop: fill must be in \[0, 255\] for uint8 images, got 256"),
    Bad("image_affine-rows", lambda: ops.image_affine(x, cr.ones(2, 3), (2, 2)), ValueError,
        r"image_affine: matrices must have shape \[2, 2, 3\] or \[1, 2, 3\], got \[2, 3\]"),
    Bad("image_affine-mode", lambda: ops.image_affine(x, matrix, (2, 2), "cubic"), ValueError,
        "image_affine: mode must be one of 'nearest', 'bilinear', got 'cubic'"),
    Bad("image_affine-empty", lambda: ops.image_affine(cr.ones(1, 1, 4, 0), matrix, (2, 2)), ValueError,
        "image_affine: height and width must be positive"),
    Bad("image_resize-size", lambda: ops.image_resize(x, box, (0, 2)), ValueError,
        r"image_resize: size must be positive and below 2\^31, got \[0, 2\]"),
    Bad("image_resize-mode", lambda: ops.image_resize(x, box, (2, 2), "bicubic"), ValueError,
        "image_resize: mode must be one of 'nearest', 'nearest-exact', 'bilinear', 'antialias', got 'bicubic'"),
    Bad("image_resize-corner", lambda: ops.image_resize(x, cr.tensor([[0, 5, 1, 1]]), (2, 2)), IndexError,
        r"image_resize: value 5 at position 1 is out of range \[0, 5\)"),
    Bad("image_resize-box", lambda: ops.image_resize(x, cr.tensor([[0, 0, 4, 5], [1, 0, 4, 5]]), (2, 2)), IndexError,
        r"image_resize: value 4 at position 6 is out of range \[1, 4\)"),
    Bad("image_resize-none", lambda: ops.image_resize(x, cr.tensor([[0, 0, 4, 0]]), (2, 2)), IndexError,
        r"image_resize: value 0 at position 3 is out of range \[1, 6\)"),
    Bad("image_color-channels", lambda: ops.image_color(cr.ones(1, 2, 4, 5), step, factor), ValueError,
        "image_color: x must have 1 or 3 channels, got 2"),
    Bad("image_color-kind", lambda: ops.image_color(x, cr.tensor([[4]]), factor), IndexError,
        r"image_color: value 4 at position 0 is out of range \[-1, 4\)"),
    Bad("image_color-factor", lambda: ops.image_color(x, step, -factor), ValueError,
        r"image_color: factors must be in \[0, 1e6\], got -1 at position 0"),
    Bad("image_color-hue", lambda: ops.image_color(x, cr.tensor([[3]]), factor), ValueError,
        r"image_color: a turn of hue must be in \[-0.5, 0.5\], got 1 at position 0"),
    Bad("image_color-shapes", lambda: ops.image_color(x, cr.tensor([[0], [1]]), factor), ValueError,
        r"image_color: kinds and factors must have one shape, got \[2, 1\] and \[1, 1\]"),
]  # fmt: skip
