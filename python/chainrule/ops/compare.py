"""Comparisons, logic, and choosing by them. Bool results have no gradient."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import record, wrap
from chainrule.ops.elementwise import _native, _to, _undo


def where(condition, input=None, other=None):
    """x where condition holds, other elsewhere. With the condition alone: the indices where it holds."""
    if input is None and other is None:
        from chainrule.ops.index import nonzero

        return nonzero(condition, as_tuple=True)
    a, b = _native(input), _native(other)
    native = _core.where(condition, a, b)
    return record(native, (input, other), where_backward, (condition._t,), _operands(a, b))


def _operands(*natives):
    """(shape, dtype) of each, None for a number: all a rule needs of operands whose values it doesn't read."""
    return tuple((n.shape, n.dtype) if isinstance(n, _core.Tensor) else None for n in natives)


def where_backward(node, g):
    c = node.saved[0]
    return (
        _undo(_core.where(c, g, 0.0), node.params, 0) if node.parents[0] is not None else None,
        _undo(_core.where(c, 0.0, g), node.params, 1) if node.parents[1] is not None else None,
    )


def clamp(input, min=None, max=None):
    """x held between min and max; either may be left out. Outside, the gradient is 0."""
    low, high = _native(min), _native(max)
    return record(_core.clamp(input, low, high), (input,), clamp_backward, (input._t, low, high))


def clamp_backward(node, g):
    x, low, high = node.saved
    if low is not None:
        g = _core.where(_core.ge(x, low), g, 0.0)
    if high is not None:
        g = _core.where(_core.le(x, high), g, 0.0)
    return _to(g, x)


def masked_fill(input, mask, value):
    """value where mask is True, x elsewhere."""
    return where(mask, value, input)


def eq(input, other):
    """x == other."""
    return wrap(_core.eq(_native(input), _native(other)))


def ne(input, other):
    """x != other."""
    return wrap(_core.ne(_native(input), _native(other)))


def lt(input, other):
    """x < other."""
    return wrap(_core.lt(_native(input), _native(other)))


def le(input, other):
    """x <= other."""
    return wrap(_core.le(_native(input), _native(other)))


def gt(input, other):
    """x > other."""
    return wrap(_core.gt(_native(input), _native(other)))


def ge(input, other):
    """x >= other."""
    return wrap(_core.ge(_native(input), _native(other)))


def logical_and(input, other):
    """Whether both are nonzero."""
    return wrap(_core.logical_and(_native(input), _native(other)))


def logical_or(input, other):
    """Whether either is nonzero."""
    return wrap(_core.logical_or(_native(input), _native(other)))


def logical_xor(input, other):
    """Whether exactly one is nonzero."""
    return wrap(_core.logical_xor(_native(input), _native(other)))


def logical_not(input):
    """Whether x is zero."""
    return wrap(_core.logical_not(input))


def isnan(input):
    """Whether x is NaN."""
    return wrap(_core.isnan(input))


def isfinite(input):
    """Whether x is neither NaN nor infinite."""
    return wrap(_core.isfinite(input))


def isclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """|x - other| <= atol + rtol·|other|; infinities are close to themselves only, and so is NaN if equal_nan."""
    a, b = _native(input), _native(other)
    distance = _core.abs(_core.sub(a, b))
    near = _core.le(distance, _core.add(_core.mul(_core.abs(b), rtol), atol))
    close = _core.logical_or(_core.logical_and(near, _core.isfinite(distance)), _core.eq(a, b))
    if equal_nan:
        close = _core.logical_or(close, _core.logical_and(_core.ne(a, a), _core.ne(b, b)))
    return wrap(close)


# ---- Python's & | ^ ~ -----------------------------------------------------------------------------------


def _bools(symbol, *operands):
    for value in operands:
        dtype = value._t.dtype if hasattr(value, "_t") else None
        if dtype is not _core.bool and not isinstance(value, bool):
            kind = dtype.name if dtype else type(value).__name__
            rule, example = "combines bool tensors", f"(x > 0) {symbol} (x < 1)"
            if len(operands) == 1:
                rule, example = "takes a bool tensor", f"{symbol}(x > 0)"
            raise TypeError(f"{symbol}: {rule}, got {kind}; compare first, as in {example}")


def bool_and(input, other):
    """x & other for bool tensors; integers raise TypeError, since bitwise operations do not exist."""
    _bools("&", input, other)
    return logical_and(input, other)


def bool_or(input, other):
    """x | other for bool tensors."""
    _bools("|", input, other)
    return logical_or(input, other)


def bool_xor(input, other):
    """x ^ other for bool tensors."""
    _bools("^", input, other)
    return logical_xor(input, other)


def bool_not(input):
    """~x for a bool tensor."""
    _bools("~", input)
    return logical_not(input)
