"""L1 and L2 penalties: a cost on large weights that is added to the loss, or, as decay, to the gradients alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from chainrule._validate import numeric
from chainrule.grad_mode import no_grad
from chainrule.nn import Module
from chainrule.ops import stack
from chainrule.tensor import Tensor


class _Term(NamedTuple):
    weights: tuple[Tensor, ...]
    l1: float
    l2: float


class Penalty:
    """l1 · Σ|w| + l2 · Σw² over the weights of a model, of some of its layers, or of a group of parameters.

    A call gives it as a tensor without dimensions, to be added to the loss; it has no mode: training and
    evaluation see the same. Penalties add up with ``+``, one for each layer or group. ``decay()`` is the same
    without a value in the loss. (``weight_decay=d`` of SGD is l2 = d/2.)

    Args:
        of: a module or parameters.
        l1, l2: factors, at least 0. L1 makes weights exactly 0 in the long run, L2 keeps them small.
        layers: only parameters whose name begins with one of these, of the module `of`: "0", "encoder",
            "head.weight".
        biases: also parameters with one dimension: biases, and the scales of batch norm.

    Raises:
        ValueError: a factor is negative or not finite, a layer does not exist, nothing is left to penalise.

    Example::

        penalty = Penalty(model, l2=1e-4, layers=["encoder"]) + Penalty(model, l1=1e-5, layers=["head"])
        loss = F.mse_loss(model(x), y) + penalty()
    """

    __slots__ = ("_terms",)  # nothing to change later: a captured step reads the factors once

    def __init__(
        self,
        of: Module | Iterable[Tensor],
        l1: float = 0.0,
        l2: float = 0.0,
        *,
        layers: Iterable[str] | str | None = None,
        biases: bool = False,
    ) -> None:
        for name, value in (("l1", l1), ("l2", l2)):
            if not 0 <= numeric("Penalty", name, value) < math.inf:
                raise ValueError(f"Penalty: {name} must be at least 0 and finite, got {value}")
        weights = _chosen(of, layers) if isinstance(of, Module) else list(of)
        weights = [w for w in weights if biases or w.ndim > 1]
        if not weights:
            raise ValueError(
                "Penalty: there are no weights with two or more dimensions; biases=True takes the others, too"
            )
        self._terms: tuple[_Term, ...] = (_Term(tuple(weights), float(l1), float(l2)),)

    def __call__(self) -> Tensor:
        parts = []
        for term in self._terms:
            for w in term.weights:
                if term.l1:
                    parts.append(w.abs().sum() * term.l1)
                if term.l2:
                    parts.append((w * w).sum() * term.l2)
        if not parts:
            return self._terms[0].weights[0].new_zeros(())
        return stack(parts).sum()

    def decay(self) -> None:
        """Adds the penalty's gradient, l1 · sign(w) + 2 · l2 · w, to the gradients that the weights have.

        For between ``backward()`` and the optimizer's step, after clipping; ``fit(decay=penalty)`` does that.
        """
        with no_grad():
            for term in self._terms:
                for w in term.weights:
                    if w.grad is not None and term.l1:
                        w.grad.add_(w.sign(), alpha=term.l1)
                    if w.grad is not None and term.l2:
                        w.grad.add_(w, alpha=2 * term.l2)

    def __repr__(self) -> str:
        return " + ".join(f"Penalty(l1={t.l1}, l2={t.l2}, {len(t.weights)} weights)" for t in self._terms)

    def __add__(self, other: Penalty) -> Penalty:
        if not isinstance(other, Penalty):
            return NotImplemented
        both = object.__new__(Penalty)
        both._terms = self._terms + other._terms
        return both


def _chosen(model: Module, layers: Iterable[str] | str | None) -> list[Tensor]:
    named = dict(model.named_parameters())
    if layers is None:
        return list(named.values())
    layers = [layers] if isinstance(layers, str) else list(layers)
    chosen: dict[str, Tensor] = {}
    for layer in layers:
        found = {n: p for n, p in named.items() if n == layer or n.startswith(f"{layer}.")}
        if not found:
            raise ValueError(
                f"Penalty: there are no parameters in a layer {layer!r}; names are {', '.join(named)}"
            )
        chosen.update(found)
    return list(chosen.values())


PenaltyLike = Callable[[], Tensor]
