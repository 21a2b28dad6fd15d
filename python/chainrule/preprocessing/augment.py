"""Augmentation of tables, on the training part only: jitter and mixup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule._core import float64
from chainrule._validate import integer, real
from chainrule.creation import from_numpy
from chainrule.data.part import mark_part
from chainrule.preprocessing.table import read_table
from chainrule.preprocessing.training_part import fractions, generator_of, same_kind, training_part
from chainrule.random import randint, randn, randperm
from chainrule.tensor import Tensor


def jitter(
    x: Any, scale: float = 0.1, *, columns: Sequence[Any] | None = None, random_state: int | None = None
) -> Any:
    """A copy of `x` with each value moved by a normal random number: x + scale · s · N(0, 1), s the column's
    standard deviation.

    `columns`, by name or number, leaves the others as they are (one-hot columns, for instance). To train on both,
    put it behind the original, ``cat([x, jitter(x)])``, or draw it anew for each epoch.

    Raises ValueError unless `x` is marked as training part, and for missing values; TypeError for columns that are
    not floats; IndexError or ValueError for columns that do not exist.

    Example::

        x_moved = jitter(x_train, 0.05, random_state=0)
    """
    op = "jitter"
    training_part(op, "augmented", x)
    real(op, "scale", scale, "non-negative")
    if columns is None:
        values, chosen = fractions(op, x), None
    else:
        names = read_table(op, x).names
        chosen = [_position(op, names, column) for column in columns]
        values = fractions(op, x.iloc[:, chosen] if hasattr(x, "iloc") else x[:, chosen])
    drawn = randn(*values.shape, generator=generator_of(random_state), dtype=float64).numpy()
    moved = values + scale * values.std(axis=0) * drawn
    if chosen is None:
        return same_kind(x, moved)
    return mark_part(_with_columns(x, chosen, moved), "train")


def mixup(
    x: Any, y: Any, alpha: float = 0.2, *, num_classes: int | None = None, random_state: int | None = None
) -> tuple[Any, Any]:
    """Samples between any two: λ · x_i + (1 - λ) · x_j, and the same of their targets, λ from Beta(alpha, alpha).

    Each sample i gets a λ and a partner j of its own. Class numbers (int64) become shares of classes, (N, C) in
    `x`'s dtype, which ``CrossEntropyLoss`` takes; C is `num_classes` or the largest class plus one. Targets in
    floats are mixed as they are. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.

    Raises ValueError unless `x` is marked as training part, and for classes outside [0, num_classes); TypeError for
    columns that are not floats, and for targets in texts.

    Example::

        x_mixed, shares = mixup(x_train, y_train, random_state=0)  # y_train: (N,) int64, shares: (N, C)
    """
    op = "mixup"
    training_part(op, "augmented", x, y)
    real(op, "alpha", alpha, "positive")
    values = fractions(op, x)
    targets = _targets(op, y, num_classes)
    generator = generator_of(random_state)
    partners = randperm(len(values), generator=generator).numpy()
    # There is no beta distribution among our own; its seed comes from our generator.
    seed = randint(0, 2**62, (1,), generator=generator).item()
    share = np.random.default_rng(seed).beta(alpha, alpha, (len(values), 1))
    mixed = share * values + (1 - share) * values[partners]
    flat = targets.reshape(len(targets), -1)
    labels = (share * flat + (1 - share) * flat[partners]).reshape(targets.shape)
    return same_kind(x, mixed), _as_targets(labels, x, y)


def _targets(op: str, y: Any, num_classes: int | None) -> np.ndarray:
    values = y.detach().numpy() if isinstance(y, Tensor) else np.asarray(y)
    if values.dtype.kind == "f":
        if num_classes is not None:
            raise ValueError(
                f"{op}: num_classes={num_classes} is for class numbers, y has dtype {values.dtype}"
            )
        return values.astype(np.float64)
    if values.dtype.kind not in "biu" or values.ndim != 1:
        raise TypeError(
            f"{op}: y must be class numbers of shape (N,) or floats, got {values.dtype} of shape {list(values.shape)}; "
            "encode texts first"
        )
    size = int(values.max()) + 1 if num_classes is None else integer(op, "num_classes", num_classes)
    wrong = (values < 0) | (values >= size)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{op}: class {values[row]} at position {row} is out of range [0, {size})")
    return np.eye(size)[values.astype(np.int64)]


def _as_targets(labels: np.ndarray, x: Any, y: Any) -> Any:
    """In the floating dtype of y, or of x where y held class numbers."""
    labels = labels.astype(_floating(y) or _floating(x) or "float64")
    return mark_part(from_numpy(labels) if isinstance(y, Tensor) else labels, "train")


def _floating(values: Any) -> str | None:
    name = getattr(getattr(values, "dtype", None), "name", None)
    return name if name in ("float32", "float64") else None


def _position(op: str, names: Sequence[str], column: Any) -> int:
    if isinstance(column, str):
        if column not in names:
            raise ValueError(f"{op}: there is no column {column!r}, only {', '.join(names)}")
        return names.index(column)
    if not -len(names) <= column < len(names):
        raise IndexError(f"{op}: column {column} is out of range for {len(names)} columns")
    return int(column) % len(names)


def _with_columns(x: Any, chosen: Sequence[int], values: np.ndarray) -> Any:
    if isinstance(x, Tensor):
        out = x.detach().clone()
        out[:, list(chosen)] = from_numpy(values.astype(x.dtype.name))
        return out
    out = x.copy()
    if isinstance(out, np.ndarray):
        out[:, chosen] = values
        return out
    for place, position in enumerate(chosen):
        out.isetitem(position, values[:, place].astype(out.dtypes.iloc[position]))
    return out
