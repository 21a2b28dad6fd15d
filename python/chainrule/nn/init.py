"""Initialisation of weights, in place and without recording gradients.

Xavier (Glorot and Bengio, 2010) keeps the variance of activations and gradients in layers without
a strong nonlinearity; Kaiming (He et al., 2015) does so for ReLU and its kin. Each function
returns the tensor it filled, and draws from `generator`, or from the default generator.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from chainrule import _core, _validate, creation, ops
from chainrule._absent import absent as _absent_error
from chainrule.autograd import _unwrap, no_grad
from chainrule.random import Generator
from chainrule.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_ROUNDS = 300  # of draws in trunc_normal_
_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4.0,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity asks for wider weights: sqrt(2) for ``relu``.

    `param` is the negative slope of ``leaky_relu`` (0.01 by default).
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"calculate_gain: negative slope must be a number, got {slope!r}")
        return math.sqrt(2.0 / (1.0 + slope**2))
    _validate.choice("calculate_gain", "nonlinearity", nonlinearity, [*_GAINS, "leaky_relu"])
    return _GAINS[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills `tensor` from the uniform distribution over [a, b)."""
    with no_grad():
        return ops.uniform_(tensor, a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fills `tensor` from the normal distribution with `mean` and standard deviation `std`."""
    with no_grad():
        return ops.normal_(tensor, mean, std, generator=generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fills `tensor` with `val`."""
    with no_grad():
        return ops.fill_(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fills `tensor` with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fills `tensor` with ones."""
    return constant_(tensor, 1.0)


def fan_in_and_fan_out(op: str, tensor: Tensor) -> tuple[int, int]:
    """Inputs and outputs that meet in one unit: (shape[1], shape[0]) times the kernel's size."""
    shape = _unwrap(tensor).shape
    if len(shape) < 2:
        raise ValueError(f"{op}: the tensor needs at least 2 dimensions, got {list(shape)}")
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform over ±gain·sqrt(6 / (fan_in + fan_out))."""
    bound = math.sqrt(3.0) * _xavier_std("xavier_uniform_", tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with standard deviation gain·sqrt(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, _xavier_std("xavier_normal_", tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform over ±gain·sqrt(3 / fan); `a` is the negative slope of ``leaky_relu``."""
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with standard deviation gain / sqrt(fan); `a` is the slope of ``leaky_relu``."""
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal with `mean` and `std`, where values outside [a, b] are drawn again until they fall inside.

    How many numbers are drawn depends on what they are. Where less than 0.3 of the normal distribution
    is inside, the proposals are uniform over [a, b), or in a long tail exponential (Robert, 1995), each kept
    with its density over the largest one. A bound may be infinite.

    Raises:
        ValueError: std is not positive, a is not below b, mean or std is not finite; the tensor's dtype has no number
            in [a, b], or its rounding moves all draws out.
        TypeError: the tensor is neither float32 nor float64.
    """
    if not (std > 0 and a < b):
        raise ValueError(f"trunc_normal_: needs std > 0 and a < b, got std={std}, a={a}, b={b}")
    if not (math.isfinite(mean) and math.isfinite(std)):
        raise ValueError(f"trunc_normal_: mean and std must be finite, got mean={mean}, std={std}")
    name = _unwrap(tensor).dtype.name
    if name not in ("float32", "float64"):
        raise TypeError(f"trunc_normal_: the tensor must be float32 or float64, got {name}")
    first, last = _numbers_inside(np.dtype(name), a, b)
    _validate.not_recording("trunc_normal_")
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2.0))) for bound in (a, b))
    from_normal = (high - low) / 2 > 0.3
    with no_grad():
        result = pending = None
        # Each draw is kept with a probability of at least 0.3, so that this many fail only where rounding moves
        # them all out of [a, b].
        for _ in range(_ROUNDS):
            x = creation.empty_like(tensor)
            if from_normal:
                ops.normal_(x, mean, std, generator=generator)
                bad = ops.logical_or(x < first, x > last)
            else:
                x, density = _far_from_the_mean(x, mean, std, a, b, generator)
                x = ops.clamp(x, first, last)  # rounding may have moved it out
                bad = ops.uniform_(creation.empty_like(tensor), generator=generator) > density
            result = x if pending is None else ops.where(pending, x, result)
            pending = bad if pending is None else ops.logical_and(pending, bad)
            if not pending.any():
                return tensor.copy_(result)
    raise ValueError(
        f"trunc_normal_: {name} is too coarse for mean={mean!r}, std={std!r}, a={a!r}, b={b!r}: it rounds every draw "
        "out of [a, b]"
    )


def _numbers_inside(dtype: np.dtype, a: float, b: float) -> tuple[float, float]:
    """The first and the last number of a dtype in [a, b]; ValueError if there is none."""
    with np.errstate(over="ignore"):
        low, high = dtype.type(a), dtype.type(b)
        if float(low) < a:  # rounded down
            low = np.nextafter(low, dtype.type(math.inf))
        if float(high) > b:
            high = np.nextafter(high, dtype.type(-math.inf))
    if low > high or low == math.inf or high == -math.inf:
        raise ValueError(f"trunc_normal_: {dtype.name} has no number in [a, b], got a={a!r}, b={b!r}")
    return float(low), float(high)


def _far_from_the_mean(
    x: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """Proposals in [a, b], shaped as `x`, and the probability of keeping each.

    All is measured from the densest point, where a difference of squares would lose its digits far out.
    """
    edge = min(max(mean, a), b)
    slope, room = (
        abs(edge - mean) / std,
        (b - a) / std,
    )  # the logarithm of the density falls by d · (slope + d / 2)
    if slope * room > 1:  # the densest point is a bound, and most of [a, b] is far less dense
        u = ops.uniform_(x, generator=generator)
        d = ops.log1p(u * math.expm1(-slope * room)) / -slope
        x = edge + (std if edge == a else -std) * d
        return x, ops.exp(d * d / -2)
    ops.uniform_(x, a, b, generator=generator)
    d = (x - edge) / std
    return x, ops.exp(-(ops.abs(d) * slope + d * d / 2))


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Rows, or columns if there are fewer, that are orthogonal and of length `gain` (Saxe et al., 2014).

    Dimensions after the first are taken as one. The Q of the QR decomposition of a normal matrix, with
    the signs that make it uniformly distributed (Mezzadri, 2007); computed in float64.

    Raises:
        ValueError: the tensor has fewer than 2 dimensions.
    """
    shape = _unwrap(tensor).shape
    if len(shape) < 2:
        raise ValueError(f"orthogonal_: the tensor needs at least 2 dimensions, got {list(shape)}")
    if not all(shape):
        return tensor
    rows, columns = shape[0], math.prod(shape[1:])
    with no_grad():
        drawn = creation.empty(max(rows, columns), min(rows, columns), dtype=_core.float64)
        q, r = np.linalg.qr(ops.normal_(drawn, generator=generator).numpy())
        q *= gain * np.where(np.diag(r) < 0, -1.0, 1.0)
        q = q if rows >= columns else q.T
        return tensor.copy_(creation.tensor(q.reshape(shape), dtype=tensor.dtype))


def eye_(tensor: Tensor) -> Tensor:
    """The identity, also of a matrix that is not square.

    Raises:
        ValueError: the tensor has not 2 dimensions.
    """
    shape = _unwrap(tensor).shape
    if len(shape) != 2:
        raise ValueError(f"eye_: the tensor needs 2 dimensions, got {list(shape)}")
    with no_grad():
        return tensor.copy_(creation.eye(*shape, dtype=tensor.dtype))


def _xavier_std(op: str, tensor: Tensor, gain: float) -> float:
    fans = sum(fan_in_and_fan_out(op, tensor))
    return gain * math.sqrt(2.0 / fans) if fans else 0.0


def _kaiming_std(op: str, tensor: Tensor, a: Any, mode: str, nonlinearity: str) -> float:
    _validate.choice(op, "mode", mode, ("fan_in", "fan_out"))
    fan = fan_in_and_fan_out(op, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def reset_weight_and_bias(op: str, weight: Tensor, bias: Tensor | None) -> None:
    """PyTorch's default for Linear and convolutions: both uniform over ±1/sqrt(fan_in)."""
    kaiming_uniform_(weight, a=math.sqrt(5.0))
    if bias is not None:
        fan_in, _ = fan_in_and_fan_out(op, weight)
        bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
        uniform_(bias, -bound, bound)


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
