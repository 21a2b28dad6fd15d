"""Trains the same small network on real digits twice, eagerly and captured, and compares time and weights.

    python examples/capture.py [--steps 2000]

The digits come with scikit-learn (8 × 8 pixels). Captured steps give the same bits, so the losses agree exactly.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F


def train(images: cr.Tensor, labels: cr.Tensor, steps: int, captured: bool) -> tuple[float, float, nn.Module]:
    """Microseconds a step (the median), the last loss, and the model."""
    cr.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10))
    optimizer = cr.optim.Adam(model.parameters(), lr=1e-3)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = cr.capture(step) if captured else step
    rng, times = np.random.default_rng(0), []
    for _ in range(steps):
        rows = cr.from_numpy(rng.integers(0, len(images), 32))
        x, y = images[rows], labels[rows]
        start = time.perf_counter()
        loss = run(x, y)
        times.append(time.perf_counter() - start)
    if captured:
        print(f"  {run.programs[0]}")
    return float(np.median(times)) * 1e6, loss.item(), model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    digits = load_digits()
    images, labels = (
        cr.tensor(digits.images.reshape(-1, 64).astype(np.float32) / 16),
        cr.tensor(digits.target),
    )
    results = {}
    for captured in (False, True):
        name = "captured" if captured else "eager"
        results[name] = train(images, labels, options.steps, captured)
        print(f"{name:9} {results[name][0]:7.1f} µs a step, last loss {results[name][1]:.6f}")
    (eager, _, one), (fast, _, two) = results["eager"], results["captured"]
    same = all((p == q).all().item() for p, q in zip(one.parameters(), two.parameters(), strict=True))
    print(f"{eager / fast:.1f} times as fast; weights {'equal, bit for bit' if same else 'DIFFER'}")
    two.eval()
    predict = cr.capture(two)
    with cr.no_grad():
        accuracy = (predict(images).argmax(1) == labels).float().mean().item()
    print(f"accuracy on all digits {accuracy:.4f}")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
