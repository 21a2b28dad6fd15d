"""Random tensors, from the default generator or from one of your own."""

from __future__ import annotations

from chainrule import _core
from chainrule._core import float32, float64, int64
from chainrule.autograd import wrap
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


def _floating(op: str, size, dtype, device):
    check_device(op, device)
    dtype = dtype or get_default_dtype()
    if dtype not in (float32, float64):
        raise TypeError(f"{op}: needs a floating dtype, got {dtype.name}")
    return _core.empty(_shape(op, size), dtype)


def rand(*size, generator=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Uniform over [0, 1). rand(2, 3) or rand((2, 3))."""
    t = _floating("rand", size, dtype, device)
    _core.uniform_(t, 0.0, 1.0, native(generator))
    return _finish(t, requires_grad)


def randn(*size, generator=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Normal with mean 0 and standard deviation 1."""
    t = _floating("randn", size, dtype, device)
    _core.normal_(t, 0.0, 1.0, native(generator))
    return _finish(t, requires_grad)


def uniform(low, high, size, *, generator=None, dtype=None, requires_grad=False) -> Tensor:
    """Uniform over [low, high)."""
    t = _floating("uniform", (size,), dtype, None)
    _core.uniform_(t, low, high, native(generator))
    return _finish(t, requires_grad)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, requires_grad=False) -> Tensor:
    """Normal with the given mean and standard deviation; a tensor among them gives the shape."""
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise TypeError("normal: size is needed where mean and std are numbers")
        t = _floating("normal", (size,), dtype, None)
        _core.normal_(t, mean, std, native(generator))
        return _finish(t, requires_grad)
    if size is not None:
        raise TypeError("normal: size follows from mean and std where one is a tensor")
    a, b = (x._t if isinstance(x, Tensor) else float(x) for x in (mean, std))
    if isinstance(std, Tensor) and not _core.recording() and _core.any(_core.lt(b, 0.0), (), False).item():
        raise ValueError("normal: std must be at least 0 everywhere")
    shape = _core.add(a, b)
    t = _floating("normal", (shape.shape,), dtype or shape.dtype, None)
    _core.normal_(t, 0.0, 1.0, native(generator))
    return _finish(_core.add(_core.mul(t, b), a), requires_grad)


def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None) -> Tensor:
    """Integers, low <= value < high: randint(high, size) or randint(low, high, size)."""
    check_device("randint", device)
    if size is None:
        low, high, size = 0, low, high
    if size is None:
        raise TypeError("randint: expects randint(high, size) or randint(low, high, size)")
    t = wrap(_core.randint(int(low), int(high), _shape("randint", (size,)), native(generator)))
    return t if dtype is None else t.to(dtype)


def randperm(n: int, *, generator=None, dtype=None, device=None) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    check_device("randperm", device)
    t = wrap(_core.randperm(n, native(generator)))
    return t if dtype in (None, int64) else t.to(dtype)


def rand_like(x, *, generator=None, dtype=None, requires_grad=False) -> Tensor:
    """Uniform over [0, 1), in the shape and dtype of x."""
    return rand(x.shape, generator=generator, dtype=dtype or x.dtype, requires_grad=requires_grad)


def randn_like(x, *, generator=None, dtype=None, requires_grad=False) -> Tensor:
    """Normal with mean 0 and standard deviation 1, in the shape and dtype of x."""
    return randn(x.shape, generator=generator, dtype=dtype or x.dtype, requires_grad=requires_grad)


def randint_like(x, low, high=None, *, generator=None, dtype=None) -> Tensor:
    """Integers in the shape and dtype of x."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, x.shape, generator=generator, dtype=dtype or x.dtype)
