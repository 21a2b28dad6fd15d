"""The few things that transforms are made of, on tensors and on PIL images.

What is done is an array with one row for each image or one for all: windows, matrices, boxes, colour steps, sigmas.
See `chainrule.ops.image` for what the rows mean. A PIL image is one image and takes the first row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import _core, ops
from chainrule._core import uint8
from chainrule.creation import tensor
from chainrule.tensor import Tensor
from chainrule.transforms import _pil
from chainrule.transforms._check import InterpolationMode
from chainrule.transforms._images import as_batch, is_pil, like

Size = tuple[int, int]
BORDERS = ("constant", "edge", "reflect", "symmetric")


def crop(op: str, image: Any, windows: Any, size: Size, border: str = "constant", fill: Any = 0) -> Any:
    """Windows [N or 1, 4], int64, of the images, beyond their edges if need be."""
    windows = np.asarray(windows, np.int64).reshape(-1, 4)
    if is_pil(image):
        return _pil.crop(op, image, windows[0], size, border, fill)
    batch = as_batch(op, image)
    return like(
        image, ops.image_crop(batch, _core.copy_numpy(windows), size, border, fill_of(op, batch, fill))
    )


def affine(op: str, image: Any, matrices: Any, size: Size, mode: InterpolationMode, fill: Any = 0) -> Any:
    """The images seen through matrices [N or 1, 2, 3], float64."""
    if is_pil(image):
        return _pil.affine(op, image, matrices[0], size, mode, fill)
    batch = as_batch(op, image)
    sampling = "bilinear" if mode is InterpolationMode.BILINEAR else "nearest"
    fill = fill_of(op, batch, fill)
    return like(image, ops.image_affine(batch, _core.copy_numpy(matrices), size, sampling, fill))


def resize(
    op: str, image: Any, boxes: Any, size: Size, mode: InterpolationMode, antialias: bool | None = True
) -> Any:
    """Boxes [N or 1, 4], int64, of the images in another size."""
    boxes = np.asarray(boxes, np.int64).reshape(-1, 4)
    if is_pil(image):
        return _pil.resize(image, boxes[0], size, mode)
    smooth = mode is InterpolationMode.BILINEAR and antialias
    batch = as_batch(op, image)
    return like(
        image, ops.image_resize(batch, _core.copy_numpy(boxes), size, "antialias" if smooth else mode.value)
    )


def color(op: str, image: Any, kinds: Any, factors: Any) -> Any:
    """Colour steps [N or 1, S] with their factors."""
    kinds, factors = (
        np.atleast_2d(np.asarray(kinds, np.int64)),
        np.atleast_2d(np.asarray(factors, np.float64)),
    )
    if is_pil(image):
        return _pil.color(op, image, kinds[0], factors[0])
    batch = as_batch(op, image)
    if batch.shape[1] not in (1, 3):
        raise ValueError(f"{op}: needs 1 or 3 channels, got {batch.shape[1]} (image: {list(image.shape)})")
    return like(image, ops.image_color(batch, _core.copy_numpy(kinds), _core.copy_numpy(factors)))


def blur(op: str, image: Any, kernel_size: Size, sigmas: np.ndarray) -> Any:
    """A Gaussian of kernel_size (width, height) pixels with sigmas [N or 1, 2] for x and y; edges are mirrored."""
    if is_pil(image):
        return _pil.through_tensor(op, image, lambda x: blur(op, x, kernel_size, sigmas))
    batch = as_batch(op, image)
    n, channels, height, width = batch.shape
    across, down = kernel_size
    if down // 2 >= height or across // 2 >= width:
        raise ValueError(
            f"{op}: half of kernel_size {list(kernel_size)} (width, height) must be less than the image's sizes "
            f"(image: {list(image.shape)})"
        )
    whole = (height + down // 2 * 2, width + across // 2 * 2)
    padded = ops.image_crop(batch, tensor([[-(down // 2), -(across // 2), 0, 0]]), whole, "reflect")
    x = padded.float() if padded.dtype is uint8 else padded
    x = x.reshape(1, n * channels, *whole)
    for size, sigma, shape in ((down, sigmas[:, 1], (down, 1)), (across, sigmas[:, 0], (1, across))):
        kernel = np.broadcast_to(
            _gaussian(size, sigma)[:, None], (len(sigma) if len(sigma) > 1 else n, channels, size)
        )
        weight = tensor(kernel.reshape(n * channels, 1, *shape), dtype=x.dtype)
        x = ops.conv2d(x, weight, groups=n * channels)
    return like(image, to_dtype_of(batch, x.reshape(n, channels, height, width)))


def _gaussian(size: int, sigma: np.ndarray) -> np.ndarray:
    """[N, size], each row of sum 1."""
    x = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (x / sigma[:, None]) ** 2)
    return weights / weights.sum(1, keepdims=True)


def to_dtype_of(image: Tensor, x: Tensor) -> Tensor:
    """Colours computed in floating point as the image holds them: bytes are rounded and limited."""
    if image.dtype is not uint8:
        return x
    return ops.cast(ops.clamp(ops.round(x), 0.0, 255.0), uint8)


def fill_of(op: str, batch: Tensor, fill: Any) -> Any:
    """None is 0; a sequence has one number for each channel."""
    if fill is None or (type(fill) in (int, float) and 0 <= fill <= 255):
        return fill or 0
    values = np.atleast_1d(np.asarray(fill, np.float64))
    if values.ndim != 1 or len(values) not in (1, batch.shape[1]):
        raise ValueError(
            f"{op}: fill must be a number or one for each of {batch.shape[1]} channels, got {fill!r} "
            f"(images: {list(batch.shape)})"
        )
    if batch.dtype is uint8 and not ((values >= 0) & (values <= 255)).all():
        raise ValueError(f"{op}: fill must be in [0, 255] for uint8 images, got {fill!r}")
    return values
