"""In-place forms. x keeps its memory, shape and dtype and takes over the new history; the rules that keep
gradients right are in `autograd.record_`."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import record_, wrap
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


def _save_result(x):
    """For rules in terms of the result: save it after it has been written."""
    if not x.is_leaf:
        x._node.save((x._t,))


def mul_(x, other):
    """x *= other, in place."""
    a, b = x._t, _native(other)
    return record_(x, lambda: _core.mul(a, b, a), (x, other), mul_backward, lambda: (_core.clone(a), b))


def div_(x, other):
    """x /= other, in place."""
    a, b = x._t, _native(other)
    return record_(x, lambda: _core.div(a, b, a), (x, other), div_backward, lambda: (_core.clone(a), b))


def add_(x, other, *, alpha=1):
    """x += alpha · other, in place."""
    if alpha != 1:
        other = mul(other, alpha) if hasattr(other, "_t") else other * alpha
    a, b = x._t, _native(other)
    return record_(x, lambda: _core.add(a, b, a), (x, other), add_backward, params=_mixed(a, b))


def sub_(x, other, *, alpha=1):
    """x -= alpha · other, in place."""
    if alpha != 1:
        other = mul(other, alpha) if hasattr(other, "_t") else other * alpha
    a, b = x._t, _native(other)
    return record_(x, lambda: _core.sub(a, b, a), (x, other), sub_backward, params=_mixed(a, b))


def pow_(x, exponent):
    """x **= exponent, in place."""
    return _replace(x, pow(_detached_copy(x), exponent))


def clamp_(x, min=None, max=None):
    """clamp in place."""
    return _replace(x, clamp(_detached_copy(x), min, max))


def neg_(x):
    """-x in place."""
    return record_(x, lambda: _core.neg(x._t, x._t), (x,), neg_backward)


def exp_(x):
    """exp in place."""
    record_(x, lambda: _core.exp(x._t, x._t), (x,), exp_backward)
    _save_result(x)
    return x


def sigmoid_(x):
    """sigmoid in place."""
    record_(x, lambda: _core.sigmoid(x._t, x._t), (x,), sigmoid_backward)
    _save_result(x)
    return x


def tanh_(x):
    """tanh in place."""
    record_(x, lambda: _core.tanh(x._t, x._t), (x,), tanh_backward)
    _save_result(x)
    return x


def sqrt_(x):
    """sqrt in place."""
    record_(x, lambda: _core.sqrt(x._t, x._t), (x,), sqrt_backward)
    _save_result(x)
    return x


def masked_fill_(x, mask, value):
    """masked_fill in place."""
    return _replace(x, masked_fill(_detached_copy(x), mask, value))


def _detached_copy(x):
    """x's value and history in memory of its own."""
    copy = wrap(_core.clone(x._t))
    copy._node = x._node
    return copy


def _replace(x, result):
    """Writes a result into x, which takes over its history."""
    record_(x, lambda: _core.copy_(x._t, result._t), (result,), identity_backward)
    return x


def copy_(x, source):
    """Writes source, broadcast and cast, into x."""
    s = source._t
    return record_(x, lambda: _core.copy_(x._t, s), (x, source), copy__backward, params=_operands(x._t, s))


def copy__backward(node, g):
    return (
        _core.full(g.shape, 0.0, g.dtype) if node.parents[0] is not None else None,
        _undo(g, node.params, 1) if node.parents[1] is not None else None,
    )


def fill_(x, value):
    """Writes one number everywhere; the gradient stops here."""
    return record_(x, lambda: _core.fill_(x._t, _native(value)), (x,), fill__backward)


def fill__backward(node, g):
    return _core.full(g.shape, 0.0, g.dtype)


def zero_(x):
    """Writes zeros everywhere."""
    return fill_(x, 0)


def relu_(x):
    """relu in place."""
    record_(x, lambda: _core.relu(x._t, x._t), (x,), relu_backward)
    _save_result(x)
    return x
