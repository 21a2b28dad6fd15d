"""Ways to compute a parameter from others: weight_norm."""

from __future__ import annotations

from typing import TypeVar

from chainrule import ops
from chainrule.nn.module import Module
from chainrule.nn.utils.parametrize import _register
from chainrule.tensor import Tensor

AnyModule = TypeVar("AnyModule", bound=Module)


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def _norm(self, v: Tensor) -> Tensor:
        """Over all dimensions but `dim`; over all where it is None or, as in PyTorch, -1."""
        whole = self.dim is None or self.dim == -1
        over = [d for d in range(v.ndim) if whole or d != self.dim % v.ndim]
        return ops.norm(v, dim=over, keepdim=not whole)

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / self._norm(weight_v))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return self._norm(weight), weight.clone()


def weight_norm(module: AnyModule, name: str = "weight", dim: int | None = 0) -> AnyModule:
    """Trains a parameter's length and direction apart: w = g · v / ‖v‖ (Salimans and Kingma, 2016).

    The parameter `name` is replaced by two, with PyTorch's names: ``parametrizations.weight.original0`` is g,
    ``.original1`` is v. Its value stays what it was; ``module.weight`` computes it anew whenever it is read,
    and cannot be assigned. Norms are taken for each index of `dim`; with None, and -1, of the whole. Call this
    before the optimizer is made. ``nn.utils.parametrize.remove_parametrizations(module, name)`` ends it.

    Shapes: v as the parameter; g is 1 long in every dimension but `dim`, or a scalar.

    Raises:
        ValueError: the module has no such parameter.
        IndexError: `dim` is none of its dimensions.

    Example::

        layer = nn.utils.parametrizations.weight_norm(nn.Linear(20, 40))
        layer.parametrizations.weight.original0.shape  # (40, 1)
    """
    weight = module._parameters.get(name)
    if weight is not None and dim is not None and not -weight.ndim <= dim < weight.ndim:
        raise IndexError(
            f"weight_norm: dim {dim} is out of range for a parameter of shape {list(weight.shape)}"
        )
    _register("weight_norm", module, name, _WeightNorm(dim))
    return module
