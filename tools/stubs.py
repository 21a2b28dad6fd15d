"""Regenerates python/chainrule/_core.pyi from the installed extension; --check compares instead.

python tools/stubs.py [--check]
"""

from __future__ import annotations

import difflib
import pathlib
import subprocess
import sys
import tempfile

TARGET = pathlib.Path(__file__).parent.parent / "python" / "chainrule" / "_core.pyi"


def generate() -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pybind11_stubgen",
            "chainrule._core",
            "-o",
            folder,
            "--ignore-all-errors",
        ]
        subprocess.run(command, check=True, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        text = (pathlib.Path(folder) / "chainrule" / "_core.pyi").read_text()
    header = "# Generated from the extension by tools/stubs.py; do not edit.\n"
    return header + "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def main() -> int:
    text = generate()
    if "--check" not in sys.argv:
        TARGET.write_text(text)
        return 0
    committed = TARGET.read_text()
    if committed == text:
        print("stubs are up to date")
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(committed.splitlines(True), text.splitlines(True), "committed", "generated")
    )
    print("stubs differ: run python tools/stubs.py")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
