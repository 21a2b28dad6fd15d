"""Trains on real handwritten digits with train.fit, is interrupted, and goes on.

    python examples/fit.py [--epochs 15] [--run fit-run] [--plot fit.png] [--seed 0]

The network and the data are those of digits.py. Everything that fit can do is on: early stopping, a schedule,
checkpoints, two logs, clipped gradients, an L2 penalty, averaged weights, and the captured step. In the middle of
the sixth epoch the program presses Ctrl-C; a new model and optimizer then resume from the checkpoint. The weights
at the end have the bits of an uninterrupted run. Press Ctrl-C yourself, and start it again with the same --run.
"""

from __future__ import annotations

import argparse
import os
import signal
from typing import Any

from digits import load_parts, make_model

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader


class CtrlC(train.Callback):
    """Presses it once, after some update."""

    def __init__(self, step: int) -> None:
        self.at = step

    def on_step_end(self, run: Any, loss: float) -> None:
        if run.step == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def run(
    options: argparse.Namespace, parts: tuple, *others: train.Callback
) -> tuple[nn.Module, train.History]:
    """Trains, from the checkpoint in the run's directory if there is one."""
    cr.manual_seed(options.seed)
    model = make_model()
    optimizer = cr.optim.Adam(model.parameters(), lr=2e-3)
    train_part, dev_part, _ = parts
    history = train.fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        DataLoader(train_part, batch_size=32, shuffle=True),
        dev_part,
        options.epochs,
        metrics=["accuracy", "f1"],
        schedule=cr.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        callbacks=[
            train.EarlyStopping("dev_loss", patience=5),
            train.CSVLog(os.path.join(options.run, "log.csv")),
            train.JSONLog(os.path.join(options.run, "log.jsonl")),
            *others,
        ],
        clip_norm=5.0,
        penalty=train.Penalty(model, l2=1e-5),
        average=0.98,
        capture=True,
        checkpoint=train.Checkpoint(options.run, every_steps=20, best="dev_accuracy"),
        resume=True,
        quiet=options.quiet,
    )
    return model, history


def main(argv: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", default="fit-run", help="directory of the checkpoint and the logs")
    parser.add_argument(
        "--plot", default="fit.png", help="where the picture of the history goes; '' for none"
    )
    parser.add_argument("--interrupt", type=int, default=250, help="the update after which Ctrl-C is pressed")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)

    os.makedirs(options.run, exist_ok=True)
    parts = load_parts(options.seed)
    _, history = run(options, parts, CtrlC(options.interrupt))
    if history.interrupted:
        print(
            f"interrupted after {len(history)} epochs, dev accuracy {history['dev_accuracy'][-1]:.4f}; it goes on"
        )
    model, history = run(options, parts)
    print(history)
    print(f"ended: {history.reason or 'all epochs'}; the weights are those of epoch {history.kept_epoch}")
    measured = train.evaluate(model, parts[2], ["accuracy", "f1", "confusion_matrix"], nn.CrossEntropyLoss())
    print(f"test: accuracy {measured['accuracy']:.4f}, F1 {measured['f1']:.4f}, loss {measured['loss']:.4f}")
    if options.plot:
        history.plot(options.plot)
        print(f"history: {options.plot}; logs and checkpoint: {options.run}")
    return measured["accuracy"]


if __name__ == "__main__":
    main()
