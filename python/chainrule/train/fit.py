"""fit: trains a model, epoch by epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from chainrule._capture import capture as captured
from chainrule._validate import choice, integer, real
from chainrule.nn import Module
from chainrule.tensor import Tensor
from chainrule.train.average import EMA
from chainrule.train.batches import as_loader, refuse_test_part
from chainrule.train.callbacks import Callback, Schedule
from chainrule.train.check import (
    check_decay,
    check_loss,
    check_model,
    check_object,
    check_optimizer,
    check_penalty,
    check_schedule,
)
from chainrule.train.checkpoint import Checkpoint, described
from chainrule.train.decision import Decision, named_metrics
from chainrule.train.evaluate import BATCH_SIZE
from chainrule.train.history import History
from chainrule.train.interrupts import Interrupts
from chainrule.train.loop import Run
from chainrule.train.penalty import Penalty
from chainrule.train.step import Step
from chainrule.train.table import brief


def fit(
    model: Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: Any,
    train: Any,
    dev: Any = None,
    epochs: int = 1,
    *,
    metrics: Any = (),
    batch_size: int = 32,
    callbacks: Iterable[Callback] | Callback | None = (),
    schedule: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    accumulate: int = 1,
    penalty: Callable[[], Tensor] | None = None,
    decay: Penalty | None = None,
    average: float | EMA | None = None,
    weighted: bool = False,
    capture: bool = False,
    nan: str = "raise",
    outputs: str | None = None,
    threshold: float = 0.5,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    resume: bool | str = False,
    quiet: bool = False,
) -> History:
    """Trains `model` on `train` and measures it on `dev` after every epoch.

    An epoch is one pass over `train`: for each batch ``loss(model(inputs), target)``, backward, clipping and
    an update. Modes: a model in evaluation mode trains in training mode; of one in training mode, single layers
    that are in evaluation mode stay so. Afterwards every mode is as before.

    Args:
        train, dev: DataLoaders, datasets, or tensors or arrays (inputs, targets); of the last two, batches have
            `batch_size` samples, those of train in a new order each epoch. A batch is (inputs..., target); of one
            tensor alone (an autoencoder) it is both. The test part of a split is refused.
        epochs: how many in all, those before a resume included.
        metrics: as in ``evaluate`` without the confusion matrix, measured over each epoch: of train while it trains,
            of dev afterwards.
        callbacks: called in this order; one alone needs no list.
        schedule: steps after every epoch; ``callbacks=[Schedule(s, by="step")]`` after every update.
        clip_norm, clip_value: limits of the gradients, as ``nn.utils.clip_grad_norm_`` and ``clip_grad_value_``.
        accumulate: batches whose gradients make one update, as if they were one batch.
        penalty: gives a tensor that is added to the loss, see ``Penalty``; `loss` and `dev_loss` include it.
        decay: a ``Penalty`` whose gradient alone is added, after clipping; no loss includes it.
        average: an ``EMA`` of the weights, or its decay. dev measures the averaged weights, and the model has
            them at the end.
        weighted: batches, of train and dev, end with the samples' weights, (inputs..., target, weight (N,)), and the
            loss is called with ``sample_weight=weight``, as those of this library may be. The weights count in
            `loss` and `dev_loss`, Σ w·loss / Σ w over an epoch; metrics do not look at them.
        capture: replays the step natively, with the same bits (docs/capture.md).
        nan: what follows a loss or gradient that is not finite: 'raise', with the weights as they were before;
            'skip' that update; 'warn' once and go on. Where the outputs for dev are NaN, and with them its loss or a
            metric, 'raise' does too, with the weights after the epoch; the others warn once and write NaN.
        outputs: what the model gives, 'logits', 'probabilities', 'log_probabilities' or 'values', where a loss of one's
            own does not say it and one number per sample has to become a class.
        threshold: the probability above which such a number is class 1.
        checkpoint: a directory (a save after every epoch) or a ``Checkpoint``.
        resume: goes on from the checkpoint, if there is one, with the bits of a training that never stopped.
            Without, a directory that has a checkpoint is refused. A checkpoint with another loss, penalty, clipping,
            weighting or, within an epoch, accumulation is refused, unless it is 'anyway', which goes on with those of
            now; also after a stop, with the patience of EarlyStopping counted anew.
        quiet: no progress bar.

    Returns the history, a table with a row per epoch. Ctrl-C finishes the update in progress, saves a checkpoint
    if there are such, and returns the history with ``interrupted=True``; a second one does not wait. The model
    then has what it would have had at the end: the best weights with EarlyStopping, else those of now.

    Raises:
        ValueError: epochs below 1, a limit below 0, data that is empty or a test part, a loss that is no mean or gives
            no single number, a metric that has no value, an optimizer, schedule or average of another model, weights
            that are negative or not finite, a checkpoint of another training.
        TypeError: an argument of another kind: a class in place of an object, frames and lists in place of tensors.
        FileExistsError: the directory has a checkpoint, and resume is off.
        FloatingPointError: the loss or a gradient is not finite, or outputs for dev are NaN, with nan='raise'.
            Errors of data name epoch and update, or the part and the batch.

    Example:
        >>> history = fit(model, nn.CrossEntropyLoss(), optimizer, (x, y), (x_dev, y_dev), epochs=20,
        ...               metrics="accuracy", callbacks=[EarlyStopping(patience=5)], checkpoint="run")
        >>> history.plot("curves.png")
    """
    op = "fit"
    integer(op, "epochs", epochs)
    integer(op, "accumulate", accumulate)
    choice(op, "nan", nan, ("raise", "skip", "warn"))
    if resume not in (True, False, "anyway"):
        raise ValueError(f"{op}: resume must be True, False or 'anyway', got {resume!r}")
    for name, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if limit is not None:
            real(op, name, limit, "non-negative")
    check_model(op, model)
    check_loss(op, loss, weighted)
    check_optimizer(op, optimizer, model, loss, penalty)
    check_penalty(op, penalty)
    check_decay(op, decay)
    for name, data in (("train", train), ("dev", dev)):
        refuse_test_part(op, name, data)
    decision = Decision(op, loss, outputs, threshold)
    named = named_metrics(op, metrics, decision, tables=False)
    train = as_loader(op, "train", train, batch_size, shuffle=True)
    if dev is not None:
        dev = as_loader(op, "dev", dev, max(batch_size, BATCH_SIZE), shuffle=False)
    callbacks, saver = _callbacks(callbacks, schedule, checkpoint, resume, optimizer)
    _check_columns(callbacks, list(named), dev is not None)
    if average is not None and not isinstance(average, EMA):
        average = EMA(model, real(op, "average", average))
    if average is not None and not average.shares(model):
        raise ValueError(
            "fit: average is of another model, so this one would not be averaged; take EMA(model)"
        )
    step = Step(
        op,
        model,
        loss,
        optimizer,
        clip_norm=clip_norm,
        clip_value=clip_value,
        penalty=penalty,
        decay=decay,
        average=average,
        capture=capture,
        weighted=weighted,
        keep=bool(named),
        stop_at_bad=nan != "warn",
    )
    run = Run(
        model,
        optimizer,
        loss,
        train,
        dev,
        epochs,
        step=step,
        metrics=named,
        callbacks=callbacks,
        checkpoint=saver,
        average=average,
        penalty=penalty,
        accumulate=accumulate,
        nan=nan,
        weighted=weighted,
        forward=_prediction(model) if capture else None,
    )
    run.settings = {
        "loss": described(loss),
        "penalty": described(penalty),
        "decay": described(decay),
        "clip_norm": clip_norm,
        "clip_value": clip_value,
        "weighted": weighted,
    }
    if saver is not None and resume:
        saver.restore(run, anyway=resume == "anyway")
    return _train(run, quiet)


def _callbacks(
    given: Any, schedule: Any, checkpoint: Any, resume: bool | str, optimizer: Any
) -> tuple[list[Callback], Checkpoint | None]:
    """All callbacks, and the one that saves; it is asked last, because it saves the others' states."""
    if given is None or isinstance(given, Callback):
        given = [] if given is None else [given]
    if not isinstance(given, Iterable):
        raise TypeError(f"fit: callbacks must be Callback objects, got {type(given).__name__}")
    callbacks = list(given)
    for callback in callbacks:
        check_object("fit", "a callback", callback)
        if not isinstance(callback, Callback):
            raise TypeError(f"fit: callbacks must be Callback objects, got {type(callback).__name__}")
    if schedule is not None:
        callbacks.insert(0, schedule if isinstance(schedule, Schedule) else Schedule(schedule))
    for callback in callbacks:
        if isinstance(callback, Schedule):
            check_schedule("fit", callback.schedule, optimizer)
    savers = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    if checkpoint is not None:
        savers.append(checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint))
        callbacks.append(savers[-1])
    if len(savers) > 1:
        raise ValueError(f"fit: one Checkpoint is enough, got {len(savers)}")
    if resume and not savers:
        raise ValueError(f"fit: resume={resume} needs a checkpoint to resume from")
    saver = savers[0] if savers else None
    if saver is not None and not resume and os.path.exists(saver.path):
        raise FileExistsError(
            f"fit: {saver.path} exists; resume=True goes on from it. For a new training name another directory or "
            "remove it"
        )
    return callbacks, saver


def _check_columns(callbacks: list[Callback], metrics: list[str], has_dev: bool) -> None:
    """ValueError for a callback that looks at a column which no epoch will have."""
    own = ["loss", *metrics]
    columns = ["epoch", "step", *own, *(f"dev_{name}" for name in own if has_dev), "lr", "seconds", "skipped"]
    # Callbacks of one's own may add columns, which the first epoch shows.
    open_end = any(not type(c).on_epoch_end.__module__.startswith("chainrule.train.") for c in callbacks)
    for callback in callbacks:
        column = callback.best if isinstance(callback, Checkpoint) else getattr(callback, "monitor", None)
        if isinstance(callback, Schedule) and not callback.takes_metric:
            continue
        if not isinstance(column, str) or column in columns:
            continue
        if column.startswith("dev_") and not has_dev:
            raise ValueError(f"fit: {type(callback).__name__} looks at {column}, but there is no dev")
        if not open_end:
            raise ValueError(
                f"fit: {type(callback).__name__} looks at {column!r}, but there is no such column; there are "
                f"{', '.join(columns[:-1])}"
            )


def _prediction(model: Module) -> Callable[..., Any]:
    def predict(*inputs: Tensor) -> Any:
        return model(*inputs)

    return captured(predict)


def _train(run: Run, quiet: bool) -> History:
    modes = [(module, module.training) for module in run.model.modules()]
    try:
        if not run.model.training:
            run.model.train()
        run.optimizer.zero_grad()
        for group in run.optimizer.param_groups:  # NumPy's numbers would fail at the first save
            group.update({k: v.item() for k, v in group.items() if isinstance(v, np.generic)})
        for callback in run.callbacks:
            callback.on_fit_start(run)
        with Interrupts() as interrupts, _Progress(run, quiet) as progress:
            try:
                run.go(progress, interrupts)
            except KeyboardInterrupt:
                run.history.interrupted = True
        run.finish()
    finally:
        for module, training in modes:
            module.training = training
    return run.history


class _Progress:
    """tqdm's bar over all updates, or nothing; tqdm is loaded only for the former."""

    def __init__(self, run: Run, quiet: bool) -> None:
        self._run, self._bar = run, None
        if not quiet:
            from tqdm import tqdm

            total = None if run.updates is None else run.updates * run.epochs
            self._bar = tqdm(total=total, initial=run.step, unit="step", mininterval=0.5)

    def __enter__(self) -> _Progress:
        return self

    def update(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def show(self, row: dict[str, Any]) -> None:
        if self._bar is not None:
            shown = {k: v for k, v in row.items() if k not in ("epoch", "step", "seconds")}
            text = " ".join(f"{name}={brief(value, 4)}" for name, value in shown.items() if value is not None)
            self._bar.set_postfix_str(f"epoch {row['epoch']}/{self._run.epochs} {text}", refresh=False)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()
