"""Random tensors, from the default generator or from one of your own."""

from __future__ import annotations

from chainrule import _core, _validate
from chainrule._core import float32, float64, int64
from chainrule.autograd import _unwrap, wrap
from chainrule.creation import _finish, _shape, get_default_dtype
from chainrule.device import check_device
from chainrule.generator import Generator, default_generator, native
from chainrule.ops.random import bernoulli
from chainrule.tensor import Tensor

__all__ = [
    "Generator",
    "bernoulli",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "seed",
    "set_rng_state",
    "uniform",
]


def manual_seed(seed: int) -> Generator:
    """Starts the default generator from `seed`: what follows is the same in every run."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Starts the default generator from a random seed, and returns it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The default generator's seed."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Restores the default generator's state."""
    default_generator.set_state(new_state)


def _floating(op: str, shape, dtype, device):
    check_device(op, device)
    dtype = dtype or get_default_dtype()
    if dtype not in (float32, float64):
        raise TypeError(f"{op}: needs a floating dtype, got {getattr(dtype, 'name', dtype)}")
    return _core.empty(shape, dtype)


def _uniform(op: str, shape, dtype, device, generator, requires_grad, low=0.0, high=1.0) -> Tensor:
    t = _floating(op, shape, dtype, device)
    _core.uniform_(t, low, high, native(generator))
    return _finish(t, requires_grad)


def _normal(op: str, shape, dtype, device, generator, requires_grad, mean=0.0, std=1.0) -> Tensor:
    t = _floating(op, shape, dtype, device)
    _core.normal_(t, mean, std, native(generator))
    return _finish(t, requires_grad)


def rand(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Uniform over [0, 1). rand(2, 3), rand((2, 3)) or rand(size=(2, 3))."""
    return _uniform("rand", _shape("rand", sizes, size), dtype, device, generator, requires_grad)


def randn(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Normal with mean 0 and standard deviation 1. Sizes as rand."""
    return _normal("randn", _shape("randn", sizes, size), dtype, device, generator, requires_grad)


def uniform(low, high, size, *, generator=None, dtype=None, requires_grad=False) -> Tensor:
    """Uniform over [low, high)."""
    return _uniform("uniform", _shape("uniform", (size,)), dtype, None, generator, requires_grad, low, high)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, requires_grad=False) -> Tensor:
    """Normal with the given mean and standard deviation; a tensor among them gives the shape."""
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise TypeError("normal: size is needed where mean and std are numbers")
        return _normal("normal", _shape("normal", (size,)), dtype, None, generator, requires_grad, mean, std)
    if size is not None:
        raise TypeError("normal: size follows from mean and std where one is a tensor")
    a, b = (x._t if isinstance(x, Tensor) else float(x) for x in (mean, std))
    if isinstance(std, Tensor):
        _core.check_deviation(b)
    shape = _core.add(a, b)
    t = _floating("normal", shape.shape, dtype or shape.dtype, None)
    _core.normal_(t, 0.0, 1.0, native(generator))
    return _finish(_core.add(_core.mul(t, b), a), requires_grad)


def randint(low=None, high=None, size=None, *, generator=None, dtype=None, device=None) -> Tensor:
    """Integers, low <= value < high: randint(high, size) or randint(low, high, size), low being 0 unless given."""
    return _integers("randint", low, high, size, generator, dtype, device)


def _integers(op: str, low, high, size, generator, dtype, device) -> Tensor:
    check_device(op, device)
    if size is None:  # (high, size)
        low, high, size = None, low, high
    elif high is None:  # (high, size=...)
        low, high = None, low
    if high is None or size is None:
        raise TypeError(f"{op}: expects (high, size) or (low, high, size), got high={high}, size={size}")
    bounds = (("low", 0 if low is None else low), ("high", high))
    low, high = (_validate.integer(op, name, bound, -(2**63)) for name, bound in bounds)
    t = wrap(_core.randint(low, high, _shape(op, (size,)), native(generator)))
    return t if dtype is None else t.to(dtype)


def randperm(n: int, *, generator=None, dtype=None, device=None) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    check_device("randperm", device)
    t = wrap(_core.randperm(n, native(generator)))
    return t if dtype in (None, int64) else t.to(dtype)


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Uniform over [0, 1), in the shape and dtype of input."""
    t = _unwrap(input)
    return _uniform("rand_like", t.shape, dtype or t.dtype, device, generator, requires_grad)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Normal with mean 0 and standard deviation 1, in the shape and dtype of input."""
    t = _unwrap(input)
    return _normal("randn_like", t.shape, dtype or t.dtype, device, generator, requires_grad)


def randint_like(input, low, high=None, *, generator=None, dtype=None, device=None) -> Tensor:
    """Integers in the shape and dtype of input."""
    t = _unwrap(input)
    return _integers("randint_like", low, high, t.shape, generator, dtype or t.dtype, device)
