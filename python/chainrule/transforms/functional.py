"""The transforms as functions of an image and of what is done to it: torchvision.transforms.functional's names.

An image is a PIL image, a tensor [C, H, W], or a batch [N, C, H, W], of uint8 (0 to 255) or floating (0 to 1 where
colours are meant). Each function leaves its argument as it was, and none has a gradient. Errors are ValueError or
TypeError and name the function, the rule and the values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import _validate
from chainrule.transforms import _check, _matrices, _rows
from chainrule.transforms._check import InterpolationMode
from chainrule.transforms._color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    erase,
    gaussian_blur,
    gaussian_noise,
    normalize,
    rgb_to_grayscale,
    salt_and_pepper,
    to_grayscale,
)
from chainrule.transforms._convert import convert_image_dtype, pil_to_tensor, to_pil_image, to_tensor
from chainrule.transforms._images import sizes

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "erase",
    "gaussian_blur",
    "gaussian_noise",
    "get_dimensions",
    "get_image_size",
    "hflip",
    "normalize",
    "pad",
    "pil_to_tensor",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "salt_and_pepper",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    return list(sizes("get_dimensions", img)[1:])


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    _, _, height, width = sizes("get_image_size", img)
    return [width, height]


def resize(
    img: Any,
    size: int | Sequence[int],
    interpolation: InterpolationMode | str = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The image in another size.

    Args:
        size: (height, width); an int is the smaller edge, and the other keeps the proportion.
        interpolation: bilinear, nearest or nearest-exact. Of tensors, nearest takes pixel floor(i · scale) as
            PyTorch does; of PIL images it is Pillow's, which nearest-exact is for both.
        max_size: with an int `size`: the larger edge is at most that.
        antialias: whether bilinear shrinking weights all pixels below an output pixel, as Pillow always does. With
            it tensors agree with Pillow within one level of 255.
    """
    mode = _check.interpolation("resize", interpolation)
    _, _, height, width = sizes("resize", img)
    target = _target_size(size, max_size, height, width)
    if target == (height, width):
        return img
    check_room("resize", height, width)
    return _rows.resize("resize", img, [0, 0, height, width], target, mode, antialias)


def check_room(op: str, height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ValueError(f"{op}: the image must have pixels, got height {height} and width {width}")


def _target_size(size: Any, max_size: int | None, height: int, width: int) -> tuple[int, int]:
    if isinstance(size, Sequence) and not isinstance(size, str) and len(size) == 2:
        if max_size is not None:
            raise ValueError(f"resize: max_size needs an int size, got size={size}, max_size={max_size}")
        return _check.size_pair("resize", "size", size)
    short, _ = _check.size_pair("resize", "size", size)
    if max_size is not None and _validate.integer("resize", "max_size", max_size) <= short:
        raise ValueError(f"resize: max_size must be larger than size, got size={size}, max_size={max_size}")
    smaller, larger = min(height, width), max(height, width)
    long = max(int(short * larger / max(smaller, 1)), 1)
    if max_size is not None and long > max_size:
        short, long = max(int(max_size * short / long), 1), max_size
    return (short, long) if height <= width else (long, short)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The window whose corner is at (top, left); beyond the image it is 0."""
    top, left = (_validate.integer("crop", n, v, -(2**31)) for n, v in (("top", top), ("left", left)))
    size = tuple(_validate.integer("crop", n, v) for n, v in (("height", height), ("width", width)))
    return _rows.crop("crop", img, [top, left, 0, 0], size)


def center_crop(img: Any, output_size: int | Sequence[int]) -> Any:
    """The middle of the image; one that is smaller gets zeros around it."""
    size = _check.size_pair("center_crop", "output_size", output_size)
    _, _, *own = sizes("center_crop", img)
    corner = [
        round((have - want) / 2) if want <= have else -((want - have) // 2) for have, want in zip(own, size)
    ]
    return _rows.crop("center_crop", img, [*corner, 0, 0], size)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: InterpolationMode | str = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """A part of the image in another size; the part must be inside of the image."""
    mode = _check.interpolation("resized_crop", interpolation)
    target = _check.size_pair("resized_crop", "size", size)
    _, _, rows, columns = sizes("resized_crop", img)
    box = [top, left, height, width]
    if min(top, left) < 0 or not (1 <= height <= rows - top and 1 <= width <= columns - left):
        raise ValueError(
            f"resized_crop: top, left, height, width {box} must be inside of the image, whose height is {rows} and "
            f"width {columns}"
        )
    return _rows.resize("resized_crop", img, box, target, mode, antialias)


def pad(
    img: Any, padding: int | Sequence[int], fill: float | Sequence[float] = 0, padding_mode: str = "constant"
) -> Any:
    """The image with a border.

    Args:
        padding: an int, (left and right, top and bottom), or (left, top, right, bottom).
        fill: of a constant border: a number, or one for each channel.
        padding_mode: 'constant', 'edge' (the nearest pixel), 'reflect' (mirrored at the outermost pixel) or
            'symmetric' (mirrored at the edge). Mirrored padding must fit into the image.
    """
    left, top, right, bottom = _check.padding_sides("pad", padding)
    border = _validate.choice("pad", "padding_mode", padding_mode, _rows.BORDERS)
    _, _, height, width = sizes("pad", img)
    check_border("pad", border, (left, top, right, bottom), height, width)
    size = (height + top + bottom, width + left + right)
    return _rows.crop("pad", img, [-top, -left, 0, 0], size, border, fill)


def check_border(op: str, border: str, sides: tuple[int, int, int, int], height: int, width: int) -> None:
    """ValueError where there are too few pixels to mirror."""
    left, top, right, bottom = sides
    spare = {"constant": np.inf, "edge": np.inf, "reflect": -1, "symmetric": 0}[border]
    if border != "constant":
        check_room(op, height, width)
    if max(left, right) > width + spare or max(top, bottom) > height + spare:
        raise ValueError(
            f"{op}: padding_mode {border!r} mirrors at most {'one pixel less than ' if spare else ''}the image, got "
            f"padding {list(sides)} (left, top, right, bottom) for height {height} and width {width}"
        )


def hflip(img: Any) -> Any:
    """Mirrored: left is right."""
    return _flipped("hflip", img, 0, 1)


def vflip(img: Any) -> Any:
    """Upside down."""
    return _flipped("vflip", img, 1, 0)


def _flipped(op: str, img: Any, rows: int, columns: int) -> Any:
    _, _, *size = sizes(op, img)
    return _rows.crop(op, img, [0, 0, rows, columns], tuple(size))


def rotate(
    img: Any,
    angle: float,
    interpolation: InterpolationMode | str = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: float | Sequence[float] | None = None,
) -> Any:
    """The image turned counter-clockwise by `angle` degrees.

    Args:
        interpolation: nearest or bilinear.
        expand: whether the result is large enough to hold all of the image; `center` has no effect on it then.
        center: the fixed point (x, y), in pixels from the upper left corner; the middle unless given.
        fill: what corners show that come from outside of the image: a number, or one for each channel.
    """
    mode = _check.interpolation("rotate", interpolation)
    angle = np.array([_validate.real("rotate", "angle", angle)])
    _, _, height, width = sizes("rotate", img)
    middle = fixed_point("rotate", center, height, width)
    linear = _matrices.rotations(angle)
    if not expand:
        return _rows.affine(
            "rotate", img, _matrices.about(linear, middle, middle), (height, width), mode, fill
        )
    size = _matrices.turned_size(linear[0], height, width)
    own = np.array([width / 2, height / 2])
    matrices = _matrices.about(linear, own, np.array([size[1] / 2, size[0] / 2]))
    return _rows.affine("rotate", img, matrices, size, mode, fill)


def fixed_point(op: str, center: Sequence[float] | None, height: int, width: int) -> np.ndarray:
    """(x, y), the middle unless given."""
    if center is None:
        return np.array([width / 2, height / 2])
    return np.array(_check.numbers(op, "center", center, (2,)))


def affine(
    img: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode | str = InterpolationMode.NEAREST,
    fill: float | Sequence[float] | None = None,
    center: Sequence[float] | None = None,
) -> Any:
    """The image scaled, sheared and turned clockwise about `center`, then moved.

    Args:
        angle: degrees, clockwise (unlike `rotate`, as in torchvision).
        translate: pixels to the right and down.
        scale: positive.
        shear: degrees, of the x axis, or of both.
        interpolation, fill, center: as in `rotate`.
    """
    mode = _check.interpolation("affine", interpolation)
    _, _, height, width = sizes("affine", img)
    move = np.array(_check.numbers("affine", "translate", translate, (2,)))
    shear = _check.numbers("affine", "shear", shear if isinstance(shear, Sequence) else (shear,), (1, 2))
    shear = np.array([[*shear, 0.0][:2]])
    scale = np.array([_validate.real("affine", "scale", scale, "positive")])
    angle = np.array([_validate.real("affine", "angle", angle)])
    middle = fixed_point("affine", center, height, width)
    matrices = _matrices.about(_matrices.sheared(angle, scale, shear), middle, middle + move)
    return _rows.affine("affine", img, matrices, (height, width), mode, fill)
