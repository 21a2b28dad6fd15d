"""One library in a process of its own: reads requests from standard input, a JSON object a line, and answers
each with one line.

    {"do": "prepare", "case": {...}, "threads": 2, "layout": "nchw"}
        -> {"once": seconds, "values": [...]}, or {} where the library does not have the case
    {"do": "time", "samples": 3, "inner": 10}
        -> {"times": [seconds per call, ...]}
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import libraries
import numpy as np

from cases import Case

STEPS = 32  # captured ones whose losses are compared: enough to see a wrong update
VALUES = 4096  # of a result, for the comparison between libraries
WARM_UP = 0.05


def values_of(arrays: list[np.ndarray]) -> list[float]:
    """Evenly spaced elements of all results: enough to tell a wrong one."""
    picked = [a.reshape(-1)[:: max(1, a.size // (VALUES // len(arrays)))] for a in arrays]
    return np.concatenate(picked).astype(np.float64).tolist() if picked else []


def build(library, case: Case, layout: str) -> tuple[Callable | None, list[float]]:
    """The case, and of its result what is compared: of captured steps the losses of the first ones."""
    if case.family == "capture" and case.args["net"] == "cnn" and "dropout" not in case.args:
        # Each library drops other units.
        _, values = build(library, replace(case, args={**case.args, "dropout": 0}), layout)
        return library.build(case, layout), values
    run = library.build(case, layout)
    if run is None:
        return None, []
    results = [library.arrays(run()) for _ in range(STEPS if case.family == "capture" else 1)]
    return run, values_of([a for arrays in results for a in arrays])


def time_once(run) -> float:
    """Seconds of a call after some warm-up calls."""
    end, times = time.perf_counter() + WARM_UP, []
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def measure(run, inner: int) -> float:
    start = time.perf_counter()
    for _ in range(inner):
        result = run()  # noqa: F841  a result lives until the next one is there, as in a program
    return (time.perf_counter() - start) / inner


def main(name: str) -> None:
    warnings.simplefilter("ignore")
    library = libraries.make(name)
    print(json.dumps({"version": library.version()}), flush=True)
    run = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "prepare":
            run = None  # frees the case before
            library.set_threads(request["threads"])
            case = Case(**request["case"])
            run, values = build(library, case, request["layout"])
            answer = {} if run is None else {"once": time_once(run), "values": values}
        else:
            answer = {"times": [measure(run, request["inner"]) for _ in range(request["samples"])]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
