"""What an image is here: a PIL image, a tensor [C, H, W], or a batch of them, [N, C, H, W]."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from chainrule._core import float32, float64, uint8
from chainrule.ops import unsqueeze
from chainrule.random import rand
from chainrule.tensor import Tensor


def pil(op: str) -> Any:
    """Pillow, loaded when it is first needed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f"{op}: needs Pillow: pip install 'chainrule[images]'") from error
    return Image


def is_pil(image: Any) -> bool:
    """Whether it is a PIL image, which nobody can hold who has not loaded Pillow."""
    module = None if isinstance(image, Tensor) else sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def as_batch(op: str, image: Any) -> Tensor:
    """The images as [N, C, H, W].

    Raises TypeError for what is neither tensor nor PIL image and for other dtypes, ValueError for other ranks.
    """
    if not isinstance(image, Tensor):
        hint = "; ToTensor makes a tensor of an array" if isinstance(image, np.ndarray) else ""
        raise TypeError(f"{op}: expects a tensor or a PIL image, got {type(image).__name__}{hint}")
    if image.ndim not in (3, 4):
        raise ValueError(f"{op}: images must be [C, H, W] or [N, C, H, W], got shape {list(image.shape)}")
    if image.dtype not in (uint8, float32, float64):
        raise TypeError(f"{op}: images must be uint8 or floating, got {image.dtype.name}")
    return image if image.ndim == 4 else unsqueeze(image, 0)


def like(image: Tensor, batch: Tensor) -> Tensor:
    """The batch as the image came: without its first dimension if it had none."""
    return batch if image.ndim == 4 else batch[0]


def sizes(op: str, image: Any) -> tuple[int, int, int, int]:
    """How many images there are, each of which a random transform draws for, their channels, height and width."""
    if is_pil(image):
        return 1, len(image.getbands()), image.height, image.width
    as_batch(op, image)
    shape = image.shape
    return shape if len(shape) == 4 else (1, *shape)


def white(image: Tensor) -> float:
    """The largest value of a colour: 255 in uint8, else 1."""
    return 255.0 if image.dtype is uint8 else 1.0


def draws(images: int, each: int) -> np.ndarray:
    """Numbers in [0, 1) from the default generator, float64 [images, each]: as many for every image, always."""
    return rand(images, each, dtype=float64).numpy()
