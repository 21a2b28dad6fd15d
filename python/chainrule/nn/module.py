"""Module, the base class of layers and models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from chainrule._absent import mark_absent
from chainrule._core import float32, float64
from chainrule._tracing import tracing
from chainrule.autograd import clear_grad
from chainrule.nn._hooks import RemovableHandle, call_with_hooks, register_hook
from chainrule.nn._path import add_module_path, not_a_tensor
from chainrule.nn._registry import Registry
from chainrule.nn._state import IncompatibleKeys, load_state, named_state
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor

Self = TypeVar("Self", bound="Module")
_DType = type(float32)


class Module(Registry):
    """Base class of layers and models.

    A subclass calls ``super().__init__()``, assigns parameters, buffers and child modules as
    attributes, and defines ``forward``.

    An error raised inside ``forward`` keeps its type, and its text gains the path of the module
    that failed: ``..., in model.encoder.2 (Conv2d)``.

    Example::

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(30, 64)
                self.output = nn.Linear(64, 1)

            def forward(self, x):
                return self.output(F.relu(self.hidden(x)))
    """

    training: bool
    _forward_pre_hooks: dict[int, tuple[Callable[..., Any], bool]]
    _forward_hooks: dict[int, tuple[Callable[..., Any], bool]]

    def __init__(self) -> None:
        super().__init__()
        self.__dict__.update(training=True, _forward_pre_hooks={}, _forward_hooks={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the output; every subclass that is called defines it."""
        raise NotImplementedError(f"Module: {type(self).__name__} defines no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if tracing.trace is not None:
            tracing.trace.modules[id(self)] = self
        try:
            if self._forward_pre_hooks or self._forward_hooks:
                return call_with_hooks(
                    self.forward, self, self._forward_pre_hooks, self._forward_hooks, args, kwargs
                )
            return self.forward(*args, **kwargs)
        except Exception as error:
            clearer = not_a_tensor(self, error, args)
            add_module_path(clearer or error, Module.__call__.__code__)
            if clearer is not None:
                raise clearer from None
            raise

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """``hook(module, args)`` runs before forward; what it returns, if not None, replaces args.

        With `with_kwargs` it is ``hook(module, args, kwargs)`` and returns None or both.
        """
        return register_hook(self._forward_pre_hooks, hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """``hook(module, args, output)`` runs after forward; a result not None replaces output."""
        return register_hook(self._forward_hooks, hook, prepend, with_kwargs)

    # Walking

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Direct children by name, each once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """Direct children, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module (named `prefix`) and all below it, parents before children."""
        memo = set() if memo is None else memo
        if remove_duplicate and self in memo:
            return
        memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def _named_members(
        self, which: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        pairs = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in pairs:
            for name, member in module.__dict__[which].items():
                if member is None or (remove_duplicate and id(member) in seen):
                    continue
                seen.add(id(member))
                yield (f"{path}.{name}" if path else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters by full name; a shared one appears once unless `remove_duplicate` is off."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers by full name."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Calls `fn` on every module below this one, then on this one; returns self."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # Modes and types

    def train(self: Self, mode: bool = True) -> Self:
        """Training mode (dropout drops, batch norm uses the batch) or, with False, evaluation."""
        if not isinstance(mode, bool):
            raise ValueError(f"Module.train: mode must be a bool, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Evaluation mode, the same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Turns gradient recording of all parameters on or off, for instance to freeze layers."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the gradients of all parameters or, with ``set_to_none=False``, zeroes them."""
        for parameter in self.parameters():
            clear_grad(parameter, set_to_none)

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Converts in place: ``to(dtype)``, ``to(device)``, ``to(device, dtype)``, ``to(tensor)``.

        Only floating-point parameters and buffers change their dtype. Parameters stay the same
        objects, so an optimizer keeps working on them.
        """
        device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
        kwargs.pop("non_blocking", None)
        if kwargs:
            raise TypeError(f"Module.to: unknown arguments {', '.join(kwargs)}")
        for arg in args:
            if isinstance(arg, Tensor):
                device, dtype = arg.device, arg.dtype
            elif isinstance(arg, _DType):
                dtype = arg
            else:
                device = arg

        def convert(tensor: Tensor) -> Tensor:
            tensor = tensor if device is None else tensor.to(device)
            return tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor

        return self._convert(convert)

    def float(self: Self) -> Self:
        """Converts floating-point parameters and buffers to float32."""
        return self.to(float32)

    def double(self: Self) -> Self:
        """Converts floating-point parameters and buffers to float64."""
        return self.to(float64)

    def cpu(self: Self) -> Self:
        """Nothing: this build has no other device."""
        return self

    def _convert(self: Self, convert: Callable[[Tensor], Tensor]) -> Self:
        for module in self.modules():
            for parameter in module._parameters.values():
                if parameter is None:
                    continue
                grad = parameter.grad
                parameter.data = convert(parameter.data)
                if grad is not None:
                    parameter.grad = convert(grad.detach())
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    setattr(module, name, convert(buffer))
        return self

    # State

    def state_dict(
        self,
        *,
        destination: dict[str, Tensor] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Tensor]:
        """Parameters and persistent buffers by full name, detached but sharing memory.

        The names and shapes are PyTorch's, so ``chainrule.save`` writes files that PyTorch's
        models read. With `keep_vars` the tensors themselves are returned.
        """
        state = {} if destination is None else destination
        for name, tensor in named_state(self, prefix):
            state[name] = tensor if keep_vars else tensor.detach()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True) -> IncompatibleKeys:
        """Copies the values of `state_dict` into this module's parameters and buffers.

        Everything is checked first: on an error nothing has changed. Raises ValueError that lists
        every missing and unexpected key (with `strict`) and every wrong shape or dtype.
        """
        return load_state(self, state_dict, strict)

    # Text

    def extra_repr(self) -> str:
        """The arguments shown between the parentheses; layers override it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()
        ]
        name = type(self).__name__
        if not children and len(lines) < 2:
            return f"{name}({extra})"
        return f"{name}(\n  " + "\n  ".join([*lines, *children]) + "\n)"


mark_absent(Module)
