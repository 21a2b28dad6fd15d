"""Transformers one after the other: Pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.table import Frame


class Composite(Transformer):
    """What is made of named parts: their arguments are reached as ``part__argument``."""

    def _parts(self) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def _replace_part(self, name: str, part: Any) -> None:
        raise NotImplementedError

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments; with `deep` the parts by name and their arguments as ``part__argument``."""
        found = super().get_params(deep)
        if deep:
            for name, part in self._parts():
                found[name] = part
                if isinstance(part, Transformer):
                    found.update({f"{name}__{key}": value for key, value in part.get_params().items()})
        return found

    def _set_argument(self, name: str, value: Any) -> None:
        if name in self._arguments():
            setattr(self, name, value)
        else:
            self._replace_part(name, value)

    def _check_parts(self, op: str, names: Sequence[str]) -> None:
        taken = set(self._arguments())
        for name in names:
            if not isinstance(name, str) or not name or "__" in name or name in taken:
                raise ValueError(
                    f"{op}: a name must be a text without '__' other than {sorted(taken)}, got {name!r}"
                )
            if list(names).count(name) > 1:
                raise ValueError(f"{op}: names must differ, got {name!r} twice")


class Pipeline(Composite):
    """Transformers one after the other: each is fitted on what those before it give.

    `steps` is a list of (name, transformer); 'passthrough' or None in a transformer's place does nothing. Steps are
    fitted in place and reached by ``pipe["name"]``, ``pipe[0]``, ``pipe.named_steps``; ``pipe[:2]`` is a pipeline of
    the same steps. Names of columns travel along. `memory` must be None.

    Raises TypeError for a step that is no transformer, ValueError for names that repeat or hold "__".

    Example::

        pipe = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
        x_train = pipe.fit_transform(x_train)
        x_test = pipe.transform(x_test)
    """

    def __init__(self, steps: Any, *, memory: None = None, verbose: bool = False) -> None:
        self.steps = steps
        self.memory = memory
        self.verbose = verbose

    @property
    def named_steps(self) -> dict[str, Any]:
        """The steps by name."""
        return dict(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, key: int | str | slice) -> Any:
        if isinstance(key, slice):
            return _sliced(self, key)
        return self.named_steps[key] if isinstance(key, str) else self.steps[key][1]

    def _parts(self) -> list[tuple[str, Any]]:
        return list(self.steps)

    def _replace_part(self, name: str, part: Any) -> None:
        self.steps = [(known, part if known == name else step) for known, step in self.steps]

    def _active(self) -> Iterator[tuple[str, Transformer]]:
        return ((name, step) for name, step in self.steps if step not in (None, "passthrough"))

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        self._check_parts(op, [name for name, _ in self.steps])
        if self.memory is not None:
            raise ValueError(f"{op}: memory must be None; fitted steps are not cached")
        steps = list(self._active())
        for name, step in steps:
            check_transformer(op, f"step {name!r}", step)
        for number, (name, step) in enumerate(steps):
            if self.verbose:
                print(f"Pipeline: fits {name} ({type(step).__name__}), {number + 1} of {len(steps)}")
            step._fit_frame(frame, y)
            if number + 1 < len(steps):
                frame = step._apply(frame)

    def _aligned(self, op: str, frame: Frame) -> Frame:
        first = next(self._active(), None)
        return super()._aligned(op, frame) if first is None else first[1]._aligned(op, frame)

    def _apply(self, frame: Frame) -> Frame:
        for _, step in self._active():
            step._check_fitted("transform")
            frame = step._apply(frame)
        return frame

    def _typical(self, position: int) -> tuple[str | None, Any]:
        first = next(self._active(), None)
        return (None, None) if first is None else first[1]._typical(position)

    def _invert(self, frame: Frame) -> Frame:
        for _, step in reversed(list(self._active())):
            frame = step._invert(frame)
        return frame

    def _names_out(self, names: Sequence[str]) -> Sequence[str]:
        for _, step in self._active():
            names = step._names_out(names)
        return names


def make_pipeline(*steps: Any, memory: None = None, verbose: bool = False) -> Pipeline:
    """A Pipeline whose steps are named after their classes in lower case, with -1, -2, ... where one repeats."""
    return Pipeline(named(steps), memory=memory, verbose=verbose)


def named(parts: Sequence[Any]) -> list[tuple[str, Any]]:
    """Transformers with the names that scikit-learn's make_ functions give."""
    kinds = [part if isinstance(part, str) else type(part).__name__.lower() for part in parts]
    numbers = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
    return [
        (f"{kind}-{number}" if kinds.count(kind) > 1 else kind, part)
        for kind, number, part in zip(kinds, numbers, parts)
    ]


def check_transformer(op: str, what: str, part: Any) -> None:
    """TypeError unless `part` is a chainrule transformer."""
    if not isinstance(part, Transformer):
        hint = "; make an object of the class" if isinstance(part, type) else ""
        raise TypeError(
            f"{op}: {what} must be a chainrule.preprocessing.Transformer or 'passthrough', got {part!r}{hint}"
        )


def _sliced(pipe: Pipeline, key: slice) -> Pipeline:
    """The steps of a slice, fitted where they are; one that does not begin with the first has other columns."""
    part = Pipeline(pipe.steps[key], memory=pipe.memory, verbose=pipe.verbose)
    inner = [step for _, step in part._active()]
    if hasattr(pipe, "n_features_in_") and inner:
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(inner[0], name):
                setattr(part, name, getattr(inner[0], name))
    return part
