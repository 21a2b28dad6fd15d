"""Random image transforms: one draw for each image, spread as asked for, the same bits for a seed."""

import itertools

import numpy as np
import pytest

import chainrule as cr
import chainrule.transforms as T
from chainrule.data import DataLoader, Dataset
from chainrule.transforms import functional as F
from test_transforms import bytes_of, floats_of, numbered

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


def test_a_loader_draws_the_same_images_for_the_same_seed_and_any_number_of_workers():
    augment = T.Compose([T.RandomCrop(8, 2), T.RandomHorizontalFlip(), T.ColorJitter(0.4, 0.4, 0.4, 0.1)])
    data = Augmented(floats_of(30, 3, 8, 8), augment)

    def epoch(workers):
        cr.manual_seed(5)
        loader = DataLoader(data, batch_size=7, shuffle=True, num_workers=workers)
        return [x.numpy().tobytes() for x, _ in loader]

    assert epoch(0) == epoch(0) == epoch(1) == epoch(3)


def test_random_transforms_refuse_to_be_captured():
    step, x = cr.capture(lambda x: T.RandomRotation(9)(x)), floats_of(2, 3, 8, 8)
    step(x)  # the first call is not recorded
    with pytest.raises(RuntimeError, match="reading a value while a program is recorded would freeze it"):
        step(x)
