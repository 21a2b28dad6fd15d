"""Where a loader is in its passes, as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chainrule import _core
from chainrule.data.sampler import BatchSampler
from chainrule.data.seeding import generators_of, pass_seed
from chainrule.generator import Generator, default_generator
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.data.loader import DataLoader


class Pass:
    """One pass: its seed, the batch it begins with, how many batches were given, whether it is over."""

    __slots__ = ("first", "given", "over", "seed", "states")

    def __init__(self, seed: int, first: int, states: list[Tensor]) -> None:
        self.seed, self.first, self.given = seed, first, first
        self.over = False
        self.states = states  # of the generators, before it began

    def counted(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The batches, each counted when it is given."""
        for batch in batches:
            self.given += 1
            yield batch
        self.over = True


class Position:
    """The newest pass of a loader, and a state that the next one goes on from."""

    def __init__(self) -> None:
        self._newest: Pass | None = None
        self._saved: Mapping[str, Any] | None = None

    def begin(self, loader: DataLoader, by_rows: bool) -> tuple[Pass, Tensor | None]:
        """A new pass and its order, if that is known beforehand.

        A pass's seed is the state of the generator before it. Where the order has moved that on nothing more is
        drawn, and nothing at all where there is nothing to draw.
        """
        saved, self._saved = self._saved, None
        if saved is None:
            return self._draw(loader, by_rows, 0)
        now = default_generator.get_state()
        try:
            for generator, state in zip(_generators(loader), saved["generators"], strict=True):
                generator.set_state(state)
            return self._draw(loader, by_rows, saved["position"])
        finally:
            default_generator.set_state(now)  # which the user restores, not the loader

    def _draw(self, loader: DataLoader, by_rows: bool, first: int) -> tuple[Pass, Tensor | None]:
        states = [generator.get_state() for generator in _generators(loader)]
        source = (loader.generator or default_generator)._g
        before = source.seed, source.offset
        order = loader._order()
        if (source.seed, source.offset) == before and not (by_rows and order is not None):
            _core.randint(0, 2, (1,), source)
        self._newest = Pass(pass_seed(*before), first, states)
        return self._newest, order

    def state_dict(self, loader: DataLoader) -> dict[str, Any]:
        """See DataLoader.state_dict."""
        newest, saved = self._newest, self._saved
        if saved is not None:
            return dict(saved)
        state: dict[str, Any] = {"format": 1, **_kind(loader)}
        if newest is None or newest.over:
            states = [generator.get_state() for generator in _generators(loader)]
            return {**state, "position": None, "generators": states}
        return {**state, "position": newest.given, "generators": list(newest.states)}

    def load_state_dict(self, loader: DataLoader, state: Mapping[str, Any]) -> None:
        """See DataLoader.load_state_dict."""
        if not isinstance(state, Mapping) or state.get("format") != 1:
            raise ValueError("DataLoader: load_state_dict expects what state_dict() gave")
        for name, here in _kind(loader).items():
            # States of older versions say nothing of the sampler.
            if name in state and state[name] != here:
                raise ValueError(
                    f"DataLoader: the state is of another loader: its {name} is {state[name]}, here it is {here}"
                )
        generators, states = _generators(loader), state["generators"]
        if len(generators) != len(states):
            raise ValueError(
                f"DataLoader: the state is of another loader: it has {len(states) - 1} generators of its own, here "
                f"there are {len(generators) - 1}"
            )
        if state["position"] is not None:
            self._saved = state
            return
        # Between passes: the next one is new.
        self._newest = self._saved = None
        for generator, own in zip(generators[1:], states[1:], strict=True):
            generator.set_state(own)


def _generators(loader: DataLoader) -> list[Generator]:
    """The default generator, then those of the loader and its samplers."""
    parts = [loader, loader.sampler, loader.batch_sampler]
    own = generators_of([*parts, getattr(loader.batch_sampler, "sampler", None)]).values()
    mine = [g for g in own if isinstance(g, Generator) and g is not default_generator]
    return [default_generator, *mine]


def _kind(loader: DataLoader) -> dict[str, Any]:
    """What two loaders must have in common for one to go on where the other was."""
    samples = None if loader._streams or not hasattr(loader.dataset, "__len__") else len(loader.dataset)
    batches = loader.batch_sampler
    sampler = loader.sampler if batches is None else batches
    sampler = batches.sampler if type(batches) is BatchSampler else sampler
    return {
        "samples": samples,
        "batch_size": loader.batch_size,
        "drop_last": loader.drop_last,
        "sampler": None if sampler is None else type(sampler).__name__,
    }
