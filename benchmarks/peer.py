"""A library in a process of its own, measured in turn with others: it answers a line with the seconds that took."""

from __future__ import annotations

import subprocess
import sys
import time


class Peer:
    """Runs ``script --worker name ...``, which prints "ready" and then for each line of standard input a number."""

    def __init__(self, script: str, name: str, *arguments: str, pause: float = 0.1) -> None:
        command = [sys.executable, script, "--worker", name, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pause = pause
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{name} did not start; install what it needs (the extra `peers`)")

    def time(self, line: str = "") -> float:
        time.sleep(self.pause)  # the other processes' idle threads stop spinning
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
