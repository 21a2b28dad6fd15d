"""Image transforms under torchvision's names, for tensors, batches of tensors, and PIL images.

    augment = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip(), RandomRotation(15)])
    batch = augment(batch)  # [N, C, H, W]: every image its own crop, flip and angle

Random transforms draw from the default generator, for each image and call the same number of times, in order.
They have no gradients and are not for captured functions. `functional` has them as functions of given values.
"""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.transforms import functional
from chainrule.transforms._check import InterpolationMode
from chainrule.transforms.color import (
    ColorJitter,
    GaussianBlur,
    Grayscale,
    Normalize,
    RandomGrayscale,
)
from chainrule.transforms.container import Compose, Lambda, RandomApply, RandomChoice
from chainrule.transforms.convert import ConvertImageDtype, PILToTensor, ToPILImage, ToTensor
from chainrule.transforms.crop import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize
from chainrule.transforms.geometry import (
    RandomAffine,
    RandomHorizontalFlip,
    RandomRotation,
    RandomVerticalFlip,
)
from chainrule.transforms.noise import GaussianNoise, RandomErasing, SaltAndPepper

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "GaussianBlur",
    "GaussianNoise",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "SaltAndPepper",
    "ToPILImage",
    "ToTensor",
    "functional",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
