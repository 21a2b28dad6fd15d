"""Image transforms on tensors: shapes and values, one draw for each image, the same bits for a seed, errors."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
import chainrule.transforms as T
from chainrule.data import DataLoader, Dataset
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


# ---- random transforms ----

SHIFTING = [
    T.RandomCrop(8, padding=3),
    T.RandomResizedCrop(8),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(),
    T.RandomRotation(90, "bilinear"),
    T.RandomAffine(40, (0.2, 0.2), (0.5, 1.5), 20),
    T.RandomGrayscale(0.5),
    T.ColorJitter(0.5, 0.5, 0.5, 0.3),
    T.GaussianBlur(3, (0.3, 3.0)),
    T.RandomErasing(0.5, value="random"),
    T.GaussianNoise(),
    T.SaltAndPepper(0.3),
    T.RandomApply([T.RandomRotation(90)], 0.5),
    T.RandomChoice([T.GaussianNoise(), T.RandomHorizontalFlip(1.0), T.Grayscale(3)]),
]
each = pytest.mark.parametrize("transform", SHIFTING, ids=lambda t: type(t).__name__)


@each
def test_every_image_of_a_batch_has_a_draw_of_its_own(transform):
    batch = floats_of(1, 3, 8, 8).expand(40, 3, 8, 8)
    out = transform(batch)
    assert out.shape == (40, 3, 8, 8)
    different = {out[i].numpy().tobytes() for i in range(40)}
    binary = (T.RandomHorizontalFlip, T.RandomVerticalFlip, T.RandomGrayscale)
    assert len(different) >= (2 if isinstance(transform, binary) else 10)


@each
def test_a_seed_gives_the_same_images_for_any_number_of_threads(transform, threads):
    batch = floats_of(150, 3, 24, 24)
    results = []
    for n in (1, 2, 3, 5):
        threads(n)
        cr.manual_seed(7)
        results.append(transform(batch).numpy().tobytes())
    assert len(set(results)) == 1
    assert transform(batch).numpy().tobytes() != results[0]


@each
@pytest.mark.parametrize("make", [floats_of, bytes_of])
def test_the_argument_stays_as_it_was_and_the_dtype_too(transform, make):
    if make is bytes_of and isinstance(transform, T.RandomErasing):
        transform = T.RandomErasing(0.5, value=3)
    for shape in ((3, 8, 8), (4, 3, 8, 8)):
        x = make(*shape)
        before = x.numpy().copy()
        out = transform(x)
        assert (out.shape, out.dtype) == (shape, x.dtype)
        np.testing.assert_array_equal(x.numpy(), before)


@pytest.mark.parametrize("transform", SHIFTING[:12], ids=lambda t: type(t).__name__)
def test_each_call_moves_the_generator_on_by_the_same_amount(transform):
    image, offsets = floats_of(3, 8, 8), []
    for _ in range(8):
        before = np.frombuffer(cr.get_rng_state().numpy().tobytes(), np.uint64)[1]
        transform(image)
        offsets.append(np.frombuffer(cr.get_rng_state().numpy().tobytes(), np.uint64)[1] - before)
    assert len(set(offsets)) == 1
    assert offsets[0] > 0


def test_random_crops_lie_everywhere_with_the_same_probability():
    x = numbered(3, 4).unsqueeze(0).expand(6000, 1, 3, 4)
    corner = T.RandomCrop((2, 3))(x)[:, 0, 0, 0].numpy()
    values, counts = np.unique(corner, return_counts=True)
    assert values.tolist() == [0, 1, 4, 5]
    assert (abs(counts - 1500) < 5 * np.sqrt(6000 * 3 / 16)).all()
    padded = T.RandomCrop(4, pad_if_needed=True, fill=9)(numbered(3, 4))
    assert padded.shape == (1, 4, 4)
    assert (padded == 9).any().item()
    mirrored = T.RandomCrop(3, padding=2, padding_mode="reflect")(numbered(3, 3))
    assert mirrored.shape == (1, 3, 3)


def test_flips_happen_as_often_as_p_says():
    x = numbered(1, 2).unsqueeze(0).expand(4000, 1, 1, 2)
    for p in (0.0, 0.2, 1.0):
        flipped = T.RandomHorizontalFlip(p)(x)[:, 0, 0, 0].mean().item()
        assert abs(flipped - p) <= 5 * np.sqrt(p * (1 - p) / 4000)


def test_random_resized_crops_have_the_areas_and_proportions_asked_for():
    u = np.random.default_rng(0).random((500, 20))
    from chainrule.transforms.crop import random_sizes

    sizes, fits = random_sizes(u, 200, 300, (0.2, 0.5), (0.5, 2.0))
    height, width = sizes[fits].T
    share, ratio = height * width / 60000, width / height
    assert 0.195 < share.min() < 0.21
    assert 0.48 < share.max() < 0.505
    assert 0.49 < ratio.min() < 0.55
    assert 1.8 < ratio.max() < 2.05
    # None fits: the largest part in the middle with an allowed proportion.
    narrow = numbered(8, 2)
    assert T.RandomResizedCrop((2, 2), scale=(5.0, 6.0), ratio=(1.0, 1.0), interpolation="nearest")(
        narrow
    ).tolist() == [[[6, 7], [8, 9]]]
    # All of the image, in its own size, is the image.
    x = floats_of(2, 3, 6, 6)
    np.testing.assert_allclose(
        T.RandomResizedCrop(6, (1.0, 1.0), (1.0, 1.0))(x).numpy(), x.numpy(), rtol=1e-6
    )


def test_rotations_use_the_whole_range_of_degrees():
    point = cr.zeros(1, 101, 101)
    point[0, 49:52, 94:97] = 1.0
    batch = point.expand(300, 1, 101, 101)
    turned = T.RandomRotation((30, 60))(batch).numpy()[:, 0]
    rows, columns = np.array([np.unravel_index(image.argmax(), image.shape) for image in turned]).T
    angle = np.degrees(np.arctan2(50 - rows, columns - 50))  # counter-clockwise is up
    assert 28 < angle.min() < 33
    assert 57 < angle.max() < 62


def test_color_jitter_takes_each_image_through_all_steps_in_an_order_of_its_own():
    x = floats_of(3, 6, 6)
    jitter = T.ColorJitter((0.5, 0.5), (1.5, 1.5), (0.2, 0.2), (0.25, 0.25))
    steps = [
        lambda y: F.adjust_brightness(y, 0.5),
        lambda y: F.adjust_contrast(y, 1.5),
        lambda y: F.adjust_saturation(y, 0.2),
        lambda y: F.adjust_hue(y, 0.25),
    ]
    possible = set()
    for order in itertools.permutations(steps):
        y = x
        for step in order:
            y = step(y)
        possible.add(y.numpy().tobytes())
    out = jitter(x.unsqueeze(0).expand(400, 3, 6, 6))
    assert {out[i].numpy().tobytes() for i in range(400)} == possible
    assert T.ColorJitter()(x) is x


def test_grey_is_the_weighted_sum_in_one_channel_or_three():
    x = floats_of(2, 3, 4, 5)
    grey = np.tensordot(x.numpy(), [0.2989, 0.587, 0.114], (1, 0))
    np.testing.assert_allclose(T.Grayscale()(x).numpy()[:, 0], grey, rtol=1e-5)
    three = T.Grayscale(3)(x)
    assert three.shape == x.shape
    np.testing.assert_allclose(three.numpy()[:, 2], grey, rtol=1e-5)
    np.testing.assert_allclose(T.RandomGrayscale(1.0)(x).numpy()[:, 1], grey, rtol=1e-5)
    single = floats_of(1, 4, 5)
    assert T.Grayscale()(single).tolist() == single.tolist()
    assert T.RandomGrayscale(0.0)(x) is x


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


def test_erased_rectangles_have_the_areas_asked_for():
    x = cr.ones(500, 2, 40, 50)
    out = T.RandomErasing(1.0, (0.1, 0.2), (0.5, 2.0), value=[5.0, 7.0])(x).numpy()
    for channel, value in enumerate((5, 7)):
        hit = out[:, channel] == value
        assert ((out[:, channel] == 1) | hit).all()
        shares = hit.mean((1, 2))
        assert 0.095 < shares.min() < 0.12
        assert 0.18 < shares.max() < 0.205
        for image in hit[:50]:
            rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
            assert image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # a rectangle
            assert 0.45 < len(rows) / len(columns) < 2.2
    assert T.RandomErasing(0.0)(x).tolist() == x.tolist()
    noise = T.RandomErasing(1.0, (0.3, 0.3), value="random")(x[:1]).numpy()
    assert len(np.unique(noise)) > 500
    written = x.clone()
    assert T.RandomErasing(1.0, inplace=True)(written) is written
    assert (written == 0).any().item()
    assert F.erase(x[0], 1, 2, 3, 4, 9.0).sum().item() == 2 * (2000 - 12) + 2 * 12 * 9


def test_noise_and_speckles_have_the_strength_asked_for():
    grey = cr.full((2, 3, 100, 100), 0.5)
    noise = T.GaussianNoise(0.1, 0.05)(grey) - 0.5
    assert abs(noise.mean().item() - 0.1) < 0.002
    assert abs(noise.std().item() - 0.05) < 0.002
    assert T.GaussianNoise(0.0, 5.0)(grey).max().item() == 1
    assert T.GaussianNoise(0.0, 5.0, clip=False)(grey).max().item() > 5
    in_bytes = T.GaussianNoise(0.0, 0.1)(bytes_of(1, 50, 50) * 0 + 128)
    assert abs(in_bytes.float().std().item() - 25.5) < 2
    speckled = T.SaltAndPepper(0.1, 0.25)(grey)
    assert abs((speckled == 1).float().mean().item() - 0.025) < 0.005
    assert abs((speckled == 0).float().mean().item() - 0.075) < 0.008
    # All channels at once.
    assert ((speckled == 1).all(1) == (speckled == 1).any(1)).all().item()
    assert set(np.unique(T.SaltAndPepper(1.0)(bytes_of(1, 9, 9)).numpy())) == {0, 255}


# ---- containers ----


def test_apply_and_choice_draw_for_each_image():
    x = cr.zeros(3000, 1, 1, 1)
    applied = T.RandomApply([T.Lambda(lambda y: y + 1), T.Lambda(lambda y: y * 2)], p=0.3)(x)
    assert set(np.unique(applied.numpy())) == {0, 2}
    assert abs(applied.mean().item() / 2 - 0.3) < 5 * np.sqrt(0.21 / 3000)
    choice = T.RandomChoice([T.Lambda(lambda y, k=k: y + k) for k in range(3)], p=[1, 0, 3])(x)
    values, counts = np.unique(choice.numpy(), return_counts=True)
    assert values.tolist() == [0, 2]
    assert abs(counts[0] / 3000 - 0.25) < 5 * np.sqrt(0.1875 / 3000)
    # Every image keeps its place.
    places = cr.arange(200).float().reshape(200, 1, 1, 1)
    mixed = T.RandomChoice([T.Lambda(lambda y: y), T.Lambda(lambda y: y + 0.25)])(places)
    assert mixed.floor().tolist() == places.tolist()
    single = T.RandomApply([T.Lambda(lambda y: y + 1)], p=1.0)(x[0])
    assert single.tolist() == [[[1]]]


def test_a_transform_that_gives_images_of_a_batch_different_shapes_is_refused():
    x = floats_of(20, 3, 8, 8)
    with pytest.raises(ValueError, match=r"RandomApply: a batch's images must keep one shape and dtype, got "
                       r"\[3, 4, 4\] float32, \[3, 8, 8\] float32"):  # fmt: skip
        T.RandomApply([T.Resize(4)])(x)


class Augmented(Dataset):
    def __init__(self, images, transform):
        self.images, self.transform = images, transform

    def __getitem__(self, index):
        return self.transform(self.images[index]), index

    def __len__(self):
        return len(self.images)


def test_a_loader_draws_the_same_images_for_the_same_seed():
    augment = T.Compose([T.RandomCrop(8, 2), T.RandomHorizontalFlip(), T.ColorJitter(0.4, 0.4, 0.4, 0.1)])
    data = Augmented(floats_of(30, 3, 8, 8), augment)

    def epoch():
        cr.manual_seed(5)
        return [x.numpy().tobytes() for x, _ in DataLoader(data, batch_size=7, shuffle=True)]

    assert epoch() == epoch()


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
