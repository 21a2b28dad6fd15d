"""Linear layers: Identity, Linear."""

from __future__ import annotations

from typing import Any

from chainrule import _validate
from chainrule.creation import empty
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor


class Identity(Module):
    """Returns its input, of any shape; takes and ignores any constructor arguments.

    Example::

        nn.Identity()(cr.ones(2))  # [1, 1]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Linear(Module):
    """y = x Wᵀ + b.

    Shapes: input (*, in_features), output (*, out_features), weight (out_features, in_features),
    bias (out_features,). Both start uniform over ±1/sqrt(in_features).

    Raises ValueError for negative sizes and for an input whose last size isn't `in_features`.

    Example::

        nn.Linear(30, 64)(cr.randn(12, 30)).shape  # (12, 64)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = _validate.integer("Linear", "in_features", in_features, 0)
        self.out_features = _validate.integer("Linear", "out_features", out_features, 0)
        where = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(self.out_features, self.in_features, **where))
        self.register_parameter("bias", Parameter(empty(self.out_features, **where)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        init.reset_weight_and_bias("Linear", self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )
