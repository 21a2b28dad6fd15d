"""Turns what compare.py measured into the page of the docs and its picture.

python benchmarks/compare.py --json benchmarks/report/all.json
python benchmarks/report.py benchmarks/report/all.json

The first run is the one that is plotted; runs of other instruction sets may follow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from compare import FORMS, PEERS, verdict

DOCS = Path(__file__).parent.parent / "docs"
COLOURS = {"numpy": "#4c72b0", "torch": "#dd8452", "jax": "#55a868"}


def table(groups: list[dict]) -> str:
    lines = [
        "| group | of the limit | NumPy | PyTorch | JAX | worst shape | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for g in groups:
        limit = f"{g['limit']:.0%}" if g["limit"] else ""
        ratios = [
            ", ".join(f"{ratio:.2f}× {form}".rstrip() for form, ratio in ratios_to(g["peers"], p).items())
            for p in PEERS
        ]
        worst = min(g["peers"].items(), key=lambda item: item[1]["worst"], default=None)
        shape = f"{worst[1]['worst']:.2f}× {worst[0]}, {worst[1]['worst_case']}" if worst else ""
        lines.append(f"| {g['group']} | {limit} | {' | '.join(ratios)} | {shape} | {verdict(g)} |")
    return "\n".join(lines)


def ratios_to(peers: dict[str, dict], name: str) -> dict[str, float]:
    """The ratio to a peer, or to each of its forms, by the form's name."""
    members = (name, *(form for form in FORMS if form.startswith(f"{name}.")))
    return {m[len(name) + 1 :]: peers[m]["ratio"] for m in members if m in peers}


def plot(groups: list[dict], path: Path) -> None:
    """Two panels: how many times faster than each peer (logarithmic), and the fraction of the limit."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "chainrule"
    import matplotlib.pyplot as plt

    names = [g["group"] for g in groups]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12, 0.36 * len(names) + 1.2), sharey=True, width_ratios=(2, 1)
    )
    for i, g in enumerate(groups):
        shown = [(p, ratio) for p in PEERS for ratio in ratios_to(g["peers"], p).values()]
        for k, (peer, ratio) in enumerate(shown):
            left.plot(ratio, i + 0.15 * (k - 1), "o", color=COLOURS[peer], ms=6)
        if g["limit"]:
            right.barh(i, g["limit"], height=0.6, color="#8172b3")
    for peer in PEERS:
        left.plot([], [], "o", color=COLOURS[peer], label=peer)
    left.axvline(1, color="black", lw=0.8)
    left.set(xscale="log", xlabel="times faster than the peer (geometric mean)", yticks=range(len(names)))
    left.set_yticklabels(names)
    left.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    left.invert_yaxis()
    left.legend(loc="lower right")
    left.grid(axis="x", alpha=0.3)
    right.axvline(1, color="black", lw=0.8)
    right.set(xlabel="fraction of the machine's limit")
    right.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def described(machine: dict) -> str:
    return (
        f"{machine['cpu']}, {machine['threads']} threads, {'; '.join(machine['versions'])}; "
        f"{machine['samples']} samples of each."
    )


def main() -> None:
    runs = [json.loads(Path(path).read_text()) for path in sys.argv[1:]]
    if any(run["machine"].get("interrupted") for run in runs):
        raise SystemExit("an interrupted run lacks shapes: its groups cannot be compared with the targets")
    plot(runs[0]["groups"], DOCS / "benchmarks.svg")
    page = DOCS / "benchmarks.md"
    head = page.read_text().split("<!-- measured -->")[0]
    parts = [f"{described(run['machine'])}\n\n{table(run['groups'])}\n" for run in runs]
    page.write_text(f"{head}<!-- measured -->\n\n" + "\n".join(parts))


if __name__ == "__main__":
    main()
