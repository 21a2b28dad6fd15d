"""From a list of samples to one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import _core
from chainrule._core import float64
from chainrule.autograd import wrap
from chainrule.creation import tensor
from chainrule.ops import stack
from chainrule.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Stacks samples along a new first dimension, going into tuples, lists and dictionaries.

    Tensors and NumPy arrays are stacked, ints become an int64 tensor, floats a float64 one, bools a
    bool one; strings and bytes stay a list. Tuples and lists come back as a list, named tuples
    and dictionaries as themselves.

    Raises ValueError for samples of different structure or shape, TypeError for other types.

    Example::

        default_collate([(cr.zeros(3), 1), (cr.ones(3), 2)])  # [tensor (2, 3), tensor([1, 2])]
    """
    if not batch:
        raise ValueError("default_collate: the batch is empty")
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch)
    if isinstance(first, np.ndarray):
        return _stack([tensor(item) for item in batch])
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, float):
        return tensor([float(item) for item in batch], dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, np.generic):
        return tensor(np.asarray(batch))
    if isinstance(first, Mapping):
        return _collate_mappings(batch)
    if isinstance(first, Sequence):
        return _collate_sequences(batch)
    raise TypeError(
        "default_collate: samples must be tensors, arrays, numbers, strings, tuples, lists or "
        f"dictionaries, got {type(first).__name__}; give collate_fn for other types"
    )


def default_convert(sample: Any) -> Any:
    """A single sample with its NumPy arrays as tensors: what a loader without batches yields."""
    if isinstance(sample, np.ndarray | np.generic):
        return tensor(sample)
    if isinstance(sample, Mapping):
        return {key: default_convert(value) for key, value in sample.items()}
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*(default_convert(item) for item in sample))
    if isinstance(sample, Sequence) and not isinstance(sample, str | bytes):
        return [default_convert(item) for item in sample]
    return sample


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    for item in tensors:
        if not isinstance(item, Tensor):
            raise TypeError(
                f"default_collate: samples must be of one type, got Tensor and {type(item).__name__}"
            )
    natives = [item._t for item in tensors]
    shape = natives[0].shape
    for native in natives:
        if native.shape != shape:
            raise ValueError(
                f"default_collate: samples must have one shape, got {list(shape)} and {list(native.shape)}"
            )
    if any(item.requires_grad for item in tensors):
        return stack(list(tensors), 0)
    return wrap(_core.cat([_core.unsqueeze(native, 0) for native in natives], 0))


def _collate_mappings(batch: Sequence[Any]) -> dict[Any, Any]:
    keys = list(batch[0])
    for item in batch:
        if set(item) != set(keys):
            raise ValueError(f"default_collate: samples must have the same keys, got {keys} and {list(item)}")
    return {key: default_collate([item[key] for item in batch]) for key in keys}


def _collate_sequences(batch: Sequence[Any]) -> Any:
    first = batch[0]
    lengths = {len(item) for item in batch}
    if len(lengths) > 1:
        raise ValueError(f"default_collate: samples must have one length, got {sorted(lengths)}")
    columns = [default_collate(column) for column in zip(*batch, strict=True)]
    return type(first)(*columns) if hasattr(first, "_fields") else columns
