"""Image transforms on tensors: shapes, values, texts."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
import chainrule.transforms as T
from chainrule.transforms import functional as F


def bytes_of(*shape, seed=0):
    return cr.tensor(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def floats_of(*shape, seed=0):
    return cr.tensor(np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32))


def numbered(height, width):
    return cr.arange(height * width).float().reshape(1, height, width)


# ---- conversions ----


def test_to_tensor_scales_bytes_and_moves_channels_and_does_nothing_more():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    x = T.ToTensor()(pixels)
    assert (x.shape, x.dtype) == ((3, 5, 7), cr.float32)
    np.testing.assert_array_equal(x.numpy(), pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    assert T.ToTensor()(pixels[:, :, 0]).shape == (1, 5, 7)
    wide = np.array([[[1.5, 300.0]]])
    assert T.ToTensor()(wide).tolist() == [[[1.5]], [[300.0]]]  # other numbers than bytes are kept


def test_convert_image_dtype():
    every = cr.arange(256).to(cr.uint8).reshape(1, 16, 16)
    for dtype in (cr.float32, cr.float64):
        x = T.ConvertImageDtype(dtype)(every)
        assert x.dtype is dtype
        assert (x.min().item(), x.max().item()) == (0, 1)
        np.testing.assert_array_equal(T.ConvertImageDtype(cr.uint8)(x).numpy(), every.numpy())
    bright = F.convert_image_dtype(cr.tensor([[[-0.5, 0.5, 2.0]]]), cr.uint8)
    assert bright.tolist() == [[[0, 127, 255]]]


# ---- crops and sizes ----


@pytest.mark.parametrize(
    ("size", "max_size", "shape"),
    [
        ((7, 9), None, (7, 9)),
        (20, None, (20, 40)),
        ([5], None, (5, 10)),
        (20, 30, (15, 30)),
        (20, 50, (20, 40)),
    ],
)
def test_resize_keeps_the_proportion_of_an_int_size(size, max_size, shape):
    wide = floats_of(3, 30, 60)
    assert T.Resize(size, max_size=max_size)(wide).shape == (3, *shape)
    if not isinstance(size, tuple):
        assert T.Resize(size, max_size=max_size)(wide.transpose(1, 2)).shape == (3, *shape[::-1])


def test_resize_kinds_agree_with_their_definitions():
    x = numbered(1, 6)
    assert F.resize(x, (1, 3)).tolist() == pytest.approx(
        np.array([[[1 / 2.75 * 1.75, 2.5, 5 - 1.75 / 2.75]]]), abs=1
    )
    assert F.resize(x, (1, 3), antialias=False).tolist() == [[[0.5, 2.5, 4.5]]]
    assert F.resize(x, (1, 4), "nearest").tolist() == [[[0, 1, 3, 4]]]
    assert F.resize(x, (1, 4), T.InterpolationMode.NEAREST_EXACT).tolist() == [[[0, 2, 3, 5]]]
    same = F.resize(x, (1, 6))
    assert same is x


def test_crops_and_padding():
    x = numbered(4, 5)
    array = x.numpy()[0]
    np.testing.assert_array_equal(F.crop(x, 1, 2, 2, 3).numpy()[0], array[1:3, 2:5])
    np.testing.assert_array_equal(F.crop(x, -1, 3, 3, 4).numpy()[0], np.pad(array, ((1, 0), (0, 2)))[:3, 3:7])
    np.testing.assert_array_equal(T.CenterCrop(2)(x).numpy()[0], array[1:3, 2:4])
    np.testing.assert_array_equal(T.CenterCrop((6, 2))(x).numpy()[0], np.pad(array, ((1, 1), (0, 0)))[:, 2:4])
    for mode, numpy_mode in (("edge", "edge"), ("reflect", "reflect"), ("symmetric", "symmetric")):
        padded = T.Pad((1, 2, 3, 0), padding_mode=mode)(x)
        np.testing.assert_array_equal(padded.numpy()[0], np.pad(array, ((2, 0), (1, 3)), numpy_mode))
    padded = F.pad(floats_of(3, 2, 2), 1, fill=[1.0, 2.0, 3.0])
    assert padded[:, 0, 0].tolist() == [1, 2, 3]
    assert F.hflip(x).tolist() == x.flip(2).tolist()
    assert F.vflip(x).tolist() == x.flip(1).tolist()
    part = F.resized_crop(x, 1, 1, 2, 4, (4, 8), "nearest")
    np.testing.assert_array_equal(part.numpy()[0], np.kron(array[1:3, 1:5], np.ones((2, 2))))


def test_rotations_by_quarter_turns_move_pixels():
    x = floats_of(3, 5, 5)
    for turns, mode in itertools.product(range(-3, 4), ("nearest", "bilinear")):
        turned = F.rotate(x, 90 * turns, mode)
        np.testing.assert_array_equal(turned.numpy(), np.rot90(x.numpy(), turns, (1, 2)))
    wide = floats_of(1, 3, 8)
    np.testing.assert_array_equal(F.rotate(wide, 90, expand=True).numpy(), np.rot90(wide.numpy(), 1, (1, 2)))
    # An affine map turns clockwise, about a point, and moves.
    np.testing.assert_array_equal(F.affine(x, 90, (0, 0), 1.0, 0.0).numpy(), np.rot90(x.numpy(), -1, (1, 2)))
    moved = F.affine(x, 0, (2, -1), 1.0, [0.0, 0.0], fill=0.5)
    assert moved[:, :4, 2:].tolist() == x[:, 1:, :3].tolist()
    assert moved[0, 0, 0].item() == moved[2, 4, 4].item() == 0.5
    doubled = F.affine(x, 0, (0, 0), 2.0, 0.0, center=(0, 0))
    np.testing.assert_array_equal(doubled.numpy()[0, :4, :4], np.kron(x.numpy()[0, :2, :2], np.ones((2, 2))))
    sheared = F.affine(numbered(1, 4), 0, (0, 0), 1.0, (0.0, 45.0), center=(0.5, 0.5))
    assert sheared.tolist() == [[[0, 0, 0, 0]]]  # columns go down as far as they are to the right


# ---- the rest ----


def test_blur_is_a_gaussian_with_mirrored_edges():
    x = floats_of(2, 3, 7, 9)
    down, across = (np.exp(-0.5 * (np.arange(-r, r + 1) / s) ** 2) for r, s in ((2, 0.7), (1, 1.5)))
    kernel = np.outer(down / down.sum(), across / across.sum())
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (1, 1)), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape, (2, 3))
    expected = np.einsum("nchwij,ij->nchw", windows, kernel)
    blurred = F.gaussian_blur(x, (3, 5), (1.5, 0.7))
    np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-6)
    alone = F.gaussian_blur(x[1], (3, 5), (1.5, 0.7))
    np.testing.assert_allclose(alone.numpy(), expected[1], atol=1e-6)
    flat = cr.full((1, 4, 4), 7.0).to(cr.uint8)
    assert T.GaussianBlur(3)(flat).tolist() == flat.tolist()


def test_normalize():
    x = floats_of(2, 3, 4, 4)
    mean, std = [0.1, 0.2, 0.3], [0.5, 1.0, 2.0]
    expected = (x.numpy() - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(T.Normalize(mean, std)(x).numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(
        T.Normalize(0.5, 0.25)(x).numpy(), (x.numpy() - 0.5) / 0.25, rtol=1e-5, atol=1e-6
    )
    written = x.clone()
    assert T.Normalize(mean, std, inplace=True)(written) is written
    np.testing.assert_allclose(written.numpy(), expected, rtol=1e-5)


def test_text_is_torchvisions():
    assert repr(T.Compose([T.ToTensor(), T.RandomApply([T.ToPILImage("L")], 0.25)])) == (
        "Compose(\n    ToTensor()\n    RandomApply(\n    p=0.25\n    ToPILImage(mode=L)\n)\n)"
    )
    expected = {
        T.Resize((3, 4)): "Resize(size=(3, 4), interpolation=bilinear, max_size=None, antialias=True)",
        T.CenterCrop(3): "CenterCrop(size=(3, 3))",
        T.Pad(2): "Pad(padding=2, fill=0, padding_mode=constant)",
        T.RandomCrop(3, padding=4): "RandomCrop(size=(3, 3), padding=4)",
        T.RandomResizedCrop(3): "RandomResizedCrop(size=(3, 3), scale=(0.08, 1.0), ratio=(0.75, 1.3333), "
        "interpolation=bilinear, antialias=True)",
        T.RandomHorizontalFlip(): "RandomHorizontalFlip(p=0.5)",
        T.RandomVerticalFlip(0.1): "RandomVerticalFlip(p=0.1)",
        T.RandomRotation(
            10
        ): "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)",
        T.RandomAffine(5, (0.1, 0.2), interpolation="bilinear"): "RandomAffine(degrees=[-5.0, 5.0], "
        "translate=(0.1, 0.2), interpolation=bilinear)",
        T.Grayscale(): "Grayscale(num_output_channels=1)",
        T.RandomGrayscale(): "RandomGrayscale(p=0.1)",
        T.ColorJitter(0.1, hue=0.2): "ColorJitter(brightness=(0.9, 1.1), contrast=None, saturation=None, "
        "hue=(-0.2, 0.2))",
        T.GaussianBlur(3): "GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))",
        T.Normalize((0.5,), (0.2,)): "Normalize(mean=(0.5,), std=(0.2,))",
        T.RandomErasing(): "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)",
        T.Lambda(abs): "Lambda()",
        T.RandomChoice([T.ToTensor()]): "RandomChoice(\n    ToTensor()\n)(p=None)",
        T.ConvertImageDtype(cr.float32): "ConvertImageDtype()",
        T.GaussianNoise(): "GaussianNoise(mean=0.0, sigma=0.1, clip=True)",
        T.SaltAndPepper(): "SaltAndPepper(amount=0.05, salt_vs_pepper=0.5)",
    }
    for transform, text in expected.items():
        assert repr(transform) == text


def test_transforms_of_tensors_load_no_pillow():
    code = (
        "import sys, chainrule as cr, chainrule.transforms as T\n"
        "T.Compose([T.Resize(4), T.RandomCrop(3), T.ColorJitter(0.1)])(cr.ones(3, 8, 8))\n"
        "assert not any(name.startswith('PIL') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
