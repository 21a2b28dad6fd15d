"""Augmentation of a batch: crop with padding, flip, rotation, to floating numbers, normalisation.

    python benchmarks/image.py [--rounds 30] [--json out.json]

128 images of 32 × 32 × 3 bytes become a float32 batch, every image with a crop, flip and angle of its own:
chainrule takes the batch at once, with one and with two threads; Pillow takes one image after the other, with one
and with two threads, as does torchvision on PIL images where it is installed. Each runs in a process of its own and
they are measured in turn, round by round; the table shows medians, the spread (10th to 90th percentile) and the
median of the ratios to Pillow with as many threads. Needs Pillow.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from peer import Peer

IMAGES, SIZE, PADDING, DEGREES, REPEATS = 128, 32, 4, 15, 5
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
MODES = ("nearest", "bilinear")
LIBRARIES = ("chainrule", "Pillow", "torchvision")
TARGETS = {1: 5.0, 2: 2.5}  # times Pillow's speed, by threads


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)


def chainrule_pipeline(mode: str, threads: int) -> Callable[[], Any]:
    import chainrule as cr
    from chainrule import transforms as T

    cr.set_num_threads(threads)
    batch = cr.tensor(np.ascontiguousarray(pixels().transpose(0, 3, 1, 2)))
    augment = T.Compose([
        T.RandomCrop(SIZE, padding=PADDING),
        T.RandomHorizontalFlip(),
        T.RandomRotation(DEGREES, mode),
        T.ConvertImageDtype(cr.float32),
        T.Normalize(MEAN, STD),
    ])  # fmt: skip
    return lambda: augment(batch)


def each_image(
    change: Callable[[Any], np.ndarray], images: list[Any], threads: int
) -> Callable[[], np.ndarray]:
    """All images through a function, in equal runs, one for each thread."""
    if threads == 1:
        return lambda: np.stack([change(image) for image in images])
    pool = ThreadPoolExecutor(threads)
    runs = [images[i::threads] for i in range(threads)]
    return lambda: np.concatenate(
        list(pool.map(lambda run: np.stack([change(image) for image in run]), runs))
    )


def pillow_pipeline(mode: str, threads: int) -> Callable[[], Any]:
    from PIL import Image, ImageOps

    resampling = getattr(Image.Resampling, mode.upper())
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    rng = np.random.default_rng(0)

    def augment(image):
        u = rng.random(4)
        top, left = (int(value * (2 * PADDING + 1)) for value in u[:2])
        image = ImageOps.expand(image, PADDING).crop((left, top, left + SIZE, top + SIZE))
        if u[2] < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = image.rotate((2 * u[3] - 1) * DEGREES, resampling)
        x = np.asarray(image, np.float32).transpose(2, 0, 1)
        return (x / 255 - mean) / std

    return each_image(augment, [Image.fromarray(image) for image in pixels()], threads)


def torchvision_pipeline(mode: str, threads: int) -> Callable[[], Any]:
    import torch
    from PIL import Image
    from torchvision import transforms as T

    torch.set_num_threads(1)
    augment = T.Compose([
        T.RandomCrop(SIZE, padding=PADDING),
        T.RandomHorizontalFlip(),
        T.RandomRotation(DEGREES, T.InterpolationMode(mode)),
        T.ToTensor(),
        T.Normalize(MEAN, STD),
    ])  # fmt: skip
    images = [Image.fromarray(image) for image in pixels()]
    return each_image(lambda image: augment(image).numpy(), images, threads)


PIPELINES = dict(zip(LIBRARIES, (chainrule_pipeline, pillow_pipeline, torchvision_pipeline), strict=True))


def check() -> None:
    """Before anything is timed: the same crop, flip and angle give Pillow's pixels."""
    from PIL import Image

    import chainrule as cr
    from chainrule.transforms import functional as F

    rng = np.random.default_rng(1)
    for array in pixels()[:16]:
        image, x = Image.fromarray(array), cr.tensor(np.ascontiguousarray(array.transpose(2, 0, 1)))
        top, left = (int(value) for value in rng.integers(0, 2 * PADDING + 1, 2))
        angle = float(rng.uniform(-DEGREES, DEGREES))
        for mode in MODES:
            results = []
            for source in (image, x):
                cropped = F.crop(F.pad(source, PADDING), top, left, SIZE, SIZE)
                results.append(F.rotate(F.hflip(cropped), angle, mode))
            apart = np.abs(np.asarray(results[0]).transpose(2, 0, 1).astype(int) - results[1].numpy())
            # One level; of the nearest pixels a few may be others, which Pillow finds with 16 bits.
            wrong = (apart > 1).mean()
            if wrong > (0.005 if mode == "nearest" else 0):
                raise SystemExit(f"{mode}: {wrong:.1%} of the pixels differ from Pillow's")


def worker(library: str, threads: int) -> None:
    """Answers each line of standard input, a mode, with its time per batch in seconds."""
    runs = {mode: PIPELINES[library](mode, threads) for mode in MODES}
    for run in runs.values():
        for _ in range(REPEATS):
            run()
    print("ready", flush=True)
    for line in sys.stdin:
        run = runs[line.strip()]
        start = time.perf_counter()
        for _ in range(REPEATS):
            run()
        print((time.perf_counter() - start) / REPEATS, flush=True)


def measure(rounds: int) -> list[dict]:
    libraries = list(LIBRARIES[:2])
    if importlib.util.find_spec("torchvision"):
        libraries.append("torchvision")
    peers = {
        (name, threads): Peer(__file__, name, "--threads", str(threads), pause=0.05)
        for name in libraries
        for threads in TARGETS
    }
    times = {(mode, name, threads): [] for mode in MODES for name, threads in peers}
    for _ in range(rounds):
        for mode, library, threads in times:
            times[mode, library, threads].append(peers[library, threads].time(mode))
    for peer in peers.values():
        peer.close()
    rows = []
    for (mode, library, threads), mine in times.items():
        ratios = [theirs / own for theirs, own in zip(times[mode, "Pillow", threads], mine, strict=True)]
        ordered = sorted(mine)
        rows.append({
            "mode": mode,
            "library": library,
            "threads": threads,
            "us_per_image": statistics.median(mine) / IMAGES * 1e6,
            "spread_us": [ordered[len(mine) * i // 10] / IMAGES * 1e6 for i in (1, 9)],
            "times_pillow": statistics.median(ratios),
            "target": TARGETS[threads] if library == "chainrule" else None,
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", default="")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.threads)
        return
    check()
    rows = measure(options.rounds)
    print(
        f"{'rotation':<10}{'library':<13}{'threads':>7}{'µs an image':>13}{'10–90 %':>15}{'times Pillow':>14}"
    )
    for r in rows:
        spread = "{:.1f}–{:.1f}".format(*r["spread_us"])
        target = f" (target {r['target']})" if r["target"] else ""
        print(f"{r['mode']:<10}{r['library']:<13}{r['threads']:>7}{r['us_per_image']:>13.1f}{spread:>15}"
              f"{r['times_pillow']:>14.1f}{target}")  # fmt: skip
    if options.json:
        with open(options.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
