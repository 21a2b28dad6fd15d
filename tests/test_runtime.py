"""Threads, instruction sets, import: what the environment decides."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core


def run(code, **env):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ, **env}
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_import_loads_nothing_heavy():
    code = "import sys, chainrule; print(*sys.modules)"
    _, out, _ = run(code)
    loaded = set(out.split())
    assert not loaded & {"tqdm", "matplotlib", "sklearn", "safetensors", "multiprocessing", "torch"}


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm (binutils)")
def test_the_extension_reads_no_locale():
    """Beside another copy of the C++ library, streams find the locales of the wrong one: the import crashed where
    that library was linked statically and NumPy had loaded the shared one before. What is needed shows only where it
    is shared."""
    command = ["nm", "-DC", "--undefined-only", _core.__file__]
    needed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "memcpy" in needed
    assert not re.findall(r"std::(?:\w+::)?(?:locale|ios_base|\w*stream|cout|cerr|clog|cin)\b.*", needed)


@pytest.mark.skipif(_core.isa() == "neon", reason="x86-64 only")
@pytest.mark.parametrize("level", ["v2", "v3"])
def test_the_instruction_set_can_be_capped(level):
    code = "import chainrule as cr; print(cr.cpu_info()['isa']); print(cr.exp(cr.ones(3)).sum().item())"
    status, out, _ = run(code, CHAINRULE_ISA=level)
    assert status == 0
    isa, value = out.split()
    assert isa <= level
    assert abs(float(value) - 3 * np.e) < 1e-5


def test_an_unknown_instruction_set_is_named():
    status, _, error = run("import chainrule", CHAINRULE_ISA="v9")
    assert status != 0
    assert "CHAINRULE_ISA must be one of v2, v3, v4, neon, got 'v9'" in error


def test_the_number_of_threads_follows_the_environment_and_the_call(threads):
    assert run("import chainrule as cr; print(cr.get_num_threads())", CHAINRULE_NUM_THREADS="3")[1] == "3"
    threads(2)
    assert cr.get_num_threads() == 2
    with pytest.raises(ValueError, match="thread"):
        cr.set_num_threads(0)


def test_a_forked_child_can_compute():
    code = """
import os, chainrule as cr
cr.set_num_threads(2)
a = cr.ones(400, 400)
(a + a).sum()
pid = os.fork()
if pid == 0:
    os._exit(0 if (a + a).sum().item() == 320000.0 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
    status, _, error = run(code)
    assert status == 0, error


def test_exceptions_leave_the_process_usable():
    for _ in range(100):
        with pytest.raises(ValueError, match="do not broadcast"):
            cr.ones(2) + cr.ones(3)
    assert (cr.ones(2) + cr.ones(2)).sum().item() == 4.0
