"""Layers that change the shape only: Flatten, Unflatten."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import _validate, ops
from chainrule.nn.module import Module
from chainrule.tensor import Tensor


class Flatten(Module):
    """Joins the dimensions `start_dim` to `end_dim` into one: (N, C, H, W) to (N, C·H·W).

    Example::

        nn.Flatten()(cr.randn(8, 3, 32, 32)).shape  # (8, 3072)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return ops.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits dimension `dim` into `unflattened_size`, one of whose sizes may be -1.

    Example::

        nn.Unflatten(1, (3, 32, 32))(cr.randn(8, 3072)).shape  # (8, 3, 32, 32)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        sizes = tuple(
            _validate.integer("Unflatten", "unflattened_size", size, -1) for size in unflattened_size
        )
        if not sizes or sizes.count(-1) > 1:
            raise ValueError(f"Unflatten: unflattened_size needs sizes, at most one of them -1, got {sizes}")
        self.dim = _validate.integer("Unflatten", "dim", dim, -8)
        self.unflattened_size = sizes

    def forward(self, input: Tensor) -> Tensor:
        shape = tuple(input.shape)
        if not -len(shape) <= self.dim < len(shape):
            raise IndexError(f"Unflatten: dim {self.dim} is out of range (x: {list(shape)})")
        dim = self.dim % len(shape)
        self._check_size(shape, shape[dim])
        return input.reshape(*shape[:dim], *self.unflattened_size, *shape[dim + 1 :])

    def _check_size(self, shape: tuple[int, ...], size: int) -> None:
        known = 1
        for factor in self.unflattened_size:
            known *= 1 if factor == -1 else factor
        fits = known > 0 and size % known == 0 if -1 in self.unflattened_size else known == size
        if not fits:
            raise ValueError(
                f"Unflatten: dimension {self.dim} of size {size} doesn't split into "
                f"{self.unflattened_size} (x: {list(shape)})"
            )

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
