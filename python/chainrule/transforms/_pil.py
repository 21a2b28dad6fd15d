"""The same on PIL images, by Pillow. Imported without Pillow; a function here is called with a PIL image only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.creation import tensor
from chainrule.transforms._check import InterpolationMode
from chainrule.transforms._images import pil

_SEVERAL_BYTES = {"I": np.int64, "I;16": np.int64, "F": np.float32}  # no colours of 0 to 255


def resampling(mode: InterpolationMode) -> Any:
    kinds = pil("interpolation").Resampling
    return kinds.BILINEAR if mode is InterpolationMode.BILINEAR else kinds.NEAREST


def fill_of(op: str, image: Any, fill: Any) -> Any:
    """A number for images of one band, else a tuple of one for each."""
    bands = len(image.getbands())
    values = np.atleast_1d(np.asarray(0 if fill is None else fill))
    if len(values) not in (1, bands):
        raise ValueError(
            f"{op}: fill must be a number or one for each of {bands} channels, got {fill!r} (mode: {image.mode})"
        )
    plain = [value if image.mode == "F" else int(value) for value in values.tolist()]
    return plain[0] if bands == 1 else tuple(plain * (bands // len(plain)))


def crop(op: str, image: Any, window: np.ndarray, size: tuple[int, int], border: str, fill: Any) -> Any:
    top, left, flip_rows, flip_columns = (int(value) for value in window)
    height, width = size
    if border == "constant":
        out = _crop_constant(op, image, top, left, height, width, fill)
    else:
        rows = _mirrored(top + np.arange(height), image.height, border)
        columns = _mirrored(left + np.arange(width), image.width, border)
        out = pil(op).fromarray(np.asarray(image)[np.ix_(rows, columns)])
        if image.mode == "P":
            out.putpalette(image.getpalette())
    flips = pil(op).Transpose
    if flip_rows:
        out = out.transpose(flips.FLIP_TOP_BOTTOM)
    return out.transpose(flips.FLIP_LEFT_RIGHT) if flip_columns else out


def _crop_constant(op: str, image: Any, top: int, left: int, height: int, width: int, fill: Any) -> Any:
    color = fill_of(op, image, fill)
    beyond = top < 0 or left < 0 or top + height > image.height or left + width > image.width
    if not beyond or not np.any(color):
        return image.crop((left, top, left + width, top + height))
    out = pil(op).new(image.mode, (width, height), color)
    if image.mode == "P":
        out.putpalette(image.getpalette())
    out.paste(image, (-left, -top))
    return out


def _mirrored(at: np.ndarray, size: int, border: str) -> np.ndarray:
    """Positions outside of 0 .. size - 1 as the border says."""
    if border == "edge" or size == 1:
        return np.clip(at, 0, size - 1)
    period = 2 * size - 2 if border == "reflect" else 2 * size
    at = at % period
    return np.where(at < size, at, period - (0 if border == "reflect" else 1) - at)


def affine(
    op: str, image: Any, matrix: np.ndarray, size: tuple[int, int], mode: InterpolationMode, fill: Any
) -> Any:
    data = [float(value) for value in np.ravel(matrix)]
    return image.transform(
        (size[1], size[0]),
        pil(op).Transform.AFFINE,
        data,
        resampling(mode),
        fillcolor=fill_of(op, image, fill),
    )


def resize(image: Any, box: np.ndarray, size: tuple[int, int], mode: InterpolationMode) -> Any:
    top, left, height, width = (int(value) for value in box)
    if (top, left, height, width) != (0, 0, image.height, image.width):
        image = image.crop((left, top, left + width, top + height))
    return image.resize((size[1], size[0]), resampling(mode))


def color(op: str, image: Any, kinds: np.ndarray, factors: np.ndarray) -> Any:
    from PIL import ImageEnhance

    if image.mode not in ("L", "RGB", "RGBA"):
        raise ValueError(f"{op}: needs a PIL image of mode L, RGB or RGBA, got {image.mode}")
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind, factor in zip(kinds.tolist(), factors.tolist(), strict=True):
        if 0 <= kind < len(enhancers):
            image = enhancers[kind](image).enhance(factor)
        elif kind == len(enhancers) and image.mode != "L":
            image = _turn_hues(op, image, factor)
    return image


def _turn_hues(op: str, image: Any, turns: float) -> Any:
    """By a number of turns; Pillow keeps the hue in a byte, and 255 make a turn, as in torchvision."""
    Image = pil(op)
    hue, saturation, value = image.convert("RGB").convert("HSV").split()
    moved = (np.asarray(hue).astype(np.int64) + int(turns * 255)) % 256
    out = Image.merge("HSV", (Image.fromarray(moved.astype(np.uint8)), saturation, value)).convert("RGB")
    if image.mode == "RGBA":
        out.putalpha(image.getchannel("A"))
    return out


def grayscale(op: str, image: Any, channels: int) -> Any:
    if image.mode not in ("L", "RGB", "RGBA"):
        raise ValueError(f"{op}: needs a PIL image of mode L, RGB or RGBA, got {image.mode}")
    grey = image.convert("L")
    return grey if channels == 1 else pil(op).merge("RGB", (grey, grey, grey))


def to_array(op: str, image: Any) -> np.ndarray:
    """The pixels, [H, W, C]: bytes, or what modes of more bits hold."""
    if image.mode in ("P", "PA"):
        raise ValueError(
            f"{op}: mode {image.mode} holds numbers of a palette; use image.convert('RGB') first"
        )
    pixels = np.asarray(image)
    if image.mode == "1":
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    pixels = pixels.astype(_SEVERAL_BYTES.get(image.mode, np.uint8), copy=False)
    return pixels.reshape(image.height, image.width, -1)


def to_tensor(op: str, image: Any) -> Any:
    return tensor(np.ascontiguousarray(to_array(op, image).transpose(2, 0, 1)))


def to_image(op: str, pixels: np.ndarray, mode: str | None) -> Any:
    """From [H, W, C]: the mode follows from the number of channels unless given."""
    channels = pixels.shape[2]
    usual = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
    possible = {1: ("L", "1"), 2: ("LA",), 3: ("RGB", "YCbCr", "HSV", "LAB"), 4: ("RGBA", "CMYK", "RGBX")}
    if channels not in usual:
        raise ValueError(f"{op}: images have 1 to 4 channels, got {channels}")
    wanted = mode or usual[channels]
    if wanted not in possible[channels]:
        raise ValueError(
            f"{op}: mode must be one of {', '.join(possible[channels])} for {channels} channels, got {mode!r}"
        )
    Image = pil(op)
    pixels = np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels)
    if wanted == "1":
        return Image.fromarray(pixels).convert("1")
    height, width = pixels.shape[:2]
    return Image.frombytes(wanted, (width, height), pixels.tobytes())


def through_tensor(op: str, image: Any, change: Callable[[Any], Any]) -> Any:
    """What Pillow does not have: as a tensor, and back in the image's mode."""
    changed = change(to_tensor(op, image)).numpy()
    return to_image(op, changed.transpose(1, 2, 0), image.mode)
