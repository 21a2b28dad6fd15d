"""Measures `import chainrule` against `import numpy` in fresh interpreters, in turn; at most 30 ms more.

python tools/import_time.py [--runs 20]
"""

from __future__ import annotations

import statistics
import subprocess
import sys

LIMIT_MS = 30.0
FORBIDDEN = ("tqdm", "matplotlib", "sklearn", "safetensors", "multiprocessing", "pandas", "PIL")
CODE = "import time; t = time.perf_counter(); import {0}; print((time.perf_counter() - t) * 1000)"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def main() -> int:
    runs = int(sys.argv[sys.argv.index("--runs") + 1]) if "--runs" in sys.argv else 20
    times: dict[str, list[float]] = {"numpy": [], "chainrule": []}
    for _ in range(runs):
        for module, measured in times.items():
            measured.append(float(run(CODE.format(module))))
    ours, numpy = statistics.median(times["chainrule"]), statistics.median(times["numpy"])
    print(
        f"import numpy {numpy:.1f} ms, import chainrule {ours:.1f} ms: {ours - numpy:+.1f} ms (limit +{LIMIT_MS:.0f})"
    )
    loaded = run("import chainrule, sys; print(*sys.modules)").split()
    found = [name for name in FORBIDDEN if name in loaded]
    if found:
        print(f"import chainrule loads {', '.join(found)}")
    return int(ours - numpy > LIMIT_MS or bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
