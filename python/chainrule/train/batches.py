"""What fit and evaluate draw batches from: loaders, datasets, and pairs of tensors or arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule._validate import integer
from chainrule.creation import tensor
from chainrule.data import ArrayDataset, DataLoader, Dataset, IterableDataset, TensorDataset
from chainrule.data.part import part_of
from chainrule.ops._loss import check_sample_weight
from chainrule.tensor import Tensor


class Batch(NamedTuple):
    """The model's arguments, the target, and the samples' weights if there are such."""

    inputs: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor | None

    def total(self, op: str) -> float:
        """How much the batch counts in a mean over samples: their number, or the sum of their weights.

        Raises ValueError for a weight that is negative or not finite.
        """
        if self.weight is None:
            return self.target.shape[0] if self.target.ndim else 1
        check_sample_weight(op, self.weight)
        return self.weight.sum().item()


def as_loader(op: str, name: str, data: Any, batch_size: int, shuffle: bool) -> Any:
    """`data` as something that gives batches, over and over.

    Tensors and arrays are (inputs..., target), in a tuple or list. Other iterables, a loader of one's own for
    instance, are taken as they are.

    Raises TypeError for what cannot be iterated again and again and for tables and lists that are no tensors,
    ValueError where it is empty.
    """
    refuse_tables(op, name, data)
    if isinstance(data, tuple | list) and data and isinstance(data[0], Tensor | np.ndarray):
        data = as_dataset(data)
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


def as_dataset(arrays: Sequence[Any]) -> Dataset:
    """Tensors and arrays as one dataset."""
    if any(isinstance(x, np.memmap) for x in arrays):  # may be larger than the memory
        return ArrayDataset(*arrays)
    return TensorDataset(*(x if isinstance(x, Tensor) else tensor(x) for x in arrays))


def refuse_tables(op: str, name: str, data: Any) -> None:
    """TypeError for frames, lists of numbers and other programs' tensors, with what makes tensors of them."""
    items = data if isinstance(data, tuple | list) else [data]
    tensors = [isinstance(item, Tensor | np.ndarray) for item in items]
    advice = next(filter(None, map(_advice, items)), None)
    if advice is None and any(tensors) == all(tensors):
        return
    got = ", ".join(type(item).__name__ for item in items[:4]) + (", ..." if len(items) > 4 else "")
    raise TypeError(
        f"{op}: {name} must be tensors or arrays (inputs..., target), a dataset or a loader, got "
        f"{got if items is not data else f'({got})'}{f'; make tensors: {advice}' if advice else ''}"
    )


def _advice(item: Any) -> str | None:
    """What makes a tensor of a table or a list; None for what may be a tensor, a batch, a dataset or a loader."""
    if isinstance(item, Tensor | np.ndarray | Dataset | DataLoader):
        return None
    for method in ("to_numpy", "toarray"):  # pandas, polars; SciPy's sparse matrices
        if hasattr(item, method):
            return f"cr.tensor(x.{method}().astype(np.float32)), classes as np.int64"
    if hasattr(item, "__array__"):
        return "cr.tensor(np.asarray(x))"
    first = item
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if first is not item and isinstance(first, int | float | np.number):
        return "cr.tensor(x, dtype=cr.float32), classes as cr.int64"
    return None


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


def split_batch(op: str, batch: Any, weighted: bool = False, targets: bool = True) -> Batch:
    """The parts of a batch (inputs..., target), or (inputs..., target, weight) if it is `weighted`. One tensor alone
    is input and target; without `targets` all are inputs.

    Raises TypeError for other structures.
    """
    items = (batch,) if isinstance(batch, Tensor) else batch
    if isinstance(items, Sequence) and items and all(isinstance(item, Tensor) for item in items):
        *rest, last = items
        if not weighted:
            rest, last = list(items), None
        if rest:
            inputs = rest[:-1] if targets and len(rest) > 1 else rest
            return Batch(tuple(inputs), rest[-1], last)
    kinds = (
        [type(item).__name__ for item in items] if isinstance(items, tuple | list) else type(items).__name__
    )
    form = "(inputs..., target, weight)" if weighted else "(inputs..., target)"
    raise TypeError(
        f"{op}: a batch must be {form}, all tensors, got {kinds}; give the loader a collate_fn that makes such batches"
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
