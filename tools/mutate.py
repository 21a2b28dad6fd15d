"""Plants one fault after the other (mutations.py) and shows that the suite fails for each.

Works on a copy in a temporary folder. C++ faults are compiled one after the other in a single build folder,
for one instruction set, so that each costs one or two object files. Needs cmake, a compiler, pybind11 and
pytest.

    python tools/mutate.py             # all
    python tools/mutate.py -k conv     # faults whose name contains the text
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pybind11
from mutations import NATIVE, PYTHON, Fault

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("CMakeLists.txt", "csrc", "python", "tests", "pyproject.toml")
TIME_LIMIT = 300


def check_table(faults: list[Fault]) -> None:
    """Every text to replace occurs exactly once, in every entry."""
    stale = []
    for f in faults:
        source = (ROOT / f.file).read_text()
        found = [(source.count(old), old) for old, _ in f.edits]
        stale += [f"{f.name}: {n} times in {f.file}: {old}" for n, old in found if n != 1]
    if stale:
        sys.exit("these entries no longer fit the source:\n  " + "\n  ".join(stale))


class Workshop:
    """A private copy of the sources, with a build folder and the extension beside the Python package."""

    def __init__(self, folder: Path, isa: str) -> None:
        self.folder = folder
        for name in SOURCES:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "_core*.so")
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy2(source, folder / name)
        configure = ["cmake", "-S", str(folder), "-B", str(folder / "build")]
        configure += [f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"]
        if shutil.which("ninja"):
            configure += ["-G", "Ninja"]
        if platform.machine() in ("x86_64", "AMD64"):
            configure.append(f"-DCHAINRULE_INSTRUCTION_SETS={isa}")
        subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)

    def build(self) -> None:
        jobs = str(min(os.cpu_count() or 1, 8))
        done = subprocess.run(
            ["cmake", "--build", str(self.folder / "build"), "-j", jobs], capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"the build failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        (extension,) = (self.folder / "build").glob("_core*.so")
        shutil.copy2(extension, self.folder / "python" / "chainrule")

    def plant(self, f: Fault) -> None:
        source = (ROOT / f.file).read_text()
        for old, new in f.edits:
            source = source.replace(old, new)
        (self.folder / f.file).write_text(source)

    def repair(self, f: Fault) -> None:
        (self.folder / f.file).write_text((ROOT / f.file).read_text())

    def environment(self) -> dict[str, str]:
        # No bytecode: two versions of a file may share size and second.
        return {**os.environ, "PYTHONPATH": str(self.folder / "python"), "PYTHONDONTWRITEBYTECODE": "1"}

    def check_import(self) -> None:
        """An editable installation must not come before the copy."""
        code = "import chainrule; print(chainrule.__file__)"
        run = self.run([sys.executable, "-c", code])
        if str(self.folder) not in run.stdout:
            where = run.stdout.strip() or run.stderr[-2000:]
            sys.exit(f"the tests would not import the copy (an editable installation?): {where}")

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )

    def test(self, tests: str, select: str) -> tuple[int | None, str]:
        """pytest's exit status (None: it ran out of time) and the last lines of what it printed."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
        command += ["-m", "not peers", "-k", select, tests]
        try:
            done = self.run(command)
        except subprocess.TimeoutExpired:
            return None, "out of time"
        return done.returncode, done.stdout[-2000:] + done.stderr[-2000:]


def sound(shop: Workshop, faults: list[Fault]) -> None:
    """Without a fault every selection must pass, or its failures would prove nothing."""
    for tests in sorted({f.tests for f in faults}):
        select = " or ".join(sorted({f"({f.select})" for f in faults if f.tests == tests}))
        status, output = shop.test(tests, select)
        if status != 0:
            sys.exit(f"the suite fails without any fault:\n{output}")


def verdict(status: int | None) -> str:
    if status == 0:
        return "SURVIVED"
    if status == 5:
        return "NO TESTS"
    if status in (2, 3, 4):
        return "BROKEN"  # pytest could not run: the entry proves nothing
    return "caught"  # a failure, a crash, or a hang


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", default="", help="only faults whose name contains this")
    parser.add_argument("--isa", default="v3", help="the one instruction set to compile for on x86-64")
    args = parser.parse_args()
    faults = [f for f in PYTHON + NATIVE if args.k in f.name]
    check_table(PYTHON + NATIVE)
    results = []
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        shop = Workshop(Path(folder), args.isa)
        shop.build()
        shop.check_import()
        sound(shop, faults)
        for f in faults:
            start = time.monotonic()
            shop.plant(f)
            if f in NATIVE:
                shop.build()
            status, output = shop.test(f.tests, f.select)
            shop.repair(f)  # compiled again together with the next fault
            results.append(verdict(status))
            print(f"{results[-1]:9} {f.name:45} {f.file:40} {time.monotonic() - start:5.1f} s", flush=True)
            if results[-1] != "caught":
                print(output)
    missed = [f.name for f, r in zip(faults, results, strict=True) if r != "caught"]
    print(f"{len(faults) - len(missed)} of {len(faults)} planted faults were caught")
    if missed:
        sys.exit("not caught: " + ", ".join(missed))


if __name__ == "__main__":
    main()
