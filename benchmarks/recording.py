"""What recording a step costs: the time of the call that records, and the memory of the program beside what the same
step takes in eager mode, for the steps of `shapes/capture.txt`.

    python benchmarks/recording.py [--rounds 5]

Every measurement has a process of its own. Memory in eager mode is the most that chainrule's allocator has handed out
during a step, less what there is between steps: parameters, their gradients, the optimizer's state, the batches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from steps import torch_like

from cases import Case, load

MOST_SECONDS, MOST_MEMORY = 0.05, 1.2  # targets


def measure(case: Case, captured: bool) -> dict[str, float]:
    import chainrule as cr
    from chainrule import _core

    functions = []

    def wrap(function):
        functions.append(cr.capture(function) if captured else function)
        return functions[0]

    step = torch_like(cr, case, wrap)
    step()
    start = time.perf_counter()
    step()  # records
    seconds = time.perf_counter() - start
    if captured:
        return {"seconds": seconds, "bytes": functions[0].programs[0].bytes}
    between = _core.allocator_stats()["bytes_in_use"]
    _core.reset_peak_bytes()
    step()
    return {"bytes": _core.allocator_stats()["peak_bytes"] - between}


def in_process(index: int, mode: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--case", str(index), "--mode", mode]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--mode", help=argparse.SUPPRESS)
    args = parser.parse_args()
    cases = load(["capture"])
    if args.case is not None:
        print(json.dumps(measure(cases[args.case], args.mode == "captured")))
        return
    print(f"{'step':26}{'recording':>12}{'eager':>12}{'program':>12}{'ratio':>8}")
    for index, case in enumerate(cases):
        runs = [in_process(index, "captured") for _ in range(args.rounds)]
        seconds, program = statistics.median(run["seconds"] for run in runs), runs[0]["bytes"]
        eager = in_process(index, "eager")["bytes"]
        missed = " MISSED" if seconds > MOST_SECONDS or program > MOST_MEMORY * eager else ""
        print(
            f"{case.group.removeprefix('capture ') + ' ' + case.label:26}{seconds * 1e3:9.1f} ms"
            f"{eager / 1e3:9.1f} kB{program / 1e3:9.1f} kB{program / eager:8.2f}{missed}"
        )


if __name__ == "__main__":
    main()
