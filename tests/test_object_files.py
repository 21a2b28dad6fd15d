"""No instruction set leaks into another's code: what the kernels' object files define and need."""

import os
import pathlib
import shutil
import subprocess

import pytest

ALLOWED_UNDEFINED = {
    "memcpy",
    "memset",
    "memmove",
    "chainrule_parallel",
    "chainrule_threads",
    "_GLOBAL_OFFSET_TABLE_",
    # Of the C library, where the compiler checks the stack and copies by default:
    "__stack_chk_fail",
    "__memcpy_chk",
    "__memset_chk",
    "__memmove_chk",
}


def object_files():
    """Kernel objects of the newest build below the checkout, or of CHAINRULE_BUILD_DIR."""
    root = pathlib.Path(os.environ.get("CHAINRULE_BUILD_DIR", pathlib.Path(__file__).parent.parent / "build"))
    return sorted(root.glob("**/kernels_*.dir/**/*.o"))


OBJECTS = object_files()
pytestmark = [
    pytest.mark.skipif(not OBJECTS, reason="no build folder beside the tests (pip install . makes one)"),
    pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm (binutils)"),
]


def symbols(path):
    lines = subprocess.run(
        ["nm", "-C", str(path)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [(line[17], line[19:]) for line in lines if len(line) > 19]


@pytest.mark.parametrize(
    "path", OBJECTS, ids=lambda p: f"{p.parts[-5]}/{p.name}" if len(p.parts) > 5 else p.name
)
def test_a_kernel_object_defines_one_table_and_needs_only_the_pool(path):
    found = symbols(path)
    assert found
    weak = [name for kind, name in found if kind in "WwVvuU" and kind != "U"]
    external = [name for kind, name in found if kind.isupper() and kind not in "UWVN"]
    undefined = {name for kind, name in found if kind == "U"}
    assert not weak, f"weak symbols could be linked into another instruction set: {weak}"
    assert len(external) == 1, f"expected one external table, found {external}"
    assert undefined <= ALLOWED_UNDEFINED, undefined - ALLOWED_UNDEFINED
