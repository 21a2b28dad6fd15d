"""Functions of colours: adjustments, grey, blur, normalisation, erasing, noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import _validate, ops
from chainrule._core import float32, float64, uint8
from chainrule.creation import arange, tensor
from chainrule.random import rand, randn
from chainrule.tensor import Tensor
from chainrule.transforms import _check, _pil, _rows
from chainrule.transforms._images import as_batch, is_pil, like, white

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
GREY = (0.2989, 0.587, 0.114)  # ITU-R BT.601, with torchvision's digits


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Colours times a factor: 0 is black, 1 the image, 2 twice as bright; the result ends at white."""
    return _adjusted("adjust_brightness", img, BRIGHTNESS, "brightness_factor", brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Away from the image's mean grey, or towards it: 0 is all grey, 1 the image."""
    return _adjusted("adjust_contrast", img, CONTRAST, "contrast_factor", contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Away from each pixel's grey, or towards it: 0 is greyscale, 1 the image."""
    return _adjusted("adjust_saturation", img, SATURATION, "saturation_factor", saturation_factor)


def _adjusted(op: str, img: Any, kind: int, name: str, factor: float) -> Any:
    return _rows.color(op, img, [kind], [_validate.real(op, name, factor, "non-negative")])


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Hues turned by a part of the circle, in [-0.5, 0.5]; 0 is the image."""
    turns = _validate.real("adjust_hue", "hue_factor", hue_factor)
    if not -0.5 <= turns <= 0.5:
        raise ValueError(f"adjust_hue: hue_factor must be in [-0.5, 0.5], got {hue_factor}")
    return _rows.color("adjust_hue", img, [HUE], [turns])


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """0.2989 red + 0.587 green + 0.114 blue, in one channel or in three equal ones. One channel is grey already.

    Raises ValueError for other than 1 or 3 channels, in or out.
    """
    return grayscale("rgb_to_grayscale", img, num_output_channels)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """The same as rgb_to_grayscale."""
    return grayscale("to_grayscale", img, num_output_channels)


def grayscale(op: str, img: Any, channels: int) -> Any:
    if channels not in (1, 3):
        raise ValueError(f"{op}: num_output_channels must be 1 or 3, got {channels!r}")
    if is_pil(img):
        return _pil.grayscale(op, img, channels)
    batch = as_batch(op, img)
    if batch.shape[1] not in (1, 3):
        raise ValueError(f"{op}: needs 1 or 3 channels, got {batch.shape[1]} (image: {list(img.shape)})")
    grey = batch
    if batch.shape[1] == 3:
        wide = batch.float() if batch.dtype is uint8 else batch
        red, green, blue = (ops.mul(wide[:, c : c + 1], weight) for c, weight in enumerate(GREY))
        grey = _rows.to_dtype_of(batch, ops.add(ops.add(red, green), blue))
    return like(img, grey if channels == 1 else ops.cat([grey, grey, grey], 1))


def gaussian_blur(
    img: Any, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None
) -> Any:
    """Each pixel the mean of those around it, weighted by a normal distribution; edges are mirrored.

    Args:
        kernel_size: odd, an int or (width, height) in pixels, at most twice the image's size.
        sigma: of the distribution in pixels, a number or (x, y); 0.3 · ((kernel_size - 1) / 2 - 1) + 0.8 unless
            given.
    """
    sizes = _check.odd_pair("gaussian_blur", "kernel_size", kernel_size)
    if sigma is None:
        sigma = [0.3 * ((size - 1) * 0.5 - 1) + 0.8 for size in sizes]
    elif not isinstance(sigma, Sequence):
        sigma = [sigma]
    spread = _check.numbers("gaussian_blur", "sigma", sigma, (1, 2))
    if min(spread) <= 0:
        raise ValueError(f"gaussian_blur: sigma must be positive, got {sigma}")
    return _rows.blur("gaussian_blur", img, sizes, np.array([(spread * 2)[:2]]))


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(x - mean) / std, with a mean and a standard deviation for each channel, or one for all.

    Raises:
        TypeError: not a floating tensor.
        ValueError: a std of 0, another number of values than of channels.
    """
    return normalized("normalize", tensor, *statistics("normalize", mean, std), inplace)


def statistics(op: str, mean: Any, std: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, checked."""
    mean, std = np.atleast_1d(np.asarray(mean, np.float64)), np.atleast_1d(np.asarray(std, np.float64))
    if mean.ndim != 1 or std.ndim != 1 or not (np.isfinite(mean).all() and np.isfinite(std).all()):
        raise ValueError(
            f"{op}: mean and std must be finite numbers, one for each channel, got {mean}, {std}"
        )
    if (std == 0).any():
        raise ValueError(f"{op}: std must not be 0, got {std.tolist()}")
    return mean, std


def normalized(op: str, image: Any, mean: np.ndarray, std: np.ndarray, inplace: bool) -> Tensor:
    if is_pil(image):
        raise TypeError(f"{op}: expects a floating tensor, got a PIL image; ToTensor comes before")
    batch = as_batch(op, image)
    if batch.dtype is uint8:
        raise TypeError(f"{op}: expects a floating tensor, got uint8; ConvertImageDtype comes before")
    channels = batch.shape[1]
    if not {len(mean), len(std)} <= {1, channels}:
        raise ValueError(
            f"{op}: mean and std must have one value or one for each of {channels} channels, got {mean.tolist()}, "
            f"{std.tolist()} (image: {list(image.shape)})"
        )
    shape = (-1, 1, 1)
    middle, spread = (tensor(values.reshape(shape), dtype=image.dtype) for values in (mean, std))
    if inplace:
        return image.sub_(middle).div_(spread)
    return ops.div(ops.sub(image, middle), spread)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """A rectangle with upper left corner (i, j), height h and width w, overwritten by v.

    v is a number, or a tensor that broadcasts to the rectangle, (C, 1, 1) for one colour.
    """
    if is_pil(img):
        raise TypeError("erase: expects a tensor, got a PIL image; ToTensor comes before")
    as_batch("erase", img)
    height, width = img.shape[-2:]
    if not (0 <= i <= i + h <= height and 0 <= j <= j + w <= width):
        raise ValueError(
            f"erase: i, j, h, w {[i, j, h, w]} must be inside of the image, whose height is {height} and width {width}"
        )
    out = img if inplace else ops.clone(img)
    out[..., i : i + h, j : j + w] = v
    return out


def erased(image: Tensor, boxes: np.ndarray, values: Any) -> Tensor:
    """Boxes [N, 4] (top, left, height, width; height 0: none) of a batch overwritten."""
    height, width = image.shape[-2:]
    top, left, tall, wide = (tensor(column.reshape(-1, 1, 1, 1)) for column in boxes.astype(np.int64).T)
    row, column = arange(height).reshape(1, 1, -1, 1), arange(width)
    rows = ops.logical_and(ops.ge(row, top), ops.lt(row, ops.add(top, tall)))
    columns = ops.logical_and(ops.ge(column, left), ops.lt(column, ops.add(left, wide)))
    return ops.where(ops.logical_and(rows, columns), values, image)


def gaussian_noise(img: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    """Independent normal noise added to every value, from the default generator.

    Args:
        mean, sigma: in units of white: of uint8 images they are multiplied by 255.
        clip: whether results end at black and white; bytes always do.
    """
    mean, sigma = (
        _validate.real("gaussian_noise", n, v, r)
        for n, v, r in (("mean", mean, ""), ("sigma", sigma, "non-negative"))
    )
    return noisy("gaussian_noise", img, mean, sigma, clip)


def noisy(op: str, image: Any, mean: float, sigma: float, clip: bool) -> Any:
    if is_pil(image):
        return _pil.through_tensor(op, image, lambda x: noisy(op, x, mean, sigma, clip))
    as_batch(op, image)
    top = white(image)
    noise = randn(*image.shape, dtype=float64 if image.dtype is float64 else float32)
    out = ops.add(ops.add(image, mean * top), ops.mul(noise, sigma * top))
    return _rows.to_dtype_of(image, ops.clamp(out, 0.0, top) if clip else out)


def salt_and_pepper(img: Any, amount: float = 0.05, salt_vs_pepper: float = 0.5) -> Any:
    """White and black pixels at random (speckle), in all channels at once, from the default generator.

    Args:
        amount: the share of pixels that are replaced.
        salt_vs_pepper: the share of white ones among these.
    """
    amount = _check.probability("salt_and_pepper", amount, "amount")
    salt = _check.probability("salt_and_pepper", salt_vs_pepper, "salt_vs_pepper")
    return speckled("salt_and_pepper", img, amount, salt)


def speckled(op: str, image: Any, amount: float, salt: float) -> Any:
    if is_pil(image):
        return _pil.through_tensor(op, image, lambda x: speckled(op, x, amount, salt))
    batch = as_batch(op, image)
    n, _, height, width = batch.shape
    u = rand(n, 1, height, width)
    black, top = tensor(0, dtype=image.dtype), tensor(white(image), dtype=image.dtype)
    # White where u < amount · salt, black above that and below amount.
    spots = ops.where(ops.lt(u, amount * salt), top, black)
    return like(image, ops.where(ops.lt(u, amount), spots, batch))
