"""Between PIL images, arrays and tensors, and between bytes and floating colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import _core, ops
from chainrule._core import float32, float64, uint8
from chainrule.creation import tensor
from chainrule.tensor import Tensor
from chainrule.transforms import _pil
from chainrule.transforms._images import as_batch, is_pil


def to_tensor(pic: Any) -> Tensor:
    """A PIL image or an array [H, W, C] or [H, W] as a tensor [C, H, W].

    Bytes, 0 to 255, become float32, 0 to 1; other numbers are kept as they are. Nothing else is done: no mean is
    subtracted.

    Raises:
        TypeError: neither PIL image nor array.
        ValueError: an array with neither 2 nor 3 dimensions; a PIL image with a palette.
    """
    if not is_pil(pic) and not isinstance(pic, np.ndarray):
        hint = "; convert_image_dtype scales the bytes of a tensor" if isinstance(pic, Tensor) else ""
        raise TypeError(f"to_tensor: expects a PIL image or an array, got {type(pic).__name__}{hint}")
    pixels = _pil.to_array("to_tensor", pic) if is_pil(pic) else _with_channels("to_tensor", pic)
    pixels = pixels.transpose(2, 0, 1)
    if pixels.dtype != np.uint8:
        return tensor(np.ascontiguousarray(pixels))
    scaled = np.empty(pixels.shape, np.float32)
    np.divide(pixels, np.float32(255), out=scaled, dtype=np.float32, casting="unsafe")
    return tensor(scaled)


def _with_channels(op: str, pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim not in (2, 3):
        raise ValueError(f"{op}: an array must be [H, W, C] or [H, W], got shape {list(pixels.shape)}")
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def pil_to_tensor(pic: Any) -> Tensor:
    """A PIL image as a tensor [C, H, W] of its own numbers, uint8 for the usual modes."""
    if not is_pil(pic):
        raise TypeError(f"pil_to_tensor: expects a PIL image, got {type(pic).__name__}")
    return _pil.to_tensor("pil_to_tensor", pic)


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A PIL image from a tensor [C, H, W] or [H, W], or from an array [H, W, C] or [H, W].

    Floating colours, 0 to 1, are multiplied by 255 and rounded.

    Args:
        mode: Pillow's mode; L, LA, RGB or RGBA by the number of channels unless given.

    Raises:
        TypeError: another dtype than uint8 or a floating one.
        ValueError: other dimensions, more than 4 channels, floating colours outside of [0, 1], a mode that does
            not fit the channels.
    """
    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(
                f"to_pil_image: a tensor must be [C, H, W] or [H, W], got shape {list(pic.shape)}"
            )
        pixels = pic.detach().numpy()
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        pixels = _with_channels("to_pil_image", pic)
    else:
        raise TypeError(f"to_pil_image: expects a tensor or an array, got {type(pic).__name__}")
    return _pil.to_image("to_pil_image", _bytes(pixels), mode)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind != "f":
        raise TypeError(f"to_pil_image: colours must be uint8 or floating, got {pixels.dtype}")
    if not ((pixels >= 0) & (pixels <= 1)).all():
        low, high = (np.min(pixels), np.max(pixels)) if pixels.size else (0, 0)
        raise ValueError(
            f"to_pil_image: floating colours must be in [0, 1], got {low:.4g} to {high:.4g}; scale them, or undo "
            "a Normalize, first"
        )
    return np.rint(pixels * 255).astype(np.uint8)


def convert_image_dtype(image: Tensor, dtype: _core.dtype = float32) -> Tensor:
    """A tensor's colours in another dtype: 0 to 255 in uint8 are 0 to 1 in float32 and float64.

    Floating colours outside of [0, 1] become black or white in uint8. Rounding to uint8 is torchvision's:
    floor(255.999 · x).
    """
    op = "convert_image_dtype"
    as_batch(op, image)
    if dtype not in (uint8, float32, float64):
        raise TypeError(f"{op}: dtype must be uint8, float32 or float64, got {getattr(dtype, 'name', dtype)}")
    if image.dtype is dtype:
        return image
    if image.dtype is uint8:
        return ops.div(ops.cast(image, dtype), 255.0)
    if dtype is uint8:
        return ops.cast(ops.clamp(ops.floor(ops.mul(image, 255.999)), 0.0, 255.0), uint8)
    return ops.cast(image, dtype)
