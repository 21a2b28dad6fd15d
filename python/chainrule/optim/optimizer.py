"""What optimizers share: parameter groups, state, and the fused step."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from chainrule import _core
from chainrule._tracing import touch, tracing
from chainrule.autograd import clear_grad, enable_grad, wrap
from chainrule.optim._fused import Fused
from chainrule.tensor import Tensor

_NUMBERS = ("step", "mu_product")  # state of one float64 number a parameter


class Kind(NamedTuple):
    """The kernel that a group's settings ask for, and the state it works on, in its order."""

    rule: _core.OptimPack.Rule
    state: tuple[str, ...]
    decoupled: bool = False  # weight decay shrinks the parameter instead of changing the gradient
    first: Mapping[str, float] = MappingProxyType({})  # what state begins with where that is not 0


def epsilons(group: dict[str, Any]) -> tuple[float, float]:
    """What a kernel adds beneath a square root, and beside it."""
    eps = float(group["eps"])
    return (eps, 0.0) if group["eps_inside_sqrt"] else (0.0, eps)


def moments(group: dict[str, Any]) -> tuple[float, ...]:
    """The numbers that the kernels of Adam and its relatives begin with."""
    beta1, beta2 = group["betas"]
    return (float(group["lr"]), float(group["weight_decay"]), float(beta1), float(beta2), *epsilons(group))


class Optimizer:
    """Base of all optimizers.

    A subclass checks its settings (`_check`), says which numbers of a group the kernel reads
    (`_values`), which choices need another kernel or other state (`_structure`), and what kernel and
    state that is (`_kind`).

    Attributes:
        param_groups: dictionaries with `params` and the group's own settings; changes to the
            settings count from the next step on.
        state: what the optimizer remembers of each parameter.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        if isinstance(params, Tensor):
            raise TypeError(f"{name}: params must be an iterable of tensors or dicts, got one Tensor")
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._fused: list[Fused | None] = []
        self._hyper: list[_core.Tensor] = []
        self._brought: tuple[float, ...] = ()  # what was last written into one of them
        groups = list(params)
        if not groups:
            raise ValueError(f"{name}: the parameter list is empty")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ---- what a subclass says ----

    _own: tuple[str, ...] = ()  # settings that PyTorch lacks; off, unless given

    def _check(self, group: dict[str, Any]) -> None:
        """Raises ValueError for settings outside their range."""

    def _values(self, group: dict[str, Any]) -> tuple[float, ...]:
        """The numbers the kernel reads, in its order."""
        raise NotImplementedError

    def _structure(self, group: dict[str, Any]) -> tuple:
        """What the choice of kernel and state depends on."""
        raise NotImplementedError

    def _kind(self, group: dict[str, Any]) -> Kind:
        """The kernel and its state."""
        raise NotImplementedError

    def _fuse(self, group: dict[str, Any], params: list[Tensor], before: Fused | None) -> Fused:
        """Makes the state where it is missing, and the native packs over parameters and state."""
        kind = self._kind(group)

        def make(members: list[Tensor]) -> _core.OptimPack:
            state = [
                self._state_of(p, name, kind.first.get(name, 0.0)) for name in kind.state for p in members
            ]
            natives = [p._t for p in members]
            return _core.OptimPack(kind.rule, natives, state, group["maximize"], decoupled=kind.decoupled)

        return Fused(group["params"], params, self._structure(group)).pack(make)

    # ---- groups ----

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters with settings of their own.

        Raises:
            TypeError: a parameter is not a tensor, or the parameters are in a set.
            ValueError: there are none, one occurs twice, or one is not a leaf.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: a parameter group must be a dict, got {type(param_group).__name__}")
        group = dict(param_group)
        if "params" not in group:
            raise ValueError(f"{name}: a parameter group needs 'params', got {', '.join(group)}")
        params = group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, (set, frozenset)):
            raise TypeError(f"{name}: parameters must have an order that every run repeats, got a set")
        group["params"] = params = list(params)
        if not params:
            raise ValueError(f"{name}: the parameter list is empty")
        for key, value in self.defaults.items():
            group.setdefault(key, value)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for i, p in enumerate(params):
            _check_parameter(name, i, p, known)
            known.add(id(p))
        self._check(group)
        self.param_groups.append(group)
        self._fused.append(None)
        self._hyper.append(_core.zeros_persistent((len(self._values(group)),), _core.float64))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops every gradient, or sets it to zero with `set_to_none=False`."""
        for group in self.param_groups:
            for p in group["params"]:
                clear_grad(p, set_to_none)

    # ---- the step ----

    def step(self, closure: Callable[[], Any] | None = None):
        """Updates every parameter that has a gradient; those without are left alone.

        Args:
            closure: evaluates the loss again; its result is returned.

        Raises:
            RuntimeError: no parameter has a gradient.
            ValueError, TypeError: a setting of some group is out of its range; no parameter has changed then.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if tracing.trace is not None:
            tracing.trace.optimizers[id(self)] = self
            for group in self.param_groups:
                for p in group["params"]:
                    touch(p._leaf)
        ready = []
        for i, group in enumerate(self.param_groups):
            fused = self._fused[i]
            grads = None if fused is None else fused.gradients(group["params"])
            if grads is None or fused.structure != self._structure(group):
                fused, grads = self._rebuild(i, group)
                if fused is None:
                    continue
            self._bring_settings(i, group, fused)
            ready.append((fused, self._hyper[i], grads))
        for fused, hyper, grads in ready:
            fused.step(hyper, grads)
        if not ready:
            raise RuntimeError(
                f"{type(self).__name__}.step: no parameter has a gradient; call backward() on the loss first"
            )
        return loss

    def _rebuild(self, i: int, group: dict[str, Any]):
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return None, None
        self._check(group)
        fused = self._fused[i] = self._fuse(group, params, self._fused[i])
        return fused, fused.gradients(group["params"])

    def _bring_settings(self, i: int, group: dict[str, Any], fused: Fused) -> None:
        """Brings a group's settings to where the kernels read them, if they have changed."""
        try:
            values = self._values(group)
        except (TypeError, ValueError):
            self._check(group)  # says which one is no number
            raise
        if values != fused.values:
            self._check(group)
            _core.set_values(self._hyper[i], values)
            fused.values = self._brought = values

    def _refresh(self) -> None:
        """Called before each replay: the kernels read what the settings are by then."""
        for i, group in enumerate(self.param_groups):
            if (fused := self._fused[i]) is not None:
                self._bring_settings(i, group, fused)

    def _watch(self, guards: _core.GuardList) -> None:
        """Adds what holds as long as `_fits` and `_refresh` would find nothing new."""
        own = self.__dict__
        for name in ("param_groups", "_fused", "_brought"):
            guards.add_item(own, name, own[name])
        guards.add_list(self.param_groups)
        guards.add_list(self._fused)
        for group in self.param_groups:
            guards.add_size(group)
            for key, value in group.items():
                guards.add_item(group, key, value)

    def _snapshot(self, guards: _core.GuardList) -> list[tuple]:
        """What a recorded step depends on: each group's pack and kind of step; its parameters go to `guards`."""
        for group in self.param_groups:
            guards.add_list(group["params"])
        return [
            (fused, fused and fused.structure, group)
            for fused, group in zip(self._fused, self.param_groups, strict=True)
        ]

    def _fits(self, snapshot: list[tuple]) -> bool:
        """Whether a step recorded then is the step of now."""
        if len(snapshot) != len(self.param_groups):
            return False
        for (before, structure, group), fused, now in zip(snapshot, self._fused, self.param_groups):
            if fused is not before or group is not now:
                return False
            if fused is not None and structure != self._structure(group):
                return False
        return True

    def _state_of(self, p: Tensor, name: str, first: float = 0.0) -> _core.Tensor:
        """A parameter's state under a name, filled with `first` when it is new."""
        state = self.state[p]
        held = state.get(name)
        if held is None:
            shape, dtype = ((), _core.float64) if name in _NUMBERS else (p._t.shape, p._t.dtype)
            native = _core.zeros_persistent(shape, dtype)
            if first:
                native.numpy().fill(first)
            state[name] = held = wrap(native)
        return held._t

    # ---- saving ----

    def state_dict(self) -> dict[str, Any]:
        """State and settings, with parameters replaced by their numbers, as PyTorch's."""
        numbers: dict[int, int] = {}
        for group in self.param_groups:
            for p in group["params"]:
                numbers[id(p)] = len(numbers)
        groups = [
            {
                **{k: v for k, v in g.items() if k != "params"},
                "params": [numbers[id(p)] for p in g["params"]],
            }
            for g in self.param_groups
        ]
        state = {numbers[id(p)]: dict(s) for p, s in self.state.items() if id(p) in numbers}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a copy of what `state_dict` gave.

        Raises:
            ValueError: the groups, or a state tensor, do not fit this optimizer's parameters.
        """
        name = type(self).__name__
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{name}.load_state_dict: expects a dictionary, got {type(state_dict).__name__}")
        if not {"state", "param_groups"} <= set(state_dict):
            raise ValueError(f"{name}.load_state_dict: expects a dictionary with 'state' and 'param_groups'")
        saved = state_dict["param_groups"]
        for i, group in enumerate(saved):
            lacks = sorted({"params", *self.defaults} - set(group) - set(self._own))
            if lacks:
                raise ValueError(
                    f"{name}.load_state_dict: group {i} lacks {', '.join(lacks)}; is it of another optimizer?"
                )
        sizes = [len(g["params"]) for g in self.param_groups]
        if [len(g["params"]) for g in saved] != sizes:
            raise ValueError(
                f"{name}.load_state_dict: expects groups of {sizes} parameters, "
                f"got {[len(g['params']) for g in saved]}"
            )
        params = dict(
            zip(
                (n for g in saved for n in g["params"]),
                (p for g in self.param_groups for p in g["params"]),
                strict=True,
            )
        )
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            if number not in params:
                raise ValueError(f"{name}.load_state_dict: state of an unknown parameter {number}")
            p = params[number]
            op = f"{name}.load_state_dict"
            state[p] = {key: _restored(op, number, key, value, p) for key, value in values.items()}
        groups = [
            {
                **copy.deepcopy({k: v for k, v in s.items() if k != "params"}),
                **{k: False for k in self._own if k not in s},
                "params": g["params"],
            }
            for s, g in zip(saved, self.param_groups, strict=True)
        ]
        for group in groups:
            self._check(group)
        self.state, self.param_groups = state, groups
        self._fused = [None] * len(groups)

    def __deepcopy__(self, memo: dict[int, Any]) -> Optimizer:
        """An optimizer of copied parameters: `copy.deepcopy((model, optimizer))` copies both together."""
        out = object.__new__(type(self))
        memo[id(self)] = out
        rebuilt = ("state", "_fused", "_hyper")
        vars(out).update(copy.deepcopy({k: v for k, v in vars(self).items() if k not in rebuilt}, memo))
        out.state = defaultdict(dict)
        for p, values in self.state.items():
            own = copy.deepcopy(p, memo)
            out.state[own] = {key: _restored("deepcopy", 0, key, value, own) for key, value in values.items()}
        out._fused = [None] * len(out.param_groups)
        out._hyper = [_core.zeros_persistent(t.shape, t.dtype) for t in self._hyper]
        return out

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def _check_parameter(name: str, i: int, p: Any, known: set[int]) -> None:
    if not isinstance(p, Tensor):
        raise TypeError(f"{name}: parameter {i} must be a Tensor, got {type(p).__name__}")
    if not p.is_leaf:
        raise ValueError(
            f"{name}: parameter {i} (shape {list(p.shape)}) is not a leaf: it was computed from others"
        )
    if not p.is_floating_point():
        raise TypeError(f"{name}: parameter {i} must be floating, got {p.dtype.name}")
    if id(p) in known:
        raise ValueError(f"{name}: parameter {i} (shape {list(p.shape)}) occurs twice")


def _restored(op: str, number: Any, key: str, value: Any, p: Tensor) -> Any:
    """A copy of a state value: a number as float64, the rest in the parameter's dtype."""
    if key in _NUMBERS:
        held = wrap(_core.zeros_persistent((), _core.float64))
        _core.set_values(held._t, (float(value.item() if isinstance(value, Tensor) else value),))
        return held
    if not isinstance(value, Tensor):
        return copy.deepcopy(value)
    if value.shape != p.shape:
        raise ValueError(
            f"{op}: {key} of parameter {number} has shape {list(value.shape)}, the parameter {list(p.shape)}"
        )
    held = wrap(_core.zeros_persistent(p._t.shape, p._t.dtype))
    _core.copy_(held._t, value._t)
    return held
