"""Making tensors: from data, from NumPy, of one value, of a range."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import _core, _validate, ops
from chainrule._core import bool as bool_
from chainrule._core import float32, float64, int64, uint8
from chainrule._part import join, marks
from chainrule.autograd import _unwrap, wrap
from chainrule.device import check_device

if TYPE_CHECKING:
    from chainrule.tensor import Tensor

_DTYPES = {np.dtype(d.name): d for d in (bool_, uint8, int64, float32, float64)}
_default_dtype = float32
_LIMITS = {uint8: (0, 2**8), int64: (-(2**63), 2**63)}  # the smallest value, and the first too large one


def _finish(native, requires_grad=False) -> Tensor:
    out = wrap(native)
    return out.requires_grad_() if requires_grad else out


def tensor(data, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A new tensor with a copy of the data: numbers, nested lists, NumPy arrays of any strides.

    Python floats become float32 (the default dtype), ints int64, bools bool; NumPy arrays keep their dtype.
    With an integer `dtype`, numbers and lists have to fit into it; arrays and tensors are cast.

    Raises:
        ValueError: ragged lists, a number that `dtype` cannot hold.
        TypeError: elements that are not numbers (object arrays, strings).
    """
    check_device("tensor", device)
    native = _core.clone(data._t) if is_tensor(data) else _core.copy_numpy(_as_array(data, dtype))
    if dtype is not None and native.dtype is not dtype:
        native = _core.cast(native, dtype)
    out = _finish(native, requires_grad)
    return join(out, (data,)) if marks else out


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
        if dtype in _LIMITS:
            _check_fits(array, dtype)
        elif array.dtype == np.float64 and dtype in (None, float32):
            array = array.astype(_default_dtype.name)
    if array.dtype.kind == "O" or array.dtype == np.uint64:
        _check_fits(array, int64)
    if array.dtype.kind not in "buif":
        raise TypeError(f"tensor: elements must be numbers, got an array of dtype {array.dtype}")
    if array.dtype not in _DTYPES and array.dtype.newbyteorder("=") not in _DTYPES:
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
    return array


def _check_fits(array: np.ndarray, dtype) -> None:
    """ValueError for the first number that an integer dtype cannot hold; fractions are cut off."""
    low, high = _LIMITS[dtype]
    wrong: Any = ()
    if array.dtype.kind == "O":  # NumPy's form of ints that are larger than its own
        wrong = [x for x in array.flat if isinstance(x, int) and not low <= x < high]
    elif array.dtype.kind in "uif" and array.dtype != dtype.name:
        whole = np.trunc(array) if array.dtype.kind == "f" else array
        wrong = array[~((whole >= low) & (whole < high))]
    if len(wrong):
        raise ValueError(f"tensor: {wrong[0]} does not fit into {dtype.name}")


def _plain(data):
    """Tensors inside nested lists become numbers or arrays."""
    return [_value(x) if is_tensor(x) else _plain(x) if isinstance(x, (list, tuple)) else x for x in data]


def _value(x) -> np.ndarray:
    _validate.not_recording("tensor")
    return x._t.numpy(writable=False)


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
    out = wrap(_core.from_numpy(array))
    return join(out, (array,)) if marks else out


def from_dlpack(ext_tensor) -> Tensor:
    """A tensor that shares the memory of any object with __dlpack__, or of a DLPack capsule."""
    if hasattr(ext_tensor, "__dlpack__"):
        ext_tensor = ext_tensor.__dlpack__()
    return wrap(_core.from_dlpack(ext_tensor))


def _shape(op: str, sizes: tuple, size=None) -> tuple[int, ...]:
    """The shape from f(2, 3), f((2, 3)) or f(size=(2, 3))."""
    if size is not None:
        if sizes:
            raise TypeError(f"{op}: sizes and size exclude each other, got {list(sizes)} and size={size}")
        sizes = (size,)
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    for n in sizes:
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
            raise TypeError(f"{op}: sizes must be integers, got {n!r}")
        if n < 0:
            raise ValueError(f"{op}: sizes must not be negative, got {list(sizes)}")
    return sizes


def empty(*sizes, size=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of the given shape with whatever its memory holds."""
    check_device("empty", device)
    return _finish(_core.empty(_shape("empty", sizes, size), dtype or _default_dtype), requires_grad)


def _full(op: str, shape, value, dtype, device, requires_grad) -> Tensor:
    check_device(op, device)
    return _finish(_core.full(_shape(op, (shape,)), value, dtype or _default_dtype), requires_grad)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of the given shape with one value everywhere."""
    if is_tensor(fill_value):
        fill_value = fill_value.item()
    if dtype is None:
        dtype = {bool: bool_, int: int64}.get(type(fill_value))
    return _full("full", size, fill_value, dtype, device, requires_grad)


def zeros(*sizes, size=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of zeros. zeros(2, 3), zeros((2, 3)) or zeros(size=(2, 3))."""
    return _full("zeros", _shape("zeros", sizes, size), 0.0, dtype, device, requires_grad)


def ones(*sizes, size=None, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A tensor of ones. ones(2, 3), ones((2, 3)) or ones(size=(2, 3))."""
    return _full("ones", _shape("ones", sizes, size), 1.0, dtype, device, requires_grad)


def zeros_like(input, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Zeros in the shape and dtype of input."""
    t = _unwrap(input)
    return _full("zeros_like", t.shape, 0.0, dtype or t.dtype, device, requires_grad)


def ones_like(input, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Ones in the shape and dtype of input."""
    t = _unwrap(input)
    return _full("ones_like", t.shape, 1.0, dtype or t.dtype, device, requires_grad)


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """One value in the shape and dtype of input."""
    t = _unwrap(input)
    value = fill_value.item() if is_tensor(fill_value) else fill_value
    return _full("full_like", t.shape, value, dtype or t.dtype, device, requires_grad)


def empty_like(input, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """An uninitialised tensor in the shape and dtype of input."""
    check_device("empty_like", device)
    t = _unwrap(input)
    return _finish(_core.empty(t.shape, dtype or t.dtype), requires_grad)


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """start, start + step, ... below end; int64 for whole numbers, float32 otherwise."""
    check_device("arange", device)
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("arange: step must not be 0")
    count = (end - start) // step
    if count < 0:
        raise ValueError(f"arange: step {step} leads away from {end}, starting at {start}")
    if count >= 2**44 or not isfinite(count):  # 2**47 bytes: what a process can address
        raise ValueError(f"arange: no tensor holds the numbers from {start} to {end} in steps of {step}")
    values = np.arange(start, end, step)
    if dtype is None:
        dtype = int64 if values.dtype.kind == "i" else _default_dtype
    return tensor(values, dtype=dtype, requires_grad=requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """`steps` values at equal distances from start to end, both included."""
    check_device("linspace", device)
    values = np.linspace(start, end, _validate.integer("linspace", "steps", steps, 0))
    return tensor(values, dtype=dtype or _default_dtype, requires_grad=requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """The n by m matrix with ones on its diagonal."""
    check_device("eye", device)
    rows, columns = _shape("eye", (n, n if m is None else m))
    return tensor(np.eye(rows, columns), dtype=dtype or _default_dtype, requires_grad=requires_grad)


def is_tensor(x) -> bool:
    """Whether x is a Tensor."""
    return hasattr(x, "_t")


def get_default_dtype() -> _core.dtype:
    """The dtype of new floating tensors: float32."""
    return _default_dtype
