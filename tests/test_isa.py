"""Every instruction set below the one in use gives right values too, each in a process of its own."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from chainrule import _core
from op_cases import CASES, runs
from test_ops import DIFFERENTIABLE, LARGE

LOWER = {"v4": ["v3", "v2"], "v3": ["v2"]}.get(_core.isa(), [])
HERE = pathlib.Path(__file__).parent
# What is run, and how many tests it must select: a file or function that is renamed must not go unnoticed.
KINDS = {
    "test_ops.py::test_forward_agrees_with_numpy": len(runs(CASES)),
    "test_ops.py::test_gradient_agrees_with_finite_differences": len(DIFFERENTIABLE),
    "test_ops.py::test_any_number_of_threads_gives_the_same_bits": len(runs(LARGE)),
    "test_random.py": 15,
    "test_accuracy.py": 38,
    "test_conv.py": 28,
    "test_capture_table.py": 106,
    "test_subnormals.py": 70,
}


@pytest.mark.skipif("CHAINRULE_ISA" in os.environ, reason="this run is capped itself")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.split("::")[-1])
@pytest.mark.parametrize("isa", LOWER)
def test_a_lower_instruction_set_passes(isa, kind):
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(HERE / kind)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "CHAINRULE_ISA": isa}, cwd=HERE.parent
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"instruction set {isa}" in done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-3000:]
    assert int(passed[1]) >= KINDS[kind], "the run selected too few tests"
