"""Trainings that are killed at random moments, and resumed, end with the bits of one that was not.

    python resume.py [--trials 20] [--in-write 5] [--seed 0]

Each trial starts a process, kills it (SIGKILL) at a random moment of its training, starts it again, and so on until
it has finished; a trial that nothing killed fails. In the first `in-write` trials the writing of checkpoints is slowed
down and the process is killed while it writes one. Dropout, noise from two generators, a schedule, averaged weights,
metrics, early stopping and capture are on; checkpoints are written within epochs, too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PAUSE = 0.03  # seconds, after each step


def child(directory: str, slow: bool, pause: float) -> None:
    """Trains in `directory`, from the checkpoint if there is one, and leaves final.safetensors and log.csv."""
    import chainrule as cr
    from chainrule import nn, train
    from chainrule.data import DataLoader, Dataset

    class Noisy(Dataset):
        """Points with new noise whenever they are looked at; in a circle or not?"""

        def __init__(self, count: int) -> None:
            self.rng = np.random.default_rng(3)
            self.points = self.rng.uniform(-1, 1, (count, 2)).astype(np.float32)

        def __len__(self) -> int:
            return len(self.points)

        def __getitem__(self, i: int):
            noise = self.rng.normal(0, 0.02, 2).astype(np.float32) + cr.randn(2).numpy() * 0.01
            return self.points[i] + noise, float((self.points[i] ** 2).sum() < 0.5)

    class Decay:
        """A schedule as anybody may write one."""

        def __init__(self, optimizer, rate: float) -> None:
            self.optimizer, self.rate, self.steps = optimizer, rate, 0

        def step(self) -> None:
            self.steps += 1
            for group in self.optimizer.param_groups:
                group["lr"] = group["lr"] * self.rate

        def state_dict(self) -> dict:
            return {"steps": self.steps}

        def load_state_dict(self, state: dict) -> None:
            self.steps = state["steps"]

    class Pause(train.Callback):
        """Says that there was a step, and makes it long enough to be killed in."""

        def on_step_end(self, run, loss) -> None:
            print("step", flush=True)
            time.sleep(pause)

    if slow:
        slow_down_writing()
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1), nn.Flatten(0)
    )
    optimizer = cr.optim.Adam(model.parameters(), lr=1e-2)
    history = train.fit(
        model,
        lambda output, target: nn.functional.binary_cross_entropy_with_logits(output, target.float()),
        optimizer,
        DataLoader(Noisy(150), batch_size=8, shuffle=True, drop_last=False),
        DataLoader(Noisy(60), batch_size=60),
        epochs=6,
        metrics=["accuracy", "roc_auc"],
        outputs="logits",
        callbacks=[
            train.EarlyStopping("dev_loss", patience=4),
            train.CSVLog(os.path.join(directory, "log.csv")),
            Pause(),
        ],
        schedule=train.Schedule(Decay(optimizer, 0.999), by="step"),
        clip_norm=1.0,
        accumulate=2,
        penalty=train.Penalty(model, l2=1e-4),
        average=0.9,
        capture=True,
        checkpoint=train.Checkpoint(directory, every_steps=3, best="dev_loss"),
        resume=True,
        quiet=True,
    )
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history]
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": rows}
    cr.save({**state, "kept": history.kept_epoch}, os.path.join(directory, "final.safetensors"))


def slow_down_writing() -> None:
    """Files of tensors are written in small pieces with pauses; a line says when it begins."""
    import safetensors.numpy

    def save_file(arrays, path, metadata=None) -> None:
        content = safetensors.numpy.save(arrays, metadata)
        piece = len(content) // 20 + 1
        print("writing", flush=True)
        with open(path, "wb", buffering=0) as file:
            for start in range(0, len(content), piece):
                file.write(content[start : start + piece])
                time.sleep(0.01)

    safetensors.numpy.save_file = save_file


def start(directory: Path, slow: bool, pause: float) -> subprocess.Popen:
    command = [sys.executable, __file__, "--child", str(directory), "--pause", str(pause)]
    return subprocess.Popen([*command, *(["--slow"] if slow else [])], stdout=subprocess.PIPE, text=True)


def finish(directory: Path) -> bytes:
    """Lets a training end, and gives all that it left: weights, optimizer, history, best weights, log."""
    process = start(directory, slow=False, pause=0.0)
    process.communicate()
    if process.returncode:
        raise SystemExit(f"a training failed in {directory}")
    log = [line.rsplit(",", 1)[0] for line in (directory / "log.csv").read_text().splitlines()]
    files = [(directory / f"{name}.safetensors").read_bytes() for name in ("final", "best")]
    return b"".join([*files, "\n".join(log).encode()])


def trial(directory: Path, rng: random.Random, in_write: bool) -> list[str]:
    """Kills a training up to four times, at random moments after its first update; says when each time."""
    kills: list[str] = []
    for _ in range(rng.randint(2, 4)):
        process = start(directory, slow=in_write, pause=PAUSE)
        # Counting what it has done, and not the time, finds it training on a machine of any speed.
        what, most, longest = ("writing", 4, 0.12) if in_write else ("step", 25, 2 * PAUSE)
        if saw(process, what, rng.randint(1, most)):
            time.sleep(rng.uniform(0, longest))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            pieces = list(directory.glob(".*.tmp"))
            kills.append("while writing" if pieces else "between writes")
    return kills


def saw(process: subprocess.Popen, what: str, count: int) -> bool:
    """Whether a process said something so many times before it ended."""
    return (
        sum(1 for _ in itertools.islice((line for line in process.stdout if line == f"{what}\n"), count))
        == count
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--in-write", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--slow", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--pause", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.slow, options.pause)
        return
    rng = random.Random(options.seed)
    writing = 0
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        whole.mkdir()
        expected = finish(whole)
        for number in range(options.trials):
            directory = Path(place) / str(number)
            directory.mkdir()
            kills = trial(directory, rng, number < options.in_write)
            writing += "while writing" in kills
            same = finish(directory) == expected
            print(
                f"trial {number + 1}: killed {', '.join(kills) or 'never'}: {'same' if same else 'OTHER'} bits"
            )
            if not same or not kills:
                raise SystemExit(1)
    print(f"{options.trials} trials with the same bits, {writing} of them killed while writing")
    if writing < options.in_write:
        raise SystemExit(
            f"only {writing} trials were killed while a checkpoint was written; another seed may do"
        )


if __name__ == "__main__":
    main()
