"""The Tensor: a native tensor, the node that computed it, and PyTorch's names for what can be done with it."""

from __future__ import annotations

import numpy as np

from chainrule import _core, _validate, autograd, creation, ops
from chainrule._absent import mark_absent
from chainrule._core import bool as bool_
from chainrule._core import float32, float64, int64, uint8
from chainrule._part import follow, marks
from chainrule._tracing import touch
from chainrule.autograd import Leaf, wrap
from chainrule.device import check_device, device
from chainrule.tensor_ops import TensorOps


class Tensor(TensorOps):
    """An array that remembers how it was computed.

    Make one with `tensor(data)`, `zeros(shape)` and their like. `requires_grad=True` marks a leaf: ops on it
    are recorded, and `backward()` of a result puts the gradient into `.grad`.

    Example:
        >>> x = tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_leaf", "_node", "_t")
    __array_priority__ = 1000  # NumPy leaves mixed expressions to us
    __hash__ = object.__hash__

    def __init__(self, data=None, *, dtype=None, requires_grad: bool = False) -> None:
        source = creation.tensor([] if data is None else data, dtype=dtype)
        self._t, self._node, self._leaf = source._t, None, None
        if requires_grad:
            self.requires_grad_()

    # ---- what it is ----

    @property
    def shape(self) -> tuple[int, ...]:
        return self._t.shape

    @property
    def dtype(self) -> _core.dtype:
        return self._t.dtype

    @property
    def device(self) -> device:
        return device(self._t.device)

    @property
    def ndim(self) -> int:
        return self._t.ndim

    def dim(self) -> int:
        return self._t.ndim

    def size(self, dim: int | None = None):
        return self._t.shape if dim is None else self._t.shape[dim]

    def stride(self, dim: int | None = None):
        return self._t.strides if dim is None else self._t.strides[dim]

    def numel(self) -> int:
        return self._t.numel()

    nelement = numel

    def element_size(self) -> int:
        return self._t.dtype.itemsize

    def is_contiguous(self):
        return self._t.is_contiguous()

    def is_floating_point(self):
        return self._t.dtype.is_floating_point

    def data_ptr(self) -> int:
        return self._t.data_ptr

    @property
    def _version(self) -> int:
        return self._t.version

    def __len__(self) -> int:
        if self._t.ndim == 0:
            raise TypeError("len: a tensor without dimensions has no length")
        return self._t.shape[0]

    # ---- gradients ----

    @property
    def requires_grad(self):
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad=True):
        """Marks a leaf as (not) wanting a gradient."""
        if not requires_grad:
            if not self.is_leaf:
                raise RuntimeError("requires_grad_: only a leaf can be switched off; use detach()")
            self._node = None
            return self
        if self._node is None:
            if not self._t.dtype.is_floating_point:
                raise RuntimeError(
                    f"requires_grad_: only floating tensors can require gradients, this one is {self._t.dtype.name}"
                )
            if self._leaf is None:
                self._leaf = Leaf()
            self._node = self._leaf
        return self

    @property
    def is_leaf(self):
        return self._node is None or self._node is self._leaf

    @property
    def grad(self) -> Tensor | None:
        leaf = self._leaf
        if leaf is None:
            return None
        touch(leaf)
        return leaf.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"grad: expects a Tensor or None, got {type(value).__name__}")
        if value is not None and (value._t.shape != self._t.shape or value._t.dtype is not self._t.dtype):
            raise ValueError(
                f"grad: expects shape {list(self._t.shape)} and dtype {self._t.dtype.name}, "
                f"got {list(value._t.shape)} and {value._t.dtype.name}"
            )
        if self._leaf is None:
            if value is None:
                return
            self._leaf = Leaf()
        autograd.assign_grad(self._leaf, value)

    @property
    def grad_fn(self):
        return None if self.is_leaf else self._node

    def backward(self, gradient=None, retain_graph=None, create_graph=False) -> None:
        """Adds to the grad of every leaf this tensor depends on; see autograd.backward."""
        autograd.backward(self, gradient, bool(retain_graph), create_graph)

    def detach(self) -> Tensor:
        """The same memory without history."""
        out = wrap(self._t)
        return follow(out, self) if marks else out

    def detach_(self) -> Tensor:
        self._node = self._leaf = None
        return self

    def retain_grad(self) -> None:
        """Keeps the gradient of a computed tensor in `.grad`."""
        if not self.is_leaf and self._leaf is None:
            self._leaf = Leaf()
            autograd.retain(self._node, self._leaf)

    def register_hook(self, hook) -> autograd.RemovableHandle:
        """Calls hook(grad) when this tensor's gradient is known; what it returns replaces the gradient."""
        if not callable(hook):
            raise TypeError(f"register_hook: the hook must be callable, got {type(hook).__name__}")
        if self._node is None:
            raise RuntimeError("register_hook: the tensor does not require grad")
        key = autograd._add_hook(self._node, hook)
        return autograd.RemovableHandle(self._node.hooks, key)

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data: expects a Tensor, got {type(value).__name__}")
        self._t = value._t

    @staticmethod
    def _make_subclass(cls, data: Tensor, requires_grad=False):
        out = object.__new__(cls)
        out._t, out._node, out._leaf = data._t, None, None
        if requires_grad:
            out.requires_grad_()
        return out

    def __copy__(self):
        """Another Tensor on the same memory, with the same history; a leaf gets a gradient of its own."""
        # alias(): a view, so that in-place ops that would spoil this copy's history find it.
        out = Tensor._make_subclass(type(self), wrap(self._t.alias()), self.is_leaf and self.requires_grad)
        if not self.is_leaf:
            out._node = self._node
        return follow(out, self) if marks else out

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise RuntimeError("deepcopy: only leaves can be copied deeply; use detach().clone()")
        out = Tensor._make_subclass(type(self), wrap(_core.clone(self._t)), self.requires_grad)
        memo[id(self)] = out
        if self.grad is not None:
            out.grad = wrap(_core.clone(self.grad._t))
        return follow(out, self) if marks else out

    def __reduce__(self):
        raise TypeError("pickle: tensors are saved with chainrule.save, which never runs code on loading")

    # ---- to Python and NumPy ----

    def item(self):
        """The one element as a Python number."""
        _validate.not_recording("item")
        return self._t.item()

    def tolist(self):
        _validate.not_recording("tolist")
        return self._t.numpy(writable=False).tolist()

    def numpy(self, *, force=False) -> np.ndarray:
        """An array that shares this tensor's memory; for a tensor that requires grad use detach() or force."""
        _validate.not_recording("numpy")
        if self._node is not None and not force:
            raise RuntimeError("numpy: the tensor requires grad; use detach().numpy()")
        array = self._t.numpy()
        return follow(array, self) if marks else array

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        array = self.numpy()
        if copy or (dtype is not None and array.dtype != dtype):
            copied = array.astype(dtype or array.dtype)
            return follow(copied, self) if marks else copied
        return array

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        _validate.not_recording("dlpack")
        if self._node is not None:
            raise BufferError("dlpack: the tensor requires grad; use detach()")
        return _core.Tensor.dlpack(_core.clone(self._t) if copy else self._t)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __bool__(self):
        if self._t.numel() != 1:
            raise RuntimeError(
                f"bool: a tensor with {self._t.numel()} elements is neither true nor false; use any() or all()"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._t.dtype.is_floating_point:
            raise TypeError(f"index: only integer tensors are indices, this one is {self._t.dtype.name}")
        return int(self.item())

    def __contains__(self, value) -> bool:
        return bool(ops.any(ops.eq(self, value)).item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self._t.ndim == 0 else format(str(self), spec)

    def __iter__(self):
        if self._t.ndim == 0:
            raise TypeError("iter: a tensor without dimensions cannot be iterated")
        return iter(ops.unbind(self))

    def __repr__(self) -> str:
        from chainrule.printing import to_text

        return to_text(self)

    # ---- dtype and device ----

    def to(self, *args, dtype=None, device=None, copy=False, non_blocking=False) -> Tensor:
        """to(dtype), to(other), to('cpu'): this tensor in another dtype, itself where nothing changes."""
        for arg in args:
            if isinstance(arg, _core.dtype):
                dtype = arg
            elif isinstance(arg, Tensor):
                dtype = arg._t.dtype
            elif arg is None or isinstance(arg, (str, int)):
                device = arg
            else:
                shown = arg if isinstance(arg, type) else type(arg).__name__
                raise TypeError(
                    f"to: expected a dtype such as chainrule.float32, a device or a Tensor, got {shown}"
                )
        check_device("to", device)
        out = self if dtype is None else ops.cast(self, dtype)
        return ops.clone(out) if copy and out is self else out

    def type(self, dtype) -> Tensor:
        return ops.cast(self, dtype)

    def type_as(self, other) -> Tensor:
        return ops.cast(self, autograd._unwrap(other).dtype)

    def float(self) -> Tensor:
        return ops.cast(self, float32)

    def double(self) -> Tensor:
        return ops.cast(self, float64)

    def long(self) -> Tensor:
        return ops.cast(self, int64)

    def byte(self) -> Tensor:
        return ops.cast(self, uint8)

    def bool(self) -> Tensor:
        return ops.cast(self, bool_)

    def cpu(self) -> Tensor:
        return self

    def new_zeros(self, *size, dtype=None) -> Tensor:
        return creation.zeros(*size, dtype=dtype or self.dtype)

    def new_ones(self, *size, dtype=None) -> Tensor:
        return creation.ones(*size, dtype=dtype or self.dtype)

    def new_full(self, size, fill_value, dtype=None) -> Tensor:
        return creation.full(size, fill_value, dtype=dtype or self.dtype)

    def new_empty(self, *size, dtype=None) -> Tensor:
        return creation.empty(*size, dtype=dtype or self.dtype)

    def new_tensor(self, data, dtype=None) -> Tensor:
        return creation.tensor(data, dtype=dtype or self.dtype)

    @property
    def T(self) -> Tensor:
        return ops.permute(self, tuple(range(self._t.ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        return ops.transpose(self, -2, -1)


autograd.bind_tensor_class(Tensor)
mark_absent(Tensor)
