"""A training loop in steady state asks the system for no memory."""

import re
import shutil
import subprocess
import sys

import pytest

from chainrule import _core

TRAIN = """
import os
import chainrule as cr
from chainrule import _core, nn
from chainrule.nn import functional as F

cr.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
    nn.Linear(8 * 4 * 4, 32), nn.ReLU(), nn.Linear(32, 10),
)
optimizer = cr.optim.Adam(model.parameters(), lr=1e-3)
x, y = cr.randn(16, 1, 8, 8), cr.randint(0, 10, (16,))

def steps(n):
    for _ in range(n):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

steps(100)
"""


def run(code, *prefix):
    return subprocess.run(
        [*prefix, sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )


def test_the_allocator_takes_nothing_from_the_system_in_steady_state():
    code = (
        TRAIN
        + """
before = _core.allocator_stats()
steps(1000)
after = _core.allocator_stats()
assert after["requests"] > before["requests"]
assert after["system_allocations"] == before["system_allocations"], (before, after)
assert after["bytes_in_use"] == before["bytes_in_use"], (before, after)
"""
    )
    run(code)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to watch system calls")
def test_no_mmap_or_brk_in_steady_state():
    code = TRAIN + 'os.write(2, b"BEGIN\\n"); steps(1000); os.write(2, b"END\\n")'
    done = run(code, "strace", "-f", "-e", "trace=mmap,brk,munmap,mremap,write", "-e", "signal=none")
    inside = done.stderr.split("BEGIN", 1)[1].split("END", 1)[0]
    calls = re.findall(r"\b(mmap|brk|munmap|mremap)\(", inside)
    assert not calls, inside[:2000]


@pytest.mark.skipif(
    not hasattr(_core, "counted_allocations"), reason="needs a build with CHAINRULE_COUNT_ALLOC"
)
def test_the_extension_calls_neither_new_nor_malloc_in_steady_state():
    code = (
        TRAIN
        + """
before = _core.counted_allocations()
assert before > 0
steps(1000)
after = _core.counted_allocations()
assert after == before, after - before
"""
    )
    run(code)
