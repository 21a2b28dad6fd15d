"""Making tensors: from data, from NumPy, of one value, of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule import _core, ops
from chainrule._core import bool as bool_
from chainrule._core import float32, float64, int64, uint8
from chainrule.autograd import wrap
from chainrule.device import check_device

if TYPE_CHECKING:
    from chainrule.tensor import Tensor

_DTYPES = {np.dtype(d.name): d for d in (bool_, uint8, int64, float32, float64)}
_default_dtype = float32


def _finish(native, requires_grad=False) -> Tensor:
    out = wrap(native)
    return out.requires_grad_() if requires_grad else out


def tensor(data, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A new tensor with a copy of the data: numbers, nested lists, NumPy arrays of any strides.

    Python floats become float32 (the default dtype), ints int64, bools bool; NumPy arrays keep their dtype.

    Raises:
        ValueError: ragged lists.
        TypeError: elements that are not numbers (object arrays, strings).
    """
    check_device("tensor", device)
    native = _core.clone(data._t) if is_tensor(data) else _core.copy_numpy(_as_array(data, dtype))
    if dtype is not None and native.dtype is not dtype:
        native = _core.cast(native, dtype)
    return _finish(native, requires_grad)


def _as_array(data, dtype) -> np.ndarray:
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
    else:
        if isinstance(data, (list, tuple)):
            data = _plain(data)
        try:
            array = np.asarray(data)
        except ValueError as error:
            raise ValueError(f"tensor: the rows of nested lists must have one length ({error})") from None
        if array.dtype == np.float64 and not isinstance(data, np.ndarray):
            array = array.astype((dtype if dtype is float64 else _default_dtype).name)
        elif array.size == 0 and array.dtype == np.float64:
            array = array.astype(_default_dtype.name)
    if array.dtype.kind not in "buif":
        raise TypeError(f"tensor: elements must be numbers, got an array of dtype {array.dtype}")
    if (
        array.dtype.kind == "u"
        and array.itemsize == 8
        and array.size
        and array.max() > np.iinfo(np.int64).max
    ):
        raise ValueError(f"tensor: {array.max()} does not fit into int64")
    if array.dtype not in _DTYPES and array.dtype.newbyteorder("=") not in _DTYPES:
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
    return array


def _plain(data):
    """Tensors inside nested lists become numbers or arrays."""
    return [x._t.numpy() if is_tensor(x) else _plain(x) if isinstance(x, (list, tuple)) else x for x in data]


def as_tensor(data, *, dtype=None, device=None) -> Tensor:
    """Like tensor(), without a copy where data is a tensor or a NumPy array that can be shared."""
    check_device("as_tensor", device)
    if is_tensor(data):
        return data if dtype is None else ops.cast(data, dtype)
    if isinstance(data, np.ndarray) and dtype is None:
        shareable = data.flags.writeable and data.flags.aligned and data.dtype in _DTYPES
        if shareable and all(s >= 0 for s in data.strides):
            return from_numpy(data)
    return tensor(data, dtype=dtype)


def from_numpy(array) -> Tensor:
    """A tensor that shares the array's memory: a change in one shows in the other.

    Raises:
        TypeError: not an array, or a dtype without counterpart.
        ValueError: read-only, negative strides, foreign byte order; the text says what to do instead.
    """
    return wrap(_core.from_numpy(array))


def from_dlpack(source) -> Tensor:
    """A tensor that shares the memory of any object with __dlpack__, or of a DLPack capsule."""
    if hasattr(source, "__dlpack__"):
        source = source.__dlpack__()
    return wrap(_core.from_dlpack(source))


def _shape(op: str, size) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    for n in size:
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
            raise TypeError(f"{op}: sizes must be integers, got {n!r}")
        if n < 0:
            raise ValueError(f"{op}: sizes must not be negative, got {list(size)}")
    return size


def empty(*size, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of the given shape with whatever its memory holds."""
    check_device("empty", device)
    return _finish(_core.empty(_shape("empty", size), dtype or _default_dtype), requires_grad)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of the given shape with one value everywhere."""
    check_device("full", device)
    if is_tensor(fill_value):
        fill_value = fill_value.item()
    if dtype is None:
        kinds = {bool: bool_, int: int64}
        dtype = kinds.get(type(fill_value), _default_dtype)
    shape = (size,) if isinstance(size, int) else tuple(size)
    return _finish(_core.full(_shape("full", shape), fill_value, dtype), requires_grad)


def zeros(*size, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of zeros. zeros(2, 3) or zeros((2, 3))."""
    return full(_shape("zeros", size), 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones(*size, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of ones. ones(2, 3) or ones((2, 3))."""
    return full(_shape("ones", size), 1.0, dtype=dtype, device=device, requires_grad=requires_grad)


def zeros_like(x, *, dtype=None, requires_grad=False) -> Tensor:
    """Zeros in the shape and dtype of x."""
    return full(x.shape, 0.0, dtype=dtype or x.dtype, requires_grad=requires_grad)


def ones_like(x, *, dtype=None, requires_grad=False) -> Tensor:
    """Ones in the shape and dtype of x."""
    return full(x.shape, 1.0, dtype=dtype or x.dtype, requires_grad=requires_grad)


def full_like(x, fill_value, *, dtype=None, requires_grad=False) -> Tensor:
    """One value in the shape and dtype of x."""
    return full(x.shape, fill_value, dtype=dtype or x.dtype, requires_grad=requires_grad)


def empty_like(x, *, dtype=None, requires_grad=False) -> Tensor:
    """An uninitialised tensor in the shape and dtype of x."""
    return empty(x.shape, dtype=dtype or x.dtype, requires_grad=requires_grad)


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """start, start + step, ... below end; int64 for whole numbers, float32 otherwise."""
    check_device("arange", device)
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("arange: step must not be 0")
    if (end - start) / step < 0:
        raise ValueError(f"arange: step {step} leads away from {end}, starting at {start}")
    values = np.arange(start, end, step)
    if dtype is None:
        dtype = int64 if values.dtype.kind == "i" else _default_dtype
    return tensor(values, dtype=dtype, requires_grad=requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """`steps` values at equal distances from start to end, both included."""
    check_device("linspace", device)
    return tensor(np.linspace(start, end, steps), dtype=dtype or _default_dtype, requires_grad=requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """The n by m matrix with ones on its diagonal."""
    check_device("eye", device)
    return tensor(np.eye(n, m), dtype=dtype or _default_dtype, requires_grad=requires_grad)


def is_tensor(x) -> bool:
    """Whether x is a Tensor."""
    return hasattr(x, "_t")


def get_default_dtype() -> _core.dtype:
    """The dtype of new floating tensors: float32."""
    return _default_dtype
