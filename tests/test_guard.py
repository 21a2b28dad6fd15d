"""Guard pages guard: tools/other_builds.sh runs this with the op cases, in a build with CHAINRULE_EXACT_ALLOC."""

import os
import signal
import subprocess
import sys

import pytest

SIDE = os.environ.get("CHAINRULE_GUARD")
pytestmark = pytest.mark.skipif(
    not SIDE, reason="needs CHAINRULE_GUARD and a build with CHAINRULE_EXACT_ALLOC"
)

# Where a tensor's block begins and ends, in bytes from its first element.
BLOCKS = {
    "cr.zeros(7)": (0, 28),
    "cr.zeros(1024)": (0, 4096),
    "cr.zeros(1025)": (0, 4100),
    "cr.zeros(3, dtype=cr.uint8)": (0, 3),
    "cr.zeros(9)[3:]": (-12, 24),
}


def read(tensor, offset):
    code = f"import ctypes, chainrule as cr; x = {tensor}; ctypes.string_at(x.data_ptr() + {offset}, 1)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("tensor", BLOCKS)
def test_one_byte_over_the_guarded_side_is_a_segmentation_fault(tensor):
    begin, end = BLOCKS[tensor]
    inside, outside = (begin, begin - 1) if SIDE == "begin" else (end - 1, end)
    done = read(tensor, inside)
    assert done.returncode == 0, done.stderr
    assert read(tensor, outside).returncode == -signal.SIGSEGV
