"""Activation functions as layers. Shapes: output as input.

Where there is `inplace`, it is accepted and the input stays as it was.
"""

from __future__ import annotations

import warnings
from typing import Any

from chainrule import _validate
from chainrule.creation import full
from chainrule.nn import functional as F
from chainrule.nn.init import constant_
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor


class _Activation(Module):
    """A function without settings but `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_Activation):
    """max(x, 0), element by element. `inplace` is accepted; the input stays as it was.

    Example::

        nn.ReLU()(cr.tensor([-2.0, 3.0]))  # [0, 3]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)


class LeakyReLU(Module):
    """x where it is positive, negative_slope · x elsewhere (Maas et al., 2013).

    Example::

        nn.LeakyReLU(0.1)(cr.tensor([-2.0, 3.0]))  # [-0.2, 3]
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class PReLU(Module):
    """x where it is positive, weight · x elsewhere, and the weight is trained (He et al., 2015).

    num_parameters: 1, or one for each channel.

    Shapes: input and output (N, C, *), or any where num_parameters is 1; weight (num_parameters,), `init` at
    the start. Do not let weight decay pull on it: it would push the slopes to 0.

    Raises ValueError for an input with another number of channels.

    Example::

        nn.PReLU(16)(cr.randn(8, 16, 5, 5))
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters = _validate.integer("PReLU", "num_parameters", num_parameters)
        self.init = init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Sets every slope to `init`."""
        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Module):
    """x where it is positive, alpha · (exp(x) - 1) elsewhere (Clevert et al., 2016).

    Example::

        nn.ELU()(cr.tensor([-20.0, 3.0]))  # [-1, 3]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SELU(_Activation):
    """1.0507 · ELU(alpha=1.6733), which keeps mean 0 and variance 1 from layer to layer.

    That needs weights drawn with variance 1/fan_in (Klambauer et al., 2017).

    Example::

        nn.SELU()(cr.tensor([-20.0, 1.0]))  # [-1.7581, 1.0507]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input)


class GELU(Module):
    """x · Φ(x), with Φ the standard normal distribution; `approximate` may be "tanh".

    (Hendrycks and Gimpel, 2016.) Raises ValueError for another `approximate`.

    Example::

        nn.GELU()(cr.tensor([-1.0, 1.0]))  # [-0.1587, 0.8413]
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = _validate.choice("GELU", "approximate", approximate, ("none", "tanh"))

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(_Activation):
    """x · sigmoid(x), also known as swish (Elfwing et al., 2018).

    Example::

        nn.SiLU()(cr.tensor([-1.0, 1.0]))  # [-0.2689, 0.7311]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input)


class Mish(_Activation):
    """x · tanh(softplus(x)) (Misra, 2019).

    Example::

        nn.Mish()(cr.tensor([-1.0, 1.0]))  # [-0.3034, 0.8651]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input)


class Softplus(Module):
    """log(1 + exp(beta · x)) / beta, a smooth ReLU; x itself where beta · x is above threshold.

    Example::

        nn.Softplus()(cr.tensor([0.0, 100.0]))  # [0.6931, 100]
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class LogSigmoid(Module):
    """log(sigmoid(x)), computed without overflow.

    Example::

        nn.LogSigmoid()(cr.tensor([-1000.0, 0.0]))  # [-1000, -0.6931]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Hardtanh(Module):
    """x held within [min_val, max_val].

    Raises ValueError unless min_val < max_val.

    Example::

        nn.Hardtanh()(cr.tensor([-2.0, 0.5, 2.0]))  # [-1, 0.5, 1]
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if not min_val < max_val:
            raise ValueError(
                f"{type(self).__name__}: min_val must be less than max_val, got {min_val} and {max_val}"
            )
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """min(max(x, 0), 6).

    Example::

        nn.ReLU6()(cr.tensor([-1.0, 3.0, 9.0]))  # [0, 3, 6]
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Hardsigmoid(_Activation):
    """min(max(x + 3, 0), 6) / 6.

    Example::

        nn.Hardsigmoid()(cr.tensor([-3.0, 0.0, 3.0]))  # [0, 0.5, 1]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input)


class Hardswish(_Activation):
    """x · Hardsigmoid(x) (Howard et al., 2019).

    Example::

        nn.Hardswish()(cr.tensor([-3.0, 1.0, 3.0]))  # [0, 0.6667, 3]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), element by element.

    Example::

        nn.Sigmoid()(cr.tensor([0.0, 2.0]))  # [0.5, 0.8808]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """Hyperbolic tangent, element by element.

    Example::

        nn.Tanh()(cr.tensor([0.0, 2.0]))  # [0, 0.964]
    """

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
    """log(softmax(x)) along `dim`, computed without overflow; goes with NLLLoss.

    Example::

        nn.LogSoftmax(dim=0)(cr.tensor([1000.0, 0.0]))  # [0, -1000]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self._axis(input))
