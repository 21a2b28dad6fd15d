"""evaluate and predict: a model in evaluation mode, without gradients, over all of some data."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

from chainrule.grad_mode import no_grad
from chainrule.nn import Module
from chainrule.ops import cat
from chainrule.tensor import Tensor
from chainrule.train.batches import as_loader, split_batch
from chainrule.train.check import check_loss, check_model, check_penalty, takes
from chainrule.train.decision import Decision, Metrics, named_metrics
from chainrule.train.step import scalar_loss
from chainrule.train.where import NanOutputs, located, nan_row

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
    weighted: bool = False,
    batch_size: int = BATCH_SIZE,
) -> dict[str, Any]:
    """Scores of a model on data, in evaluation mode and without gradients; its mode is as before afterwards.

    Args:
        data: a DataLoader, a dataset, or tensors (inputs..., target). The test part is welcome here.
        metrics: names ('accuracy', 'precision', 'recall', 'f1', 'roc_auc', 'confusion_matrix', 'r2', 'mae',
            'mse'), functions of (output, target), or a dictionary of functions. They see all samples at once.
            Of more than two classes precision, recall and F1 are means over classes.
        loss: adds 'loss', the mean over samples, with `penalty` if there is one. It also says what the model
            gives, as far as it is a loss of this library.
        outputs: what the model gives, 'logits', 'probabilities', 'log_probabilities' or 'values', where no loss says
            so and one number per sample has to become a class.
        threshold: such a number is class 1 where its probability is above this; only 0.5 with several numbers.
        weighted: data end with the samples' weights, as in ``fit``; they count in the loss, not in metrics.

    Raises:
        ValueError: data is empty, a metric has no value (ROC-AUC of one class), `outputs` is needed, a threshold does
            not apply, classes of one number per sample are not 0 and 1, outputs are NaN where a metric by name wants
            numbers, or a loss is no mean (reduction='sum'). Errors name the batch, or the metrics.
        TypeError: data or a batch is no (inputs..., target), the model no module, the loss no function.

    Example:
        >>> evaluate(model, test, ["accuracy", "f1"], nn.BCEWithLogitsLoss(), threshold=0.3)
        {'loss': 0.21, 'accuracy': 0.93, 'f1': 0.91}
    """
    op = "evaluate"
    check_model(op, model)
    if loss is not None:
        check_loss(op, loss, weighted)
    check_penalty(op, penalty)
    decision = Decision(op, loss, outputs, threshold)
    named = named_metrics(op, metrics, decision)
    loader = as_loader(op, "data", data, batch_size, shuffle=False)
    if loss is None and not named:
        raise ValueError(f"{op}: nothing to measure; give metrics or a loss")
    return measure(op, model, loader, named, loss, penalty, weighted=weighted)


def measure(
    op: str,
    model: Module,
    loader: Any,
    metrics: Metrics,
    loss: Any = None,
    penalty: Any = None,
    *,
    weighted: bool = False,
    forward: Callable[..., Any] | None = None,
    where: str = "data",
    on_nan: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """What evaluate returns; `forward` is called in place of the model (a captured one).

    Errors end with `where`: the part, and the epoch. `on_nan` is told of outputs that are NaN and have made the loss
    or a metric NaN; without it such a metric raises.
    """
    total, samples, batches = 0.0, 0.0, 0
    parts: list[tuple[Any, Any]] = []
    with evaluating(model):
        for batch in loader:
            batches += 1
            with located(f"in batch {batches} of {where}"):
                inputs, target, weight = part = split_batch(op, batch, weighted)
                output = (forward or model)(*inputs)
                count = part.total(op) if loss is not None else 0
                if count:
                    found = (
                        loss(output, target) if weight is None else loss(output, target, sample_weight=weight)
                    )
                    value = scalar_loss(op, found).item()
                    total += value * count
                    samples += count
            if count and value != value and on_nan is not None and (row := nan_row(output)) is not None:
                on_nan(f"the model's outputs have NaN, the first in row {row} of batch {batches} of {where}")
            if metrics:
                parts.append((output, target))
        if not batches:
            raise ValueError(f"{op}: the data gave no batches")
        result: dict[str, Any] = {}
        if loss is not None:
            if not samples:
                raise ValueError(f"{op}: all sample weights are 0")
            result["loss"] = total / samples + (penalty().item() if penalty is not None else 0.0)
        if metrics:
            result.update(scores(op, metrics, parts, where, on_nan))
    return result


def scores(
    op: str,
    metrics: Metrics,
    parts: list[tuple[Any, Any]],
    where: str,
    on_nan: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Every metric of the outputs and targets of all batches; NaN for one that `on_nan` let pass."""
    if not parts:
        raise ValueError(f"{op}: the data gave no batches")
    output, target = joined(op, [output for output, _ in parts]), joined(op, [target for _, target in parts])
    result: dict[str, Any] = {}
    for name, metric in metrics.items():
        try:
            with located(f"in the metrics of {where}"):
                result[name] = metric(output, target)
        except NanOutputs as error:
            if on_nan is None:
                raise
            on_nan(str(error).removeprefix(f"{op}: "))
            result[name] = math.nan
    return result


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
    targets: bool | None = None,
    weighted: bool = False,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """What a model gives for all of some data, in evaluation mode and without gradients; its mode is kept.

    Args:
        data: inputs as a tensor or array, (N, ...), or a tuple of such for a model of several inputs; or a DataLoader
            or dataset as in ``fit``, whose targets are not looked at (a batch of one tensor is all input).
        threshold: None for the outputs themselves; a probability for classes, int64 (N,), of a model that gives
            one number per sample, with `outputs` 'logits' or 'probabilities' (or 'log_probabilities').
        targets: whether the last tensor is a target, which the model is not given. Unless said, it is in loaders and
            datasets, and is not in a tuple of tensors.
        weighted: weights follow the target, as in ``fit``.

    Raises:
        ValueError: there is no data; a threshold without `outputs`, or of several numbers per sample (there
            ``predict(...).argmax(1)`` is the class), or of outputs that are NaN.
        TypeError: the model takes another number of inputs than there are.

    Example:
        >>> predict(model, x_new)
        >>> predict(model, (categories, numbers))  # a model of two inputs
        >>> predict(model, TensorDataset(categories, numbers), targets=False)
    """
    op = "predict"
    check_model(op, model)
    decision = None if threshold is None else Decision(op, None, outputs, threshold)
    if hasattr(data, "shape"):
        data = (data,)
    if targets is None:
        bare = isinstance(data, tuple | list) and all(hasattr(item, "shape") for item in data)
        targets = not bare or weighted
    loader = as_loader(op, "data", data, batch_size, shuffle=False)
    parts = []
    with evaluating(model):
        for batch in loader:
            inputs = split_batch(op, batch, weighted, targets).inputs
            if not parts:
                _check_inputs(op, model, inputs, targets)
            parts.append(model(*inputs))
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


def _check_inputs(op: str, model: Module, inputs: tuple[Tensor, ...], targets: bool) -> None:
    """TypeError where the model cannot be called with so many inputs, and what to say of the last tensor then."""
    if takes(model, *inputs):
        return
    count, what = len(inputs), "inputs" if len(inputs) > 1 else "input"
    raise TypeError(
        f"{op}: {type(model).__name__} cannot be called with {count} {what}; here the last tensor of the data is "
        + (
            "left out as a target, targets=False gives it to the model"
            if targets
            else "an input, too; targets=True leaves it out as a target"
        )
    )
