"""What fit and evaluate draw batches from: loaders, datasets, and pairs of tensors or arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule._validate import integer
from chainrule.creation import tensor
from chainrule.data import ArrayDataset, DataLoader, Dataset, IterableDataset, TensorDataset
from chainrule.data.part import part_of
from chainrule.tensor import Tensor

Batch = tuple[tuple[Any, ...], Any]  # the model's arguments, and the target


def as_loader(op: str, name: str, data: Any, batch_size: int, shuffle: bool) -> Any:
    """`data` as something that gives batches, over and over.

    Tensors and arrays are (inputs..., target), in a tuple or list. Other iterables, a loader of one's own for
    instance, are taken as they are.

    Raises TypeError for what cannot be iterated again and again, ValueError where it is empty.
    """
    if isinstance(data, tuple | list) and data and all(isinstance(x, Tensor | np.ndarray) for x in data):
        if any(isinstance(x, np.memmap) for x in data):  # may be larger than the memory
            data = ArrayDataset(*data)
        else:
            data = TensorDataset(*(x if isinstance(x, Tensor) else tensor(x) for x in data))
    if isinstance(data, Dataset) or (hasattr(data, "__getitem__") and not hasattr(data, "__iter__")):
        integer(op, "batch_size", batch_size)
        streams = isinstance(data, IterableDataset)
        if streams or len(data):  # type: ignore[arg-type]
            data = DataLoader(data, batch_size, shuffle=shuffle and not streams)
    empty = isinstance(data, Dataset) and length(data) == 0
    again = hasattr(data, "__iter__") and not hasattr(data, "__next__")
    if not empty and (not again or isinstance(data, Tensor | np.ndarray | str | dict)):
        raise TypeError(
            f"{op}: {name} must be a DataLoader, a dataset or a pair of tensors (inputs, targets), got "
            f"{type(data).__name__}"
        )
    if length(data) == 0:
        raise ValueError(f"{op}: {name} is empty: there are no batches in it")
    return data


def refuse_test_part(op: str, name: str, data: Any) -> None:
    """ValueError where `data` is known to be the test part of a split."""
    if part_of(data) == "test":
        raise ValueError(
            f"{op}: {name} is the test part of a split. What trains or chooses a model has seen the data, which then "
            "cannot measure it; keep the test part for one evaluate() at the end. Split in three "
            "(data.train_dev_test_split), or say what this part is: data.mark_part(x, 'dev')"
        )


def length(loader: Any) -> int | None:
    """How many batches there are, or None for a stream that does not know."""
    try:
        return len(loader)
    except TypeError:
        return None


def split_batch(op: str, batch: Any) -> Batch:
    """A batch as the model's arguments and the target, which comes last; one tensor alone is both.

    Raises TypeError for other structures.
    """
    if isinstance(batch, Tensor):
        return (batch,), batch
    if isinstance(batch, Sequence) and batch and all(isinstance(item, Tensor) for item in batch):
        return (tuple(batch[:-1]), batch[-1]) if len(batch) > 1 else ((batch[0],), batch[0])
    kinds = (
        [type(item).__name__ for item in batch] if isinstance(batch, tuple | list) else type(batch).__name__
    )
    raise TypeError(
        f"{op}: a batch must be (inputs..., target), all tensors, got {kinds}; give the loader a collate_fn that "
        "makes such batches"
    )


def groups(loader: Any, size: int) -> Iterator[list[Any]]:
    """`size` batches at a time; fewer at the end."""
    group: list[Any] = []
    for batch in loader:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
