"""What a pass over data in memory costs: 100,000 x 20 float32 rows with labels, in shuffled batches of 256.

    python benchmarks/loader.py [--rounds 30] [--json out.json]

chainrule, NumPy's ``X[p[i:i+256]], y[p[i:i+256]]`` and PyTorch's DataLoader over a TensorDataset run in processes of
their own and are measured in turn, round by round. Each first shows that a pass gives every row once, with its
label. A pass includes drawing the order, but for the line that says "order given". Medians, the spread (10th to
90th percentile), and the ratio of chainrule's time to each, median of the rounds. Needs the extra `peers`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from peer import Peer

ROWS, COLUMNS, BATCH = 100_000, 20, 256
# chainrule's time against theirs, at most.
TARGETS = {"NumPy": 1.3, "NumPy, order given": 1.3, "PyTorch": 0.1, "PyTorch, 2 workers": 0.1}
NAMES = ["chainrule", "chainrule, one by one", "chainrule, one by one, 2 threads", *TARGETS]
SLOW = {"PyTorch", "PyTorch, 2 workers", "chainrule, one by one", "chainrule, one by one, 2 threads"}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Labels are the rows' numbers, so that a batch shows what it holds."""
    x = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    return x, np.arange(ROWS)


def numpy_passes(given: bool) -> Callable[[], Iterator]:
    x, y = data()
    rng = np.random.default_rng(1)
    fixed = rng.permutation(ROWS)

    def one_pass() -> Iterator:
        p = fixed if given else rng.permutation(ROWS)
        for i in range(0, ROWS, BATCH):
            yield x[p[i : i + BATCH]], y[p[i : i + BATCH]]

    return one_pass


def torch_passes(workers: int) -> Callable[[], Iterator]:
    import torch

    x, y = data()
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(
        dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: iter(loader)


def chainrule_passes(single: bool, workers: int = 0) -> Callable[[], Iterator]:
    import chainrule as cr
    from chainrule.data import DataLoader, TensorDataset, TransformDataset

    x, y = (cr.from_numpy(values) for values in data())
    # Sample by sample, as a dataset of one's own is fetched.
    dataset = TransformDataset((x, y)) if single else TensorDataset(x, y)
    loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    return lambda: iter(loader)


def passes(name: str) -> Callable[[], Iterator]:
    kind, *rest = name.split(", ")
    workers = 2 if name.endswith(("2 workers", "2 threads")) else 0
    if kind == "NumPy":
        return numpy_passes("order given" in rest)
    return torch_passes(workers) if kind == "PyTorch" else chainrule_passes("one by one" in rest, workers)


def check(one_pass: Callable[[], Iterator]) -> None:
    """Every row once, shuffled, with its label."""
    x, _ = data()
    seen = np.zeros(ROWS, bool)
    sizes = []
    for rows, labels in one_pass():
        rows, labels = np.asarray(rows), np.asarray(labels)
        sizes.append(len(labels))
        assert (rows == x[labels]).all()
        assert not seen[labels].any()
        assert (np.diff(labels) != 1).any()
        seen[labels] = True
    assert seen.all()
    assert sizes == [BATCH] * (ROWS // BATCH) + [ROWS % BATCH]


def worker(name: str) -> None:
    """Answers each line of standard input with the seconds of one pass, after one that isn't measured."""
    one_pass = passes(name)
    check(one_pass)
    print("ready", flush=True)
    for _ in sys.stdin:
        times = []
        for _ in range(1 if name in SLOW else 4):
            start = time.perf_counter()
            for _ in one_pass():
                pass
            times.append(time.perf_counter() - start)
        print(statistics.median(times), flush=True)


def measure(rounds: int) -> list[dict]:
    peers = {name: Peer(__file__, name) for name in NAMES}
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(rounds):
        for name, peer in peers.items():
            times[name].append(peer.time())
    for peer in peers.values():
        peer.close()
    rows = []
    for name, seconds in times.items():
        ordered = sorted(seconds)
        ratios = sorted(ours / theirs for ours, theirs in zip(times["chainrule"], seconds, strict=True))
        rows.append({
            "name": name,
            "ms": statistics.median(seconds) * 1e3,
            "spread_ms": [ordered[len(ordered) // 10] * 1e3, ordered[len(ordered) * 9 // 10] * 1e3],
            "ratio": statistics.median(ratios),
            "ratio_spread": [ratios[len(ratios) // 10], ratios[len(ratios) * 9 // 10]],
            "target": TARGETS.get(name),
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", default="")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    rows = measure(options.rounds)
    print(f"{'a pass':<34}{'ms':>9}{'10–90 %':>20}{'chainrule / this':>18}{'10–90 %':>16}{'target':>8}")
    for r in rows:
        spread = "{:.2f}–{:.2f}".format(*r["spread_ms"])
        ratios = "{:.3f}–{:.3f}".format(*r["ratio_spread"])
        target = "" if r["target"] is None else f"{r['target']:.2f}"
        print(f"{r['name']:<34}{r['ms']:>9.2f}{spread:>20}{r['ratio']:>18.3f}{ratios:>16}{target:>8}")
    if options.json:
        with open(options.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
