"""Dropout (Srivastava et al., 2014), of elements and of whole channels; docs/dropout.md has the reasons."""

from __future__ import annotations

from chainrule import _validate
from chainrule.nn import functional as F
from chainrule.nn.module import Module
from chainrule.tensor import Tensor


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        _validate.share(type(self).__name__, "p", p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """While training, zeroes each element with probability `p` and scales the rest by 1/(1-p).

    In evaluation it returns its input. `inplace` is accepted; the input stays as it was. Shapes: output as input.

    Raises ValueError for `p` outside [0, 1].

    Example::

        nn.Dropout(0.5)(cr.ones(4))  # each 0 or 2
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, True) if self.training else input


class Dropout2d(_Dropout):
    """While training, zeroes each channel of each sample with probability `p` and scales the rest by 1/(1-p).

    In evaluation it returns its input. `inplace` is accepted; the input stays as it was.

    Shapes: input and output (N, C, H, W) or (N, C, L): the first two dimensions are sample and channel.

    Raises ValueError for `p` outside [0, 1] and for other shapes.

    Example::

        nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Dropout2d(0.1))
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training)
