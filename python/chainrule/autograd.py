"""Reverse-mode differentiation: nodes and the backward pass.

Every op that is differentiated leaves a `Node` behind: the rule that turns the gradient of its result into
gradients of its inputs, the nodes those inputs came from, and the native tensors the rule needs. `backward`
visits the nodes from the newest to the oldest; that order is the chain rule.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chainrule import _core
from chainrule._absent import absent as _absent_error
from chainrule._tracing import touch
from chainrule.grad_mode import enable_grad as enable_grad  # PyTorch has the modes here too
from chainrule.grad_mode import is_grad_enabled as is_grad_enabled
from chainrule.grad_mode import no_grad as no_grad
from chainrule.grad_mode import set_grad_enabled as set_grad_enabled

if TYPE_CHECKING:
    from chainrule.tensor import Tensor

Node = _core.Node
wrap = _core.wrap
record = _core.record
"""record(native, inputs, rule, saved=(), params=None) -> Tensor

Wraps an op's native result and remembers how its gradient flows back.

Args:
    native: the result, a `_core.Tensor`.
    inputs: a tuple of the op's Tensors; numbers may stand between them.
    rule: `rule(node, grad)` gives one native gradient (or None) per input; `node.parents[i]` is None where
        input i wants none.
    saved: a tuple of native tensors (and numbers) the rule reads from `node.saved`; changing one in place
        before backward raises.
    params: anything else the rule needs, as `node.params`.
"""


def _unwrap(x) -> _core.Tensor:
    """The native tensor of a Tensor, for ops that look at it before their first native call.

    Of anything else the extension says what is wrong, in the name of the innermost public function: this one's
    name begins with an underscore so that it isn't taken for that.
    """
    try:
        return x._t
    except AttributeError:
        return _core.contiguous(x)


class Leaf:
    """Where gradients end up: the grad of one tensor that was not computed by an op."""

    __slots__ = ("buffer", "grad", "hooks")
    sequence = 0  # older than every Node

    def __init__(self) -> None:
        self.grad: Tensor | None = None
        self.buffer: GradientBuffer | None = None
        self.hooks: dict[int, Callable] | None = None


def _record_(
    x: Tensor, write: Callable[[], Any], inputs, rule, saved=None, params=None, *, save_result=False
) -> Tensor:
    """An in-place op on x: `write()` changes its memory, then x takes the new history.

    `saved` is a function, called before the write when a gradient is wanted: it gives the native tensors the
    rule reads (clones of what is about to change). With `save_result` the rule reads x as written instead.
    """
    node = None
    if _core.grad_enabled() and any(getattr(i, "_node", None) is not None for i in inputs):
        name = name_of_rule(rule)
        if x._node is not None and x._node is x._leaf:
            raise RuntimeError(
                f"{name}: a leaf that requires grad cannot be changed in place; "
                "use no_grad(), or compute a new tensor"
            )
        if x._t.storage_users > 1:
            raise RuntimeError(
                f"{name}: a tensor that shares its memory with views cannot be changed in place where a "
                "gradient is wanted, because the others' gradients would be wrong; clone() it first"
            )
        parents = tuple(getattr(i, "_node", None) for i in inputs)
        # Before the write: a saved tensor that the write itself changes is found stale.
        node = Node(rule, parents, saved() if saved is not None else (), params)
    write()
    if node is not None:
        if save_result:
            node.save((x._t,))
        _move_history(x, node)
    return x


record_ = _record_  # the underscore is there for the reason that _unwrap gives


def _move_history(x: Tensor, node: Node) -> None:
    """x becomes the result of `node`; what retain_grad() asked for is the gradient of the newest version."""
    retained = None if x.is_leaf else x._leaf
    if retained is not None:
        x._node.hooks.pop(retained, None)
        retain(node, retained)
    x._node, x._leaf = node, retained


def retain(node: Node, leaf: Leaf) -> None:
    """Lets a computed tensor's gradient add up in `leaf` too, by a hook whose key is the leaf."""

    def keep(grad):
        leaf.grad = grad if leaf.grad is None else leaf.grad + grad

    _add_hook(node, keep, leaf)


def name_of_rule(rule: Callable) -> str:
    """The op that a backward rule belongs to."""
    return rule.__name__.removesuffix("_backward")


def name_of(node: Node) -> str:
    """The op that left this node."""
    return "a freed op" if node.rule is None else name_of_rule(node.rule)


def _raise_stale(node: Node, index: int) -> None:
    tensor = node.saved[index]
    raise RuntimeError(
        f"backward: a tensor of shape {list(tensor.shape)} that {name_of(node)} saved for its gradient was "
        f"changed in place by {tensor.writer}; clone() it before changing it"
    )


def _accumulate(held, grad):
    if held is None:
        return grad
    if grad is None:
        return held
    if type(grad) is tuple:  # the outputs of a function with several
        return tuple(_accumulate(h, g) for h, g in zip(held, grad, strict=True))
    return _core.add(held, grad)


def _run_hooks(hooks, grad):
    for hook in tuple(hooks.values()):
        changed = hook(wrap(grad))
        if changed is None:
            continue
        if not isinstance(changed, _tensor_class):
            raise TypeError(f"hook: must return a Tensor or None, got {type(changed).__name__}")
        if changed._t.shape != grad.shape or changed._t.dtype is not grad.dtype:
            raise ValueError(
                f"hook: returned shape {list(changed._t.shape)} and dtype {changed._t.dtype.name} for a "
                f"gradient of {list(grad.shape)} and {grad.dtype.name}"
            )
        grad = changed._t
    return grad


def run_backward(roots: Sequence[tuple[Any, Any]], retain_graph: bool = False) -> dict:
    """From (node, gradient) pairs back to the leaves; returns {leaf: gradient}, accumulated nowhere yet."""
    pending: dict[Any, Any] = {}
    leaves: dict[Leaf, Any] = {}
    heap: list[tuple[int, Node]] = []

    def deposit(node, grad):
        if type(node) is Leaf:
            leaves[node] = _accumulate(leaves.get(node), grad)
        elif node in pending:
            pending[node] = _accumulate(pending[node], grad)
        else:
            pending[node] = grad
            heapq.heappush(heap, (-node.sequence, node))

    for node, grad in roots:
        deposit(node, grad)
    del roots
    while heap:
        node = heapq.heappop(heap)[1]
        grad = pending.pop(node)
        rule = node.rule
        if rule is None:
            raise RuntimeError(
                "backward: the graph has been freed by an earlier backward(); "
                "pass retain_graph=True to the first one"
            )
        if (index := node.stale()) >= 0:
            _raise_stale(node, index)
        if node.hooks:
            grad = _run_hooks(node.hooks, grad)
        grads = rule(node, grad)
        parents = node.parents
        if not retain_graph:
            node.release()
        if type(grads) is not tuple:
            grads = (grads,)
        for parent, g in zip(parents, grads, strict=True):
            if parent is not None and g is not None:
                deposit(parent, g)
    return leaves


def _references_of_a_local() -> int:
    """What getrefcount() gives for an object that one local name holds: versions of Python differ."""
    _, fresh = {Leaf(): object()}.popitem()
    return sys.getrefcount(fresh)


_SOLE_OWNER = _references_of_a_local()


def _deliver(leaves: dict[Leaf, Any]) -> None:
    while leaves:
        leaf, grad = leaves.popitem()
        touch(leaf)
        if leaf.hooks:
            grad = _run_hooks(leaf.hooks, grad)
        if leaf.grad is not None:
            _core.add(leaf.grad._t, grad, leaf.grad._t)
            continue
        # A buffer is adopted only by its sole owner: this name alone, and one native user.
        sole = (
            sys.getrefcount(grad) == _SOLE_OWNER
            and grad.users == 1
            and grad.storage_users == 1
            and grad.is_contiguous()
        )
        if _core.recording():
            _deliver_persistent(leaf, grad, sole)
        else:
            leaf.grad = wrap(grad if sole else _core.clone(grad))


class GradientBuffer:
    """Where recorded programs leave a leaf's gradient: they share it, and it outlives them."""

    __slots__ = ("tensor",)

    def __init__(self, native: _core.Tensor) -> None:
        self.tensor = wrap(native)

    def is_held(self) -> bool:
        """Whether the user holds the tensor, which is nobody's `.grad` now."""
        return sys.getrefcount(self.tensor) > 2

    def let_go(self) -> None:
        """Before the memory is written again: a gradient that the user has kept stays as it is."""
        native = self.tensor._t
        self.tensor._t = _core.clone(native)
        self.tensor = wrap(native)


def clear_grad(tensor: Tensor, set_to_none: bool) -> None:
    """Drops a tensor's gradient, or fills it with zeros."""
    leaf = tensor._leaf
    touch(leaf, clears=set_to_none)
    if leaf is None or leaf.grad is None:
        return
    if set_to_none:
        leaf.grad = None
    else:
        _core.fill_(leaf.grad._t, 0.0)


def _deliver_persistent(leaf: Leaf, grad: _core.Tensor, sole: bool) -> None:
    buffer = leaf.buffer
    if buffer is None or buffer.is_held() or buffer.tensor._t.dtype is not grad.dtype:
        buffer = leaf.buffer = GradientBuffer(_core.zeros_persistent(grad.shape, grad.dtype))
    if not (sole and _core.move_out(grad, buffer.tensor._t)):
        _core.copy_(buffer.tensor._t, grad)
    leaf.grad = buffer.tensor


def assign_grad(leaf: Leaf, value: Tensor | None) -> None:
    """What `tensor.grad = value` does. A value that is being recorded is copied to where it outlives the program."""
    touch(leaf, clears=True)
    leaf.grad = value
    if value is not None and _core.recorded(value._t):
        leaf.grad = None
        _deliver_persistent(leaf, value._t, sole=False)


def backward(tensors, grad_tensors=None, retain_graph: bool = False, create_graph: bool = False) -> None:
    """Adds to the `.grad` of every leaf that the tensors depend on.

    Args:
        tensors: one Tensor or several, each with history.
        grad_tensors: the gradient of each; may be left out for tensors with one element (then 1).
        retain_graph: keep the graph for another backward.

    Raises:
        RuntimeError: no history, a missing gradient, a graph already freed, a saved tensor changed in place.
    """
    _deliver(run_backward(_roots(tensors, grad_tensors, create_graph), retain_graph))


def _roots(tensors, grad_tensors, create_graph):
    if create_graph:
        raise NotImplementedError("create_graph=True: gradients of gradients are not supported yet")
    tensors = _several("backward", "tensors", tensors)
    if grad_tensors is None:
        grad_tensors = (None,) * len(tensors)
    else:
        grad_tensors = _several("backward", "gradients", grad_tensors, optional=True)
    if len(grad_tensors) != len(tensors):
        raise ValueError(
            f"backward: expects one gradient for each tensor, got {len(grad_tensors)} for {len(tensors)}"
        )
    roots = []
    for t, grad in zip(tensors, grad_tensors, strict=True):
        if t._node is None:
            raise RuntimeError(
                f"backward: a tensor of shape {list(t.shape)} does not require grad and has no history"
            )
        if grad is None:
            if t.numel() != 1:
                raise RuntimeError(
                    f"backward: only a tensor with one element starts from 1, this one has shape "
                    f"{list(t.shape)}; pass its gradient"
                )
            native = _core.full(t._t.shape, 1.0, t._t.dtype)
        else:
            native = grad._t
            if native.shape != t._t.shape or native.dtype is not t._t.dtype:
                raise ValueError(
                    f"backward: the gradient has shape {list(native.shape)} and dtype {native.dtype.name}, "
                    f"its tensor {list(t._t.shape)} and {t._t.dtype.name}"
                )
        roots.append((t._node, native))
    return roots


def _several(op: str, name: str, value: Any, optional: bool = False) -> tuple:
    """A Tensor, or several in any iterable, as a tuple; TypeError for anything else."""
    single = isinstance(value, _tensor_class) or not hasattr(value, "__iter__")
    tensors = (value,) if single else tuple(value)
    for t in tensors:
        if not isinstance(t, _tensor_class) and not (optional and t is None):
            what = "Tensors or None" if optional else "Tensors"
            raise TypeError(f"{op}: {name} must be {what}, got {type(t).__name__}")
    return tensors


def grad(outputs, inputs, grad_outputs=None, retain_graph=False, create_graph=False, allow_unused=False):
    """The gradients of outputs with respect to inputs, as a tuple; `.grad` is left alone.

    Only leaves can be asked for, or tensors that called `retain_grad()`.
    """
    inputs = _several("grad", "inputs", inputs)
    for x in inputs:
        if x._node is None:
            raise RuntimeError("grad: an input does not require grad")
    probes = [Leaf() for _ in inputs]
    taps = []
    for x, probe in zip(inputs, probes, strict=True):
        if x._node is not x._leaf:
            hook = functools.partial(_tap, probe)
            taps.append((x._node, _add_hook(x._node, hook)))
    try:
        leaves = run_backward(_roots(outputs, grad_outputs, create_graph), retain_graph)
    finally:
        for node, key in taps:
            del node.hooks[key]
    result = []
    for x, probe in zip(inputs, probes, strict=True):
        found = leaves.get(x._node) if x._node is x._leaf else probe.grad and probe.grad._t
        if found is None and not allow_unused:
            raise RuntimeError("grad: an input was not used by the outputs; pass allow_unused=True for None")
        # A copy: a rule may have handed on its own gradient, or an expanded one.
        result.append(None if found is None else wrap(_core.clone(found)))
    return tuple(result)


def _tap(leaf: Leaf, grad: Tensor) -> None:
    leaf.grad = grad


_hook_keys = itertools.count().__next__


def _add_hook(node: Node | Leaf, hook: Callable, key: Any = None) -> Any:
    if node.hooks is None:
        node.hooks = {}
    key = _hook_keys() if key is None else key
    node.hooks[key] = hook
    return key


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away again."""

    def __init__(self, hooks: dict, key: Any) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.remove()


_tensor_class: Any = None


def bind_tensor_class(cls) -> None:
    """tensor.py hands over the class that ops return."""
    global _tensor_class
    _tensor_class = cls
    _core.bind_tensor_class(cls)
    _core.bind_leaf_class(Leaf, GradientBuffer)


def __getattr__(name: str):
    # function.py and gradcheck.py build on this module; users find their names here, as in PyTorch.
    if name == "Function":
        from chainrule.function import Function

        return Function
    if name == "gradcheck":
        from chainrule.gradcheck import gradcheck

        return gradcheck
    raise _absent_error(__name__, name)
