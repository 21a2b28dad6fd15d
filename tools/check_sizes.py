"""Checks that a wheel is under 5 MB, and that no tracked file is over 1 MB or binary.

python tools/check_sizes.py dist/chainrule-*.whl
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

WHEEL_LIMIT, FILE_LIMIT = 5_000_000, 1_000_000


def main() -> int:
    failed = 0
    for name in sys.argv[1:]:
        size = pathlib.Path(name).stat().st_size
        print(f"{pathlib.Path(name).name}: {size / 1e6:.2f} MB")
        failed |= size > WHEEL_LIMIT
    for name in subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        path = pathlib.Path(name)
        if path.is_file() and path.stat().st_size > FILE_LIMIT:
            print(f"{name}: {path.stat().st_size / 1e6:.2f} MB is more than {FILE_LIMIT / 1e6:.0f} MB")
            failed = 1
        if path.is_file() and b"\0" in path.read_bytes():
            print(f"{name} is binary")
            failed = 1
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
