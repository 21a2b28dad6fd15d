"""Elementwise ops: each function and its chain rule side by side.

Shapes broadcast as in NumPy; dtypes promote as in PyTorch (Python numbers are weak). A backward rule gets
the gradient `g` of the result and gives one gradient per input; `_to(g, x)` sums it back over what was
broadcast and casts it back to what x was before promotion.
"""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import record, wrap

_to = _core.sum_to_like
# What add and sub must undo: None when nothing was broadcast or promoted, else each operand's (shape, dtype).
_mixed = _core.mixed


def _native(x):
    """The native tensor of a Tensor; a number as it is."""
    return getattr(x, "_t", x)


def _undo(g, mixed, i):
    return g if mixed is None else _core.sum_to(g, *mixed[i])


# ---- arithmetic -----------------------------------------------------------------------------------------


def add(x, other, *, alpha=1):
    """x + alpha · other.

    Example:
        >>> add(tensor([1.0, 2.0]), 1)
        tensor([2., 3.])
    """
    if alpha != 1:
        other = mul(other, alpha)
    return record(_core.add(x, other), (x, other), add_backward, (), _mixed(x, other))


def add_backward(node, g):
    return (
        _undo(g, node.params, 0) if node.parents[0] is not None else None,
        _undo(g, node.params, 1) if node.parents[1] is not None else None,
    )


def sub(x, other, *, alpha=1):
    """x - alpha · other."""
    if alpha != 1:
        other = mul(other, alpha)
    return record(_core.sub(x, other), (x, other), sub_backward, (), _mixed(x, other))


def sub_backward(node, g):
    return (
        _undo(g, node.params, 0) if node.parents[0] is not None else None,
        _undo(_core.neg(g), node.params, 1) if node.parents[1] is not None else None,
    )


def rsub(x, other):
    """other - x."""
    return sub(other, x)


def mul(x, other):
    """x · other."""
    a, b = _native(x), _native(other)
    # Against a number x's values are not needed: x may change before backward.
    return record(_core.mul(a, b), (x, other), mul_backward, (None if b is other else a, b))


def mul_backward(node, g):
    a, b = node.saved
    if a is None:
        return _core.mul(g, b), None
    return (
        _to(_core.mul(g, b), a) if node.parents[0] is not None else None,
        _to(_core.mul(g, a), b) if node.parents[1] is not None else None,
    )


def div(x, other, *, rounding_mode=None):
    """x / other; rounding_mode may be 'floor' or 'trunc'. Integers give float32."""
    if rounding_mode == "floor":
        return floor_divide(x, other)
    if rounding_mode == "trunc":
        quotient = wrap(_core.div(_native(x), _native(other)))
        return mul(sign(quotient), floor(abs(quotient)))
    if rounding_mode is not None:
        raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}")
    a, b = _native(x), _native(other)
    return record(_core.div(a, b), (x, other), div_backward, (a, b))


def div_backward(node, g):
    a, b = node.saved
    ga = _core.div(g, b)
    return (
        _to(ga, a) if node.parents[0] is not None else None,
        _to(_core.neg(_core.mul(ga, _core.div(a, b))), b) if node.parents[1] is not None else None,
    )


def rdiv(x, other):
    """other / x."""
    return div(other, x)


def floor_divide(x, other):
    """x / other, rounded towards minus infinity; without a gradient."""
    return wrap(_core.floor_divide(_native(x), _native(other)))


def remainder(x, other):
    """x - floor(x / other) · other: the sign is other's, as in Python."""
    a, b = _native(x), _native(other)
    return record(_core.remainder(a, b), (x, other), remainder_backward, (a, b))


def remainder_backward(node, g):
    a, b = node.saved
    turns = _core.floor_divide(a, b) if node.parents[1] is not None else None
    return (
        _to(g, a) if node.parents[0] is not None else None,
        _to(_core.neg(_core.mul(g, turns)), b) if turns is not None else None,
    )


def pow(x, exponent):
    """x to the power of exponent."""
    a, b = _native(x), _native(exponent)
    out = _core.pow(a, b)
    return record(out, (x, exponent), pow_backward, (a, b, out))


def pow_backward(node, g):
    a, b, y = node.saved
    ga = gb = None
    if node.parents[0] is not None:
        # d/dx x^b = b·x^(b-1), and 0 where b is 0, also at x = 0.
        slope = _core.mul(b, _core.pow(a, _core.sub(b, 1)))
        if isinstance(b, _core.Tensor):
            slope = _core.where(_core.eq(b, 0), 0.0, slope)
        elif b == 0:
            slope = _core.mul(y, 0.0)
        ga = _to(_core.mul(g, slope), a)
    if node.parents[1] is not None:
        # d/db x^b = x^b·log x, and 0 where x is 0 and b is not negative.
        logs = _core.log(a) if isinstance(a, _core.Tensor) else _core.log(_core.full((), a, y.dtype))
        steep = _core.mul(y, logs)
        flat = _core.logical_and(_core.eq(y, 0), _core.ge(b, 0))
        gb = _to(_core.mul(g, _core.where(flat, 0.0, steep)), b)
    return ga, gb


def rpow(x, base):
    """base to the power of x."""
    return pow(base, x)


def minimum(x, other):
    """The smaller of the two; NaN when either is. Where they are equal each gets half of the gradient."""
    a, b = _native(x), _native(other)
    return record(_core.minimum(a, b), (x, other), minimum_backward, (a, b))


def minimum_backward(node, g):
    return _choose(node, g, _core.lt)


def maximum(x, other):
    """The larger of the two; NaN when either is. Where they are equal each gets half of the gradient."""
    a, b = _native(x), _native(other)
    return record(_core.maximum(a, b), (x, other), maximum_backward, (a, b))


def maximum_backward(node, g):
    return _choose(node, g, _core.gt)


def _choose(node, g, wins):
    a, b = node.saved
    half = _core.where(_core.eq(a, b), _core.mul(g, 0.5), 0.0)

    def share(mine, theirs):
        return _to(_core.where(wins(mine, theirs), g, half), mine)

    return (
        share(a, b) if node.parents[0] is not None else None,
        share(b, a) if node.parents[1] is not None else None,
    )


# ---- functions of one tensor ----------------------------------------------------------------------------


def neg(x):
    """-x."""
    return record(_core.neg(x._t), (x,), neg_backward)


def neg_backward(node, g):
    return _core.neg(g)


def abs(x):
    """|x|; the gradient at 0 is 0."""
    return record(_core.abs(x._t), (x,), abs_backward, (x._t,))


def abs_backward(node, g):
    return _core.abs_grad(g, node.saved[0])


def sign(x):
    """-1, 0 or 1; NaN stays NaN. The gradient is 0."""
    return record(_core.sign(x._t), (x,), flat_backward)


def floor(x):
    """The largest whole number not above x. The gradient is 0."""
    return record(_core.floor(x._t), (x,), flat_backward)


def round(x):
    """The nearest whole number, ties to even. The gradient is 0."""
    return record(_core.round(x._t), (x,), flat_backward)


def flat_backward(node, g):
    return _core.mul(g, 0.0)


def square(x):
    """x²."""
    return record(_core.square(x._t), (x,), square_backward, (x._t,))


def square_backward(node, g):
    return _core.mul(g, _core.mul(node.saved[0], 2.0))


def sqrt(x):
    """The square root; NaN below 0."""
    y = _core.sqrt(x._t)
    return record(y, (x,), sqrt_backward, (y,))


def sqrt_backward(node, g):
    return _core.div(g, _core.mul(node.saved[0], 2.0))


def rsqrt(x):
    """1 / √x."""
    y = _core.rsqrt(x._t)
    return record(y, (x,), rsqrt_backward, (y,))


def rsqrt_backward(node, g):
    y = node.saved[0]
    return _core.mul(g, _core.mul(_core.mul(_core.square(y), y), -0.5))


def reciprocal(x):
    """1 / x."""
    y = _core.reciprocal(x._t)
    return record(y, (x,), reciprocal_backward, (y,))


def reciprocal_backward(node, g):
    return _core.neg(_core.mul(g, _core.square(node.saved[0])))


def exp(x):
    """e to the power of x."""
    y = _core.exp(x._t)
    return record(y, (x,), exp_backward, (y,))


def exp_backward(node, g):
    return _core.mul(g, node.saved[0])


def expm1(x):
    """exp(x) - 1, exact near 0."""
    y = _core.expm1(x._t)
    return record(y, (x,), expm1_backward, (y,))


def expm1_backward(node, g):
    return _core.mul(g, _core.add(node.saved[0], 1.0))


def log(x):
    """The natural logarithm; -inf at 0, NaN below."""
    return record(_core.log(x._t), (x,), log_backward, (x._t,))


def log_backward(node, g):
    return _core.div(g, node.saved[0])


def log1p(x):
    """log(1 + x), exact near 0."""
    return record(_core.log1p(x._t), (x,), log1p_backward, (x._t,))


def log1p_backward(node, g):
    return _core.div(g, _core.add(node.saved[0], 1.0))


_TWO_OVER_ROOT_PI = 1.1283791670955126


def erf(x):
    """The error function, 2/√π · ∫₀ˣ exp(-t²) dt."""
    return record(_core.erf(x._t), (x,), erf_backward, (x._t,))


def erf_backward(node, g):
    bell = _core.exp(_core.neg(_core.square(node.saved[0])))
    return _core.mul(g, _core.mul(bell, _TWO_OVER_ROOT_PI))


# ---- activations ----------------------------------------------------------------------------------------


def relu(x, inplace=False):
    """max(x, 0); the gradient at 0 is 0."""
    if inplace:
        from chainrule.ops.inplace import relu_

        return relu_(x)
    y = _core.relu(x._t)
    return record(y, (x,), relu_backward, (y,))


def relu_backward(node, g):
    return _core.relu_grad(g, node.saved[0])


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    y = _core.sigmoid(x._t)
    return record(y, (x,), sigmoid_backward, (y,))


def sigmoid_backward(node, g):
    return _core.sigmoid_grad(g, node.saved[0])


def tanh(x):
    """The hyperbolic tangent."""
    y = _core.tanh(x._t)
    return record(y, (x,), tanh_backward, (y,))


def tanh_backward(node, g):
    return _core.tanh_grad(g, node.saved[0])


# ---- copies and casts -----------------------------------------------------------------------------------


def clone(x):
    """A contiguous copy with a gradient that flows back unchanged."""
    return record(_core.clone(x._t), (x,), identity_backward)


def contiguous(x):
    """x itself when its memory is contiguous, otherwise a copy."""
    return x if x._t.is_contiguous() else clone(x)


def identity_backward(node, g):
    return g


def cast(x, dtype):
    """x in another dtype; x itself when it has it already."""
    if x._t.dtype is dtype:
        return x
    if not dtype.is_floating_point:
        return wrap(_core.cast(x._t, dtype))
    return record(_core.cast(x._t, dtype), (x,), cast_backward, params=x._t.dtype)


def cast_backward(node, g):
    return _core.cast(g, node.params)
