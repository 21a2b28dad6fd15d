"""The machine's limits, measured by probe.cpp: peak of multiply-adds and bandwidth for a mix of bytes.

python benchmarks/limits.py
"""

from __future__ import annotations

import math
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent / "probe.cpp"
FLAGS = {
    "v2": ["-march=x86-64-v2"],
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    "neon": [],
}


class Limits:
    """Answers are measured once and kept; sizes are rounded, so that like cases share a measurement."""

    def __init__(self, isa: str, compiler: str = "c++") -> None:
        self.isa = isa
        self._folder = tempfile.TemporaryDirectory(prefix="probe-")
        program = Path(self._folder.name) / "probe"
        command = [compiler, "-std=c++20", "-O3", "-ffp-contract=fast", *FLAGS[isa], "-pthread"]
        subprocess.run([*command, str(SOURCE), "-o", str(program)], check=True)
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._known: dict[str, float] = {}

    def _ask(self, request: str, again: bool) -> float:
        if again or request not in self._known:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            answer = float(self._process.stdout.readline())
            self._known[request] = max(answer, self._known.get(request, 0.0))
        return self._known[request]

    def flops(self, threads: int, double: bool = False, again: bool = False) -> float:
        """Multiply-adds in registers, in flop/s. `again` measures once more and keeps the larger figure."""
        return self._ask(f"flops {threads} {int(double)}", again)

    def bandwidth(
        self, threads: int, read: float, write: float, update: float = 0, again: bool = False
    ) -> float:
        """Bytes/s of streams that are read, written, or read and written again (which counts twice) and together
        touch so many bytes, each thread its share."""
        return self._ask(f"memory {threads} {_rounded(read)} {_rounded(write)} {_rounded(update)}", again)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


def _rounded(size: float) -> int:
    """To about a tenth, and to whole steps of 1024 bytes."""
    if size == 0:
        return 0
    step = 2.0 ** (math.floor(math.log2(size)) - 3)
    return max(1024, int(round(size / step) * step) // 1024 * 1024)


def main() -> None:
    from chainrule import _core

    for isa in ("v2", "v3", "v4", "neon"):
        if isa > _core.isa() or (isa == "neon") != (_core.isa() == "neon"):
            continue
        limits = Limits(isa)
        for threads in (1, 2):
            peak, wide = limits.flops(threads) / 1e9, limits.flops(threads, True) / 1e9
            print(f"{isa} {threads} threads: {peak:.0f} Gflop/s float32, {wide:.0f} float64")
        limits.close()
    limits = Limits(_core.isa())
    for size, name in ((2**15, "32 KiB"), (2**18, "256 KiB"), (2**22, "4 MiB"), (2**28, "256 MiB")):
        for threads in (1, 2):
            mixes = {"read": (size, 0), "copy": (size / 2, size / 2), "triad": (size * 2 / 3, size / 3)}
            rates = [f"{n} {limits.bandwidth(threads, *m) / 1e9:.1f}" for n, m in mixes.items()]
            print(f"{name}, {threads} threads, GB/s: {', '.join(rates)}")
    limits.close()


if __name__ == "__main__":
    main()
