"""Functions with a gradient of the user's own."""

from __future__ import annotations

from typing import Any

from chainrule import _core, autograd
from chainrule.autograd import Node, no_grad, wrap
from chainrule.tensor import Tensor


class Context:
    """What forward hands to backward. Any attribute may be set; tensors go through save_for_backward."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._to_save: tuple[Tensor, ...] = ()
        self._saved: tuple[Any, ...] = ()
        self._constant: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        _check_tensors("save_for_backward", tensors, "; keep other values as attributes of ctx")
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor, ...]:
        return tuple(None if t is None else wrap(t) for t in self._saved)

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        _check_tensors("mark_non_differentiable", tensors)
        self._constant = tensors


class Function:
    """A differentiable function in two static methods; call it with `apply`.

    Example:
        >>> class Cube(Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x * x
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return 3 * x * x * grad
        >>> y = Cube.apply(tensor(2.0, requires_grad=True))
    """

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Any:
        raise NotImplementedError("Function: define forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Context, *grads: Any) -> Any:
        raise NotImplementedError("Function: define backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        nodes = [getattr(a, "_node", None) for a in args]
        ctx = Context(tuple(n is not None for n in nodes))
        with no_grad():
            result = cls.forward(ctx, *args)
        _check_result(cls, result)
        if not autograd.is_grad_enabled() or not any(ctx.needs_input_grad):
            return result
        single = isinstance(result, Tensor)
        outputs = (result,) if single else tuple(result)
        # An input handed through must not be given the new history itself.
        outputs = tuple(wrap(o._t) for o in outputs)
        constant = {id(t._t) for t in ctx._constant if t is not None}
        saved = tuple(None if t is None else t._t for t in ctx._to_save)
        node = Node(_rule(cls, ctx, args, outputs, single), nodes, saved, None)
        for i, out in enumerate(outputs):
            if id(out._t) in constant or not out._t.dtype.is_floating_point:
                continue
            out._node = node if single else Node(_pick(i, len(outputs)), [node], (), None)
        return outputs[0] if single else outputs


def _check_tensors(op: str, values: tuple, hint: str = "") -> None:
    for value in values:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{op}: expects Tensors or None, got {type(value).__name__}{hint}")


def _check_result(cls: type[Function], result: Any) -> None:
    outputs = result if isinstance(result, (tuple, list)) else (result,)
    wrong = [type(out).__name__ for out in outputs if not isinstance(out, Tensor)]
    if wrong or not outputs:
        raise TypeError(
            f"{cls.__name__}.forward: must return a Tensor or a tuple of Tensors, "
            f"got {wrong[0] if wrong else 'nothing'}"
        )


def _rule(cls, ctx, args, outputs, single):
    metas = [(o._t.shape, o._t.dtype) for o in outputs]
    inputs = [(a._t.shape, a._t.dtype) if isinstance(a, Tensor) else None for a in args]

    def function_backward(node, grad):
        ctx._saved = node.saved
        grads = (grad,) if single else grad
        full = [
            wrap(_core.full(m[0], 0.0, m[1]) if g is None else g) for g, m in zip(grads, metas, strict=True)
        ]
        with no_grad():
            results = cls.backward(ctx, *full)
        results = results if isinstance(results, tuple) else (results,)
        if len(results) != len(inputs):
            raise RuntimeError(
                f"{cls.__name__}.backward: expects one gradient per input ({len(inputs)}), got {len(results)}"
            )
        for i, (meta, r) in enumerate(zip(inputs, results, strict=True)):
            if r is None or meta is None:
                continue
            if not isinstance(r, Tensor):
                raise TypeError(
                    f"{cls.__name__}.backward: the gradient of input {i} must be a Tensor or None, "
                    f"got {type(r).__name__}"
                )
            if (r._t.shape, r._t.dtype) != meta:
                raise RuntimeError(
                    f"{cls.__name__}.backward: the gradient of input {i} has shape {list(r.shape)} and dtype "
                    f"{r.dtype.name}, the input {list(meta[0])} and {meta[1].name}"
                )
        return tuple(None if r is None else r._t for r in results)

    function_backward.__name__ = f"{cls.__name__}_backward"
    return function_backward


def _pick(index: int, count: int):
    """The rule of output `index` of a function with several: its place in a tuple of gradients."""

    def output_backward(node, grad):
        return (tuple(grad if i == index else None for i in range(count)),)

    return output_backward
