"""Activations: ReLU, Sigmoid, Tanh, Softmax, LogSoftmax."""

from __future__ import annotations

import warnings

from chainrule.nn import functional as F
from chainrule.nn.module import Module
from chainrule.tensor import Tensor


class ReLU(Module):
    """max(x, 0), element by element. `inplace` is accepted; the input stays as it was."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """1 / (1 + exp(-x)), element by element."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """Hyperbolic tangent, element by element."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class _AlongDim(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def _axis(self, input: Tensor) -> int:
        if self.dim is not None:
            return self.dim
        axis = 0 if len(input.shape) in (0, 1, 3) else 1
        warnings.warn(f"{type(self).__name__}: give dim; using dim={axis}", stacklevel=5)
        return axis

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x) / sum(exp(x)) along `dim`: non-negative numbers that sum to one.

    Shapes: output as input. Do not put it before CrossEntropyLoss, which takes raw scores.
    Without `dim` it follows PyTorch's old rule (0 for 0, 1 or 3 dimensions, otherwise 1) and
    warns.

    Example::

        nn.Softmax(dim=1)(scores).argmax(dim=1)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self._axis(input))


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along `dim`, computed without overflow; goes with NLLLoss."""

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self._axis(input))
