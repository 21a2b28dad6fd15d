"""Flips, rotations and other affine maps, each image its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.transforms import _check, _matrices, _rows
from chainrule.transforms._check import InterpolationMode
from chainrule.transforms._images import draws, sizes
from chainrule.transforms.functional import fixed_point


class _RandomFlip:
    _columns = True

    def __init__(self, p: float = 0.5) -> None:
        self.p = _check.probability(type(self).__name__, p)

    def __call__(self, img: Any) -> Any:
        op = type(self).__name__
        images, _, *size = sizes(op, img)
        turned = draws(images, 1)[:, 0] < self.p
        if not turned.any():
            return img
        windows = np.zeros((images, 4), np.int64)
        windows[:, 3 if self._columns else 2] = turned
        return _rows.crop(op, img, windows, tuple(size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomHorizontalFlip(_RandomFlip):
    """Mirrors the image, left for right, with probability p. One number is drawn for each image."""


class RandomVerticalFlip(_RandomFlip):
    """Turns the image upside down, mirrored, with probability p. One number is drawn for each image."""

    _columns = False


class RandomRotation:
    """The image turned counter-clockwise by a random angle. One number is drawn for each image.

    Args:
        degrees: (lowest, highest), or a number for (-degrees, degrees).
        interpolation, expand, center, fill: as in functional.rotate.

    Raises:
        ValueError: expand=True for a batch, whose images would differ in size.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode | str = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: float | Sequence[float] = 0,
    ) -> None:
        self.degrees = list(_check.symmetric("RandomRotation", "degrees", degrees))
        self.interpolation = _check.interpolation("RandomRotation", interpolation)
        self.expand = expand
        self.center = center
        self.fill = fill

    def __call__(self, img: Any) -> Any:
        op = "RandomRotation"
        images, _, height, width = sizes(op, img)
        u = draws(images, 1)[:, 0]
        low, high = self.degrees
        linear = _matrices.rotations(low + u * (high - low))
        source = target = fixed_point(op, self.center, height, width)
        size = (height, width)
        if self.expand:
            if images != 1:
                raise ValueError(
                    f"{op}: expand=True gives every image another size, so that a batch of {images} cannot stay one"
                )
            size = _matrices.turned_size(linear[0], height, width)
            source, target = np.array([width / 2, height / 2]), np.array([size[1] / 2, size[0] / 2])
        matrices = _matrices.about(linear, source, target)
        return _rows.affine(op, img, matrices, size, self.interpolation, self.fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"RandomRotation(degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}"
            f"{center}, fill={self.fill})"
        )


class RandomAffine:
    """The image scaled, sheared, turned clockwise and moved at random. Six numbers are drawn for each image.

    Args:
        degrees: (lowest, highest) angle, or a number for (-degrees, degrees); 0 for none.
        translate: the largest moves (right or left, down or up), as shares of width and height; moves are whole
            pixels.
        scale: (smallest, largest).
        shear: degrees: a number or (lowest, highest) along x, or four, (lowest, highest) along x and along y.
        interpolation, fill, center: as in functional.affine.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: InterpolationMode | str = InterpolationMode.NEAREST,
        fill: float | Sequence[float] = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        op = "RandomAffine"
        self.degrees = list(_check.symmetric(op, "degrees", degrees))
        self.translate = translate
        if translate is not None:
            shares = _check.numbers(op, "translate", translate, (2,))
            if not all(0 <= share <= 1 for share in shares):
                raise ValueError(f"{op}: translate must be shares in [0, 1], got {translate}")
        self.scale = None if scale is None else _check.span(op, "scale", scale, np.finfo(float).tiny)
        self.shear = shear if shear is None else self._shear_ranges(shear)
        self.interpolation = _check.interpolation(op, interpolation)
        self.fill = fill
        self.center = center

    @staticmethod
    def _shear_ranges(shear: float | Sequence[float]) -> list[float]:
        if isinstance(shear, Sequence) and len(shear) == 4:
            found = [*shear]
            pairs = [_check.span("RandomAffine", "shear", found[i : i + 2]) for i in (0, 2)]
            return [*pairs[0], *pairs[1]]
        return list(_check.symmetric("RandomAffine", "shear", shear))

    def __call__(self, img: Any) -> Any:
        op = "RandomAffine"
        images, _, height, width = sizes(op, img)
        u = draws(images, 6)
        low, high = self.degrees
        angle = low + u[:, 0] * (high - low)
        most = np.zeros(2) if self.translate is None else np.array(self.translate) * (width, height)
        move = np.rint((2 * u[:, 1:3] - 1) * most)
        low, high = (1.0, 1.0) if self.scale is None else self.scale
        scale = low + u[:, 3] * (high - low)
        ranges = np.array([*(self.shear or ()), 0.0, 0.0, 0.0, 0.0])[:4].reshape(2, 2)
        shear = ranges[:, 0] + u[:, 4:6] * (ranges[:, 1] - ranges[:, 0])
        middle = fixed_point(op, self.center, height, width)
        matrices = _matrices.about(_matrices.sheared(angle, scale, shear), middle, middle + move)
        return _rows.affine(op, img, matrices, (height, width), self.interpolation, self.fill)

    def __repr__(self) -> str:
        given = {"translate": self.translate, "scale": self.scale, "shear": self.shear}
        parts = [f"degrees={self.degrees}", *(f"{k}={v}" for k, v in given.items() if v is not None)]
        if self.interpolation is not InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        parts += [f"fill={self.fill}"] if self.fill != 0 else []
        parts += [f"center={self.center}"] if self.center is not None else []
        return f"RandomAffine({', '.join(parts)})"
