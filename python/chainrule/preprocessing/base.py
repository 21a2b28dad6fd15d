"""Transformer, the base class of what is fitted on a training part and then applied to any: scikit-learn's protocol."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from chainrule._validate import choice
from chainrule._warn import warn
from chainrule.data.part import mark_part, part_of
from chainrule.preprocessing import state as _state
from chainrule.preprocessing.table import Frame, default_names, deliver, read_table

Self = TypeVar("Self", bound="Transformer")


class NotFittedError(ValueError, AttributeError):
    """A transformer was used before it was fitted; ValueError and AttributeError, as scikit-learn's."""


def refuse_held_out(op: str, *data: Any) -> None:
    """ValueError if any of `data` is the dev or the test part of a split: what is fitted sees the training part."""
    for item in data:
        part = None if item is None else part_of(item)
        if part in ("dev", "test"):
            raise ValueError(
                f"{op}: fits on the training part only, got the {part} part; fit on train and transform {part}"
            )


class Transformer:
    """Base class: a subclass has constructor arguments that it stores unchanged, and defines ``_fit`` and ``_apply``.

    ``fit(X)`` learns attributes that end in an underscore, ``transform(X)`` uses them and changes nothing. `X` is
    a 2-D array or tensor, a pandas frame, a dictionary of columns or a list of rows; the result is a tensor for a
    tensor and an array otherwise (``set_output(transform="pandas")``: a frame). Fitting on a part marked 'dev' or
    'test' raises ValueError, and a result is marked as its input is. Columns with names are matched by name.

    For subclasses: ``_fit(frame, y)`` sets attributes; ``_apply(frame)`` gives a Frame; ``_invert(frame)`` where
    it makes sense; ``_names_out(names)`` where the columns change.
    """

    _registry: ClassVar[dict[str, type[Transformer]]] = {}
    _output = "default"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__name__.startswith("_"):
            return
        known = Transformer._registry.get(cls.__name__)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"Transformer: there is a class {cls.__name__} in {known.__module__}; rename one")
        Transformer._registry[cls.__name__] = cls

    # What subclasses define

    def _fit(self, frame: Frame, y: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} defines no _fit()")

    def _apply(self, frame: Frame) -> Frame:
        raise NotImplementedError(f"{type(self).__name__} defines no _apply()")

    def _invert(self, frame: Frame) -> Frame:
        raise AttributeError(f"{type(self).__name__} has no inverse_transform")

    def _names_out(self, names: Sequence[str]) -> Sequence[str]:
        return names

    def _typical(self, position: int) -> tuple[str | None, Any]:
        """Of a fitted column, 'number' or 'category' where it must be that, and a value; None where nothing is known.

        With it a file of a predictor is tried out when it is written."""
        return None, None

    # What users call

    def fit(self: Self, X: Any, y: Any = None) -> Self:
        """Learns from a training part; returns self. On an error nothing has changed.

        Raises ValueError for a dev or test part, no rows, and what the transformer refuses.
        """
        refuse_held_out(self._op("fit"), X, y)
        self._fit_frame(read_table(self._op("fit"), X), y)
        return self

    def transform(self, X: Any) -> Any:
        """`X` transformed by what ``fit`` learned: new memory, each row independent of the others.

        Raises NotFittedError before ``fit``, ValueError for other columns than those fitted (named).
        """
        self._check_fitted("transform")
        out = self._apply(self._aligned(self._op("transform"), read_table(self._op("transform"), X)))
        return _marked(deliver(out, self._output), X)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """``fit(X, y)`` and then ``transform(X)``."""
        refuse_held_out(self._op("fit_transform"), X, y)
        frame = read_table(self._op("fit"), X)
        self._fit_frame(frame, y)
        return _marked(deliver(self._apply(frame), self._output), X)

    def inverse_transform(self, X: Any) -> Any:
        """The data that ``transform`` would have made `X` of, as far as that can be told."""
        self._check_fitted("inverse_transform")
        op = self._op("inverse_transform")
        frame = read_table(op, X)
        expected = self.get_feature_names_out()
        if len(frame.columns) != len(expected):
            raise ValueError(f"{op}: expects {len(expected)} columns, got {len(frame.columns)}")
        return _marked(deliver(self._invert(frame), self._output), X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns that ``transform`` gives, an object array; `input_features` names those it takes.

        Raises ValueError if `input_features` differ from the names that were fitted, or in number.
        """
        self._check_fitted("get_feature_names_out")
        known = getattr(self, "feature_names_in_", None)
        names = self._names_in() if input_features is None else [str(name) for name in input_features]
        op = self._op("get_feature_names_out")
        if len(names) != self.n_features_in_:
            raise ValueError(f"{op}: input_features must be {self.n_features_in_} names, got {len(names)}")
        if known is not None and names != list(known):
            raise ValueError(f"{op}: input_features must be {list(known)}, got {names}")
        return np.array([str(name) for name in self._names_out(names)], dtype=object)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name; with `deep` those of transformers among them, as ``name__argument``."""
        found: dict[str, Any] = {}
        for name in self._arguments():
            value = getattr(self, name)
            if deep and isinstance(value, Transformer):
                found.update({f"{name}__{key}": item for key, item in value.get_params().items()})
            found[name] = value
        return found

    def set_params(self: Self, **params: Any) -> Self:
        """Sets arguments of the constructor, those of a part as ``part__argument``; returns self.

        Raises ValueError for a name that is not an argument; then nothing is set.
        """
        known = self.get_params()
        for name in params:
            if name not in known:
                raise ValueError(
                    f"{self._op('set_params')}: no argument {name!r}; there are {', '.join(sorted(known))}"
                )
        for name, value in params.items():
            if "__" in name:
                part, _, rest = name.partition("__")
                known[part].set_params(**{rest: value})
            else:
                self._set_argument(name, value)
        return self

    def set_output(self: Self, *, transform: str | None = None) -> Self:
        """What ``transform`` returns: "default", or "pandas" for frames with named columns; None changes nothing."""
        if transform is not None:
            self._output = choice(self._op("set_output"), "transform", transform, ("default", "pandas"))
        return self

    def state(self) -> dict[str, Any]:
        """Everything as JSON values and NumPy arrays of numbers, for ``from_state``; raises before ``fit``.

        Raises TypeError for an argument that is neither (a function), by name.
        """
        self._check_fitted("state")
        return self._state()

    def _state(self) -> dict[str, Any]:
        op = self._op("state")
        return {
            "class": type(self).__name__,
            "params": {name: _state.encode(op, name, value) for name, value in self._saved_params().items()},
            "fitted": {name: _state.encode(op, name, value) for name, value in self._fitted().items()},
            "output": self._output,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Any:
        """The transformer whose ``state()`` this is, of the class named there.

        Raises ValueError for a class that is unknown here (import the module that defines it) or not `cls`.
        """
        name = state["class"]
        kind = Transformer._registry.get(name)
        if kind is None:
            raise ValueError(f"from_state: no transformer {name!r} here; import the module that defines it")
        if not issubclass(kind, cls):
            raise ValueError(f"{cls.__name__}.from_state: this is the state of a {name}")
        made = kind(**{key: _state.decode(value) for key, value in state["params"].items()})
        for key, value in state["fitted"].items():
            setattr(made, key, _state.decode(value))
        made._output = state["output"]
        return made

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        shown = [
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if not _same(value, defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    # What the pieces share

    def _names_in(self) -> list[str]:
        """The names of the columns fitted, x0, x1, ... where they had none."""
        return list(getattr(self, "feature_names_in_", default_names(self.n_features_in_)))

    def _op(self, method: str) -> str:
        return f"{type(self).__name__}.{method}"

    @classmethod
    def _arguments(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def _saved_params(self) -> dict[str, Any]:
        return self.get_params(deep=False)

    def _set_argument(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def _fitted(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k.endswith("_") and not k.startswith("_")}

    def _check_fitted(self, method: str) -> None:
        if not hasattr(self, "n_features_in_"):
            raise NotFittedError(f"{self._op(method)}: call fit() with the training part first")

    def _fit_frame(self, frame: Frame, y: Any = None) -> None:
        op = self._op("fit")
        if not frame.rows or not frame.columns:
            raise ValueError(f"{op}: needs rows and columns, got {frame.rows} and {len(frame.columns)}")
        before = dict(self.__dict__)
        try:
            for name in self._fitted():
                del self.__dict__[name]
            self.n_features_in_ = len(frame.columns)
            if frame.named:
                self.feature_names_in_ = np.array(frame.names, dtype=object)
            self._fit(frame, y)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _aligned(self, op: str, frame: Frame) -> Frame:
        """The columns in the order in which they were fitted, by name where both have names."""
        names = getattr(self, "feature_names_in_", None)
        if names is None or not frame.named:
            if len(frame.columns) != self.n_features_in_:
                whose = "" if names is None else f" ({', '.join(names)})"
                raise ValueError(
                    f"{op}: expects the {self.n_features_in_} columns{whose} of fit, got {len(frame.columns)}"
                )
            if (names is None) == frame.named:
                have = ("fit had names of columns, this has none", "this has names of columns, fit had none")
                warn(f"{op}: {have[names is None]}; they are taken by position")
            return frame if names is None else frame.replaced(_columns(frame), tuple(names))
        position = {name: j for j, name in enumerate(frame.names)}
        missing = [name for name in names if name not in position]
        unknown = [name for name in frame.names if name not in set(names)]
        if missing or unknown:
            parts = [f"missing {missing}"] * bool(missing) + [f"unknown {unknown}"] * bool(unknown)
            raise ValueError(f"{op}: columns must be those of fit: {', '.join(parts)}")
        return frame.select([position[name] for name in names])


def clone(transformer: Any) -> Any:
    """A transformer of the same class and arguments, not fitted; transformers among the arguments are cloned, too.

    A text ('passthrough', 'drop') or None is returned as it is.
    """
    if transformer is None or isinstance(transformer, str):
        return transformer
    made = type(transformer)(
        **{name: _clone_inside(value) for name, value in transformer.get_params(deep=False).items()}
    )
    made._output = transformer._output
    return made


def _clone_inside(value: Any) -> Any:
    if isinstance(value, Transformer):
        return clone(value)
    if isinstance(value, list | tuple):
        return type(value)(_clone_inside(item) for item in value)
    return value


def _columns(frame: Frame) -> Any:
    return frame.columns if frame.block is None else frame.block


def _marked(result: Any, X: Any) -> Any:
    part = part_of(X)
    return result if part is None else mark_part(result, part)


def _same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    if isinstance(value, float) and isinstance(default, float) and value != value and default != default:
        return True
    return (
        type(value) is type(default)
        and isinstance(value, bool | int | float | str | tuple)
        and value == default
    )
