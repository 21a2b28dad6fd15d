"""Scores of predictions. They agree with scikit-learn's; the prediction comes first, as in the losses.

Classes are whole numbers, as integers or as floats (``tensor([0.0, 1.0])``), shape (N,) or (N, 1). All
arguments may be tensors, NumPy arrays or lists; sums are taken in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule._validate import choice
from chainrule.creation import from_numpy
from chainrule.tensor import Tensor

# Whether a larger value is better: early stopping and searches choose by it.
HIGHER_IS_BETTER = {
    "accuracy": True,
    "precision": True,
    "recall": True,
    "f1": True,
    "roc_auc": True,
    "r2": True,
    "loss": False,
    "mae": False,
    "mse": False,
}


def accuracy(predicted: Any, target: Any) -> float:
    """The fraction of classes that are predicted right.

    Raises ValueError for no samples, different lengths, and values that are no classes, TypeError for names and
    other objects (as all metrics of classes here do).
    """
    predicted, target = _classes("accuracy", predicted, target)
    return float(np.mean(predicted == target))


def confusion_matrix(predicted: Any, target: Any, classes: int | None = None) -> Tensor:
    """How many samples of class i (row) were predicted as class j (column): int64, shape (C, C).

    The classes are 0 to C - 1, with C = `classes`, or the largest that occurs plus 1.

    Raises ValueError for a class outside of that range.
    """
    predicted, target = _classes("confusion_matrix", predicted, target)
    low, high = min(predicted.min(), target.min()), max(predicted.max(), target.max())
    count = int(high) + 1 if classes is None else classes
    if low < 0 or high >= count:
        raise ValueError(f"confusion_matrix: classes must be in [0, {count}), got {low} to {high}")
    table = np.bincount(target * count + predicted, minlength=count * count)
    return from_numpy(table.reshape(count, count).astype(np.int64))


def precision(predicted: Any, target: Any, average: str | None = "binary", positive: int = 1) -> Any:
    """Of what was predicted as a class, the fraction that is: tp / (tp + fp).

    `average` is 'binary' (of class `positive`, there being at most two), 'macro' (the mean over classes),
    'weighted' (by how often each occurs), 'micro' (over all samples), or None: one value per class that
    occurs. The value is 0 for a class that was never predicted.
    """
    tp, predicted, _, weights = _counts("precision", predicted, target, average, positive)
    return _averaged(_ratio(tp, predicted), weights, average)


def recall(predicted: Any, target: Any, average: str | None = "binary", positive: int = 1) -> Any:
    """Of a class, the fraction that was predicted as it: tp / (tp + fn); 0 for a class that does not occur.

    Arguments as in ``precision``.
    """
    tp, _, target, weights = _counts("recall", predicted, target, average, positive)
    return _averaged(_ratio(tp, target), weights, average)


def f1(predicted: Any, target: Any, average: str | None = "binary", positive: int = 1) -> Any:
    """The harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn); 0 where that has no value.

    Arguments as in ``precision``.
    """
    tp, predicted, target, weights = _counts("f1", predicted, target, average, positive)
    return _averaged(_ratio(2 * tp, predicted + target), weights, average)


def roc_auc(scores: Any, target: Any, average: str = "macro") -> float:
    """The area under the ROC curve: the probability that a positive scores higher than a negative, ties half.

    Args:
        scores: of class 1, shape (N,) or (N, 1), logits or probabilities; or probabilities of C classes,
            shape (N, C): then the mean over classes of each against the rest, with 'weighted' by how often
            each occurs.
        target: classes; 0 and 1, or 0 to C - 1.

    Raises:
        ValueError: only one class occurs in target, or not each of C, or others; scores are NaN; rows of several
            scores do not sum to 1.
    """
    choice("roc_auc", "average", average, ("macro", "weighted"))
    scores = _array("roc_auc", "scores", scores).astype(np.float64)
    _refuse_nan("roc_auc", "scores", scores)
    if scores.ndim == 2 and scores.shape[1] > 1 and not np.allclose(scores.sum(axis=1), 1, atol=1e-4):
        raise ValueError(
            "roc_auc: the scores of several classes must be probabilities, which sum to 1; use softmax"
        )
    if scores.ndim == 2 and scores.shape[1] == 2:  # two columns say the same twice
        scores = scores[:, 1]
    if scores.ndim == 1 or scores.shape[1] == 1:
        target = _class_array("roc_auc", "target", target)
        _same_length("roc_auc", scores, target)
        occur = np.unique(target).tolist()
        if not set(occur) <= {0, 1}:
            raise ValueError(
                f"roc_auc: target must be classes 0 and 1, got {occur[:5]}; of -1 and 1 make target > 0"
            )
        if len(occur) < 2:
            raise ValueError(
                f"roc_auc: target must have both classes, 0 and 1, got {occur}; the area has no value for one class: "
                "take a larger or a stratified part"
            )
        return _area(scores.reshape(-1), target == 1)
    target = _class_array("roc_auc", "target", target)
    _same_length("roc_auc", scores, target)
    occur, counts = np.unique(target, return_counts=True)
    if occur.tolist() != list(range(scores.shape[1])):
        raise ValueError(
            f"roc_auc: each of {scores.shape[1]} classes must occur in target, got {occur.tolist()}"
        )
    areas = [_area(scores[:, number], target == number) for number in occur]
    return float(np.average(areas, weights=counts if average == "weighted" else None))


def r2(predicted: Any, target: Any) -> float:
    """1 - Σ(y - ŷ)² / Σ(y - mean y)², the mean over columns for shape (N, K).

    Where the target is constant: 1 if the prediction is exact, else 0.

    Raises ValueError for fewer than two samples, for different shapes and for NaN.
    """
    predicted, target = _numbers("r2", predicted, target)
    if len(target) < 2:
        raise ValueError(f"r2: needs at least two samples, got {len(target)}")
    rest = ((target - predicted) ** 2).sum(axis=0)
    total = ((target - target.mean(axis=0)) ** 2).sum(axis=0)
    constant = total == 0
    values = np.where(constant, rest == 0, 1 - rest / np.where(constant, 1, total))
    return float(np.mean(values))


def mae(predicted: Any, target: Any) -> float:
    """The mean absolute error. Raises ValueError for different shapes and for NaN."""
    predicted, target = _numbers("mae", predicted, target)
    return float(np.abs(predicted - target).mean())


def mse(predicted: Any, target: Any) -> float:
    """The mean squared error. Raises ValueError for different shapes and for NaN."""
    predicted, target = _numbers("mse", predicted, target)
    return float(((predicted - target) ** 2).mean())


def is_higher_better(op: str, name: str) -> bool:
    """Whether a column such as 'dev_f1' should grow.

    Raises ValueError for a name that does not say.
    """
    plain = name.removeprefix("dev_")
    if plain not in HIGHER_IS_BETTER:
        raise ValueError(
            f"{op}: is a larger {name} better? Say mode='max' or mode='min', if that is its name; no mode is needed "
            f"for {', '.join(HIGHER_IS_BETTER)}, and the same of dev: dev_loss"
        )
    return HIGHER_IS_BETTER[plain]


# ---- checks and counts ----


def _array(op: str, name: str, values: Any) -> np.ndarray:
    array = values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{op}: {name} must be numbers, got {array.dtype}; of names np.unique(x, return_inverse=True)[1] makes "
            "numbers"
        )
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"{op}: {name} must have shape (N,) or (N, K) with samples, got {list(array.shape)}")
    return array


def _class_array(op: str, name: str, values: Any) -> np.ndarray:
    array = _array(op, name, values)
    if array.ndim == 2 and array.shape[1] > 1:
        raise ValueError(
            f"{op}: {name} must be one class per sample, shape (N,) or (N, 1), got {list(array.shape)}"
        )
    array = array.reshape(-1)
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.rint(array))).all():
        bad = array[~(array == np.rint(array))][:1]
        raise ValueError(f"{op}: {name} must be classes, whole numbers, got {bad.tolist()}")
    return array.astype(np.int64)


def _classes(op: str, predicted: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    arrays = _class_array(op, "predicted", predicted), _class_array(op, "target", target)
    _same_length(op, *arrays)
    return arrays


def _numbers(op: str, predicted: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    predicted, target = (_array(op, n, v) for n, v in (("predicted", predicted), ("target", target)))
    if predicted.shape != target.shape:
        raise ValueError(
            f"{op}: predicted and target must have one shape, got {list(predicted.shape)} and {list(target.shape)}"
        )
    predicted, target = predicted.astype(np.float64), target.astype(np.float64)
    _refuse_nan(op, "predictions", predicted)
    _refuse_nan(op, "targets", target)
    return predicted, target


def _refuse_nan(op: str, name: str, array: np.ndarray) -> None:
    found = np.isnan(array)
    if found.any():
        raise ValueError(f"{op}: {name} have NaN, the first in row {int(np.argwhere(found)[0, 0])}")


def _same_length(op: str, predicted: np.ndarray, target: np.ndarray) -> None:
    if len(predicted) != len(target):
        raise ValueError(f"{op}: needs one prediction per target, got {len(predicted)} and {len(target)}")


def _counts(op: str, predicted: Any, target: Any, average: str | None, positive: int) -> tuple:
    """True positives, how often predicted, how often there, and weights, for each class that is asked for."""
    choice(op, "average", average or "none", ("binary", "macro", "weighted", "micro", "none"))
    predicted, target = _classes(op, predicted, target)
    labels = np.union1d(predicted, target)
    if average == "binary":
        if len(labels) > 2 or (len(labels) == 2 and positive not in labels):
            raise ValueError(
                f"{op}: average='binary' needs two classes, {positive} being one, got {labels.tolist()}; "
                "for more use 'macro', 'weighted', 'micro' or None"
            )
        labels = np.array([positive])
    of_label = labels[:, None]
    tp = ((predicted == of_label) & (target == of_label)).sum(axis=1)
    counts = (predicted == of_label).sum(axis=1), (target == of_label).sum(axis=1)
    if average == "micro":
        return tp.sum(keepdims=True), counts[0].sum(keepdims=True), counts[1].sum(keepdims=True), None
    return tp, *counts, counts[1] if average == "weighted" else None


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole == 0, 0.0, part / np.where(whole == 0, 1, whole))


def _averaged(values: np.ndarray, weights: np.ndarray | None, average: str | None) -> Any:
    return from_numpy(values) if average is None else float(np.average(values, weights=weights))


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    """Mann and Whitney's U over the number of pairs; ties share the mean of their ranks."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    count = int(positive.sum())
    above = ranks[positive].sum() - count * (count + 1) / 2
    return math.nan if count in (0, len(scores)) else float(above / (count * (len(scores) - count)))
