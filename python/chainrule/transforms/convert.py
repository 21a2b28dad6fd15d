"""Between PIL images, arrays and tensors."""

from __future__ import annotations

from typing import Any

from chainrule import _core
from chainrule._core import float32
from chainrule.tensor import Tensor
from chainrule.transforms import functional as F


class ToTensor:
    """A PIL image or a uint8 array [H, W, C] as float32 [C, H, W] in [0, 1], and nothing more.

    Other arrays than of uint8 keep their numbers. Errors as functional.to_tensor.

    Example:
        >>> ToTensor()(np.full((1, 2, 1), 255, np.uint8))
        tensor([[[1., 1.]]])
    """

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class PILToTensor:
    """A PIL image as uint8 [C, H, W]; the numbers stay as they are."""

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return "PILToTensor()"


class ToPILImage:
    """A PIL image from a tensor [C, H, W] or an array [H, W, C]; floating colours are from 0 to 1.

    Errors as functional.to_pil_image. Needs Pillow.
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return "ToPILImage()" if self.mode is None else f"ToPILImage(mode={self.mode})"


class ConvertImageDtype:
    """A tensor's colours in another dtype: 0 to 255 in uint8 are 0 to 1 in float32 and float64."""

    def __init__(self, dtype: _core.dtype = float32) -> None:
        self.dtype = dtype

    def __call__(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)

    def __repr__(self) -> str:
        return "ConvertImageDtype()"
