"""Parameters that are computed from others each time they are read.

``module.weight`` becomes a property; what is trained are the parameters that it is computed from. They have
PyTorch's names: ``parametrizations.weight.original0`` and so on.
"""

from __future__ import annotations

from typing import Any

from chainrule.autograd import no_grad
from chainrule.nn.container import ModuleDict
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor


class ParametrizationList(Module):
    """The originals of one tensor, and the module, named "0", that computes the tensor from them.

    That module's ``right_inverse(tensor)`` gives the originals, ``forward(*originals)`` the tensor.
    """

    def __init__(self, parametrization: Any, tensor: Tensor) -> None:
        super().__init__()
        with no_grad():
            originals = parametrization.right_inverse(tensor.detach())
        self._count = len(originals)
        for i, original in enumerate(originals):
            setattr(self, f"original{i}", Parameter(original, tensor.requires_grad))
        self.add_module("0", parametrization)

    def forward(self) -> Tensor:
        return self._modules["0"](*(getattr(self, f"original{i}") for i in range(self._count)))


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the tensor of that name, or any, is computed from others."""
    found = module._modules.get("parametrizations")
    return found is not None and (tensor_name is None or tensor_name in found)


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes the tensor a parameter again, with the value that it has now; returns the module.

    Raises ValueError when it is none of the module's parametrized tensors, and for
    ``leave_parametrized=False``: several originals are not one parameter.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"remove_parametrizations: {type(module).__name__} has no parametrized {tensor_name!r}"
        )
    if not leave_parametrized:
        raise ValueError(
            f"remove_parametrizations: leave_parametrized must be True, since {tensor_name!r} is computed "
            "from several tensors"
        )
    parametrizations = module._modules["parametrizations"]
    trained = parametrizations[tensor_name].original0.requires_grad
    with no_grad():
        value = getattr(module, tensor_name).detach().clone()
    names = [name for name in parametrizations if name != tensor_name]
    plain = type(module).__mro__[1]
    module.__class__ = _class_with(plain, names) if names else plain
    del parametrizations[tensor_name]
    if not names:
        del module.parametrizations
    module.register_parameter(tensor_name, Parameter(value, trained))
    return module


def _register(op: str, module: Module, name: str, parametrization: Any) -> None:
    """Replaces a parameter by what `parametrization` computes; on an error nothing has changed."""
    parameter = module._parameters.get(name)
    if parameter is None:
        found = "a parametrized tensor" if is_parametrized(module, name) else "no parameter"
        raise ValueError(f"{op}: {type(module).__name__} has {found} named {name!r}")
    entry = ParametrizationList(parametrization, parameter)
    delattr(module, name)
    plain = type(module)
    if is_parametrized(module):
        plain = plain.__mro__[1]
    else:
        module.add_module("parametrizations", ModuleDict())
    module.parametrizations[name] = entry
    module.__class__ = _class_with(plain, list(module.parametrizations))


def _class_with(plain: type, names: list[str]) -> type:
    """A subclass whose attributes of those names are computed."""
    return type(f"Parametrized{plain.__name__}", (plain,), {name: _computed(name) for name in names})


def _computed(name: str) -> property:
    def read(module: Any) -> Tensor:
        return module.parametrizations[name]()

    return property(read)
