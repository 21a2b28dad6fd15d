"""From what a model gives to what a metric wants: probabilities, classes, numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from chainrule import nn
from chainrule._validate import choice, numeric
from chainrule.nn import functional as F
from chainrule.ops import exp, sigmoid, softmax
from chainrule.tensor import Tensor
from chainrule.train import metrics
from chainrule.train.where import refuse_nan

OUTPUTS = ("logits", "probabilities", "log_probabilities", "values")

_OF_LOSS = {
    nn.BCELoss: "probabilities",
    nn.BCEWithLogitsLoss: "logits",
    nn.CrossEntropyLoss: "logits",
    nn.FocalLoss: "logits",
    nn.NLLLoss: "log_probabilities",
    nn.HuberLoss: "values",
    nn.L1Loss: "values",
    nn.MSELoss: "values",
    nn.SmoothL1Loss: "values",
}
_OF_FUNCTION = {
    F.binary_cross_entropy: "probabilities",
    F.binary_cross_entropy_with_logits: "logits",
    F.cross_entropy: "logits",
    F.sigmoid_focal_loss: "logits",
    F.nll_loss: "log_probabilities",
    F.huber_loss: "values",
    F.l1_loss: "values",
    F.mse_loss: "values",
    F.smooth_l1_loss: "values",
}
_NUMBERS = {"mae": metrics.mae, "mse": metrics.mse, "r2": metrics.r2}
_CLASSES = {
    "accuracy": metrics.accuracy,
    "precision": metrics.precision,
    "recall": metrics.recall,
    "f1": metrics.f1,
}
_TABLE = "confusion_matrix"
NAMES = (*_CLASSES, _TABLE, "roc_auc", *_NUMBERS)


class Decision:
    """How outputs are read: as logits, probabilities, log-probabilities or values, and where class 1 begins.

    A model of two classes may give one number per sample; it is class 1 if its probability is above
    `threshold`. Of several numbers the largest is the class, whatever they are: there another threshold than 0.5
    is refused. `outputs` follows from a loss of this library.

    Raises ValueError for another word, and for a threshold outside of (0, 1).
    """

    def __init__(self, op: str, loss: Any = None, outputs: str | None = None, threshold: float = 0.5) -> None:
        self.op, self.threshold = op, threshold
        if outputs is None and loss is not None:
            known = _OF_LOSS.get(type(loss))
            outputs = known or (_OF_FUNCTION.get(loss) if callable(loss) and _hashable(loss) else None)
        self.outputs = None if outputs is None else choice(op, "outputs", outputs, OUTPUTS)
        if not 0 < numeric(op, "threshold", threshold) < 1:
            raise ValueError(f"{op}: threshold must be a probability in (0, 1), got {threshold}")

    def probabilities(self, output: Tensor) -> Tensor:
        """Of class 1 where there is one number per sample, else of each class."""
        single = _is_single(output)
        if self.outputs == "probabilities":
            return output
        if self.outputs == "logits":
            return sigmoid(output) if single else softmax(output, 1)
        if self.outputs == "log_probabilities":
            return exp(output)
        raise ValueError(
            f"{self.op}: what does the model give? A threshold is a probability: say outputs='logits' or "
            f"'probabilities' (got {self.outputs!r}, and no loss that tells)"
        )

    def classes(self, output: Tensor) -> Tensor:
        """int64, shape (N,). Raises NanOutputs, a ValueError, where one is NaN, which is no class."""
        refuse_nan(self.op, output, "a class")
        if _is_single(output):
            return (self.probabilities(output).reshape(-1) > self.threshold).long()
        return output.argmax(1)

    def score(self, name: str, output: Tensor, target: Tensor) -> Any:
        """The value of a metric given by name, over all samples. Raises NanOutputs where an output is NaN."""
        refuse_nan(self.op, output, name)
        if output.ndim not in (1, 2):
            raise ValueError(
                f"{self.op}: {name} needs an output of shape (N,) or (N, C), got {list(output.shape)}; give a "
                "function of output and target instead"
            )
        if name in _NUMBERS:
            return _NUMBERS[name](output, target)
        if not _is_single(output) and tuple(output.shape) == tuple(target.shape):
            raise ValueError(
                f"{self.op}: {name} needs one class per sample, got a target of shape {list(target.shape)}; for "
                "several labels per sample give a function of output and target"
            )
        if name == "roc_auc":
            return metrics.roc_auc(output if _is_single(output) else self.probabilities(output), target)
        self._check_classes(name, output, target)
        columns = 2 if _is_single(output) else output.shape[1]
        if name == _TABLE:
            return metrics.confusion_matrix(self.classes(output), target, columns)
        average = {} if name == "accuracy" else {"average": "binary" if columns == 2 else "macro"}
        return _CLASSES[name](self.classes(output), target, **average)

    def _check_classes(self, name: str, output: Tensor, target: Tensor) -> None:
        """ValueError where a score would compare with other classes than the target's, or ignore the threshold."""
        if not _is_single(output):
            if self.threshold != 0.5:
                raise ValueError(
                    f"{self.op}: a threshold decides on one number per sample, got {self.threshold} for outputs of "
                    f"shape {list(output.shape)}; there the class is the largest"
                )
            return
        labels = np.unique(target.detach().numpy())
        if not np.isin(labels, (0, 1)).all():
            raise ValueError(
                f"{self.op}: {name} of one number per sample compares classes 0 and 1, got targets "
                f"{labels[:5].tolist()}; for -1 and 1 (HingeLoss) give a function such as "
                f"{{{name!r}: lambda output, target: metrics.{name}(output > 0, target > 0)}}"
            )


Metrics = Mapping[str, Callable[[Tensor, Tensor], Any]]


def named_metrics(op: str, wanted: Any, decision: Decision, tables: bool = True) -> Metrics:
    """Functions of (output, target) by name, from names, functions, or a dictionary of functions; without `tables`
    those that give one number.
    """
    if wanted is None:
        return {}
    if isinstance(wanted, str) or callable(wanted):
        wanted = [wanted]
    if not isinstance(wanted, Iterable):
        raise TypeError(f"{op}: metrics must be names or functions, got {type(wanted).__name__}")
    pairs = wanted.items() if isinstance(wanted, Mapping) else ((None, item) for item in wanted)
    found: dict[str, Callable[[Tensor, Tensor], Any]] = {}
    for name, item in pairs:
        key = name or (item if isinstance(item, str) else getattr(item, "__name__", type(item).__name__))
        if key in found or key == "loss":
            raise ValueError(
                f"{op}: there are two metrics named {key!r}; give a dictionary with names of your own"
            )
        if isinstance(item, str):
            if item == _TABLE and not tables:
                raise ValueError(
                    f"{op}: {item} is a table, and a history has one number per epoch; afterwards "
                    f"evaluate(model, data, {item!r}) gives it"
                )
            choice(op, "metrics", item, NAMES if tables else [name for name in NAMES if name != _TABLE])
            found[key] = _by_name(decision, item)
        elif callable(item):
            found[key] = item
        else:
            raise TypeError(f"{op}: a metric must be a name or a function of output and target, got {item!r}")
    return found


def as_number(op: str, name: str, value: Any) -> float:
    """A metric's value as a float; ValueError where it is none."""
    try:
        return float(value.item() if isinstance(value, Tensor | np.ndarray) else value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{op}: metric {name} must give one number, got {type(value).__name__}") from None


def _by_name(decision: Decision, name: str) -> Callable[[Tensor, Tensor], Any]:
    return lambda output, target: decision.score(name, output, target)


def _is_single(output: Tensor) -> bool:
    return output.ndim == 1 or output.shape[1] == 1


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
