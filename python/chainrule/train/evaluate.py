"""evaluate and predict: a model in evaluation mode, without gradients, over all of some data."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from chainrule.grad_mode import no_grad
from chainrule.nn import Module
from chainrule.ops import cat
from chainrule.tensor import Tensor
from chainrule.train.batches import as_loader, split_batch
from chainrule.train.decision import Decision, Metrics, named_metrics
from chainrule.train.step import refuse_sum, scalar_loss

BATCH_SIZE = 256


@contextlib.contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside; afterwards every module has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def evaluate(
    model: Module,
    data: Any,
    metrics: Any = (),
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    *,
    outputs: str | None = None,
    threshold: float = 0.5,
    penalty: Callable[[], Tensor] | None = None,
    batch_size: int = BATCH_SIZE,
) -> dict[str, Any]:
    """Scores of a model on data, in evaluation mode and without gradients; its mode is as before afterwards.

    Args:
        data: a DataLoader, a dataset, or tensors (inputs, targets). The test part is welcome here.
        metrics: names ('accuracy', 'precision', 'recall', 'f1', 'roc_auc', 'confusion_matrix', 'r2', 'mae',
            'mse'), functions of (output, target), or a dictionary of functions. They see all samples at once.
            Of more than two classes precision, recall and F1 are means over classes.
        loss: adds 'loss', the mean over samples, with `penalty` if there is one. It also says what the model
            gives, as far as it is a loss of this library.
        outputs: what the model gives, 'logits' or 'probabilities', where no loss says so and one number per
            sample has to become a class.
        threshold: such a number is class 1 where its probability is above this; only 0.5 with several numbers.

    Raises:
        ValueError: data is empty, a metric has no value (ROC-AUC of one class), `outputs` is needed, a threshold does
            not apply, classes of one number per sample are not 0 and 1, or a loss is no mean (reduction='sum').
        TypeError: a batch is no (inputs..., target).

    Example:
        >>> evaluate(model, test, ["accuracy", "f1"], nn.BCEWithLogitsLoss(), threshold=0.3)
        {'loss': 0.21, 'accuracy': 0.93, 'f1': 0.91}
    """
    op = "evaluate"
    refuse_sum(op, loss)
    decision = Decision(op, loss, outputs, threshold)
    named = named_metrics(op, metrics, decision)
    loader = as_loader(op, "data", data, batch_size, shuffle=False)
    if loss is None and not named:
        raise ValueError(f"{op}: nothing to measure; give metrics or a loss")
    return measure(op, model, loader, named, loss, penalty)


def measure(
    op: str,
    model: Module,
    loader: Any,
    metrics: Metrics,
    loss: Any = None,
    penalty: Any = None,
    forward: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """What evaluate returns; `forward` is called in place of the model (a captured one)."""
    total, samples = 0.0, 0
    parts: list[tuple[Any, Any]] = []
    with evaluating(model):
        for batch in loader:
            inputs, target = split_batch(op, batch)
            output = (forward or model)(*inputs)
            if loss is not None:
                count = target.shape[0] if target.ndim else 1
                total += scalar_loss(op, loss(output, target)).item() * count
                samples += count
            if metrics:
                parts.append((output, target))
        result: dict[str, Any] = {}
        if loss is not None:
            if not samples:
                raise ValueError(f"{op}: the data gave no batches")
            result["loss"] = total / samples + (penalty().item() if penalty is not None else 0.0)
        if metrics:
            result.update(scores(op, metrics, parts))
    return result


def scores(op: str, metrics: Metrics, parts: list[tuple[Any, Any]]) -> dict[str, Any]:
    """Every metric of the outputs and targets of all batches."""
    if not parts:
        raise ValueError(f"{op}: the data gave no batches")
    output, target = joined(op, [output for output, _ in parts]), joined(op, [target for _, target in parts])
    return {name: metric(output, target) for name, metric in metrics.items()}


def joined(op: str, parts: list[Any]) -> Tensor:
    """One tensor of the batches' tensors."""
    for part in parts:
        if not isinstance(part, Tensor):
            raise TypeError(f"{op}: a metric needs a model that gives one tensor, got {type(part).__name__}")
    return parts[0] if len(parts) == 1 else cat(parts, 0)


def predict(
    model: Module,
    data: Any,
    *,
    threshold: float | None = None,
    outputs: str | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """What a model gives for all of some data, in evaluation mode and without gradients; its mode is kept.

    Args:
        data: inputs as a tensor or array, (N, ...); or a DataLoader or dataset, whose targets are not looked
            at (a batch of one tensor is all input).
        threshold: None for the outputs themselves; a probability for classes, int64 (N,), of a model that gives
            one number per sample, with `outputs` 'logits' or 'probabilities'.

    Raises ValueError for no data, and for a threshold without `outputs` or of several numbers per sample
    (there ``predict(...).argmax(1)`` is the class).
    """
    op = "predict"
    decision = None if threshold is None else Decision(op, None, outputs, threshold)
    if hasattr(data, "shape"):
        data = (data,)
    loader = as_loader(op, "data", data, batch_size, shuffle=False)
    with evaluating(model):
        parts = [model(*split_batch(op, batch)[0]) for batch in loader]
        if not parts:
            raise ValueError(f"{op}: the data gave no batches")
        output = joined(op, parts)
        if decision is None:
            return output
        if output.ndim > 1 and output.shape[1] != 1:
            raise ValueError(
                f"{op}: a threshold decides on one number per sample, got outputs of shape {list(output.shape)}; the "
                "class is predict(...).argmax(1)"
            )
        return decision.classes(output)
