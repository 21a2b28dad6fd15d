"""Generators of random numbers: a seed and a counter (Philox 4x32-10).

The n-th number of a draw depends on the seed, on how much has been drawn before, and on n; never on
threads or on the width of vectors.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import numpy as np

from chainrule import _core, _validate
from chainrule.autograd import _unwrap, wrap

if TYPE_CHECKING:
    from chainrule.tensor import Tensor


class Generator:
    """A stream of random numbers of its own.

    Example:
        >>> g = Generator().manual_seed(7)
        >>> rand(2, generator=g)
    """

    __slots__ = ("_g",)

    def __init__(self, device: str = "cpu") -> None:
        if str(device) != "cpu":
            raise ValueError(f"Generator: this build has no device {device!r}; use 'cpu'")
        self._g = _core.Generator(_DEFAULT_SEED)

    def manual_seed(self, seed: int) -> Generator:
        """Starts again from `seed`, at least -2^63 and below 2^64; a negative one counts from 2^64."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"manual_seed: the seed must be an integer, got {seed!r}")
        if not -(2**63) <= int(seed) < 2**64:
            raise ValueError(f"manual_seed: the seed must be in [-2^63, 2^64), got {seed}")
        _validate.not_recording("manual_seed")
        self._g.manual_seed(int(seed) % 2**64)
        return self

    def seed(self) -> int:
        """Starts again from a seed that the operating system draws, and returns it."""
        seed = int.from_bytes(os.urandom(8), "little")
        self._g.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed in use."""
        return self._g.seed

    def get_state(self) -> Tensor:
        """Seed and counter, as a uint8 tensor of 16 bytes."""
        state = struct.pack("<QQ", self._g.seed, self._g.offset)
        return wrap(_core.copy_numpy(np.frombuffer(state, np.uint8)))

    def set_state(self, new_state: Tensor) -> Generator:
        """Goes on where the generator was that gave `new_state`."""
        _validate.not_recording("set_state")
        state = _unwrap(new_state).numpy()
        if state.dtype != np.uint8 or state.shape != (16,):
            raise ValueError(
                "set_state: expects the uint8 tensor of 16 elements that get_state gives, "
                f"got {state.dtype} of shape {list(state.shape)}"
            )
        self._g.set_state(*struct.unpack("<QQ", state.tobytes()))
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Generator:
        """An independent generator in the same state."""
        copy = Generator()
        copy._g.set_state(self._g.seed, self._g.offset)
        return copy


_DEFAULT_SEED = 0
default_generator = Generator()


def native(generator: Generator | None) -> _core.Generator:
    """The native generator: the default one for None."""
    if generator is None:
        return default_generator._g
    if not isinstance(generator, Generator):
        raise TypeError(f"generator: expected a Generator or None, got {type(generator).__name__}")
    return generator._g
