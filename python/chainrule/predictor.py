"""A trained model with all that it needs to read raw rows, in one file that holds data and never code.

The file is what ``chainrule.save`` writes (safetensors and JSON): the architecture of registered layers, weights,
fitted preprocessing, labels, input schema and decision threshold.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import _rows, _serving, serialization
from chainrule.autograd import no_grad
from chainrule.creation import from_numpy
from chainrule.nn import Module
from chainrule.nn._architecture import build, describe, load_weights, register_layer
from chainrule.ops import cat
from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.encode import LabelEncoder
from chainrule.preprocessing.schema import NUMBER_OR_BOOL, BadRowsError, Schema, read_schema
from chainrule.preprocessing.table import read_table
from chainrule.tensor import Tensor
from chainrule.train.decision import Decision

__all__ = ["BadRowsError", "Predictor", "load_predictor", "register_layer", "save_predictor"]

_FORMAT, _VERSION = "chainrule.predictor", 2  # since 2 with a checksum
_BATCH = 4096


class Predictor:
    """A model in evaluation mode that takes raw rows: preprocessing, prediction and decision in one call.

    ``predict`` and ``predict_proba`` take one row (a dictionary), a list of rows, a dictionary of columns, an array,
    a tensor or a pandas frame. They change nothing and may be called from several threads at once.

    Args:
        model: gives one number per row, or one per class.
        preprocessing: a fitted transformer (a Pipeline, a ColumnTransformer), or None.
        labels: what the classes are called, in the order of their numbers, or a fitted LabelEncoder; None for
            numbers.
        threshold: a single number per row means the second class where its probability is above this.
        outputs: 'logits', 'probabilities', 'log_probabilities' or 'values' (a regression). By default 'values' without
            labels; with labels what the last layer of a Sequential gives, 'probabilities' for Sigmoid or Softmax and
            'log_probabilities' for LogSoftmax, else 'logits'.
        input_schema: what the rows must hold: the raw table that was trained on (its names, and which columns are
            numbers or bools), or a dictionary of names to 'number', 'bool' or 'category'; a shape, without the rows,
            for arrays of more dimensions. By default the names that preprocessing was fitted with.

    Raises ValueError for a threshold outside (0, 1), labels that repeat, preprocessing that is not fitted; TypeError
    for what is no Module or Transformer.
    """

    def __init__(
        self,
        model: Module,
        preprocessing: Transformer | None = None,
        labels: Any = None,
        threshold: float = 0.5,
        outputs: str | None = None,
        input_schema: Any = None,
    ) -> None:
        op = "Predictor"
        if not isinstance(model, Module):
            raise TypeError(f"{op}: model must be an nn.Module, got {type(model).__name__}")
        if preprocessing is not None:
            if not isinstance(preprocessing, Transformer):
                raise TypeError(
                    f"{op}: preprocessing must be a Transformer, got {type(preprocessing).__name__}"
                )
            preprocessing._check_fitted("predict")
        self.model = model
        self.preprocessing = preprocessing
        self.labels = _labels(op, labels)
        self.outputs = outputs or ("values" if self.labels is None else _serving.given_outputs(model))
        self._decision = Decision(op, outputs=self.outputs, threshold=threshold)
        self.threshold = float(threshold)
        names = getattr(preprocessing, "feature_names_in_", None)
        numbers = [
            preprocessing._typical(j)[0] == "number" for j in range(0 if names is None else len(names))
        ]
        self.input_schema: Schema | None = read_schema(op, input_schema, names, numbers)
        if self.outputs == "values" and self.labels is not None:
            raise ValueError(f"{op}: outputs='values' has no classes, got labels {self.labels}")
        self._example = _serving.first_row(f"{op}: input_schema", input_schema)
        model.eval()

    def predict(self, rows: Any) -> np.ndarray:
        """Labels of the classes, or their numbers without labels, shape (N,); for 'values' the numbers, (N,) or (N, K).

        Raises BadRowsError (a ValueError), which lists row, column and value of what does not fit the schema or the
        model's dtype, and of rows for which the model gives NaN or infinity; ValueError for other columns (by name)
        and an unknown category (with row and value).
        """
        output = self._outputs("predict", rows)
        if self.outputs == "values":
            values = output.numpy()
            return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        self._check_classes("Predictor.predict", output)
        numbers = self._decision.classes(output).numpy()
        return numbers if self.labels is None else _as_array(self.labels)[numbers]

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Probabilities of the classes, shape (N, C); of a single number per row the columns are 1 - p and p.

        Raises as ``predict``, and ValueError for a model of values.
        """
        op = "Predictor.predict_proba"
        if self.outputs == "values":
            raise ValueError(f"{op}: the model gives values, not classes; use predict")
        output = self._outputs("predict_proba", rows)
        self._check_classes(op, output)
        chance = self._decision.probabilities(output).numpy()
        if chance.ndim == 2 and chance.shape[1] > 1:
            return chance
        chance = chance.reshape(-1)
        return np.stack([1 - chance, chance], axis=1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file that ``load_predictor`` reads; complete or not at all.

        One row goes through everything first: the first of `input_schema` if that was a table, else one of values
        that preprocessing was fitted on. Raises ValueError, which says what does not fit, if that fails or if
        `outputs` contradicts the last layer; TypeError, which names the path in the model, for a layer whose class is
        not registered.
        """
        op = "save_predictor"
        state = None if self.preprocessing is None else self.preprocessing.state()
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "architecture": describe(op, self.model),
            "weights": {name: tensor.detach() for name, tensor in self.model.state_dict().items()},
            "preprocessing": _with_tensors(state),
            "labels": self.labels,
            "threshold": self.threshold,
            "outputs": self.outputs,
            "schema": None if self.input_schema is None else self.input_schema.as_dict(),
        }
        self._try_out(op)
        serialization.save({**content, "checksum": _serving.digest(content)}, path)

    def __repr__(self) -> str:
        return (
            f"Predictor({type(self.model).__name__}, outputs={self.outputs!r}, labels={self.labels}, "
            f"threshold={self.threshold}, input_schema={self.input_schema})"
        )

    # From rows to outputs

    def _outputs(self, method: str, rows: Any) -> Tensor:
        x = self._inputs(f"Predictor.{method}", rows)
        return self._run(f"Predictor.{method}", x)

    def _run(self, op: str, x: Tensor) -> Tensor:
        with no_grad():
            parts = [self.model(x[i : i + _BATCH]).detach() for i in range(0, max(len(x), 1), _BATCH)]
        output = parts[0] if len(parts) == 1 else cat(parts)
        values = output.numpy()
        good = np.isfinite(values)
        if self.outputs == "log_probabilities":
            good |= values == -np.inf  # of probability 0
        if not good.all():
            rows = np.flatnonzero(~good.reshape(len(values), -1).all(axis=1))
            bad = [(int(i), "output", values[i][~good[i]].reshape(-1)[0]) for i in rows]
            raise BadRowsError(op, "the model gives no finite number", bad)
        return output

    def _try_out(self, op: str) -> None:
        """One row through everything; ValueError for what could never serve."""
        _serving.check_outputs(op, self.model, self.outputs)
        x = self._trial(op)
        if x is None:
            return
        try:
            output = self._run(op, x)
        except BadRowsError:
            raise
        except (TypeError, ValueError, IndexError, RuntimeError) as error:
            source = "input_schema" if self.preprocessing is None else "preprocessing"
            raise ValueError(
                f"{op}: the model does not take rows of shape {list(x.shape[1:])}, which {source} gives: {error}"
            ) from error
        if self.outputs != "values":
            self._check_classes(op, output)

    def _trial(self, op: str) -> Tensor | None:
        """One row as the model gets it; None where no row is known."""
        schema = self.input_schema
        if schema is not None and schema.shape is not None:
            return self._inputs(op, np.zeros((1, *schema.shape)))
        made = _serving.typical_row(op, schema, self.preprocessing)
        if self._example is not None:
            return self._inputs(op, self._example)
        if made is None:
            count = _serving.first_inputs(self.model) if self.preprocessing is None else None
            return None if count is None else self._inputs(op, np.zeros((1, count)))
        try:
            return self._inputs(op, made)
        except (TypeError, ValueError):
            return (
                None  # values that do not go together, of a ratio for instance, say nothing about real rows
            )

    def _inputs(self, op: str, rows: Any) -> Tensor:
        schema, preprocessing = self.input_schema, self.preprocessing
        bare = schema is None and preprocessing is None and isinstance(rows, np.ndarray | Tensor)
        if bare or (schema is not None and schema.shape is not None):
            samples = _rows.samples(op, schema, rows)
            return self._tensor(op, samples, lambda at: (at[0], str(list(at[1:])), samples[at]))
        frame = _rows.no_rows(schema, preprocessing) if isinstance(rows, list | tuple) and not rows else None
        frame = read_table(op, rows) if frame is None else frame
        if schema is not None:
            frame = schema.check(op, frame)
        raw = frame
        if preprocessing is not None:
            if not hasattr(preprocessing, "feature_names_in_"):
                frame = dataclasses.replace(frame, named=False)
            frame = preprocessing._apply(preprocessing._aligned(op, frame))
        x = _rows.complete(op, frame, raw)
        return self._tensor(op, x, lambda at: _rows.source(raw, at[0], frame.names[at[1]], x[at]))

    def _tensor(self, op: str, array: np.ndarray, name: Callable[[tuple[int, ...]], Any]) -> Tensor:
        """In the dtype of the model's weights; integers stay integers where nothing made floats of them."""
        dtypes = [p.dtype for p in self.model.parameters() if p.is_floating_point()]
        whole = array.dtype.kind in "iu" and self.preprocessing is None and self.input_schema is None
        wanted = np.int64 if whole else np.dtype(dtypes[0].name if dtypes else "float32")
        with np.errstate(over="ignore"):
            values = np.array(array, dtype=wanted, order="C")
        if wanted != np.int64 and not (finite := np.isfinite(values)).all():
            bad = [name(tuple(map(int, at))) for at in np.argwhere(~finite)]
            raise BadRowsError(op, f"must be finite numbers in {np.dtype(wanted).name}", bad)
        return from_numpy(values)

    def _check_classes(self, op: str, output: Tensor) -> None:
        shape = list(output.shape)
        if output.ndim not in (1, 2):
            raise ValueError(f"{op}: the model must give (N,) or (N, C) for classes, it gave {shape}")
        single = output.ndim == 1 or shape[1] == 1
        if self.labels is not None and len(self.labels) != (2 if single else shape[1]):
            raise ValueError(
                f"{op}: {len(self.labels)} labels do not fit the model's output of shape {shape}"
            )
        if not single and self.threshold != 0.5:
            raise ValueError(
                f"{op}: a threshold decides on one number per row; of {shape[1]} the largest is the class"
            )


def save_predictor(
    path: str | os.PathLike[str],
    model: Module,
    *,
    preprocessing: Transformer | None = None,
    labels: Any = None,
    threshold: float = 0.5,
    outputs: str | None = None,
    input_schema: Any = None,
) -> None:
    """Writes a model and what it needs to read raw rows to one file; arguments as ``Predictor``'s.

    The model's mode is as before. One row goes through everything before the file is written (``Predictor.save``):
    raises ValueError for what could never serve, TypeError, which names the path in the model, for a layer whose
    class is not registered (``register_layer``).

    Example::

        cr.save_predictor("penguins.safetensors", model, preprocessing=pipe, labels=names, input_schema=table)
        cr.load_predictor("penguins.safetensors").predict({"bill_length_mm": 39.1, "island": "Dream"})
    """
    modes = [(module, module.training) for module in model.modules()] if isinstance(model, Module) else []
    try:
        Predictor(model, preprocessing, labels, threshold, outputs, input_schema).save(path)
    finally:
        for module, training in modes:
            module.training = training


def load_predictor(path: str | os.PathLike[str]) -> Predictor:
    """The predictor that ``save_predictor`` wrote, of this or an older version of the format.

    Raises ValueError, with the path, for a file that is damaged, something else or of a newer version, and for a
    layer or transformer that is not known here; FileNotFoundError if there is none.
    """
    op = f"load_predictor: {os.fspath(path)}"
    content = serialization.load(path)
    if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
        raise ValueError(f"{op}: not a predictor; chainrule.load reads other files")
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise ValueError(f"{op}: its contents are damaged: version {version!r}")
    if version > _VERSION:
        raise ValueError(f"{op}: its format is version {version}, known are up to {_VERSION}")
    checksum = content.pop("checksum", None)
    if version > 1 and checksum != _serving.digest(content):
        raise ValueError(f"{op}: damaged: its contents are not those that were written (checksum)")
    try:
        state = _with_arrays(content["preprocessing"])
        model = build(op, content["architecture"])
        load_weights(model, content["weights"])
        return Predictor(
            model,
            None if state is None else Transformer.from_state(state),
            content["labels"],
            content["threshold"],
            content["outputs"],
            _schema(content["schema"], content["version"]),
        )
    except ValueError as error:
        known = str(error).startswith(op)
        raise ValueError(str(error) if known else f"{op}: {error}") from error
    except (LookupError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        raise ValueError(f"{op}: its contents are damaged: {type(error).__name__}: {error}") from error


def _schema(content: Mapping[str, Any] | None, version: int) -> Schema | None:
    if content is None:
        return None
    found = Schema.from_dict(content)
    kinds = tuple(NUMBER_OR_BOOL if kind == "number" else kind for kind in found.kinds)
    return dataclasses.replace(found, kinds=kinds) if version == 1 else found


def _labels(op: str, labels: Any) -> list[Any] | None:
    if labels is None:
        return None
    if isinstance(labels, LabelEncoder):
        labels._check_fitted("labels")
        labels = labels.classes_
    found = labels.tolist() if isinstance(labels, np.ndarray | Tensor) else list(labels)
    if len(set(found)) != len(found) or len(found) < 2:
        raise ValueError(f"{op}: labels must be two or more different ones, got {found}")
    for label in found:
        if not isinstance(label, str | int | float):
            raise TypeError(f"{op}: a label must be a text or a number, got {label!r}")
    return found


def _as_array(labels: Sequence[Any]) -> np.ndarray:
    kinds = {type(label) for label in labels}
    return np.array(labels, dtype=object if len(kinds) > 1 else None)


def _with_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return from_numpy(value.copy())
    if isinstance(value, Mapping):
        return {key: _with_tensors(item) for key, item in value.items()}
    return [_with_tensors(item) for item in value] if isinstance(value, list) else value


def _with_arrays(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, Mapping):
        return {key: _with_arrays(item) for key, item in value.items()}
    return [_with_arrays(item) for item in value] if isinstance(value, list) else value
