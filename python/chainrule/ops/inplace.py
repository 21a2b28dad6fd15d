"""In-place forms. x keeps its memory, shape and dtype and takes over the new history; the rules that keep
gradients right are in `autograd.record_`."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import _unwrap, record_, wrap
from chainrule.ops.compare import _operands, clamp, masked_fill
from chainrule.ops.elementwise import (
    _mixed,
    _native,
    _undo,
    add_backward,
    div_backward,
    exp_backward,
    identity_backward,
    mul,
    mul_backward,
    neg_backward,
    pow,
    relu_backward,
    sigmoid_backward,
    sqrt_backward,
    sub_backward,
    tanh_backward,
)


def _operands_before(a, b):
    """What a rule reads of x and an operand: copies of all that the write to x changes, or may change."""
    shared = isinstance(b, _core.Tensor) and _core.overlaps(a, b)
    return _core.clone(a), _core.clone(b) if shared else b


def mul_(x, other):
    """x *= other, in place."""
    a, b = _unwrap(x), _native(other)
    return record_(x, lambda: _core.mul(a, b, a), (x, other), mul_backward, lambda: _operands_before(a, b))


def div_(x, other):
    """x /= other, in place."""
    a, b = _unwrap(x), _native(other)
    return record_(x, lambda: _core.div(a, b, a), (x, other), div_backward, lambda: _operands_before(a, b))


def add_(x, other, *, alpha=1):
    """x += alpha · other, in place."""
    if alpha != 1:
        other = mul(other, alpha) if hasattr(other, "_t") else other * alpha
    a, b = _unwrap(x), _native(other)
    return record_(x, lambda: _core.add(a, b, a), (x, other), add_backward, params=_mixed(a, b))


def sub_(x, other, *, alpha=1):
    """x -= alpha · other, in place."""
    if alpha != 1:
        other = mul(other, alpha) if hasattr(other, "_t") else other * alpha
    a, b = _unwrap(x), _native(other)
    return record_(x, lambda: _core.sub(a, b, a), (x, other), sub_backward, params=_mixed(a, b))


def pow_(x, exponent):
    """x **= exponent, in place."""
    return _replace(x, pow(_detached_copy(x), _apart(x, exponent)))


def clamp_(x, min=None, max=None):
    """clamp in place."""
    return _replace(x, clamp(_detached_copy(x), _apart(x, min), _apart(x, max)))


def neg_(x):
    """-x in place."""
    t = _unwrap(x)
    return record_(x, lambda: _core.neg(t, t), (x,), neg_backward)


def exp_(x):
    """exp in place."""
    return _apply(x, _core.exp, exp_backward)


def sigmoid_(x):
    """sigmoid in place."""
    return _apply(x, _core.sigmoid, sigmoid_backward)


def tanh_(x):
    """tanh in place."""
    return _apply(x, _core.tanh, tanh_backward)


def sqrt_(x):
    """sqrt in place."""
    return _apply(x, _core.sqrt, sqrt_backward)


def relu_(input):
    """relu in place."""
    return _apply(input, _core.relu, relu_backward)


def _apply(x, op, rule):
    """A function with a rule in terms of its result."""
    t = _unwrap(x)
    return record_(x, lambda: op(t, t), (x,), rule, save_result=True)


def masked_fill_(x, mask, value):
    """masked_fill in place."""
    return _replace(x, masked_fill(_detached_copy(x), mask, value))


def _detached_copy(x):
    """x's value and history in memory of its own."""
    copy = wrap(_core.clone(x))
    copy._node = x._node
    return copy


def _apart(x, other):
    """An operand in memory that the write to x leaves alone."""
    shared = hasattr(other, "_t") and _core.overlaps(x, other)
    return _detached_copy(other) if shared else other


def _replace(x, result):
    """Writes a result into x, which takes over its history."""
    record_(x, lambda: _core.copy_(x, result._t), (result,), identity_backward)
    return x


def copy_(x, src):
    """Writes src, broadcast and cast, into x."""
    t, s = _unwrap(x), _unwrap(src)
    return record_(x, lambda: _core.copy_(t, s), (x, src), copy__backward, params=_operands(t, s))


def copy__backward(node, g):
    return (
        _core.full(g.shape, 0.0, g.dtype) if node.parents[0] is not None else None,
        _undo(g, node.params, 1) if node.parents[1] is not None else None,
    )


def fill_(x, value):
    """Writes one number everywhere; the gradient stops here."""
    t = _unwrap(x)
    return record_(x, lambda: _core.fill_(t, value), (x,), fill__backward)


def fill__backward(node, g):
    return _core.full(g.shape, 0.0, g.dtype)


def zero_(x):
    """Writes zeros everywhere."""
    return fill_(x, 0)
