"""The benchmark cases: one per line, batch size and direction of `shapes/<family>.txt`.

A family says what its inputs are, how many operations one call takes (nominal: a multiplication and an addition
count two, and nothing is saved by cleverness), and how many bytes it cannot avoid to read and to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = Path(__file__).parent / "shapes"
# Groups that repeat another one's shapes beside peers in one layout.
ONE_LAYOUT = ("conv 1x1 preallocated", "max pool 2x2 NCHW")
# Groups beside each form of PyTorch's optimizers, instead of the faster one.
EACH_FORM = ("many small parameters",)
ONE_DIRECTION = ("softmax", "memory", *ONE_LAYOUT)
BACKWARD = ("conv", "conv_transpose", "pool", "batchnorm", "softmax")  # families with a second direction


@dataclass(frozen=True)
class Case:
    family: str
    group: str
    name: str
    direction: str = "forward"
    threads: int = 2
    args: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        batch = (
            f" b{self.args['n']}" if self.family not in ("matmul", "softmax", "elementwise", "optim") else ""
        )
        return f"{self.name}{batch}" + (" 1 thread" if self.threads == 1 else "")

    @property
    def filtered(self) -> bool:
        """Whether Winograd's filtering may compute it with fewer multiplications than are counted."""
        a = self.args
        return self.family in ("conv", "conv_transpose") and (a["k"], a["s"], a.get("g", 1)) == (3, 1, 1)

    @property
    def flops(self) -> float:
        return FAMILIES[self.family].flops(self)

    @property
    def traffic(self) -> tuple[float, ...]:
        """Bytes that must be read, written, and (where there is a third number) updated in place."""
        return FAMILIES[self.family].traffic(self)

    def inputs(self, seed: int = 0) -> dict[str, np.ndarray]:
        return FAMILIES[self.family].inputs(self, np.random.default_rng(seed))

    def to_json(self) -> dict:
        return asdict(self)


def load(families: list[str] | None = None, threads: int = 2) -> list[Case]:
    """The cases of some families, or of all but the captured steps, group by group in the files' order."""
    names = families or sorted(path.stem for path in SHAPES.glob("*.txt") if path.stem != "capture")
    groups: dict[str, list[Case]] = {}
    for name in names:
        for case in _cases_of(name, threads):
            groups.setdefault(case.group, []).append(case)
    return [case for members in groups.values() for case in members]


def _cases_of(family: str, threads: int) -> Iterator[Case]:
    group = family
    for line in (SHAPES / f"{family}.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            group = line.strip("[]")
        elif line:
            name, *words = line.split()
            args = dict(word.split("=") for word in words)
            yield from _expand(family, group, name, args, threads)


def _expand(family: str, group: str, name: str, args: dict, threads: int) -> Iterator[Case]:
    batches = args.get("n", "").split(",")
    for batch in batches:
        values = {k: int(v) if v.isdigit() else v for k, v in args.items()}
        if batch:
            values["n"] = int(batch)
        if group == "matmul large":
            yield Case(family, group, name, "forward", 1, values)
        if group != "cross-entropy":
            yield Case(family, group, name, "forward", threads, values)
        if family in BACKWARD and group not in ONE_DIRECTION:
            whole = group if group in ("batchnorm", "cross-entropy") else family
            yield Case(family, f"{whole} backward", name, "backward", threads, values)


# ---- families: inputs, operations, bytes -----------------------------------------------------------------


def _normal(rng, *shape) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


class Matmul:
    @staticmethod
    def inputs(case, rng):
        a = case.args
        return {"a": _normal(rng, a["m"], a["k"]), "b": _normal(rng, a["k"], a["n"])}

    @staticmethod
    def flops(case):
        return 2.0 * case.args["m"] * case.args["k"] * case.args["n"]

    @staticmethod
    def traffic(case):
        m, k, n = (case.args[i] for i in "mkn")
        return 4.0 * (m * k + k * n), 4.0 * m * n


class Conv:
    """Both gradients of the backward direction take as many operations as the forward one, each."""

    @staticmethod
    def out(case) -> int:
        a = case.args
        return (a["hw"] + 2 * a["p"] - a["k"]) // a["s"] + 1

    @staticmethod
    def weight_channels(a) -> tuple[int, int]:
        return a["f"], a["c"] // a.get("g", 1)

    @classmethod
    def inputs(cls, case, rng):
        a, side = case.args, cls.out(case)
        return {
            "x": _normal(rng, a["n"], a["c"], a["hw"], a["hw"]),
            "w": _normal(rng, *cls.weight_channels(a), a["k"], a["k"]) / np.float32(a["k"]),
            "g": _normal(rng, a["n"], a["f"], side, side),
        }

    @classmethod
    def flops(cls, case):
        a = case.args
        one = 2.0 * a["n"] * a["f"] * a["c"] / a.get("g", 1) * a["k"] ** 2 * cls.out(case) ** 2
        return one if case.direction == "forward" else 2 * one

    @classmethod
    def traffic(cls, case):
        a = case.args
        x, y = a["n"] * a["c"] * a["hw"] ** 2, a["n"] * a["f"] * cls.out(case) ** 2
        w = a["f"] * a["c"] // a.get("g", 1) * a["k"] ** 2
        return (4.0 * (x + w), 4.0 * y) if case.direction == "forward" else (4.0 * (x + w + y), 4.0 * (x + w))


class ConvTranspose(Conv):
    @staticmethod
    def out(case) -> int:
        a = case.args
        return (a["hw"] - 1) * a["s"] - 2 * a["p"] + a["k"]

    @staticmethod
    def weight_channels(a) -> tuple[int, int]:
        return a["c"], a["f"]

    @classmethod
    def flops(cls, case):
        a = case.args
        one = 2.0 * a["n"] * a["f"] * a["c"] * a["k"] ** 2 * a["hw"] ** 2
        return one if case.direction == "forward" else 2 * one


class Pool:
    @staticmethod
    def inputs(case, rng):
        a = case.args
        side = Conv.out(case)
        return {
            "x": _normal(rng, a["n"], a["c"], a["hw"], a["hw"]),
            "g": _normal(rng, a["n"], a["c"], side, side),
        }

    @staticmethod
    def flops(case):
        return 0.0

    @staticmethod
    def traffic(case):
        a = case.args
        x, y = 4.0 * a["n"] * a["c"] * a["hw"] ** 2, 4.0 * a["n"] * a["c"] * Conv.out(case) ** 2
        positions = y if a["kind"] != "avg" else 0.0  # where each extreme was, 4 bytes
        return (x, y + positions) if case.direction == "forward" else (y + positions, x)


class BatchNorm:
    """The backward row is forward and backward together, as a training step has them."""

    @staticmethod
    def inputs(case, rng):
        a = case.args
        shape = (a["n"], a["c"], a["hw"], a["hw"])
        return {"x": _normal(rng, *shape), "g": _normal(rng, *shape), "w": _normal(rng, a["c"])}

    @staticmethod
    def flops(case):
        return 0.0

    @staticmethod
    def traffic(case):
        a = case.args
        x = 4.0 * a["n"] * a["c"] * a["hw"] ** 2
        return (x, x) if case.direction == "forward" else (3 * x, 2 * x)


class Softmax:
    """Cross-entropy is measured forward and backward together."""

    @staticmethod
    def inputs(case, rng):
        a = case.args
        return {
            "x": _normal(rng, a["rows"], a["columns"]),
            "t": rng.integers(0, a["columns"], a["rows"]),
        }

    @staticmethod
    def flops(case):
        return 0.0

    @staticmethod
    def traffic(case):
        x = 4.0 * case.args["rows"] * case.args["columns"]
        return (x, x) if case.direction == "forward" else (2 * x, x)


class Elementwise:
    @staticmethod
    def inputs(case, rng):
        n = case.args["n"]
        x = _normal(rng, n)
        return {"x": np.abs(x) + 0.1 if case.args["function"] == "log" else x, "y": _normal(rng, n)}

    @staticmethod
    def flops(case):
        return 0.0

    @staticmethod
    def traffic(case):
        n, function = 4.0 * case.args["n"], case.args["function"]
        return (2 * n if function == "add" else n), (0.0 if function == "sum" else n)


STATE_ARRAYS = {
    "SGD": 0,
    "Adagrad": 1,
    "Lion": 1,
    "RMSprop": 1,
}  # of an optimizer, for each parameter; else 2


class Optim:
    """Adam reads parameter, gradient and two moments, and writes all but the gradient: 28 bytes a number."""

    @staticmethod
    def sizes(case) -> list[int]:
        parts = (str(part).rpartition("x") for part in str(case.args["sizes"]).split(","))
        return [int(size) for count, _, size in parts for _ in range(int(count or 1))]

    @classmethod
    def inputs(cls, case, rng):
        return {f"{kind}{i}": _normal(rng, n) for i, n in enumerate(cls.sizes(case)) for kind in "pg"}

    @staticmethod
    def flops(case):
        return 0.0

    @classmethod
    def traffic(cls, case):
        n = 4.0 * sum(cls.sizes(case))
        return n, 0.0, (1 + STATE_ARRAYS.get(case.args.get("optimizer"), 2)) * n


class Net:
    @staticmethod
    def inputs(case, rng):
        n = case.args["n"]
        if case.args["net"] != "mlp":
            return {"x": rng.random((n, 1, 28, 28), dtype=np.float32), "t": rng.integers(0, 10, n)}
        sizes = [int(s) for s in case.args["sizes"].split(",")]
        x = _normal(rng, n, sizes[0])
        if sizes[-1] == 1:  # two classes
            return {"x": x, "t": rng.integers(0, 2, (n, 1)).astype(np.float32)}
        return {"x": x, "t": rng.integers(0, sizes[-1], n)}

    @staticmethod
    def flops(case):
        return 0.0

    @staticmethod
    def traffic(case):
        return 0.0, 0.0


FAMILIES: dict[str, Any] = {
    "matmul": Matmul,
    "conv": Conv,
    "conv_transpose": ConvTranspose,
    "pool": Pool,
    "batchnorm": BatchNorm,
    "softmax": Softmax,
    "elementwise": Elementwise,
    "optim": Optim,
    "nets": Net,
    "capture": Net,
}
