"""Trains a small convolutional network on 1,797 real handwritten digits and shows what it learned.

    python examples/digits.py [--seed 0] [--epochs 40] [--plot digits.png]

The digits come with scikit-learn (8 × 8 pixels, from the UCI Optical Recognition of Handwritten Digits set).
They are split 80/10/10, stratified by class. The network trains on the first part; the weights of the epoch
with the lowest loss on the second (dev) are kept; the third (test) is looked at once, at the end.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import chainrule as cr
from chainrule import nn
from chainrule.data import DataLoader, TensorDataset, train_dev_test_split
from chainrule.nn import functional as F


def load_parts(seed: int) -> tuple[TensorDataset, TensorDataset, TensorDataset]:
    """The digits as images [N, 1, 8, 8] between 0 and 1, split into train, dev and test."""
    digits = load_digits()
    images = cr.tensor(digits.images.astype(np.float32) / 16).unsqueeze(1)
    labels = cr.tensor(digits.target.astype(np.int64))
    parts = train_dev_test_split(images, labels, sizes=(0.8, 0.1, 0.1), seed=seed, stratify=labels)
    return tuple(TensorDataset(x, y) for x, y in zip(parts[:3], parts[3:], strict=True))


def make_model() -> nn.Module:
    """Two blocks of convolution, batch norm, ReLU and max pooling, then dropout and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64 * 2 * 2, 10),
    )


def shifted(images: cr.Tensor, rng: np.random.Generator) -> cr.Tensor:
    """The batch moved by up to one pixel each way: writers do not centre their digits."""
    down, right = rng.integers(0, 3, 2)
    return F.pad(images, (1, 1, 1, 1))[:, :, down : down + 8, right : right + 8]


def evaluate(model: nn.Module, part: TensorDataset) -> tuple[float, float, cr.Tensor]:
    """Loss, accuracy and the predicted classes of a whole part."""
    images, labels = part.tensors
    model.eval()
    with cr.no_grad():
        logits = model(images)
    predicted = logits.argmax(1)
    loss = F.cross_entropy(logits, labels).item()
    return loss, (predicted == labels).float().mean().item(), predicted


def train(model, train_part, dev_part, epochs: int, seed: int) -> dict[str, list[float]]:
    """Trains in place and leaves the weights of the best epoch on dev; returns the curves."""
    loader = DataLoader(train_part, batch_size=32, shuffle=True)
    optimizer = cr.optim.Adam(model.parameters(), lr=2e-3)
    rng = np.random.default_rng(seed)
    history: dict[str, list[float]] = {k: [] for k in ("train", "dev", "train_loss", "dev_loss")}
    best, best_state = float("inf"), None
    bar = tqdm(range(1, epochs + 1), unit="epoch", mininterval=0.5)
    for epoch in bar:
        optimizer.param_groups[0]["lr"] = 2e-3 * 0.5 * (1 + np.cos(np.pi * (epoch - 1) / epochs))
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(shifted(images, rng)), labels)
            loss.backward()
            optimizer.step()
        train_loss, train_accuracy, _ = evaluate(model, train_part)
        dev_loss, dev_accuracy, _ = evaluate(model, dev_part)
        for key, value in zip(history, (train_accuracy, dev_accuracy, train_loss, dev_loss), strict=True):
            history[key].append(value)
        tqdm.write(f"epoch {epoch:2d}   train {train_accuracy:.4f}   dev {dev_accuracy:.4f}")
        if dev_loss < best:
            best, best_state = dev_loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return history


def plot(path, history, test_part, predicted, accuracy) -> None:
    """Learning curves, confusion matrix and the misclassified digits in one picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    images, labels = (t.numpy() for t in test_part.tensors)
    guesses = predicted.numpy()
    wrong = np.flatnonzero(guesses != labels)[:6]
    figure, axes = plt.subplot_mosaic([list("AABBCCC"), list("AABBDEF"), list("AABBGHI")], figsize=(15, 5))
    for key, label in (("train", "train"), ("dev", "dev")):
        axes["A"].plot(range(1, len(history[key]) + 1), history[key], label=label)
    axes["A"].set(title="Accuracy", xlabel="epoch", ylim=(min(0.9, *history["dev"]) - 0.02, 1.005))
    axes["A"].legend(loc="lower right")
    axes["A"].grid(alpha=0.3)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels, guesses), 1)
    axes["B"].imshow(confusion, cmap="Blues")
    axes["B"].set(title=f"Test: {accuracy:.1%} of {len(labels)}", xlabel="predicted", ylabel="digit")
    axes["B"].set(xticks=range(10), yticks=range(10))
    for i, j in np.argwhere(confusion):
        shade = "white" if confusion[i, j] > 9 else "black"
        axes["B"].text(j, i, confusion[i, j], ha="center", va="center", color=shade, fontsize=8)
    axes["C"].axis("off")
    count = int((guesses != labels).sum())
    axes["C"].text(0.5, 0.3, f"Misclassified digits ({count})", ha="center", fontsize=12)
    for slot, key in enumerate("DEFGHI"):
        axes[key].axis("off")
        if slot < len(wrong):
            i = wrong[slot]
            axes[key].imshow(images[i, 0], cmap="gray_r")
            axes[key].set_title(f"{labels[i]} read as {guesses[i]}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main(argv: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of split, initialisation, shuffling and dropout")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--plot", default="digits.png", help="where the picture goes; '' for none")
    parser.add_argument("--save", default="", help="where the weights go (safetensors)")
    options = parser.parse_args(argv)

    start = time.perf_counter()
    cr.manual_seed(options.seed)
    train_part, dev_part, test_part = load_parts(options.seed)
    model = make_model()
    history = train(model, train_part, dev_part, options.epochs, options.seed)
    _, accuracy, predicted = evaluate(model, test_part)
    seconds = time.perf_counter() - start
    print(f"test accuracy {accuracy:.4f} (seed {options.seed}, {options.epochs} epochs, {seconds:.1f} s)")
    if options.save:
        cr.save(model.state_dict(), options.save)
    if options.plot:
        plot(options.plot, history, test_part, predicted, accuracy)
        print(f"learning curves, confusion matrix and misclassified digits: {options.plot}")
    return accuracy


if __name__ == "__main__":
    main()
