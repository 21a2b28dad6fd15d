"""Image transforms refuse what they cannot do, and name the transform, the rule and the values."""

import numpy as np
import pytest

import chainrule as cr
import chainrule.transforms as T
from chainrule.transforms import functional as F

x, byte = cr.ones(3, 8, 9), cr.ones(3, 8, 9, dtype=cr.uint8)
BAD = [
    (
        lambda: T.Resize(4)(np.ones((3, 8, 9))),
        TypeError,
        "resize: expects a tensor or a PIL image, got ndarray; ToTensor",
    ),
    (
        lambda: T.CenterCrop(4)(cr.ones(8, 9)),
        ValueError,
        r"center_crop: images must be \[C, H, W\] or \[N, C, H, W\], got shape \[8, 9\]",
    ),
    (
        lambda: T.RandomRotation(9)(cr.ones(3, 8, 9).long()),
        TypeError,
        "RandomRotation: images must be uint8 or floating, got int64",
    ),
    (lambda: T.Resize(0), ValueError, "Resize: size must be positive, got 0"),
    (lambda: T.Resize((1, 2, 3)), ValueError, "Resize: size must be an int or a pair"),
    (
        lambda: T.Resize(4, "cubic"),
        ValueError,
        "Resize: interpolation must be one of 'nearest', 'nearest-exact', 'bilinear', got 'cubic'",
    ),
    (
        lambda: T.Resize(4, max_size=4)(x),
        ValueError,
        "resize: max_size must be larger than size, got size=4, max_size=4",
    ),
    (lambda: T.Resize((4, 4), max_size=9)(x), ValueError, "resize: max_size needs an int size"),
    (
        lambda: T.Resize(4)(cr.ones(3, 0, 9)),
        ValueError,
        "resize: the image must have pixels, got height 0 and width 9",
    ),
    (
        lambda: F.resized_crop(x, 0, 5, 8, 5, 4),
        ValueError,
        r"resized_crop: top, left, height, width \[0, 5, 8, 5\] must be inside",
    ),
    (
        lambda: T.RandomCrop(10)(x),
        ValueError,
        r"RandomCrop: size \[10, 10\] must fit into the padded image, whose height and width are \[8, 9\]",
    ),
    (
        lambda: T.RandomCrop(4, padding=(1, 2, 3)),
        ValueError,
        "RandomCrop: padding must be an int or have 1, 2 or 4 of them",
    ),
    (lambda: T.RandomCrop(4, padding=-1), ValueError, "RandomCrop: padding must be non-negative, got -1"),
    (
        lambda: T.Pad(2, padding_mode="wrap"),
        ValueError,
        "Pad: padding_mode must be one of constant, edge, reflect, symmetric, got 'wrap'",
    ),
    (
        lambda: T.Pad(8, padding_mode="reflect")(x),
        ValueError,
        r"pad: padding_mode 'reflect' mirrors at most one pixel less than the image, got padding \[8, 8, 8, 8\]",
    ),
    (
        lambda: T.Pad(1, fill=(1, 2))(x),
        ValueError,
        r"pad: fill must be a number or one for each of 3 channels, got \(1, 2\)",
    ),
    (
        lambda: T.Pad(1, fill=-3)(byte),
        ValueError,
        r"pad: fill must be in \[0, 255\] for uint8 images, got -3",
    ),
    (
        lambda: T.RandomHorizontalFlip(1.5),
        ValueError,
        r"RandomHorizontalFlip: p must be in \[0, 1\], got 1.5",
    ),
    (lambda: T.RandomVerticalFlip("a"), TypeError, "RandomVerticalFlip: p must be a number, got str"),
    (lambda: T.RandomRotation(-5), ValueError, "RandomRotation: degrees must be non-negative, got -5"),
    (lambda: T.RandomRotation((5, -5)), ValueError, "RandomRotation: degrees must be a pair .* low <= high"),
    (
        lambda: T.RandomRotation(5, expand=True)(cr.ones(2, 3, 8, 9)),
        ValueError,
        "RandomRotation: expand=True gives every image another size",
    ),
    (lambda: F.rotate(x, 5, center=(1, 2, 3)), ValueError, "rotate: center must have 2 numbers"),
    (lambda: F.affine(x, 5, (1, 2), 0.0, 1.0), ValueError, "affine: scale must be positive, got 0.0"),
    (
        lambda: T.RandomAffine(5, (0.1, 2.0)),
        ValueError,
        r"RandomAffine: translate must be shares in \[0, 1\]",
    ),
    (lambda: T.RandomAffine(5, scale=(0.0, 2.0)), ValueError, "RandomAffine: scale must be a pair"),
    (lambda: T.Grayscale(2), ValueError, "Grayscale: num_output_channels must be 1 or 3, got 2"),
    (
        lambda: T.Grayscale()(cr.ones(2, 8, 9)),
        ValueError,
        r"Grayscale: needs 1 or 3 channels, got 2 \(image: \[2, 8, 9\]\)",
    ),
    (lambda: T.ColorJitter(0.1)(cr.ones(4, 8, 9)), ValueError, "ColorJitter: needs 1 or 3 channels, got 4"),
    (lambda: T.ColorJitter(hue=0.6), ValueError, r"ColorJitter: hue must be a pair .* \[-0.5, 0.5\]"),
    (lambda: T.ColorJitter(-0.1), ValueError, "ColorJitter: brightness must be non-negative, got -0.1"),
    (lambda: F.adjust_hue(x, 0.6), ValueError, r"adjust_hue: hue_factor must be in \[-0.5, 0.5\], got 0.6"),
    (
        lambda: F.adjust_contrast(x, -1),
        ValueError,
        "adjust_contrast: contrast_factor must be non-negative, got -1",
    ),
    (lambda: T.GaussianBlur(4), ValueError, "GaussianBlur: kernel_size must be odd, got 4"),
    (lambda: T.GaussianBlur(3, 0.0), ValueError, "GaussianBlur: sigma must be a pair"),
    (
        lambda: F.gaussian_blur(x, 17),
        ValueError,
        "gaussian_blur: half of kernel_size .* must be less than the image's sizes",
    ),
    (lambda: T.Normalize(0.5, 0.0), ValueError, r"Normalize: std must not be 0, got \[0.0\]"),
    (
        lambda: T.Normalize((0.5, 0.5), (1.0, 1.0))(x),
        ValueError,
        "Normalize: mean and std must have one value or one for each of 3 channels",
    ),
    (
        lambda: T.Normalize(0.5, 1.0)(byte),
        TypeError,
        "Normalize: expects a floating tensor, got uint8; ConvertImageDtype",
    ),
    (lambda: T.RandomErasing(scale=(0.5, 0.1)), ValueError, "RandomErasing: scale must be a pair"),
    (
        lambda: T.RandomErasing(value="noise"),
        ValueError,
        "RandomErasing: value must be a number, one for each channel, or 'random'",
    ),
    (
        lambda: T.RandomErasing(value=(1, 2))(x),
        ValueError,
        "RandomErasing: value must be a number or one for each of 3 channels",
    ),
    (
        lambda: T.RandomErasing(value="random")(byte),
        TypeError,
        "RandomErasing: value='random' needs floating images, got uint8",
    ),
    (
        lambda: F.erase(x, 5, 5, 4, 4, 0.0),
        ValueError,
        r"erase: i, j, h, w \[5, 5, 4, 4\] must be inside of the image",
    ),
    (lambda: T.GaussianNoise(sigma=-1), ValueError, "GaussianNoise: sigma must be non-negative, got -1"),
    (lambda: T.SaltAndPepper(2), ValueError, r"SaltAndPepper: amount must be in \[0, 1\], got 2"),
    (
        lambda: T.ToTensor()(x),
        TypeError,
        "to_tensor: expects a PIL image or an array, got Tensor; convert_image_dtype",
    ),
    (
        lambda: T.ToTensor()(np.ones(3)),
        ValueError,
        r"to_tensor: an array must be \[H, W, C\] or \[H, W\], got shape \[3\]",
    ),
    (
        lambda: T.ConvertImageDtype(cr.int64)(x),
        TypeError,
        "convert_image_dtype: dtype must be uint8, float32 or float64, got int64",
    ),
    (lambda: T.Compose([T.ToTensor(), 3]), TypeError, "Compose: transform 1 must be callable, got int"),
    (
        lambda: T.Compose(T.ToTensor()),
        TypeError,
        "Compose: transforms must be a sequence of callables, got ToTensor",
    ),
    (lambda: T.Lambda(3), TypeError, "Lambda: expects a function, got int"),
    (lambda: T.RandomApply([], p=-0.1), ValueError, r"RandomApply: p must be in \[0, 1\], got -0.1"),
    (lambda: T.RandomChoice([]), ValueError, "RandomChoice: needs at least one transform"),
    (lambda: T.RandomChoice([T.ToTensor()], p=[1, 2]), ValueError, "RandomChoice: p must have 1 numbers"),
    (lambda: T.RandomPerspective, AttributeError, "chainrule.transforms has no 'RandomPerspective'"),
]


@pytest.mark.parametrize(("call", "error", "match"), BAD, ids=[match[:50] for _, _, match in BAD])
def test_bad_arguments_raise_and_name_the_rule(call, error, match):
    with pytest.raises(error, match=match):
        call()
