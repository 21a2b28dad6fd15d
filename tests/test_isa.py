"""Every instruction set below the one in use gives right values too, each in a process of its own."""

import os
import pathlib
import subprocess
import sys

import pytest

from chainrule import _core

LOWER = {"v4": ["v3", "v2"], "v3": ["v2"]}.get(_core.isa(), [])
HERE = pathlib.Path(__file__).parent


@pytest.mark.skipif("CHAINRULE_ISA" in os.environ, reason="this run is capped itself")
@pytest.mark.parametrize("isa", LOWER)
def test_forward_gradients_and_threads_on(isa):
    command = [
        sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE / "test_ops.py"),
        "-k", "forward or threads or (gradient and float64)",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "CHAINRULE_ISA": isa}, cwd=HERE.parent
    )
    assert done.returncode == 0, done.stdout[-3000:]
