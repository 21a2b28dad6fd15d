"""Every kernel and whole training steps against the peers and against the machine's limit.

    python benchmarks/compare.py                          # everything: half an hour on two cores
    python benchmarks/compare.py --only conv matmul       # families (files of shapes/)
    python benchmarks/compare.py --group "conv 1x1"       # groups
    python benchmarks/compare.py --only capture           # captured steps, not part of everything
    python benchmarks/compare.py --isa v3                 # chainrule and the peers capped to AVX2

Each library runs in a process of its own, stopped while another one is measured, so that idle threads spin
beside nobody. Results are compared first. An interrupted run sums up what it has. The libraries take turns,
round by round; the table shows medians, the spread (10th to 90th percentile), the ratio to each peer (its
time by ours, the median over the rounds, with its 95 % interval from order statistics) and the fraction of
the machine's limit, measured at the same size and mix of reads and writes. Peers run in the fastest of their
layouts and of one and all threads. Needs the extras `bench` and `peers`, captured steps also `mlx` and a
system's OpenBLAS for it (libopenblas0); what is not installed is left out.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from limits import Limits
from targets import EACH_ROW, TARGETS

from cases import EACH_FORM, ONE_LAYOUT, SHAPES, Case, load

HERE = Path(__file__).parent
PEERS = ("numpy", "torch", "jax")
STEP_PEERS = ("torch", "torch.compile", "jax", "mlx", "sklearn", "onnxruntime")  # of captured steps
FORMS = ("torch.fused", "torch.foreach")  # of PyTorch's optimizers
ALL_PEERS = tuple(dict.fromkeys(PEERS + FORMS + STEP_PEERS))
SAMPLE_SECONDS = 0.004  # a sample is repeated calls of at least this long
TOLERANCE = 2e-4  # relative to the largest value: float32 sums in another order
# How each library is told. MKL, which PyTorch takes for products and exp, does not listen on AMD's, and onnxruntime
# has no such setting.
CAPS = {
    "v3": {
        "CHAINRULE_ISA": "v3",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
    "v2": {
        "CHAINRULE_ISA": "v2",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
    },
}


class Worker:
    """A library's process; it runs only between `__enter__` and `__exit__`."""

    def __init__(self, name: str, isa: str) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")} | CAPS.get(isa, {})
        if name == "mlx" and (blas := find_library("openblas")):
            env["LD_PRELOAD"] = blas  # MLX's wheel brings the reference BLAS, up to 30 times as slow
        command = [sys.executable, str(HERE / "worker.py"), name]
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
        )
        first = self.process.stdout.readline()
        self.version = json.loads(first)["version"] if first else None
        if self.version:
            self.process.send_signal(signal.SIGSTOP)

    def __enter__(self) -> Worker:
        self.process.send_signal(signal.SIGCONT)
        return self

    def __exit__(self, *error) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, **request) -> dict:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} died on {request}")
        return json.loads(answer)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Prepared:
    worker: Worker
    once: float
    values: np.ndarray
    variant: str

    @property
    def inner(self) -> int:
        return max(1, math.ceil(SAMPLE_SECONDS / self.once))


def prepare(worker: Worker, case: Case) -> Prepared | None:
    """The library's fastest variant for this case, ready to run; None where it does not have the case."""
    variants = [(case.threads, "nchw")]
    if worker.name != "chainrule" and case.threads > 1 and worker.name != "jax":
        variants.append((1, "nchw"))
    layouts = case.family in ("conv", "conv_transpose", "pool", "batchnorm")
    if worker.name == "torch" and layouts and case.group not in ONE_LAYOUT:
        variants += [(threads, "nhwc") for threads, _ in variants]
    if worker.name == "torch" and case.family == "optim":
        variants += [(threads, "foreach") for threads, _ in variants]
    found = []
    with worker:
        for threads, layout in variants:
            request = {"do": "prepare", "case": case.to_json(), "threads": threads, "layout": layout}
            answer = worker.ask(**request)
            if not answer:
                return None
            found.append((answer, request))
        answer, request = min(found, key=lambda f: f[0]["once"])
        if len(found) > 1 and request is not found[-1][1]:
            worker.ask(**request)
    variant = f"{request['threads']} {request['layout']}" if len(variants) > 1 else ""
    return Prepared(worker, answer["once"], np.array(answer["values"]), variant)


def check(case: Case, ours: Prepared, peer: Prepared) -> None:
    a, b = ours.values, peer.values
    if case.family in ("nets", "optim") or peer.worker.name == "sklearn":  # its initial weights are its own
        return
    if a.shape != b.shape or np.abs(a - b).max(initial=0) > TOLERANCE * np.abs(b).max(initial=1e-30):
        raise SystemExit(f"{case.group} {case.label}: our result is not that of {peer.worker.name}")


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median from order statistics (at least 6 values)."""
    ordered, n = sorted(values), len(values)
    cumulative, k = 0.5**n, 0
    while k < n // 2 and cumulative < 0.025:
        k += 1
        cumulative += math.comb(n, k) * 0.5**n
    return ordered[max(k - 1, 0)], ordered[n - max(k, 1)]


def measure(
    case: Case, workers: list[Worker], limits: Limits, rounds: int, samples: int, again: bool = False
) -> dict:
    team = [p for p in (prepare(w, case) for w in workers) if p is not None]
    ours, *peers = team
    for peer in peers:
        check(case, ours, peer)
    times: dict[str, list[list[float]]] = {p.worker.name: [] for p in team}
    for _ in range(rounds):
        for p in team:
            with p.worker as worker:
                times[worker.name].append(worker.ask(do="time", samples=samples, inner=p.inner)["times"])
    mine = sorted(t for r in times["chainrule"] for t in r)
    row = {
        "group": case.group,
        "case": case.label,
        "direction": case.direction,
        "threads": case.threads,
        "fewer_multiplications": case.filtered,
        "seconds": statistics.median(mine),
        "spread": [mine[len(mine) // 10], mine[len(mine) * 9 // 10]],
        "peers": {},
        **limit_of(case, statistics.median(mine), limits, again),
    }
    for p in peers:
        pairs = zip(times["chainrule"], times[p.worker.name], strict=True)
        ratios = [statistics.median(b) / statistics.median(a) for a, b in pairs]
        row["peers"][p.worker.name] = {
            "seconds": statistics.median(t for r in times[p.worker.name] for t in r),
            "ratio": statistics.median(ratios),
            "interval": interval(ratios),
            "variant": p.variant,
        }
    return row


def beaten(row: dict) -> bool:
    return (row["of_limit"] or 0) > 1 and not row["fewer_multiplications"]


def measure_all(cases: list[Case], workers: list[Worker], limits: Limits, rounds: int, samples: int) -> list:
    """Rows, printed as they come; those so far when it is interrupted, by Ctrl-C or by `timeout`."""

    def stop(*_) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # `timeout` sends two
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    rows: list[dict] = []
    try:
        for i, case in enumerate(cases):
            if i == 0 or case.group != cases[i - 1].group:
                print(f"\n{case.group}")
            row = measure(case, workers, limits, rounds, samples)
            if beaten(row):  # the machine has become faster since its limit was measured: once more, both
                row = measure(case, workers, limits, rounds, samples, again=True)
            rows.append(row)
            print_row(row)
    except KeyboardInterrupt:
        print(f"\ninterrupted: {len(rows)} of {len(cases)} rows")
    return rows


def limit_of(case: Case, seconds: float, limits: Limits, again: bool) -> dict:
    """The fraction of the limit that binds: arithmetic where a case has any, otherwise bytes.

    The limit was measured once, at another moment than the case: where the case beats it, or for `again`, it is
    measured again, and the largest figure counts.
    """
    if case.flops and case.group != "matrix-vector":
        rate, unit = case.flops / seconds, "Gflop/s"
        measured = functools.partial(limits.flops, case.threads)
    elif sum(case.traffic):
        read, write, *update = case.traffic
        rate, unit = (read + write + 2 * sum(update)) / seconds, "GB/s"
        measured = functools.partial(limits.bandwidth, case.threads, *case.traffic)
    else:
        return {"rate": None, "unit": "", "of_limit": None}
    limit = measured(again=again)
    for _ in range(0 if case.filtered else 8):
        if rate <= limit:
            break
        limit = measured(again=True)
    return {"rate": rate / 1e9, "unit": unit, "of_limit": rate / limit}


# ---- the table --------------------------------------------------------------------------------------------


def geometric_mean(values) -> float:
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def print_row(row: dict) -> None:
    low, high = (t * 1e6 for t in row["spread"])
    limit = f"{row['of_limit']:6.0%}" if row["of_limit"] else "      "
    rate = f"{row['rate']:8.1f} {row['unit']}" if row["rate"] else ""
    peers = []
    for name, p in row["peers"].items():
        variant = f", {p['variant']}" if p["variant"] else ""
        peers.append(f"{name} {p['ratio']:.2f}× ({p['interval'][0]:.2f}–{p['interval'][1]:.2f}{variant})")
    time = f"{row['seconds'] * 1e6:>12.1f} µs  ({low:.1f}–{high:.1f})"
    print(f"  {row['case']:<24}{time}{rate:>18}{limit}  {'  '.join(peers)}", flush=True)


def summarise(rows: list[dict]) -> list[dict]:
    """Per group: geometric means against each peer and the limit, the worst shape, and the target."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    result = []
    for group, members in groups.items():
        target = TARGETS.get(group, {})
        summary = {"group": group, "limit": None, "peers": {}, "target": target}
        fractions = [r["of_limit"] for r in members if r["of_limit"]]
        if fractions:
            summary["limit"] = geometric_mean(fractions)
        for r in members:
            if group.startswith("capture"):
                r["peers"]["best"] = min(r["peers"].values(), key=lambda p: p["ratio"])
        for peer in (*ALL_PEERS, "best"):
            found = [(r["peers"][peer], r["case"]) for r in members if peer in r["peers"]]
            if found:
                worst = min(found, key=lambda f: f[0]["ratio"])
                lows = [p["interval"][0] for p, _ in found]
                summary["peers"][peer] = {
                    "ratio": geometric_mean(p["ratio"] for p, _ in found),
                    "low": min(lows) if group in EACH_ROW else geometric_mean(lows),
                    "worst": worst[0]["ratio"],
                    "worst_case": worst[1],
                }
        result.append(summary)
    return result


def verdict(summary: dict) -> str:
    """Which parts of the target are met: the lower end of the interval counts."""
    parts, where = [], " in each row" if summary["group"] in EACH_ROW else ""
    for key, wanted in summary["target"].items():
        reached = summary["limit"] if key == "limit" else summary["peers"].get(key, {}).get("low")
        if reached is not None:
            text = f"{wanted:.0%} of the limit" if key == "limit" else f"{wanted}× {key}{where}"
            parts.append(f"{'met' if reached >= wanted else 'MISSED'}: {text}")
    return "; ".join(parts)


def print_summary(summaries: list[dict]) -> None:
    peers = [p for p in ALL_PEERS if any(p in s["peers"] for s in summaries)]
    heads = "".join(f"{p:>{max(9, len(p) + 1)}}" for p in peers)
    print(f"\n{'geometric means':<26}{'limit':>7}{heads}  worst against a peer; target")
    for s in summaries:
        limit = f"{s['limit']:.0%}" if s["limit"] else ""
        cells = [(f"{s['peers'][p]['ratio']:.2f}×" if p in s["peers"] else "", p) for p in peers]
        ratios = "".join(f"{cell:>{max(9, len(p) + 1)}}" for cell, p in cells)
        worst = min(s["peers"].items(), key=lambda item: item[1]["worst"], default=None)
        worst_text = f"{worst[1]['worst']:.2f}× {worst[0]} ({worst[1]['worst_case']})" if worst else ""
        print(f"{s['group']:<26}{limit:>7}{ratios}  {worst_text}; {verdict(s)}")


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    families = sorted(path.stem for path in SHAPES.glob("*.txt"))
    parser.add_argument("--only", nargs="*", choices=families, help="families: files in shapes/")
    parser.add_argument("--group", nargs="*", help="groups: headings in those files")
    parser.add_argument("--peers", nargs="*", choices=ALL_PEERS, help="default: all that have such cases")
    parser.add_argument("--isa", default="", choices=("", *CAPS), help="cap chainrule and the peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--samples", type=int, default=3, help="in each round, for each library")
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    cases = load(options.only, options.threads)
    if unknown := set(options.group or []) - {c.group for c in cases}:
        parser.error(f"no such groups here: {', '.join(sorted(unknown))}")
    cases = [c for c in cases if not options.group or c.group in options.group]
    if options.peers is None:
        options.peers = STEP_PEERS if options.only == ["capture"] else PEERS
        if any(c.group in EACH_FORM for c in cases):
            options.peers += FORMS

    workers = [Worker(name, options.isa) for name in ("chainrule", *options.peers)]
    for worker in workers:
        print(worker.version or f"{worker.name} is not installed")
    if not workers[0].version:
        parser.error("chainrule itself cannot be imported here")
    workers = [w for w in workers if w.version]
    isa = workers[0].version.rsplit("(", 1)[1].rstrip(")")
    limits = Limits(isa)
    print(
        f"{cpu_name()}; peak {limits.flops(1) / 1e9:.0f} and {limits.flops(options.threads) / 1e9:.0f} Gflop/s"
    )
    rows = measure_all(cases, workers, limits, options.rounds, options.samples)
    summaries = summarise(rows)
    print_summary(summaries)
    over = [f"{r['group']} {r['case']}" for r in rows if beaten(r)]
    if options.json:
        machine = {
            "cpu": cpu_name(),
            "isa": isa,
            "threads": options.threads,
            "samples": options.rounds * options.samples,
            "interrupted": len(rows) < len(cases),
            "versions": list(dict.fromkeys(w.version for w in workers)),
        }
        Path(options.json).write_text(
            json.dumps({"machine": machine, "rows": rows, "groups": summaries}, indent=1)
        )
    for worker in workers:
        worker.close()
    limits.close()
    if len(rows) < len(cases):
        raise SystemExit(130)
    if over:
        raise SystemExit(f"faster than the machine's limit, so the probe is wrong: {', '.join(over)}")


if __name__ == "__main__":
    main()
