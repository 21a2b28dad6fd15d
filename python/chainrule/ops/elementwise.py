"""Elementwise ops: each function and its chain rule side by side.

Shapes broadcast as in NumPy; dtypes promote as in PyTorch (Python numbers are weak). A backward rule gets
the gradient `g` of the result and gives one gradient per input; `_to(g, x)` sums it back over what was
broadcast and casts it back to what x was before promotion.
"""

from __future__ import annotations

from chainrule import _core
from chainrule._part import follow, marks
from chainrule.autograd import _unwrap, record, wrap

_to = _core.sum_to_like
# What add and sub must undo: None when nothing was broadcast or promoted, else each operand's (shape, dtype).
_mixed = _core.mixed


def _native(x):
    """The native tensor of a Tensor; a number as it is."""
    return getattr(x, "_t", x)


def _undo(g, mixed, i):
    return g if mixed is None else _core.sum_to(g, *mixed[i])


# ---- arithmetic -----------------------------------------------------------------------------------------


def add(input, other, *, alpha=1):
    """x + alpha · other.

    Example:
        >>> add(tensor([1.0, 2.0]), 1)
        tensor([2., 3.])
    """
    if alpha != 1:
        other = mul(other, alpha)
    return record(_core.add(input, other), (input, other), add_backward, (), _mixed(input, other))


def add_backward(node, g):
    return (
        _undo(g, node.params, 0) if node.parents[0] is not None else None,
        _undo(g, node.params, 1) if node.parents[1] is not None else None,
    )


def sub(input, other, *, alpha=1):
    """x - alpha · other."""
    if alpha != 1:
        other = mul(other, alpha)
    return record(_core.sub(input, other), (input, other), sub_backward, (), _mixed(input, other))


def sub_backward(node, g):
    return (
        _undo(g, node.params, 0) if node.parents[0] is not None else None,
        _undo(_core.neg(g), node.params, 1) if node.parents[1] is not None else None,
    )


def rsub(input, other):
    """other - x."""
    return sub(other, input)


def mul(input, other):
    """x · other."""
    a, b = _native(input), _native(other)
    # Against a number x's values are not needed: x may change before backward.
    return record(_core.mul(a, b), (input, other), mul_backward, (None if b is other else a, b))


def mul_backward(node, g):
    a, b = node.saved
    if a is None:
        return _core.mul(g, b), None
    return (
        _to(_core.mul(g, b), a) if node.parents[0] is not None else None,
        _to(_core.mul(g, a), b) if node.parents[1] is not None else None,
    )


def div(input, other, *, rounding_mode=None):
    """x / other; rounding_mode may be 'floor' or 'trunc'. Without one integers give float32."""
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        return wrap(_truncated(_native(input), _native(other)))
    if rounding_mode is not None:
        raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}")
    a, b = _native(input), _native(other)
    return record(_core.div(a, b), (input, other), div_backward, (a, b))


def _truncated(a, b):
    """a / b, rounded towards zero. Integers stay integers, and exact."""
    floored = _core.floor_divide(a, b)
    if floored.dtype.is_floating_point:
        quotient = _core.div(a, b)
        return _core.mul(_core.sign(quotient), _core.floor(_core.abs(quotient)))
    rounded = _core.logical_and(_core.lt(floored, 0), _core.ne(_core.remainder(a, b), 0))
    return _core.add(floored, rounded)


def div_backward(node, g):
    a, b = node.saved
    ga = _core.div(g, b)
    return (
        _to(ga, a) if node.parents[0] is not None else None,
        _to(_core.neg(_core.mul(ga, _core.div(a, b))), b) if node.parents[1] is not None else None,
    )


def rdiv(input, other):
    """other / x."""
    return div(other, input)


def floor_divide(input, other):
    """x / other, rounded towards minus infinity; without a gradient."""
    return wrap(_core.floor_divide(_native(input), _native(other)))


def remainder(input, other):
    """x - floor(x / other) · other: the sign is other's, as in Python."""
    a, b = _native(input), _native(other)
    return record(_core.remainder(a, b), (input, other), remainder_backward, (a, b))


def remainder_backward(node, g):
    a, b = node.saved
    turns = _core.floor_divide(a, b) if node.parents[1] is not None else None
    return (
        _to(g, a) if node.parents[0] is not None else None,
        _to(_core.neg(_core.mul(g, turns)), b) if turns is not None else None,
    )


def pow(input, exponent):
    """x to the power of exponent."""
    a, b = _native(input), _native(exponent)
    out = _core.pow(a, b)
    return record(out, (input, exponent), pow_backward, (a, b, out))


def pow_backward(node, g):
    a, b, y = node.saved
    ga = gb = None
    if node.parents[0] is not None:
        ga = _to(_core.mul(g, _slope_in_base(a, b, y)), a)
    if node.parents[1] is not None:
        # d/db x^b = x^b·log x, and 0 where x is 0 and b is not negative.
        base = a if isinstance(a, _core.Tensor) else _core.full((), a, y.dtype)
        flat = _core.logical_and(_core.eq(base, 0), _core.ge(b, 0))
        gb = _to(_core.mul(g, _core.where(flat, 0.0, _core.mul(y, _core.log(base)))), b)
    return ga, gb


def _slope_in_base(a, b, y):
    """d/dx x^b = b·x^(b-1), and 0 where b is 0, also at x = 0."""
    if isinstance(b, _core.Tensor):
        return _core.where(_core.eq(b, 0), 0.0, _core.mul(b, _core.pow(a, _core.sub(b, 1))))
    return _core.mul(y, 0.0) if b == 0 else _core.mul(_core.pow(a, b - 1), b)


def rpow(input, base):
    """base to the power of x."""
    return pow(base, input)


def minimum(input, other):
    """The smaller of the two; NaN when either is. Where they are equal each gets half of the gradient."""
    a, b = _native(input), _native(other)
    return record(_core.minimum(a, b), (input, other), minimum_backward, (a, b))


def minimum_backward(node, g):
    return _choose(node, g, _core.lt)


def maximum(input, other):
    """The larger of the two; NaN when either is. Where they are equal each gets half of the gradient."""
    a, b = _native(input), _native(other)
    return record(_core.maximum(a, b), (input, other), maximum_backward, (a, b))


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


def neg(input):
    """-x."""
    return record(_core.neg(input), (input,), neg_backward)


def neg_backward(node, g):
    return _core.neg(g)


def abs(input):
    """|x|; the gradient at 0 is 0."""
    return record(_core.abs(input), (input,), abs_backward, (input._t,))


def abs_backward(node, g):
    return _core.abs_grad(g, node.saved[0])


def sign(input):
    """-1, 0 or 1; NaN stays NaN. The gradient is 0."""
    return record(_core.sign(input), (input,), flat_backward)


def floor(input):
    """The largest whole number not above x. The gradient is 0."""
    return record(_core.floor(input), (input,), flat_backward)


def round(input):
    """The nearest whole number, ties to even. The gradient is 0."""
    return record(_core.round(input), (input,), flat_backward)


def flat_backward(node, g):
    return _core.mul(g, 0.0)


def square(input):
    """x²."""
    return record(_core.square(input), (input,), square_backward, (input._t,))


def square_backward(node, g):
    return _core.mul(g, _core.mul(node.saved[0], 2.0))


def sqrt(input):
    """The square root; NaN below 0."""
    y = _core.sqrt(input)
    return record(y, (input,), sqrt_backward, (y,))


def sqrt_backward(node, g):
    return _core.div(g, _core.mul(node.saved[0], 2.0))


def rsqrt(input):
    """1 / √x."""
    y = _core.rsqrt(input)
    return record(y, (input,), rsqrt_backward, (y,))


def rsqrt_backward(node, g):
    y = node.saved[0]
    return _core.mul(g, _core.mul(_core.mul(_core.square(y), y), -0.5))


def reciprocal(input):
    """1 / x."""
    y = _core.reciprocal(input)
    return record(y, (input,), reciprocal_backward, (y,))


def reciprocal_backward(node, g):
    return _core.neg(_core.mul(g, _core.square(node.saved[0])))


def exp(input):
    """e to the power of x."""
    y = _core.exp(input)
    return record(y, (input,), exp_backward, (y,))


def exp_backward(node, g):
    return _core.mul(g, node.saved[0])


def expm1(input):
    """exp(x) - 1, exact near 0."""
    y = _core.expm1(input)
    return record(y, (input,), expm1_backward, (y,))


def expm1_backward(node, g):
    return _core.mul(g, _core.add(node.saved[0], 1.0))


def log(input):
    """The natural logarithm; -inf at 0, NaN below."""
    return record(_core.log(input), (input,), log_backward, (input._t,))


def log_backward(node, g):
    return _core.div(g, node.saved[0])


def log1p(input):
    """log(1 + x), exact near 0."""
    return record(_core.log1p(input), (input,), log1p_backward, (input._t,))


def log1p_backward(node, g):
    return _core.div(g, _core.add(node.saved[0], 1.0))


_TWO_OVER_ROOT_PI = 1.1283791670955126


def erf(input):
    """The error function, 2/√π · ∫₀ˣ exp(-t²) dt."""
    return record(_core.erf(input), (input,), erf_backward, (input._t,))


def erf_backward(node, g):
    bell = _core.exp(_core.neg(_core.square(node.saved[0])))
    return _core.mul(g, _core.mul(bell, _TWO_OVER_ROOT_PI))


# ---- activations ----------------------------------------------------------------------------------------


def relu(input, inplace=False):
    """max(x, 0); the gradient at 0 is 0."""
    if inplace:
        from chainrule.ops.inplace import relu_

        return relu_(input)
    y = _core.relu(input)
    return record(y, (input,), relu_backward, (y,))


def relu_backward(node, g):
    return _core.relu_grad(g, node.saved[0])


def sigmoid(input):
    """1 / (1 + exp(-x))."""
    y = _core.sigmoid(input)
    return record(y, (input,), sigmoid_backward, (y,))


def sigmoid_backward(node, g):
    return _core.sigmoid_grad(g, node.saved[0])


def tanh(input):
    """The hyperbolic tangent."""
    y = _core.tanh(input)
    return record(y, (input,), tanh_backward, (y,))


def tanh_backward(node, g):
    return _core.tanh_grad(g, node.saved[0])


# ---- copies and casts -----------------------------------------------------------------------------------


def clone(input):
    """A contiguous copy with a gradient that flows back unchanged."""
    out = record(_core.clone(input), (input,), identity_backward)
    return follow(out, input) if marks else out


def contiguous(input):
    """x itself when its memory is contiguous, otherwise a copy."""
    return input if _unwrap(input).is_contiguous() else clone(input)


def identity_backward(node, g):
    return g


def cast(input, dtype):
    """x in another dtype; x itself when it has it already."""
    held = _unwrap(input).dtype
    if held is dtype:
        return input
    native = _core.cast(input, dtype)
    out = record(native, (input,), cast_backward, params=held) if dtype.is_floating_point else wrap(native)
    return follow(out, input) if marks else out


def cast_backward(node, g):
    return _core.cast(g, node.params)
