"""What a training changes outside of its model: a loss with parameters, and parameters only the optimizer has."""

from __future__ import annotations

from typing import Any

from chainrule.nn import Module
from chainrule.tensor import Tensor


def modules_of(*parts: Any) -> list[Module]:
    """Every module in those of `parts` (a model, a loss, a penalty) that are modules."""
    return [module for part in parts if isinstance(part, Module) for module in part.modules()]


def outside_tensors(model: Module, loss: Any, penalty: Any, optimizer: Any) -> dict[str, Tensor]:
    """By name, the parameters and buffers of loss and penalty, and the optimizer's parameters, that are not the
    model's; each once. The weights of classes in a loss of the library are settings: nothing trains them.
    """
    seen = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    named: dict[str, Tensor] = {}
    for part, module in (("loss", loss), ("penalty", penalty)):
        if isinstance(module, Module) and type(module).__module__ != "chainrule.nn.loss":
            pairs = (*module.named_parameters(), *module.named_buffers())
            named.update({f"{part}.{name}": tensor for name, tensor in pairs})
    for number, group in enumerate(optimizer.param_groups):
        named.update({f"optimizer.{number}.{i}": tensor for i, tensor in enumerate(group["params"])})
    found: dict[str, Tensor] = {}
    for name, tensor in named.items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor
    return found
