"""EMA: an exponential moving average of a model's weights, which often does better than the last ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from chainrule._validate import share
from chainrule.creation import full
from chainrule.grad_mode import no_grad
from chainrule.nn import Module
from chainrule.tensor import Tensor


class EMA:
    """Keeps average ← decay · average + (1 - decay) · weight for every parameter that is trained.

    The first update copies the weights; the formula is that of PyTorch's ``swa_utils.get_ema_avg_fn``
    (Polyak and Juditsky, 1992, for the plain mean). Buffers, such as batch norm's statistics, are the model's.

    Raises ValueError for a decay outside of [0, 1) and a model without parameters.

    Example::

        ema = EMA(model, decay=0.99)
        for x, y in loader:
            ...
            optimizer.step()
            ema.update()
        with ema.applied():
            evaluate(model, dev, "accuracy")
    """

    def __init__(self, model: Module, decay: float = 0.999) -> None:
        self.decay = share("EMA", "decay", decay, "[0, 1)")
        self.updates = 0
        self._names, self._parameters = [], []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                self._names.append(name)
                self._parameters.append(parameter)
        if not self._parameters:
            raise ValueError(f"EMA: {type(model).__name__} has no parameters to average")
        self._averages = [p.detach().clone() for p in self._parameters]
        # Tensors, so that a captured step sees them change: 0 and 1 for the first update.
        self._kept, self._added = (
            [full((), value, dtype=p.dtype) for p in self._parameters] for value in (0.0, 1.0)
        )

    def shares(self, model: Module) -> bool:
        """Whether any parameter of `model` is among the averaged ones."""
        return not {id(p) for p in self._parameters}.isdisjoint(map(id, model.parameters()))

    def update(self) -> None:
        """Takes the weights of now into the average; after each step of the optimizer."""
        self.add()
        self.count()

    @no_grad()
    def add(self) -> None:
        """The arithmetic of an update, for use in a captured function; ``count()`` has to follow outside."""
        for average, p, kept, added in zip(self._averages, self._parameters, self._kept, self._added):
            average.mul_(kept).add_(p * added)

    def count(self) -> None:
        """The bookkeeping of an update."""
        self.updates += 1
        if self.updates == 1:
            self._weigh()

    @no_grad()
    def _weigh(self) -> None:
        kept = self.decay if self.updates else 0.0
        for old, new in zip(self._kept, self._added):
            old.fill_(kept)
            new.fill_(1.0 - kept)

    @no_grad()
    def copy_to_model(self) -> None:
        """The model's weights become the average (if there has been an update)."""
        if self.updates:
            for average, p in zip(self._averages, self._parameters):
                p.copy_(average)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the averaged weights; afterwards its own again, to the bit."""
        own = [p.detach().clone() for p in self._parameters]
        try:
            self.copy_to_model()
            yield
        finally:
            with no_grad():
                for p, before in zip(self._parameters, own):
                    p.copy_(before)

    def state_dict(self) -> dict[str, Any]:
        """The averages by the parameters' names, and the number of updates."""
        return {
            "decay": self.decay,
            "updates": self.updates,
            "averages": dict(zip(self._names, self._averages, strict=True)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over a copy of what ``state_dict`` gave.

        Raises ValueError, with nothing changed, where names or shapes are other ones.
        """
        averages = state["averages"]
        own = dict(zip(self._names, self._averages, strict=True))
        if list(averages) != self._names:
            raise ValueError(f"EMA.load_state_dict: expected {self._names}, got {list(averages)}")
        for name, tensor in averages.items():
            if not isinstance(tensor, Tensor) or (tensor.shape, tensor.dtype) != (
                own[name].shape,
                own[name].dtype,
            ):
                raise ValueError(
                    f"EMA.load_state_dict: {name} does not have the shape or dtype of the parameter"
                )
        with no_grad():
            for name, tensor in averages.items():
                own[name].copy_(tensor)
        self.decay, self.updates = state["decay"], state["updates"]
        self._weigh()
