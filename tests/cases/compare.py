"""Comparisons, logic, and choosing by them."""

import numpy as np

import chainrule as cr
from cases.elementwise import INF, SPECIAL, binary, unary, values
from chainrule import ops
from op_cases import Bad, Case, Input, sweep

COMPARISONS = [("eq", np.equal), ("ne", np.not_equal), ("lt", np.less), ("le", np.less_equal), ("gt", np.greater),
               ("ge", np.greater_equal)]  # fmt: skip
LOGIC = [("logical_and", np.logical_and), ("logical_or", np.logical_or), ("logical_xor", np.logical_xor)]
SHAPES = [(), (1,), (0, 3), (3, 33), (2, 3, 5)]
LARGE = (260, 301)


def shaped(name, op, reference, inputs, **more):
    return sweep(name, op, reference, SHAPES, large=LARGE, inputs=inputs, **more)


def bools(name, reference, operator, count=2):
    """&, |, ^ and ~ of bool tensors."""

    def inputs(shape, layout):
        return [Input(shape, dtype="bool", layout=layout), Input(shape, dtype="bool")][:count]

    return shaped(name, getattr(ops, name), reference, inputs, torch=lambda t, *xs: operator(*xs), grad=False)


def clip(x, min=None, max=None):
    return np.clip(x, -INF if min is None else min, INF if max is None else max)


def clamps():
    bounds = {"both": {"min": -0.5, "max": 0.7}, "min": {"min": 0.1}, "max": {"max": -0.3}}

    def with_tensors(shape, layout):
        low, high = Input(shape[-1:], -1, 0, grad=False), Input(shape[-1:], 0, 1, grad=False)
        return [Input(shape, layout=layout), low, high]

    cases = shaped("clamp-tensors", ops.clamp, np.clip, with_tensors, torch="clamp")
    for kind, p in bounds.items():
        cases += sweep(f"clamp-{kind}", ops.clamp, clip, SHAPES, large=LARGE, params=p, torch="clamp")
        cases.append(Case(f"clamp-{kind}-special", ops.clamp, clip, [Input(values=[*SPECIAL, -0.5, 0.7, 0.1])], p,
                          torch="clamp", smooth=False))  # fmt: skip
    return [
        *cases,
        Case("clamp-crossed", ops.clamp, lambda x, min, max: x * 0 + max, [Input((5,))], {"min": 1.0, "max": -1.0},
             torch="clamp", grad=False),
        Case("clamp-int", ops.clamp, clip, [Input((9,), -9, 9, "int64")], {"min": -3, "max": 4}, torch="clamp",
             grad=False),
    ]  # fmt: skip


def choices():
    def three(shape, layout):
        return [Input(shape, dtype="bool", layout=layout), Input(shape, layout=layout), Input(shape)]

    def two(shape, layout):
        return [Input(shape, layout=layout), Input(shape, dtype="bool", layout=layout)]

    def fill(x, mask, value):
        return np.where(mask, value, x)

    return [
        *shaped("where", ops.where, np.where, three, torch="where"),
        *shaped("masked_fill", ops.masked_fill, fill, two, params={"value": 7.0}, torch="masked_fill"),
        Case("where-broadcast", ops.where, np.where, [Input((3, 1), dtype="bool"), Input((3, 5)), Input((5,))],
             torch="where"),
        Case("where-number", lambda c, x: ops.where(c, x, 0.5), lambda c, x: np.where(c, x, 0.5),
             [Input((3, 5), dtype="bool"), Input((3, 5))], torch=lambda t, c, x: t.where(c, x, 0.5)),
        Case("where-special", ops.where, np.where,
             [Input((9,), dtype="bool"), Input(values=SPECIAL), Input(values=SPECIAL[::-1])], torch="where",
             smooth=False),
        Case("where-alone", ops.where, np.nonzero, [Input((3, 5), dtype="bool")], torch="where", grad=False,
             recordable=False),
        Case("masked_fill-broadcast", ops.masked_fill, fill, [Input((3, 5)), Input((5,), dtype="bool")],
             {"value": -INF}, torch="masked_fill", smooth=False),
        Case("masked_fill-tensor", ops.masked_fill, fill, [Input((3, 5)), Input((3, 5), dtype="bool"), Input(())],
             torch="masked_fill"),
    ]  # fmt: skip


def nearly(isclose):
    """Half of the pairs are close, far from the edge of the tolerance."""
    return lambda x, y: isclose(x, 1.00005 * x + 0.0005 * y, rtol=1e-4, atol=0.0)


def near(shape, layout):
    return [Input(shape, 1.0, 2.0, layout=layout), Input(shape, 0, 2, "uint8")]


CASES = [
    *unary("isnan", np.isnan, grad=False), *unary("isfinite", np.isfinite, grad=False),
    *unary("logical_not", np.logical_not, grad=False),
    *[c for name, f in COMPARISONS + LOGIC for c in binary(name, f, grad=False)],
    *[values(f"{name}-special", getattr(ops, name), f, SPECIAL, SPECIAL, name) for name, f in COMPARISONS + LOGIC],
    *[Case(f"{name}-int-and-float", getattr(ops, name), f, [Input(values=[1, 2, -3], dtype="int64"),
                                                            Input(values=[1.0, 2.5, -4.0])], torch=name, grad=False)
      for name, f in COMPARISONS],
    *bools("bool_and", np.logical_and, lambda a, b: a & b), *bools("bool_or", np.logical_or, lambda a, b: a | b),
    *bools("bool_xor", np.logical_xor, lambda a, b: a ^ b), *bools("bool_not", np.logical_not, lambda a: ~a, 1),
    *clamps(), *choices(),
    *shaped("isclose", nearly(ops.isclose), nearly(np.isclose), near, torch=lambda t, *xs: nearly(t.isclose)(*xs),
            grad=False),
    values("isclose-special", ops.isclose, np.isclose, SPECIAL, SPECIAL, "isclose"),
]  # fmt: skip

x = cr.ones(2, 3)
BAD = [
    Bad("where-mask", lambda: cr.where(x, x, x), TypeError, "where: condition must be bool, got float32"),
    Bad("where-shapes", lambda: cr.where(x > 0, x, cr.ones(4)), ValueError, "where: .*do not broadcast"),
    Bad("masked_fill-mask", lambda: cr.masked_fill(x, x, 1.0), TypeError, "condition must be bool"),
    Bad("clamp-nothing", lambda: cr.clamp(x), ValueError, "clamp: at least one"),
    Bad("bool-and-int", lambda: cr.tensor([1]) & cr.tensor([2]), TypeError, "&: combines bool tensors, got int64"),
]  # fmt: skip
