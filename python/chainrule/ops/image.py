"""Batches of images: windows of them, affine maps, other sizes, other colours. `chainrule.transforms` is made of these.

Images are [N, C, H, W] of uint8, float32 or float64. What is done to them is a tensor with one row for each image,
or a single row for all, so that images of one batch may be treated differently. A point is measured in pixels from
the upper left corner, to the right and down: pixel (i, j) has its centre at x = j + ½, y = i + ½.

These ops have no gradient: results do not require one. Bytes are computed in float32 and rounded to the nearest.
"""

from __future__ import annotations

import numpy as np

from chainrule import _core
from chainrule.autograd import _unwrap, wrap

__all__ = ["image_affine", "image_color", "image_crop", "image_resize"]


def _fill(op, x, fill):
    """One value or one for each channel, as a native float64 tensor; bytes must be able to hold them."""
    if type(fill) in (int, float) and 0 <= fill <= 255:  # the usual case, fast
        return _core.full((1,), float(fill), _core.float64)
    values = np.atleast_1d(np.asarray(fill, np.float64))
    if x.dtype is _core.uint8 and not ((values >= 0) & (values <= 255)).all():
        raise ValueError(f"{op}: fill must be in [0, 255] for uint8 images, got {fill}")
    return _core.copy_numpy(values)


def image_crop(input, windows, size, border="constant", fill=0.0):
    """A window of each image, which may reach beyond it, upside down or mirrored if wanted.

    Args:
        windows: int64 [N, 4] or [1, 4]: top, left, whether to turn upside down (0 or 1), whether to mirror.
        size: (height, width) of the windows.
        border: what lies outside: 'constant' (`fill`), 'edge' (the nearest pixel), 'reflect' (mirrored at the
            outermost pixel, which occurs once) or 'symmetric' (mirrored at the edge).
        fill: a number, or one for each channel.

    Raises:
        ValueError: not 4 dimensions, a negative size, windows or fill of another shape, an unknown border, an empty
            image with a border other than 'constant'.
        TypeError: images of another dtype, windows that are not int64.
        IndexError: an offset of 2^31 or more.

    Example:
        >>> image_crop(tensor([[[[1.0, 2.0]]]]), tensor([[0, -1, 0, 1]]), (1, 3))
        tensor([[[[2., 1., 0.]]]])
    """
    x = _unwrap(input)
    return wrap(_core.image_crop(x, windows, _fill("image_crop", x, fill), tuple(size), border))


def image_affine(input, matrices, size, mode="nearest", fill=0.0):
    """Each image seen through an affine map: the output at point p shows the image at matrix · (p, 1).

    Args:
        matrices: [N, 2, 3] or [1, 2, 3], from output to source, computed in float64.
        size: (height, width) of the output.
        mode: 'nearest' takes the pixel that the point lies in; 'bilinear' interpolates between the four centres
            around it, of which those beyond the edge count as the pixel at the edge.
        fill: what points outside of the image show: a number, or one for each channel.

    Raises:
        ValueError: not 4 dimensions, an empty image, a negative size, matrices or fill of another shape, an
            unknown mode.
        TypeError: images of another dtype.

    Example:
        >>> image_affine(tensor([[[[1.0, 2.0, 3.0]]]]), tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]]), (1, 3))
        tensor([[[[2., 3., 0.]]]])
    """
    x = _unwrap(input)
    matrices = _core.cast(matrices, _core.float64)
    return wrap(_core.image_affine(x, matrices, _fill("image_affine", x, fill), tuple(size), mode))


def image_resize(input, boxes, size, mode="antialias"):
    """A box of each image in another size.

    Args:
        boxes: int64 [N, 4] or [1, 4]: top, left, height and width, inside of the image.
        size: (height, width) of the output.
        mode: 'bilinear' interpolates between the pixels around an output pixel's centre; 'antialias' weights all
            that lie below it with a triangle, as wide as two output pixels where these are larger (Pillow's
            bilinear filter); 'nearest' takes pixel floor(i · scale), 'nearest-exact' floor((i + ½) · scale).

    Raises:
        ValueError: not 4 dimensions, an empty image, a size that is not positive, boxes of another shape, an
            unknown mode.
        TypeError: images of another dtype, boxes that are not int64.
        IndexError: a box that is not inside of the image.

    Example:
        >>> image_resize(tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), tensor([[0, 0, 1, 4]]), (1, 2), "bilinear")
        tensor([[[[1.5000, 3.5000]]]])
    """
    return wrap(_core.image_resize(input, boxes, tuple(size), mode))


def image_color(input, kinds, factors):
    """Steps that change colours, in each image's own order; floating colours are from 0 to 1, bytes from 0 to 255.

    Each step ends between black and white. With grey = 0.2989 red + 0.587 green + 0.114 blue (ITU-R BT.601):

    | kind | result |
    |---|---|
    | 0 brightness | factor · x |
    | 1 contrast | factor · x + (1 - factor) · mean of all greys |
    | 2 saturation | factor · x + (1 - factor) · grey |
    | 3 hue | the hue turned by `factor` turns, in HSV |
    | -1 | x |

    One channel is grey already: saturation and hue leave it.

    Args:
        kinds: int64 [N, S] or [1, S], the steps of each image in order.
        factors: float64 of that shape, in [0, 1e6], of hue in [-0.5, 0.5].

    Raises:
        ValueError: not 4 dimensions, other than 1 or 3 channels, kinds or factors of another shape, a factor
            outside of its range.
        TypeError: images of another dtype, kinds that are not int64, factors that are not float64.
        IndexError: an unknown kind.
    """
    return wrap(_core.image_color(input, kinds, factors))
