"""Crops, padding and other sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import _validate
from chainrule.transforms import _check, _rows
from chainrule.transforms import functional as F
from chainrule.transforms._check import InterpolationMode
from chainrule.transforms._images import draws, sizes


class Resize:
    """The image in another size; arguments and errors as functional.resize.

    Example:
        >>> Resize(64)(zeros(3, 100, 200)).shape
        (3, 64, 128)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode | str = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        _check.size_pair("Resize", "size", size)
        self.size = size
        self.interpolation = _check.interpolation("Resize", interpolation)
        self.max_size = max_size
        self.antialias = antialias

    def __call__(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        return (
            f"Resize(size={self.size}, interpolation={self.interpolation.value}, max_size={self.max_size}, "
            f"antialias={self.antialias})"
        )


class CenterCrop:
    """The middle of the image, with zeros around it where it is smaller than `size`."""

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _check.size_pair("CenterCrop", "size", size)

    def __call__(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"


class Pad:
    """The image with a border; arguments and errors as functional.pad."""

    def __init__(
        self, padding: int | Sequence[int], fill: float | Sequence[float] = 0, padding_mode: str = "constant"
    ) -> None:
        _check.padding_sides("Pad", padding)
        self.padding = padding
        self.fill = fill
        self.padding_mode = _validate.choice("Pad", "padding_mode", padding_mode, _rows.BORDERS)

    def __call__(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"Pad(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class RandomCrop:
    """A window of the image, anywhere with the same probability; padding is part of where it may lie.

    Two numbers are drawn for each image.

    Args:
        size: (height, width), or an int for both.
        padding: around the image, as in functional.pad.
        pad_if_needed: whether an image smaller than `size` gets a border on both sides instead of an error.
        fill, padding_mode: as in functional.pad.

    Raises:
        ValueError: the padded image is smaller than `size`.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.size = _check.size_pair("RandomCrop", "size", size)
        self._sides = _check.padding_sides("RandomCrop", 0 if padding is None else padding)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = _validate.choice("RandomCrop", "padding_mode", padding_mode, _rows.BORDERS)

    def __call__(self, img: Any) -> Any:
        images, _, *own = sizes("RandomCrop", img)
        left, top, right, bottom = self._sides
        low, high = [-top, -left], [own[0] + bottom, own[1] + right]  # corners of the padded image
        if high[0] - low[0] < self.size[0] or high[1] - low[1] < self.size[1]:
            self._pad_further(low, high)
        if self.padding_mode != "constant":
            sides = (-low[1], -low[0], high[1] - own[1], high[0] - own[0])
            F.check_border("RandomCrop", self.padding_mode, sides, *own)
        places = [high[axis] - low[axis] - self.size[axis] + 1 for axis in (0, 1)]
        windows = np.zeros((images, 4), np.int64)
        windows[:, :2] = draws(images, 2) * places
        windows[:, :2] += low
        return _rows.crop("RandomCrop", img, windows, self.size, self.padding_mode, self.fill)

    def _pad_further(self, low: list[int], high: list[int]) -> None:
        """As much on both sides as is missing."""
        padded = [high[axis] - low[axis] for axis in (0, 1)]
        if not self.pad_if_needed:
            raise ValueError(
                f"RandomCrop: size {list(self.size)} must fit into the padded image, whose height and width are "
                f"{padded}; pad_if_needed=True pads further"
            )
        for axis in (0, 1):
            missing = max(self.size[axis] - padded[axis], 0)
            low[axis] -= missing
            high[axis] += missing

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomResizedCrop:
    """A part of the image with random area and proportion, in another size.

    22 numbers are drawn for each image: ten tries of area and proportion, of which the first that fits is taken
    (else the largest part in the middle whose proportion is allowed), and the place.

    Args:
        size: of the result, (height, width), or an int for both.
        scale: smallest and largest area, as a share of the image's.
        ratio: smallest and largest width by height; its logarithm is drawn uniformly.
        interpolation, antialias: as in functional.resize.
    """

    _TRIES = 10

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: InterpolationMode | str = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        op = "RandomResizedCrop"
        self.size = _check.size_pair(op, "size", size)
        self.scale = _check.span(op, "scale", scale, 0.0)
        self.ratio = _check.span(op, "ratio", ratio, np.finfo(float).tiny)
        self.interpolation = _check.interpolation(op, interpolation)
        self.antialias = antialias

    def __call__(self, img: Any) -> Any:
        images, _, height, width = sizes("RandomResizedCrop", img)
        F.check_room("RandomResizedCrop", height, width)
        u = draws(images, 2 * self._TRIES + 2)
        found, fits = random_sizes(u[:, :-2], height, width, self.scale, self.ratio)
        first = fits.argmax(1)
        chosen = np.where(fits.any(1)[:, None], found[np.arange(images), first], self._whole(height, width))
        room = np.array([height, width]) - chosen
        corners = (u[:, -2:] * (room + 1)).astype(np.int64)
        corners = np.where(fits.any(1)[:, None], corners, room // 2)
        boxes = np.concatenate([corners, chosen], 1)
        return _rows.resize("RandomResizedCrop", img, boxes, self.size, self.interpolation, self.antialias)

    def _whole(self, height: int, width: int) -> tuple[int, int]:
        low, high = self.ratio
        if width < low * height:
            return min(max(round(width / low), 1), height), width
        if width > high * height:
            return height, min(max(round(height * high), 1), width)
        return height, width

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(value, 4) for value in pair) for pair in (self.scale, self.ratio))
        return (
            f"RandomResizedCrop(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def random_sizes(
    u: np.ndarray, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """From pairs of draws [N, 2 · tries] sizes [N, tries, 2] (height, width), and which of them fit into the image."""
    area, shape = u[:, 0::2], u[:, 1::2]
    area = (scale[0] + area * (scale[1] - scale[0])) * height * width
    low, high = np.log(ratio)
    shape = np.exp(low + shape * (high - low))
    found = np.stack([np.rint(np.sqrt(area / shape)), np.rint(np.sqrt(area * shape))], 2).astype(np.int64)
    fits = ((found >= 1) & (found <= (height, width))).all(2)
    return found, fits
