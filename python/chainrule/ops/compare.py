"""Comparisons, logic, and choosing by them. Bool results have no gradient."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import record, wrap
from chainrule.ops.elementwise import _native, _to, _undo


def where(condition, x=None, other=None):
    """x where condition holds, other elsewhere. With the condition alone: the indices where it holds."""
    if x is None and other is None:
        from chainrule.ops.index import nonzero

        return nonzero(condition, as_tuple=True)
    a, b, c = _native(x), _native(other), condition._t
    return record(_core.where(c, a, b), (x, other), where_backward, (c,), _operands(a, b))


def _operands(*natives):
    """(shape, dtype) of each, None for a number: all a rule needs of operands whose values it doesn't read."""
    return tuple((n.shape, n.dtype) if isinstance(n, _core.Tensor) else None for n in natives)


def where_backward(node, g):
    c = node.saved[0]
    return (
        _undo(_core.where(c, g, 0.0), node.params, 0) if node.parents[0] is not None else None,
        _undo(_core.where(c, 0.0, g), node.params, 1) if node.parents[1] is not None else None,
    )


def clamp(x, min=None, max=None):
    """x held between min and max; either may be left out. Outside, the gradient is 0."""
    low, high = _native(min), _native(max)
    return record(_core.clamp(x._t, low, high), (x,), clamp_backward, (x._t, low, high))


def clamp_backward(node, g):
    x, low, high = node.saved
    if low is not None:
        g = _core.where(_core.ge(x, low), g, 0.0)
    if high is not None:
        g = _core.where(_core.le(x, high), g, 0.0)
    return _to(g, x)


def masked_fill(x, mask, value):
    """value where mask is True, x elsewhere."""
    return where(mask, value, x)


def eq(x, other):
    """x == other."""
    return wrap(_core.eq(_native(x), _native(other)))


def ne(x, other):
    """x != other."""
    return wrap(_core.ne(_native(x), _native(other)))


def lt(x, other):
    """x < other."""
    return wrap(_core.lt(_native(x), _native(other)))


def le(x, other):
    """x <= other."""
    return wrap(_core.le(_native(x), _native(other)))


def gt(x, other):
    """x > other."""
    return wrap(_core.gt(_native(x), _native(other)))


def ge(x, other):
    """x >= other."""
    return wrap(_core.ge(_native(x), _native(other)))


def logical_and(x, other):
    """Whether both are nonzero."""
    return wrap(_core.logical_and(_native(x), _native(other)))


def logical_or(x, other):
    """Whether either is nonzero."""
    return wrap(_core.logical_or(_native(x), _native(other)))


def logical_xor(x, other):
    """Whether exactly one is nonzero."""
    return wrap(_core.logical_xor(_native(x), _native(other)))


def logical_not(x):
    """Whether x is zero."""
    return wrap(_core.logical_not(x._t))


def isnan(x):
    """Whether x is NaN."""
    return wrap(_core.isnan(x._t))


def isfinite(x):
    """Whether x is neither NaN nor infinite."""
    return wrap(_core.isfinite(x._t))


def isclose(x, other, rtol=1e-5, atol=1e-8):
    """|x - other| <= atol + rtol·|other|."""
    a, b = _native(x), _native(other)
    near = _core.le(_core.abs(_core.sub(a, b)), _core.add(_core.mul(_core.abs(b), rtol), atol))
    return wrap(_core.logical_or(near, _core.eq(a, b)))


# ---- Python's & | ^ ~ -----------------------------------------------------------------------------------


def _bools(symbol, x, other):
    for value in (x, other):
        dtype = value._t.dtype if hasattr(value, "_t") else None
        if dtype is not _core.bool and not isinstance(value, bool):
            kind = dtype.name if dtype else type(value).__name__
            raise TypeError(
                f"{symbol}: combines bool tensors, got {kind}; compare first, as in (x > 0) {symbol} (x < 1)"
            )


def bool_and(x, other):
    """x & other for bool tensors; integers raise TypeError, since bitwise operations do not exist."""
    _bools("&", x, other)
    return logical_and(x, other)


def bool_or(x, other):
    """x | other for bool tensors."""
    _bools("|", x, other)
    return logical_or(x, other)


def bool_xor(x, other):
    """x ^ other for bool tensors."""
    _bools("^", x, other)
    return logical_xor(x, other)


def bool_not(x):
    """~x for a bool tensor."""
    _bools("~", x, True)
    return logical_not(x)
