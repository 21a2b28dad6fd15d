"""What fit and its relatives are given, looked at before anything changes; the errors say what to give instead."""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.nn import Module
from chainrule.train.penalty import Penalty


def check_object(op: str, name: str, value: Any) -> None:
    """TypeError for a class where an object of it is meant."""
    if isinstance(value, type):
        raise TypeError(
            f"{op}: {name} must be an object, got the class {value.__name__}; make one: {value.__name__}(...)"
        )


def check_model(op: str, model: Any) -> None:
    """TypeError for what is no module."""
    check_object(op, "model", model)
    if not isinstance(model, Module):
        raise TypeError(f"{op}: model must be a Module, got {type(model).__name__}")


def check_loss(op: str, loss: Any, weighted: bool = False) -> None:
    """TypeError for what cannot be called as a loss is, ValueError for a loss of this library that is no mean: an
    epoch's loss is a mean over samples.
    """
    check_object(op, "loss", loss)
    name = type(loss).__name__
    if not callable(loss):
        got = repr(loss) if isinstance(loss, str) else name
        raise TypeError(f"{op}: loss must be a function of (output, target), such as nn.MSELoss(), got {got}")
    reduction = getattr(loss, "reduction", "mean")
    if type(loss).__module__ == "chainrule.nn.loss" and reduction in ("sum", "none"):
        raise ValueError(
            f"{op}: loss must be a mean over samples, got {name}(reduction={reduction!r}); take reduction='mean'"
        )
    if weighted and not takes(loss, None, None, sample_weight=None):
        raise TypeError(
            f"{op}: weighted=True calls loss(output, target, sample_weight=...), but "
            f"{getattr(loss, '__name__', name)} takes no sample_weight"
        )


def check_optimizer(op: str, optimizer: Any, model: Module, *others: Any) -> None:
    """TypeError for what is no optimizer, ValueError for one that trains nothing of the model.

    It may lack some parameters, as of layers that are frozen; a loss or a penalty (`others`) may have some, too.
    """
    check_object(op, "optimizer", optimizer)
    needed = ("step", "zero_grad", "state_dict", "load_state_dict")
    if not hasattr(optimizer, "param_groups") or not all(
        callable(getattr(optimizer, n, None)) for n in needed
    ):
        got = "None" if optimizer is None else repr(optimizer)[:60]
        raise TypeError(f"{op}: optimizer must be one such as optim.Adam(model.parameters()), got {got}")
    modules = [part for part in (model, *others) if isinstance(part, Module)]
    trained = {id(p) for part in modules for p in part.parameters() if p.requires_grad}
    if not trained:
        raise ValueError(
            f"{op}: no parameter of {type(model).__name__} requires grad, so there is nothing to train"
        )
    if trained.isdisjoint(id(p) for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            f"{op}: optimizer has none of the model's {len(trained)} parameters that require grad, so the model would "
            "not change; it is of another model, or of a copy: make it with this model.parameters()"
        )


def check_penalty(op: str, penalty: Any) -> None:
    """TypeError for a number, for instance, in place of what computes the penalty."""
    if penalty is not None and (isinstance(penalty, type) or not callable(penalty)):
        raise TypeError(
            f"{op}: penalty must be a function that gives a tensor, such as Penalty(model, l2=1e-4), got {penalty!r}"
        )


def check_decay(op: str, decay: Any) -> None:
    """TypeError for anything but a Penalty: a number has no weights to go with."""
    if decay is not None and not isinstance(decay, Penalty):
        raise TypeError(f"{op}: decay must be a Penalty, such as Penalty(model, l1=1e-5), got {decay!r}")


def check_schedule(op: str, schedule: Any, optimizer: Any) -> None:
    """ValueError for a schedule that sets the rates of another optimizer."""
    own = getattr(schedule, "optimizer", None)
    if own is not None and own is not optimizer:
        raise ValueError(
            f"{op}: {type(schedule).__name__} is of another optimizer ({type(own).__name__}), so it would not change "
            "the rates of this one; make it with the optimizer that trains"
        )


def check_function(op: str, name: str, value: Any, what: str) -> None:
    """TypeError for what is not called as a function: numbers, texts, models."""
    if isinstance(value, Module) or not callable(value):
        got = "a model" if isinstance(value, Module) else f"{type(value).__name__} {value!r}"
        raise TypeError(f"{op}: {name} must be a function {what}, got {got[:80]}")


def takes(function: Any, *values: Any, **named: Any) -> bool:
    """Whether it can be called with these arguments; True where nothing is known."""
    try:
        signature = inspect.signature(function.forward if isinstance(function, Module) else function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*values, **named)
    except TypeError:
        return False
    return True
