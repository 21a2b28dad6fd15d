"""Elementwise arithmetic, functions, copies and casts."""

import math

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import LAYOUTS, Bad, Case, Input, sweep

SHAPES = [(), (1,), (7,), (0, 3), (3, 33), (2, 3, 5)]
PAIRS = [
    ((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 1), (1, 5)), ((), (4,)), ((0, 3), (3,)), ((2, 1, 3), (4, 1)),
    ((33,), (33,)), ((1,), (1,)),
]  # fmt: skip
INF, NAN = np.inf, np.nan
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, INF, -INF, NAN]


def unary(name, reference, low=-2.0, high=2.0, special=SPECIAL, **more):
    op, more = getattr(ops, name), {"torch": name, **more}
    return [
        *sweep(name, op, reference, SHAPES, large=(67000,), low=low, high=high, **more),
        Case(f"{name}-special", op, reference, [Input(values=special)], smooth=False, **more),
    ]


def binary(name, reference, low=-2.0, high=2.0, torch=None, **more):
    def case(tag, a, b, layout="contiguous", large=False):
        inputs = [Input(a, low, high, layout=layout), Input(b, low, high)]
        return Case(
            f"{name}-{tag}", getattr(ops, name), reference, inputs, torch=torch or name, large=large, **more
        )

    return [
        *[case(f"{list(a)}-{list(b)}", a, b) for a, b in PAIRS],
        *[case(layout, (4, 9), (4, 9), layout) for layout in LAYOUTS],
        case("large", (260, 301), (301,), large=True),
    ]


def number(name, reference, torch=None, value=1.5, keyword="other"):
    """op(x, a number): numbers are weak, so x keeps its dtype."""
    return Case(f"{name}-number", getattr(ops, name), lambda x, **p: reference(x, p[keyword]), [Input((3, 7), 0.5)],
                {keyword: value}, torch=torch or name)  # fmt: skip


def swapped(f):
    return lambda a, b: f(b, a)


def peer(function):
    """The peer's function with its two arguments exchanged, as rsub, rdiv and rpow have them."""
    return lambda torch, a, b=None, **number: function(b if b is not None else next(iter(number.values())), a)


erf = np.vectorize(math.erf, otypes=[float])
sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
REVERSED = [
    ("rsub", np.subtract, peer(lambda a, b: a - b), -2.0, "other"),
    ("rdiv", np.divide, peer(lambda a, b: a / b), 0.3, "other"),
    ("rpow", np.power, peer(lambda a, b: a**b), 0.3, "base"),
]


def values(name, op, reference, a, b, torch=None, **more):
    """Given values against each other: every a with every b."""
    inputs = [Input(values=a), Input(values=np.reshape(b, (-1, 1)).tolist())]
    return Case(name, op, reference, inputs, torch=torch, grad=False, **more)


def division_cases():
    """Floor and remainder come from an exact fmod: 1 // 0.1 is 9, since 0.1 is a little more than a tenth."""
    tenths = [k / 10 for k in range(-12, 13)]
    cases = []
    for name, f in (("floor_divide", np.floor_divide), ("remainder", np.remainder)):
        op = getattr(ops, name)
        cases += [
            values(f"{name}-exact-multiples", op, f, tenths, [0.1, -0.1, 0.3, 0.5, -0.7], name),
            values(f"{name}-whole-numbers", op, f, [-7.0, -6.0, -1.0, 1.0, 6.0, 7.0], [3.0, -3.0, 2.0, 7.0], name),
            values(f"{name}-special", op, f, SPECIAL, [*SPECIAL, -3.0, 1e-30], name),
            *[values(f"{name}-ratio-{a}", op, f, [a, -a], [3.0, -7.0, 0.1], name) for a in (1e8, 1e16, 1e20, 1e30)],
            *[values(f"{name}-tiny-ratio-{a}", op, f, [a, -a], [3.0, -7.0], name) for a in (1e-8, 1e-30)],
            Case(f"{name}-int", op, f, [Input((9, 19), -9, 9, "int64"), Input(values=[[n] for n in range(-4, 5) if n]
                 + [[7]], dtype="int64")], grad=False, torch=name),
            Case(f"{name}-int-by-zero", op, (lambda a, b: a * 0) if f is np.floor_divide else lambda a, b: a,
                 [Input((9,), -9, 9, "int64"), Input(values=[0] * 9, dtype="int64")], grad=False,
                 no_peer="PyTorch raises RuntimeError"),
        ]  # fmt: skip
    for mode, f in (("floor", np.floor_divide), ("trunc", lambda a, b: np.trunc(a / b))):
        cases.append(Case(f"div-{mode}", ops.div, lambda a, b, rounding_mode, f=f: f(a, b),
                          [Input((3, 33)), Input((33,), 0.3, 2.0)], {"rounding_mode": mode}, torch="div", grad=False))  # fmt: skip
    return cases


def power(x, exponent):
    if abs(exponent) == 0.5:
        return np.sqrt(x) if exponent > 0 else 1 / np.sqrt(x)
    return np.power(x, float(exponent))


def power_cases():
    """Numbers as exponents have short cuts, PyTorch's: ±0.5 are sqrt and rsqrt, x^0 is 1 also for NaN."""
    cases = []
    for e in (2, 3, 0.5, -0.5, -1, -2, 1, 0, 2.0, 2.5):
        low = 0.3 if e % 1 else -2.0 if e >= 0 else -1.9
        high = -0.3 if e < 0 and e % 1 == 0 else 2.0
        p = {"exponent": e}
        cases += [
            *[Case(f"pow-to-{e!r}-{list(s)}", ops.pow, power, [Input(s, low, high)], p, torch="pow")
              for s in [(3, 33), (0, 3), (1,)]],
            Case(f"pow-to-{e!r}-transposed", ops.pow, power, [Input((4, 9), low, high, layout="transposed")], p,
                 torch="pow"),
            Case(f"pow-to-{e!r}-large", ops.pow, power, [Input((67001,), low, high)], p, torch="pow", large=True),
            Case(f"pow-to-{e!r}-special", ops.pow, power, [Input(values=SPECIAL)], p, torch="pow", smooth=False),
            Case(f"pow-to-{e!r}-tensor", ops.pow, np.power, [Input((3, 7), low, high), Input(values=float(e))],
                 torch="pow", smooth=False, grad=low > 0),
        ]  # fmt: skip
    return cases


CASES = [
    *unary("neg", np.negative), *unary("abs", np.abs, special=SPECIAL[:-1]), *unary("square", np.square),
    *unary("sign", np.sign, special=SPECIAL[:-1]), *unary("floor", np.floor), *unary("round", np.round),
    *unary("exp", np.exp), *unary("expm1", np.expm1), *unary("log", np.log, 0.1, 4.0),
    *unary("log1p", np.log1p, -0.9, 4.0), *unary("sqrt", np.sqrt, 0.1, 4.0),
    *unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.1, 4.0), *unary("reciprocal", np.reciprocal, 0.2, 3.0),
    *unary("erf", erf), *unary("relu", lambda x: np.where(x < 0, 0, x)), *unary("sigmoid", sigmoid),
    *unary("tanh", np.tanh),
    *binary("add", np.add), *binary("sub", np.subtract), *binary("mul", np.multiply),
    *binary("div", np.divide, 0.3, 2.0), *binary("pow", np.power, 0.3, 2.0),
    *binary("minimum", np.minimum), *binary("maximum", np.maximum),
    *binary("remainder", np.remainder, 0.3, 2.0), *binary("floor_divide", np.floor_divide, 0.3, 2.0, grad=False),
    *[c for name, f, torch, low, _ in REVERSED for c in binary(name, swapped(f), low, 2.0, torch)],
    *[number(name, swapped(f), torch, keyword=keyword) for name, f, torch, _, keyword in REVERSED],
    number("add", np.add), number("sub", np.subtract), number("mul", np.multiply), number("div", np.divide),
    number("remainder", np.remainder),
    Case("add-alpha", ops.add, lambda a, b, alpha: a + alpha * b, [Input((3, 5)), Input((5,))], {"alpha": -2.5}, torch="add"),
    Case("sub-alpha", ops.sub, lambda a, b, alpha: a - alpha * b, [Input((3, 5)), Input((5,))], {"alpha": 3}, torch="sub"),
    *division_cases(), *power_cases(),
    *[values(f"{name}-special", getattr(ops, name), f, SPECIAL, SPECIAL, name)
      for name, f in [("add", np.add), ("mul", np.multiply), ("div", np.divide), ("pow", np.power),
                      ("minimum", np.minimum), ("maximum", np.maximum)]],
    *[Case(f"{name}-ties", getattr(ops, name), f, [Input(values=[1.0, 2.0, 0.0]), Input(values=[1.0, -2.0, 0.0])],
           torch=name, smooth=False) for name, f in [("minimum", np.minimum), ("maximum", np.maximum)]],
    *[Case(f"{name}-nan", getattr(ops, name), lambda x: x, [Input(values=NAN)], grad=False,
           no_peer="PyTorch's sign of NaN is 0, and with it the gradient of abs") for name in ("sign", "abs")],
    Case("round-ties", ops.round, np.round, [Input(values=[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 8388607.5])], grad=False,
         torch="round"),
    Case("exp-overflow", ops.exp, np.exp, [Input(values=[-800.0, 800.0, -INF])], grad=False, torch="exp"),
    Case("add-int", ops.add, np.add, [Input((5,), -9, 9, "int64"), Input((5,), -9, 9, "int64")], grad=False, torch="add"),
    Case("mul-uint8-wraps", ops.mul, np.multiply, [Input((9,), 0, 256, "uint8"), Input((9,), 0, 256, "uint8")], grad=False,
         torch="mul"),
    Case("div-int-is-float", ops.div, lambda a, b: np.float32(a) / np.float32(b),
         [Input((9,), -9, 9, "int64"), Input((9,), 1, 9, "int64")], grad=False, torch="div"),
    Case("mul-promotes-int", ops.mul, np.multiply, [Input((4,)), Input((4,), -9, 9, "int64")], torch="mul"),
    *sweep("clone", ops.clone, np.copy, SHAPES, large=(67000,), torch="clone"),
    *sweep("contiguous", ops.contiguous, np.copy, SHAPES, torch=lambda t, x: x.contiguous()),
    Case("contiguous-large", lambda x: x.T.contiguous(), lambda x: x.T.copy(), [Input((300, 411))], large=True,
         torch=lambda t, x: x.T.contiguous()),
    *sweep("cast-int64", lambda x: ops.cast(x, cr.int64), lambda x: x.astype(np.int64), SHAPES, large=(67000,),
           grad=False, torch=lambda t, x: x.to(t.int64)),
    *sweep("cast-bool", lambda x: ops.cast(x, cr.bool), lambda x: x != 0, SHAPES, grad=False,
           torch=lambda t, x: x.to(t.bool)),
    *sweep("cast-float64", lambda x: ops.cast(x, cr.float64), np.copy, SHAPES, torch=lambda t, x: x.to(t.float64)),
    *sweep("cast-from-uint8", lambda x: ops.cast(x, cr.float32), lambda x: x.astype(float), SHAPES, low=0, high=256,
           dtype="uint8", grad=False, torch=lambda t, x: x.to(t.float32)),
]  # fmt: skip

x = cr.ones(2, 3)
BAD = [
    Bad("add-shapes", lambda: cr.add(x, cr.ones(4)), ValueError,
        r"add: shapes \[2, 3\] and \[4\] do not broadcast: dimension 1 is 3 against 4"),
    Bad("add-object", lambda: x + "text", TypeError, "tensor or a number"),
    Bad("add-none", lambda: x + None, TypeError, "tensor or a number"),
    Bad("sub-bool", lambda: cr.sub(x > 0, x > 0), TypeError, "sub: not defined for bool"),
    Bad("div-rounding", lambda: cr.div(x, x, rounding_mode="up"), ValueError, "'floor' or 'trunc', got 'up'"),
]  # fmt: skip
