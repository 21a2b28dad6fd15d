"""Elementwise ops."""

import math

import numpy as np

import chainrule as cr
from op_cases import Bad, Case, Input

SHAPES = [(), (1,), (7,), (0, 3), (3, 33), (2, 3, 5)]


def unary(name, reference, low=-2.0, high=2.0, **more):
    op = getattr(cr, name)
    peer = more.pop("torch", name)
    cases = [
        Case(f"{name}-{list(s)}", op, reference, [Input(s, low, high)], torch=peer, **more) for s in SHAPES
    ]
    for layout in ("transposed", "sliced", "expanded"):
        cases.append(
            Case(
                f"{name}-{layout}",
                op,
                reference,
                [Input((4, 19), low, high, layout=layout)],
                torch=peer,
                **more,
            )
        )
    cases.append(
        Case(f"{name}-large", op, reference, [Input((67000,), low, high)], torch=peer, large=True, **more)
    )
    return cases


def binary(name, reference, low=-2.0, high=2.0, **more):
    op = getattr(cr, name)
    pairs = [
        ((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 1), (1, 5)), ((), (4,)), ((0, 3), (3,)), ((2, 1, 3), (4, 1)),
        ((33,), (33,)), ((1,), (1,)),
    ]  # fmt: skip
    cases = [
        Case(f"{name}-{list(a)}-{list(b)}", op, reference, [Input(a, low, high), Input(b, low, high)],
             torch=name, **more)
        for a, b in pairs
    ]  # fmt: skip
    for layout in ("transposed", "sliced", "expanded"):
        inputs = [Input((4, 9), low, high, layout=layout), Input((4, 9), low, high)]
        cases.append(Case(f"{name}-{layout}", op, reference, inputs, torch=name, **more))
    inputs = [Input((260, 301), low, high), Input((301,), low, high)]
    cases.append(Case(f"{name}-large", op, reference, inputs, torch=name, large=True, **more))
    return cases


erf = np.vectorize(math.erf, otypes=[float])
sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731

CASES = [
    *unary("neg", np.negative), *unary("abs", np.abs), *unary("square", np.square),
    *unary("sign", np.sign), *unary("floor", np.floor), *unary("round", np.round),
    *unary("exp", np.exp), *unary("expm1", np.expm1), *unary("log", np.log, 0.1, 4.0),
    *unary("log1p", np.log1p, -0.9, 4.0), *unary("sqrt", np.sqrt, 0.1, 4.0),
    *unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.1, 4.0), *unary("reciprocal", np.reciprocal, 0.2, 3.0),
    *unary("erf", erf), *unary("relu", lambda x: np.maximum(x, 0)), *unary("sigmoid", sigmoid),
    *unary("tanh", np.tanh),
    *unary("isnan", np.isnan, grad=False), *unary("isfinite", np.isfinite, grad=False),
    *unary("logical_not", np.logical_not, grad=False),
    *binary("add", np.add), *binary("sub", np.subtract), *binary("mul", np.multiply),
    *binary("div", np.divide, 0.3, 2.0), *binary("pow", np.power, 0.3, 2.0),
    *binary("minimum", np.minimum), *binary("maximum", np.maximum),
    *binary("remainder", np.remainder, 0.3, 2.0, grad=False),
    *binary("floor_divide", np.floor_divide, 0.3, 2.0, grad=False),
    *[c for name, f in [("eq", np.equal), ("ne", np.not_equal), ("lt", np.less), ("le", np.less_equal),
                        ("gt", np.greater), ("ge", np.greater_equal), ("logical_and", np.logical_and),
                        ("logical_or", np.logical_or), ("logical_xor", np.logical_xor)]
      for c in binary(name, f, grad=False)],
    Case("where-broadcast", cr.where, np.where,
         [Input((3, 1), dtype="bool"), Input((3, 5)), Input((5,))], torch="where"),
    Case("where-empty", cr.where, np.where, [Input((0,), dtype="bool"), Input((0,)), Input((0,))], torch="where"),
    Case("clamp-both", cr.clamp, lambda x, min, max: np.clip(x, min, max), [Input((5, 7))],
         {"min": -0.5, "max": 0.7}, torch="clamp"),
    Case("clamp-min", cr.clamp, lambda x, min: np.maximum(x, min), [Input((33,))], {"min": 0.1}, torch="clamp"),
    Case("clamp-tensors", cr.clamp, np.clip, [Input((3, 4)), Input((4,), -1, 0, grad=False),
                                               Input((4,), 0, 1, grad=False)], torch="clamp"),
    Case("masked_fill", cr.masked_fill, lambda x, m, value: np.where(m, value, x),
         [Input((3, 4)), Input((3, 4), dtype="bool")], {"value": 7.0}, torch="masked_fill"),
    Case("exp-special", cr.exp, np.exp, [Input(values=[0.0, -0.0, np.inf, -np.inf, np.nan, 800.0, -800.0])],
         grad=False, torch="exp"),
    Case("log-special", cr.log, np.log, [Input(values=[0.0, -1.0, np.inf, np.nan, 1.0])], grad=False, torch="log"),
    Case("pow-special", cr.pow, np.power, [Input(values=[0.0, 0.0, -2.0, -2.0, np.inf, 1.0]),
                                            Input(values=[0.0, 3.0, 3.0, 0.5, -1.0, np.nan])],
         grad=False, torch="pow"),
    Case("add-int", cr.add, np.add, [Input((5,), -9, 9, "int64"), Input((5,), -9, 9, "int64")], grad=False, torch="add"),
    Case("mul-uint8-wraps", cr.mul, np.multiply, [Input((9,), 0, 256, "uint8"), Input((9,), 0, 256, "uint8")], grad=False,
         torch="mul"),
    Case("floor_divide-int", cr.floor_divide, np.floor_divide,
         [Input((9,), -9, 9, "int64"), Input((9,), 1, 9, "int64")], grad=False, torch="floor_divide"),
    Case("div-int-is-float", cr.div, lambda a, b: np.float32(a) / np.float32(b),
         [Input((9,), -9, 9, "int64"), Input((9,), 1, 9, "int64")], grad=False, torch="div", tol64=1e-6),
    Case("promotes-int-and-float", cr.mul, np.multiply, [Input((4,)), Input((4,), -9, 9, "int64")], torch="mul"),
]  # fmt: skip

x = cr.ones(2, 3)
BAD = [
    Bad("add-shapes", lambda: cr.add(x, cr.ones(4)), ValueError,
        r"add: shapes \[2, 3\] and \[4\] do not broadcast: dimension 1 is 3 against 4"),
    Bad("add-object", lambda: x + "text", TypeError, "tensor or a number"),
    Bad("add-none", lambda: x + None, TypeError, "tensor or a number"),
    Bad("sub-bool", lambda: cr.sub(x > 0, x > 0), TypeError, "sub: not defined for bool"),
    Bad("where-mask", lambda: cr.where(x, x, x), TypeError, "where: condition must be bool, got float32"),
    Bad("clamp-nothing", lambda: cr.clamp(x), ValueError, "clamp: at least one"),
    Bad("in-place-broadcast", lambda: cr.ones(3).add_(x), ValueError,
        r"add: the result has shape \[2, 3\], which cannot be written into a tensor of shape \[3\]"),
    Bad("in-place-dtype", lambda: cr.ones(3, dtype=cr.int64).add_(1.5), TypeError, "add: the result is float32"),
    Bad("in-place-expanded", lambda: cr.ones(1, 3).expand(2, 3).add_(1.0), ValueError, "share one memory location"),
    Bad("in-place-overlap", lambda: _overlapping(), ValueError, "overlaps an input"),
    Bad("copy-shape", lambda: cr.ones(2).copy_(cr.ones(3)), ValueError, "copy_: "),
]  # fmt: skip


def _overlapping():
    base = cr.zeros(6)
    cr.ops.slice_dim(base, 0, 1, 6, 1).add_(cr.ops.slice_dim(base, 0, 0, 5, 1))
