"""What a predictor's file is checked for: its contents are as written, and one row goes through everything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import nn
from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.schema import Schema
from chainrule.preprocessing.table import Frame, read_table, tidy
from chainrule.preprocessing.values import is_missing, shown
from chainrule.tensor import Tensor

_IDLE = (nn.Dropout, nn.Dropout2d, nn.Flatten, nn.Identity, nn.Unflatten)
_GIVES: dict[type[nn.Module], str] = {
    nn.Hardsigmoid: "probabilities",
    nn.LogSigmoid: "log_probabilities",
    nn.LogSoftmax: "log_probabilities",
    nn.Sigmoid: "probabilities",
    nn.Softmax: "probabilities",
}


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of all that a file holds: of tensors names, dtypes, shapes and bytes, of the rest names and values."""
    found = hashlib.sha256()
    _add(found, "", content)
    return found.hexdigest()


def _add(found: Any, path: str, value: Any) -> None:
    if isinstance(value, Tensor):
        array = np.ascontiguousarray(value.detach().numpy())
        found.update(f"{path} {array.dtype} {list(array.shape)}\n".encode())
        found.update(array.tobytes())
    elif isinstance(value, Mapping):
        found.update(f"{path} of {len(value)}\n".encode())
        for key, item in value.items():
            _add(found, f"{path}/{key}", item)
    elif isinstance(value, list | tuple):
        _add(found, path, dict(enumerate(value)))
    else:
        found.update(f"{path} {json.dumps(value)}\n".encode())


def last_activation(model: nn.Module) -> nn.Module | None:
    """The sigmoid or softmax at the end of a model that is a Sequential, perhaps of Sequentials."""
    while type(model) is nn.Sequential:
        layers = [layer for layer in model if not isinstance(layer, _IDLE)]
        if not layers:
            return None
        model = layers[-1]
    return model if type(model) in _GIVES else None


def given_outputs(model: nn.Module) -> str:
    """'logits' unless the model ends in a sigmoid or softmax."""
    last = last_activation(model)
    return "logits" if last is None else _GIVES[type(last)]


def check_outputs(op: str, model: nn.Module, outputs: str) -> None:
    """ValueError where the last layer has made probabilities already, and `outputs` says otherwise."""
    last = last_activation(model)
    if last is not None and outputs != "values" and outputs != _GIVES[type(last)]:
        name, right = type(last).__name__, _GIVES[type(last)]
        raise ValueError(
            f"{op}: outputs={outputs!r}, but the model ends in {name}, which gives {right}; say outputs={right!r}, or "
            f"leave the {name} out"
        )


def first_row(op: str, given: Any) -> Frame | None:
    """The first row without gaps of the table that a schema is made from (the first, if all have some)."""
    is_kinds = isinstance(given, Mapping) and all(isinstance(kind, str) for kind in given.values())
    if given is None or isinstance(given, Schema | tuple) or is_kinds:
        return None
    frame = read_table(op, given)
    complete = (i for i in range(frame.rows) if not any(is_missing(column[i]) for column in frame.columns))
    return frame.take(np.array([next(complete, 0)])) if frame.rows else None


def typical_row(op: str, schema: Schema | None, preprocessing: Transformer | None) -> Frame | None:
    """A row of values that `preprocessing` may have been fitted on; None where that is not known.

    Raises ValueError for a schema of other columns than those, or of other kinds.
    """
    op = f"{op}: input_schema"
    if preprocessing is None:
        names = schema.names if schema is not None else ()
        return Frame(tuple(np.ones(1) for _ in names), names, 1, named=True) if names else None
    names = tuple(preprocessing._names_in())
    found = [preprocessing._typical(j) for j in range(len(names))]
    if schema is not None:
        names_there = hasattr(preprocessing, "feature_names_in_")
        empty = tuple(np.empty(0) for _ in schema.names)
        preprocessing._aligned(op, Frame(empty, schema.names, 0, named=names_there))
        kinds = dict(zip(schema.names if names_there else names, schema.kinds))
        for name, (kind, value) in zip(names, found):
            _check_kind(op, name, kinds.get(name), kind, value)
        known = dict(zip(names, found))
        if names_there:
            names = schema.names
            found = [known.get(name, (None, 1.0)) for name in names]
    if any(value is None for _, value in found):
        return None
    return Frame(tuple(tidy([value]) for _, value in found), names, 1, named=True)


def _check_kind(op: str, name: str, stated: str | None, kind: str | None, value: Any) -> None:
    if stated == "category" and kind == "number":
        raise ValueError(f"{op}: column {name!r} is a category, preprocessing was fitted on it as a number")
    if stated in ("number", "bool") and isinstance(value, str):
        raise ValueError(
            f"{op}: column {name!r} is a {stated}, preprocessing was fitted on texts, {shown(value)} for instance"
        )


def first_inputs(model: nn.Module) -> int | None:
    """How many numbers per row the first layer of a Sequential takes, if it says so."""
    while type(model) is nn.Sequential:
        layers = [layer for layer in model if not isinstance(layer, nn.Dropout | nn.Identity)]
        if not layers:
            return None
        model = layers[0]
    return model.in_features if type(model) is nn.Linear else None
