"""Colours: grey, jitter, blur, normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.transforms import _check, _color, _rows
from chainrule.transforms._images import draws, sizes


class Grayscale:
    """0.2989 red + 0.587 green + 0.114 blue, in one channel, or in three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        if num_output_channels not in (1, 3):
            raise ValueError(f"Grayscale: num_output_channels must be 1 or 3, got {num_output_channels!r}")
        self.num_output_channels = num_output_channels

    def __call__(self, img: Any) -> Any:
        return _color.grayscale("Grayscale", img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"Grayscale(num_output_channels={self.num_output_channels})"


class RandomGrayscale:
    """Grey with probability p, in as many channels as the image has. One number is drawn for each image."""

    def __init__(self, p: float = 0.1) -> None:
        self.p = _check.probability("RandomGrayscale", p)

    def __call__(self, img: Any) -> Any:
        op = "RandomGrayscale"
        images, channels, *_ = sizes(op, img)
        grey = draws(images, 1) < self.p
        if not isinstance(img, Tensor):
            return _color.grayscale(op, img, 1 if channels == 1 else 3) if grey[0, 0] else img
        if not grey.any():
            return img
        kinds = np.where(grey, _color.SATURATION, -1)
        return _rows.color(op, img, kinds, np.zeros_like(kinds, np.float64))

    def __repr__(self) -> str:
        return f"RandomGrayscale(p={self.p})"


class ColorJitter:
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Eight numbers are drawn for each image.

    Args:
        brightness, contrast, saturation: a range of factors, or a number for (max(0, 1 - number), 1 + number).
        hue: a range of turns in [-0.5, 0.5], or a number for (-number, number).
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
    ) -> None:
        self.brightness = self._range("brightness", brightness)
        self.contrast = self._range("contrast", contrast)
        self.saturation = self._range("saturation", saturation)
        self.hue = self._hues(hue)

    @staticmethod
    def _range(name: str, value: float | Sequence[float]) -> tuple[float, float] | None:
        """None where nothing would change."""
        if not isinstance(value, Sequence):
            reach = _check.symmetric("ColorJitter", name, value)[1]
            value = (max(0.0, 1.0 - reach), 1.0 + reach)
        low, high = _check.span("ColorJitter", name, value, 0.0)
        return None if low == high == 1 else (low, high)

    @staticmethod
    def _hues(value: float | Sequence[float]) -> tuple[float, float] | None:
        ends = value if isinstance(value, Sequence) else _check.symmetric("ColorJitter", "hue", value)
        low, high = _check.span("ColorJitter", "hue", ends, -0.5, 0.5)
        return None if low == high == 0 else (low, high)

    def __call__(self, img: Any) -> Any:
        u = draws(sizes("ColorJitter", img)[0], 8)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        kinds = [kind for kind, ends in enumerate(ranges) if ends is not None]
        if not kinds:
            return img
        low, high = np.array([ranges[kind] for kind in kinds]).T
        factors = low + u[:, kinds] * (high - low)
        order = np.argsort(u[:, [4 + kind for kind in kinds]], axis=1)
        steps = np.array(kinds)[order]
        return _rows.color("ColorJitter", img, steps, np.take_along_axis(factors, order, 1))

    def __repr__(self) -> str:
        return (
            f"ColorJitter(brightness={self.brightness}, contrast={self.contrast}, saturation={self.saturation}, "
            f"hue={self.hue})"
        )


class GaussianBlur:
    """A Gaussian blur with random sigma. One number is drawn for each image.

    Args:
        kernel_size: odd, an int or (width, height) in pixels.
        sigma: (smallest, largest) in pixels, or a number.
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] = (0.1, 2.0)) -> None:
        self.kernel_size = _check.odd_pair("GaussianBlur", "kernel_size", kernel_size)
        ends = sigma if isinstance(sigma, Sequence) else (sigma, sigma)
        self.sigma = _check.span("GaussianBlur", "sigma", ends, np.finfo(float).tiny)

    def __call__(self, img: Any) -> Any:
        u = draws(sizes("GaussianBlur", img)[0], 1)
        low, high = self.sigma
        sigmas = np.repeat(low + u * (high - low), 2, axis=1)
        return _rows.blur("GaussianBlur", img, self.kernel_size, sigmas)

    def __repr__(self) -> str:
        return f"GaussianBlur(kernel_size={self.kernel_size}, sigma={self.sigma})"


class Normalize:
    """(x - mean) / std of floating tensors, with a value for each channel or one for all.

    Raises ValueError for a std of 0 and where the channels are another number, TypeError for bytes.

    Example:
        >>> Normalize([0.5], [0.25])(ones(1, 1, 2))
        tensor([[[2., 2.]]])
    """

    def __init__(
        self, mean: float | Sequence[float], std: float | Sequence[float], inplace: bool = False
    ) -> None:
        self._statistics = _color.statistics("Normalize", mean, std)
        self.mean, self.std = mean, std
        self.inplace = inplace

    def __call__(self, tensor: Tensor) -> Tensor:
        return _color.normalized("Normalize", tensor, *self._statistics, self.inplace)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"
