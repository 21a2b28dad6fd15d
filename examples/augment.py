"""What image transforms do: to one photograph, and to the accuracy of a network with few training images.

    python examples/augment.py [--sheet augment.png] [--seeds 5] [--epochs 60] [--images 200] [--quick]

The photograph is Chelsea the cat by Stéfan van der Walt (CC0), which comes with scikit-image; the digits come with
scikit-learn. Install both with `pip install 'chainrule[examples,photos]'`.

A small convolutional network learns from 200 digits, 20 of each, once from the images as they are and once from
images that are moved, turned and scaled a little at every look. The other 1,597 digits are the test. Each pair of
runs has the same split and the same initial weights; the table shows the mean and the standard deviation over seeds.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import chainrule as cr
from chainrule import nn
from chainrule import transforms as T
from chainrule.data import DataLoader, TensorDataset, train_test_split
from chainrule.nn import functional as F

NOTHING = T.Lambda(lambda x: x)
LITTLE_MOVES = T.RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation="bilinear")


def photograph() -> np.ndarray:
    """A square around the cat's face, [300, 300, 3] bytes."""
    try:
        from skimage import data
    except ImportError as error:
        raise SystemExit("augment: needs scikit-image: pip install 'chainrule[examples,photos]'") from error
    return data.chelsea()[:, 90:390]


def panels() -> list[tuple[str, T.Compose]]:
    """What the sheet shows: names and transforms of float images [3, 128, 128]."""
    return [
        ("the photograph", NOTHING),
        ("Resize(24)", T.Resize(24)),
        ("Resize(24, 'nearest')", T.Resize(24, "nearest")),
        ("CenterCrop(64)", T.CenterCrop(64)),
        ("Pad(24)", T.Pad(24)),
        ("Pad(24, padding_mode='reflect')", T.Pad(24, padding_mode="reflect")),
        ("RandomCrop(128, padding=40)", T.RandomCrop(128, padding=40)),
        ("RandomResizedCrop(128)", T.RandomResizedCrop(128, scale=(0.2, 0.6))),
        ("RandomHorizontalFlip(1)", T.RandomHorizontalFlip(1.0)),
        ("RandomVerticalFlip(1)", T.RandomVerticalFlip(1.0)),
        ("RandomRotation(30)", T.RandomRotation((20, 30), "bilinear")),
        ("RandomRotation(expand=True)", T.RandomRotation((20, 30), "bilinear", expand=True)),
        ("RandomAffine(shear=30)", T.RandomAffine(10, (0.1, 0.1), (0.7, 0.9), (20, 30), "bilinear", fill=1)),
        ("Grayscale()", T.Grayscale()),
        ("ColorJitter(hue=0.5)", T.ColorJitter(hue=(0.3, 0.5))),
        ("ColorJitter(0.5, 0.5, 0.9)", T.ColorJitter((0.5, 0.7), (1.3, 1.5), (1.5, 1.9))),
        ("GaussianBlur(11, 3)", T.GaussianBlur(11, 3.0)),
        ("RandomErasing(value='random')", T.RandomErasing(1.0, (0.1, 0.2), value="random")),
        ("GaussianNoise(sigma=0.15)", T.GaussianNoise(sigma=0.15)),
        ("SaltAndPepper(0.1)", T.SaltAndPepper(0.1)),
        ("Normalize(0.5, 0.5)", T.Normalize(0.5, 0.5)),
        ("RandomApply, RandomChoice", T.Compose([
            T.RandomApply([T.Grayscale(3)], 0.5),
            T.RandomChoice([T.SaltAndPepper(), T.RandomRotation(180), T.GaussianBlur(9, 2.0)]),
        ])),
        ("uint8", T.Compose([T.ConvertImageDtype(cr.uint8), T.ColorJitter(0.4, 0.4, 0.4, 0.1)])),
        ("through PIL", T.Compose([T.ToPILImage(), T.RandomRotation(20), T.ToTensor()])),
    ]  # fmt: skip


def draw_sheet(path: str, seed: int) -> None:
    """Every transform on the same photograph."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cr.manual_seed(seed)
    image = T.Compose([T.ToTensor(), T.Resize(128)])(photograph())
    shown = panels()
    figure, axes = plt.subplots(4, 6, figsize=(15, 11))
    for axis, (name, transform) in zip(axes.flat, shown, strict=True):
        out = transform(image)
        pixels = np.clip(out.numpy(), 0, 255 if out.dtype is cr.uint8 else 1).transpose(1, 2, 0)
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{name}\n{' × '.join(str(size) for size in out.shape)}", fontsize=9)
        axis.axis("off")
    figure.tight_layout(h_pad=1.5)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def load_digits(images: int, seed: int) -> tuple[cr.Tensor, cr.Tensor, cr.Tensor, cr.Tensor]:
    """Training and test images [N, 1, 8, 8] in [0, 1] and their labels, stratified by class."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = cr.tensor(digits.images.astype(np.float32) / 16).unsqueeze(1)
    y = cr.tensor(digits.target.astype(np.int64))
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, train_size=images, random_state=seed, stratify=y
    )
    return x_train, y_train, x_test, y_test


def make_model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 48, 3, padding=1),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(48 * 2 * 2, 10),
    )


def accuracy(augment, images: int, epochs: int, seed: int) -> float:
    """Test accuracy after training on so few images, seen through `augment`."""
    x_train, y_train, x_test, y_test = load_digits(images, seed)
    cr.manual_seed(seed)
    model = make_model()
    optimizer = cr.optim.Adam(model.parameters(), lr=2e-3)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 2e-3 * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(augment(x)), y).backward()
            optimizer.step()
    model.eval()
    with cr.no_grad():
        return (model(x_test).argmax(1) == y_test).float().mean().item()


def compare(images: int, epochs: int, seeds: int) -> dict[str, list[float]]:
    """Accuracies by seed, with and without augmentation."""
    return {
        name: [accuracy(augment, images, epochs, seed) for seed in range(seeds)]
        for name, augment in (("as they are", NOTHING), ("augmented", LITTLE_MOVES))
    }


def main(argv: list[str] | None = None) -> dict[str, list[float]]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sheet", default="augment.png", help="where the contact sheet goes; '' for none")
    parser.add_argument("--seed", type=int, default=0, help="of the contact sheet")
    parser.add_argument("--images", type=int, default=200, help="to train on")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=5, help="how many pairs of runs")
    parser.add_argument("--quick", action="store_true", help="two seeds and 20 epochs")
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds, options.epochs = 2, 20

    if options.sheet:
        draw_sheet(options.sheet, options.seed)
        print(f"every transform on one photograph: {options.sheet}")
    start = time.perf_counter()
    results = compare(options.images, options.epochs, options.seeds)
    print(f"test accuracy after {options.epochs} epochs on {options.images} digits, {options.seeds} seeds:")
    for name, values in results.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"  {name:<12} {statistics.mean(values):.4f} ± {spread:.4f}")
    gains = [b - a for a, b in zip(*results.values(), strict=True)]
    print(
        f"  difference   {statistics.mean(gains):+.4f}, better with {sum(g > 0 for g in gains)} of the seeds"
    )
    print(f"({time.perf_counter() - start:.0f} s)")
    return results


if __name__ == "__main__":
    main()
