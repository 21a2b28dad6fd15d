"""Image transforms and Pillow: the same images as tensors and as PIL images, and code that goes through both."""

import os
import sys

import numpy as np
import pytest

import chainrule as cr
import chainrule.transforms as T
from chainrule.data import DataLoader, Dataset
from chainrule.transforms import functional as F

if os.environ.get("CHAINRULE_REQUIRE_PEERS"):
    from PIL import Image, ImageOps
else:
    Image = pytest.importorskip("PIL.Image")  # of the extra `images`
    from PIL import ImageOps

pytestmark = pytest.mark.peers

SHAPES = [(3, 37, 53), (3, 32, 32), (1, 20, 31)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def pair(shape, smooth=False):
    """The same image as a tensor of bytes and as a PIL image."""
    rng = np.random.default_rng(shape[1])
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    if smooth:
        pixels = np.sort(pixels, axis=2)
    return cr.tensor(pixels), Image.fromarray(np.squeeze(pixels.transpose(1, 2, 0)))


def array(image):
    """[C, H, W]"""
    return np.asarray(image).reshape(image.height, image.width, -1).transpose(2, 0, 1)


def levels_apart(tensor, image):
    assert tuple(tensor.shape) == array(image).shape
    return np.abs(tensor.numpy().astype(int) - array(image)).max()


# ---- tensors against Pillow ----


@shapes
@pytest.mark.parametrize("size", [(16, 16), (50, 60), (9, 100), (5, 3), (1, 1)], ids=str)
def test_antialiased_bilinear_is_within_one_level_of_pillows(shape, size):
    x, image = pair(shape)
    theirs = image.resize(size[::-1], Image.Resampling.BILINEAR)
    assert levels_apart(F.resize(x, size), theirs) <= 1
    floating = F.resize(F.convert_image_dtype(x, cr.float32), size).numpy()
    assert np.abs(floating - array(theirs) / 255).max() <= 1 / 255 + 1e-6
    # A part of the image.
    top, left, height, width = 3, 5, 13, 20
    theirs = image.crop((left, top, left + width, top + height)).resize(size[::-1], Image.Resampling.BILINEAR)
    assert levels_apart(F.resized_crop(x, top, left, height, width, size), theirs) <= 1


@shapes
def test_nearest_takes_pillows_pixels(shape):
    x, image = pair(shape)
    # Where a centre falls between two pixels, Pillow's sum of steps may be on either side; here none does.
    for size in ((8, 16), (16, 16), (2 * shape[1], 3 * shape[2])):
        theirs = image.resize(size[::-1], Image.Resampling.NEAREST)
        assert levels_apart(F.resize(x, size, "nearest-exact"), theirs) == 0


@shapes
@pytest.mark.parametrize("angle", [0, 10, 30, -17.5, 90, 180, 200])
@pytest.mark.parametrize("expand", [False, True])
def test_rotations_are_pillows(shape, angle, expand):
    x, image = pair(shape, smooth=True)
    for center in (None, (7.0, 3.0)):
        if expand and center:
            continue
        smooth = image.rotate(angle, Image.Resampling.BILINEAR, expand=expand, center=center)
        assert levels_apart(F.rotate(x, angle, "bilinear", expand, center), smooth) <= 1
        # Pillow finds the nearest pixel with 16 bits after the point: between two it may take the other.
        nearest = image.rotate(angle, Image.Resampling.NEAREST, expand=expand, center=center)
        ours = F.rotate(x, angle, "nearest", expand, center).numpy()
        assert ours.shape == array(nearest).shape
        assert (ours != array(nearest)).mean() < 0.003


@shapes
def test_flips_crops_and_padding_are_pillows(shape):
    x, image = pair(shape)
    assert levels_apart(F.hflip(x), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == 0
    assert levels_apart(F.vflip(x), image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)) == 0
    assert levels_apart(F.crop(x, -3, 5, 20, 70), image.crop((5, -3, 75, 17))) == 0
    fill = (9, 200, 30)[: shape[0]]
    theirs = ImageOps.expand(image, (1, 2, 3, 4), fill if len(fill) > 1 else fill[0])
    assert levels_apart(F.pad(x, (1, 2, 3, 4), fill), theirs) == 0


@shapes
def test_colours_are_pillows(shape):
    x, image = pair(shape)
    assert levels_apart(F.rgb_to_grayscale(x), image.convert("L")) <= 1
    for adjust in (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation):
        for factor in (0.0, 0.4, 1.0, 1.7):
            assert levels_apart(adjust(x, factor), adjust(image, factor)) <= 1


# ---- PIL images in, PIL images out ----

ON_BOTH = [
    T.Resize(16),
    T.Resize((16, 8), "nearest-exact"),
    T.CenterCrop(15),
    T.CenterCrop(60),
    T.Pad((1, 2, 3, 4), fill=7),
    T.Pad(5, padding_mode="edge"),
    T.Pad(5, padding_mode="reflect"),
    T.Pad(5, padding_mode="symmetric"),
    T.RandomCrop(24, padding=6, fill=(5, 6, 7)),
    T.RandomCrop(24, padding=6, padding_mode="reflect"),
    T.RandomResizedCrop(20),
    T.RandomHorizontalFlip(1.0),
    T.RandomVerticalFlip(1.0),
    T.RandomRotation(40, "bilinear", fill=9),
    T.RandomRotation(40, "bilinear", expand=True),
    T.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 10, "bilinear"),
    T.Grayscale(),
    T.Grayscale(3),
    T.RandomGrayscale(1.0),
    T.ColorJitter(0.3, 0.3, 0.3),
    T.GaussianBlur(3),
    T.GaussianNoise(),
    T.SaltAndPepper(0.1),
    T.RandomApply([T.CenterCrop(15)], 0.5),
    T.RandomChoice([T.CenterCrop(15), T.RandomCrop(15)]),
]


@pytest.mark.parametrize("transform", ON_BOTH, ids=repr)
def test_a_seed_gives_the_same_image_as_tensor_and_as_pil_image(transform):
    x, image = pair((3, 32, 40), smooth=True)
    cr.manual_seed(3)
    ours = transform(x)
    cr.manual_seed(3)
    theirs = transform(image)
    assert isinstance(theirs, Image.Image)
    assert levels_apart(ours, theirs) <= (3 if isinstance(transform, T.ColorJitter) else 1)


def test_hues_of_pil_images_turn():
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    assert F.adjust_hue(image, 1 / 3).getpixel((0, 0)) == (0, 255, 0)
    assert F.adjust_hue(image, 0.0).getpixel((0, 0)) == (255, 0, 0)
    x = F.adjust_hue(F.pil_to_tensor(image), 1 / 3)
    assert x[:, 0, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "1", "HSV", "CMYK", "F", "I", "I;16"])
def test_images_of_every_mode_become_tensors(mode):
    base = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(base[:, :, 0].astype(np.uint16) * 100)
    elif mode == "LA":
        image = Image.fromarray(base).convert("L").convert("LA")
    else:
        image = Image.fromarray(base).convert(mode)
    assert image.mode == mode
    own = T.PILToTensor()(image)
    x = T.ToTensor()(image)
    assert own.shape == x.shape == (len(image.getbands()), 5, 7)
    if mode in ("F", "I", "I;16"):
        np.testing.assert_array_equal(x.numpy()[0], np.asarray(image))
    else:
        assert (own.dtype, x.dtype) == (cr.uint8, cr.float32)
        np.testing.assert_array_equal(x.numpy(), own.numpy().astype(np.float32) / np.float32(255))
        back = T.ToPILImage(mode)(x)
        assert back.mode == mode
        np.testing.assert_array_equal(array(back), array(image))


def test_to_pil_image_takes_tensors_and_arrays():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for source in (pixels, cr.tensor(pixels.transpose(2, 0, 1)), pixels / 255.0):
        image = T.ToPILImage()(source)
        assert (image.mode, image.size) == ("RGB", (7, 5))
        np.testing.assert_array_equal(np.asarray(image), pixels)
    assert T.ToPILImage()(cr.zeros(5, 7)).mode == "L"
    assert T.ToPILImage("1")(cr.ones(1, 5, 7)).getpixel((0, 0)) == 255


def test_what_pil_images_cannot_do_is_refused():
    _, image = pair((3, 8, 9))
    palette = image.convert("P")
    bad = [
        (lambda: T.ToTensor()(palette), ValueError, r"to_tensor: mode P holds numbers of a palette"),
        (
            lambda: T.PILToTensor()(np.ones((2, 2))),
            TypeError,
            "pil_to_tensor: expects a PIL image, got ndarray",
        ),
        (
            lambda: T.Normalize(0.5, 0.5)(image),
            TypeError,
            "Normalize: expects a floating tensor, got a PIL image",
        ),
        (lambda: T.RandomErasing()(image), TypeError, "RandomErasing: expects a tensor, got a PIL image"),
        (
            lambda: T.ColorJitter(0.1)(palette),
            ValueError,
            "ColorJitter: needs a PIL image of mode L, RGB or RGBA",
        ),
        (
            lambda: T.Pad(1, (1, 2))(image),
            ValueError,
            "pad: fill must be a number or one for each of 3 channels",
        ),
        (
            lambda: T.ToPILImage()(cr.ones(2, 3, 4, 5)),
            ValueError,
            r"to_pil_image: a tensor must be \[C, H, W\]",
        ),
        (
            lambda: T.ToPILImage()(cr.ones(5, 4, 4)),
            ValueError,
            "to_pil_image: images have 1 to 4 channels, got 5",
        ),
        (lambda: T.ToPILImage("L")(cr.ones(3, 4, 4)), ValueError, "to_pil_image: mode must be one of RGB"),
        (
            lambda: T.ToPILImage()(cr.ones(3, 4, 4) * 2),
            ValueError,
            r"colours must be in \[0, 1\], got 2 to 2; scale",
        ),
        (lambda: T.ToPILImage()(cr.ones(3, 4, 4).long()), TypeError, "must be uint8 or floating, got int64"),
        (lambda: T.ToPILImage()("x"), TypeError, "to_pil_image: expects a tensor or an array, got str"),
    ]
    for call, error, match in bad:
        with pytest.raises(error, match=match):
            call()


def test_without_pillow_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"to_pil_image: needs Pillow: pip install 'chainrule\[images\]'"):
        T.ToPILImage()(cr.ones(1, 2, 2))


# ---- the data set with a transform that textbooks show ----


class CustomDataset(Dataset):
    def __init__(self, tensors, transform=None):
        assert all(tensors[0].size(0) == t.size(0) for t in tensors), "Size mismatch between tensors"
        self.tensors = tensors
        self.transform = transform

    def __getitem__(self, index):
        if self.transform:  # noqa: SIM108
            x = self.transform(self.tensors[0][index])
        else:
            x = self.tensors[0][index]
        y = self.tensors[1][index]
        return x, y

    def __len__(self):
        return self.tensors[0].size(0)


def test_a_dataset_flips_its_images_through_pil_and_back():
    images = cr.randint(0, 256, (40, 1, 6, 5)).float() / 255
    labels = cr.arange(40)
    transform = T.Compose([T.ToPILImage(), T.RandomVerticalFlip(p=0.5), T.ToTensor()])
    loader = DataLoader(CustomDataset((images, labels), transform), batch_size=8, shuffle=False)
    flipped = 0
    for x, y in loader:
        assert (x.shape, x.dtype) == ((8, 1, 6, 5), cr.float32)
        for image, label in zip(x, y, strict=True):
            original = images[label.item()]
            same, turned = (
                np.allclose(image.numpy(), o.numpy(), atol=1e-6) for o in (original, original.flip(1))
            )
            assert same or turned
            flipped += turned
    assert 8 <= flipped <= 32
    turned = T.Compose([T.ToPILImage(), T.RandomRotation(90), T.ToTensor()])
    assert next(iter(DataLoader(CustomDataset((images, labels), turned), batch_size=8)))[0].shape == (
        8,
        1,
        6,
        5,
    )
