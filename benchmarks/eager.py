"""What Python costs: one small eager op with gradient recording, and a whole training step of a small net.

    python benchmarks/eager.py [--rounds 30] [--json out.json]

chainrule and PyTorch run in processes of their own, pinned to the same number of threads, and are measured in
turn, round by round; the table shows medians, the spread (10th to 90th percentile) and the median of the
ratios round by round. Needs the extra `peers`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

from peer import Peer

CASES = ["a + b", "a * b", "relu", "sigmoid", "step 30-64-32-1"]
TARGETS = {"step 30-64-32-1": 1 / 3}  # time against PyTorch's; 0.6 for single ops


def make_step(lib, fused: bool):
    """One training step of 30-64-32-1 with ReLU, BCE with logits and Adam on a batch of 12."""
    nn = lib.nn
    lib.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3, **({"fused": True} if fused else {}))
    loss_function = nn.BCEWithLogitsLoss()
    x, y = lib.randn(12, 30), (lib.rand(12, 1) > 0.5).float()

    def step():
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()

    return step


def make_cases(lib, fused: bool) -> dict:
    a = lib.tensor([i / 64 for i in range(64)], requires_grad=True)
    b = lib.tensor([1.5 - i / 64 for i in range(64)], requires_grad=True)
    relu, sigmoid = lib.relu, lib.sigmoid
    return {
        "a + b": (lambda: a + b, 5000),
        "a * b": (lambda: a * b, 5000),
        "relu": (lambda: relu(a), 5000),
        "sigmoid": (lambda: sigmoid(a), 5000),
        "step 30-64-32-1": (make_step(lib, fused), 200),
    }


def worker(name: str, threads: int) -> None:
    """Answers each line of standard input, a case's name, with its time per call in seconds."""
    if name == "torch":
        import torch as lib
    else:
        import chainrule as lib
    lib.set_num_threads(threads)
    cases = make_cases(lib, name == "torch")
    for f, count in cases.values():
        for _ in range(count):
            f()
    print("ready", flush=True)
    for line in sys.stdin:
        f, count = cases[line.strip()]
        start = time.perf_counter()
        for _ in range(count):
            f()
        print((time.perf_counter() - start) / count, flush=True)


def measure(rounds: int, threads: int) -> list[dict]:
    ours, theirs = (
        Peer(__file__, name, "--threads", str(threads), pause=0.2) for name in ("chainrule", "torch")
    )
    times: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case in CASES:
            times[case].append((ours.time(case), theirs.time(case)))
    ours.close()
    theirs.close()
    rows = []
    for case, pairs in times.items():
        mine, peer = sorted(p[0] for p in pairs), [p[1] for p in pairs]
        rows.append({
            "case": case,
            "chainrule_us": statistics.median(mine) * 1e6,
            "spread_us": [mine[len(mine) // 10] * 1e6, mine[len(mine) * 9 // 10] * 1e6],
            "torch_us": statistics.median(peer) * 1e6,
            "ratio": statistics.median(a / b for a, b in pairs),
            "target": TARGETS.get(case, 0.6),
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", default="")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.threads)
        return
    rows = measure(options.rounds, options.threads)
    print(f"{'case':<18}{'chainrule µs':>14}{'10–90 %':>18}{'torch µs':>11}{'ratio':>8}{'target':>8}")
    for r in rows:
        low, high = r["spread_us"]
        spread = f"{low:.2f}–{high:.2f}"
        print(f"{r['case']:<18}{r['chainrule_us']:>14.2f}{spread:>18}{r['torch_us']:>11.2f}"
              f"{r['ratio']:>8.2f}{r['target']:>8.2f}")  # fmt: skip
    if options.json:
        with open(options.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
