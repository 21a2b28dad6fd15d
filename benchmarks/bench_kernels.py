"""The same cases with pytest-benchmark, chainrule alone: for comparing two versions of a kernel.

pytest benchmarks/bench_kernels.py -k conv --benchmark-autosave
pytest benchmarks/bench_kernels.py -k conv --benchmark-compare
"""

from __future__ import annotations

import pytest
from libraries import make

from cases import Case, load


@pytest.fixture(scope="module")
def library():
    return make("chainrule")


@pytest.mark.parametrize("case", load(), ids=lambda c: f"{c.group}-{c.label}".replace(" ", "-"))
def test_kernel(benchmark, library, case: Case) -> None:
    benchmark.group = case.group
    library.set_threads(case.threads)
    benchmark(library.build(case))
