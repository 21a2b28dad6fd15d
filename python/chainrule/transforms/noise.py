"""Damage: erased rectangles, noise, speckles."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from chainrule import _validate, ops
from chainrule._core import float64, uint8
from chainrule.creation import tensor
from chainrule.random import randn
from chainrule.tensor import Tensor
from chainrule.transforms import _check, _color
from chainrule.transforms._images import as_batch, draws, is_pil, like
from chainrule.transforms.crop import random_sizes


class RandomErasing:
    """Overwrites a random rectangle with probability p (Zhong et al., 2017).

    23 numbers are drawn for each image: whether, ten tries of area and proportion, of which the first is taken that
    is smaller than the image (if none is, nothing is erased), and the place; with value='random' as many more as the
    batch has values.

    Args:
        p: the probability.
        scale: smallest and largest area, as a share of the image's.
        ratio: smallest and largest height by width; its logarithm is drawn uniformly.
        value: a number, one for each channel, or 'random' for independent numbers from a normal distribution.
        inplace: whether the image itself is written.

    Raises:
        TypeError: a PIL image; uint8 with value='random'.
        ValueError: settings out of range, another number of values than of channels.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float | Sequence[float] | str = 0,
        inplace: bool = False,
    ) -> None:
        op = "RandomErasing"
        self.p = _check.probability(op, p)
        self.scale = _check.span(op, "scale", scale, 0.0, 1.0)
        self.ratio = _check.span(op, "ratio", ratio, np.finfo(float).tiny)
        if not isinstance(value, (Real, str, Sequence)) or (isinstance(value, str) and value != "random"):
            raise ValueError(
                f"{op}: value must be a number, one for each channel, or 'random', got {value!r}"
            )
        self.value = value
        self.inplace = inplace

    def __call__(self, img: Tensor) -> Tensor:
        op = "RandomErasing"
        if is_pil(img):
            raise TypeError(f"{op}: expects a tensor, got a PIL image; ToTensor comes before")
        batch = as_batch(op, img)
        height, width = batch.shape[2:]
        values = self._values(op, batch)
        u = draws(batch.shape[0], 23)
        # Ratios are height by width here, and a rectangle must be smaller than the image.
        found, fits = random_sizes(u[:, 1:21], width, height, self.scale, self.ratio)
        found = found[:, :, ::-1]
        fits &= (found < (height, width)).all(2)
        chosen = found[np.arange(len(u)), fits.argmax(1)] * (fits.any(1) & (u[:, 0] < self.p))[:, None]
        room = np.array([height, width]) - chosen
        corners = (u[:, 21:] * (room + 1)).astype(np.int64)
        out = like(img, _color.erased(batch, np.concatenate([corners, chosen], 1), values))
        return img.copy_(out) if self.inplace else out

    def _values(self, op: str, batch: Tensor) -> Tensor:
        if self.value == "random":
            if batch.dtype is uint8:
                raise TypeError(f"{op}: value='random' needs floating images, got uint8")
            return randn(*batch.shape, dtype=batch.dtype)
        values = np.atleast_1d(np.asarray(self.value, np.float64))
        if len(values) not in (1, batch.shape[1]):
            raise ValueError(
                f"{op}: value must be a number or one for each of {batch.shape[1]} channels, got {self.value!r}"
            )
        return ops.cast(tensor(values.reshape(-1, 1, 1), dtype=float64), batch.dtype)

    def __repr__(self) -> str:
        return (
            f"RandomErasing(p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
            f"inplace={self.inplace})"
        )


class GaussianNoise:
    """Independent normal noise added to every value of an image.

    Args:
        mean, sigma: in units of white: of uint8 images they are multiplied by 255.
        clip: whether results end at black and white; bytes always do.
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        self.mean = _validate.real("GaussianNoise", "mean", mean)
        self.sigma = _validate.real("GaussianNoise", "sigma", sigma, "non-negative")
        self.clip = clip

    def __call__(self, img: Any) -> Any:
        return _color.noisy("GaussianNoise", img, self.mean, self.sigma, self.clip)

    def __repr__(self) -> str:
        return f"GaussianNoise(mean={self.mean}, sigma={self.sigma}, clip={self.clip})"


class SaltAndPepper:
    """White and black pixels at random (speckle), in all channels at once.

    Args:
        amount: the share of pixels that are replaced.
        salt_vs_pepper: the share of white ones among these.
    """

    def __init__(self, amount: float = 0.05, salt_vs_pepper: float = 0.5) -> None:
        self.amount = _check.probability("SaltAndPepper", amount, "amount")
        self.salt_vs_pepper = _check.probability("SaltAndPepper", salt_vs_pepper, "salt_vs_pepper")

    def __call__(self, img: Any) -> Any:
        return _color.speckled("SaltAndPepper", img, self.amount, self.salt_vs_pepper)

    def __repr__(self) -> str:
        return f"SaltAndPepper(amount={self.amount}, salt_vs_pepper={self.salt_vs_pepper})"
