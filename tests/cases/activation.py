"""Activation functions over their arguments: plain, at kinks, in place, and where a naive formula overflows."""

import math

import numpy as np

import chainrule as cr
from cases.elementwise import INF, NAN, erf, sigmoid
from chainrule import ops
from op_cases import Bad, Case, Input, in_place, sweep

SHAPES = [(), (1,), (7,), (0, 3), (3, 33), (2, 3, 5)]
LARGE = [-1e30, -800.0, -100.0, -21.0, -20.0, 0.0, 20.0, 21.0, 100.0, 800.0, 1e30]
SIXTH = {"tol64": 1e-7, "why": "PyTorch's sixth has the digits of float32"}


def leaky_relu(x, negative_slope=0.01):
    return np.where(x > 0, x, negative_slope * x)


def elu(x, alpha=1.0, scale=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


def selu(x):
    return elu(x, 1.67326324235437728, 1.05070098735548049)


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def hardtanh(x, min_val=-1.0, max_val=1.0):
    return np.clip(x, min_val, max_val)


def hardsigmoid(x):
    return np.clip(x + 3, 0, 6) / 6


# name: the reference, its arguments' grid, where its derivative jumps
FUNCTIONS = {
    "leaky_relu": (leaky_relu, [{}, {"negative_slope": 0.3}, {"negative_slope": -0.5}, {"negative_slope": 0.0}], [0.0]),
    "elu": (elu, [{}, {"alpha": 0.4}, {"alpha": -2.0}], [0.0]),
    "selu": (selu, [{}], [0.0]),
    "gelu": (gelu, [{}, {"approximate": "none"}, {"approximate": "tanh"}], []),
    "silu": (lambda x: x * sigmoid(x), [{}], []),
    "softplus": (softplus, [{}, {"beta": 2.5}, {"beta": 0.1, "threshold": 0.05}, {"beta": -1.5},
                            {"beta": 3.0, "threshold": 1000.0}], []),
    "logsigmoid": (lambda x: -np.logaddexp(0, -x), [{}], []),
    "hardtanh": (hardtanh, [{}, {"min_val": -0.25, "max_val": 1.5}, {"min_val": 0.5, "max_val": 0.5}],
                 [-1.0, 1.0, -0.25, 1.5, 0.5]),
    "relu6": (lambda x: np.clip(x, 0, 6), [{}], [0.0, 6.0]),
    "mish": (lambda x: x * np.tanh(np.logaddexp(0, x)), [{}], []),
    "hardsigmoid": (hardsigmoid, [{}], [-3.0, 3.0]),
    "hardswish": (lambda x: x * hardsigmoid(x), [{}], [-3.0, 3.0]),
}  # fmt: skip
OUT_OF_PLACE = ("gelu", "softplus", "logsigmoid")


def tag(params):
    return "".join(f"-{key}={value}" for key, value in params.items())


def over_arguments(name):
    reference, grid, kinks = FUNCTIONS[name]
    op = getattr(ops, name)
    for params in grid:
        more = {"params": params, "torch": name, **(SIXTH if name == "hardsigmoid" else {})}
        label = f"{name}{tag(params)}"
        # Below -2 gelu, as PyTorch's, is the small difference of large numbers; other cases bound its error there.
        yield from sweep(label, op, reference, SHAPES, low=-1.5 if name == "gelu" else -4.0, high=7.0, **more)
        # Where PyTorch's formula is infinite or NaN on the way, the values are NumPy's alone.
        overflows = "tanh" in params.values() or params.get("threshold") == 1000.0
        alone = {"torch": None, "no_peer": "PyTorch's formula overflows", "grad": False} if overflows else {}
        yield Case(
            f"{label}-large-values", op, reference, [Input(values=LARGE)], smooth=False, **{**more, **alone}
        )
        # 0 · inf is NaN in PyTorch's formulas, and in ours, where the limit would be 0.
        infinite = [INF, NAN] if name in ("gelu", "silu", "mish", "hardswish") else [-INF, INF, NAN]
        # PyTorch's exact gelu of infinity is NaN with AVX-512, infinity without.
        alone = {"torch": None, "no_peer": "PyTorch's depends on the processor"} if name == "gelu" else {}
        yield Case(
            f"{label}-infinite", op, reference, [Input(values=infinite)], grad=False, **{**more, **alone}
        )
        if kinks:
            yield Case(f"{label}-kinks", op, reference, [Input(values=[-0.0, *kinks])], smooth=False, **more)
    more = SIXTH if name == "hardsigmoid" else {}
    yield Case(f"{name}-large", op, reference, [Input((67000,), -30.0, 30.0)], large=True, torch=name, **more)
    if name not in OUT_OF_PLACE:
        for layout in ("contiguous", "sliced"):
            yield Case(
                f"{name}-inplace-{layout}", in_place(name, layout), lambda x, inplace, f=reference: f(x),
                [Input((3, 33), -4.0, 7.0)], {"inplace": True}, grad=layout == "contiguous",
                torch=lambda t, x, inplace, name=name: getattr(t.nn.functional, name)(x.clone(), inplace=True), **more,
            )  # fmt: skip


def prelu(x, weight):
    slope = weight.reshape(() if weight.size == 1 else (-1, *[1] * (x.ndim - 2)))
    return np.where(x > 0, x, slope * x)


def with_slopes(channels=True):
    def inputs(shape, layout):
        count = shape[1] if channels and len(shape) > 1 else 1
        return [Input(shape, layout=layout), Input((count,), -1.0, 1.0)]

    return inputs


def prelus():
    f = ops.prelu
    yield from sweep("prelu", f, prelu, SHAPES, torch="prelu", inputs=with_slopes(), large=(3, 5, 70, 71))
    yield from sweep("prelu-one", f, prelu, [*SHAPES, (2, 3, 4, 5)], torch="prelu", inputs=with_slopes(False),
                     strided=(2, 5, 19))  # fmt: skip
    yield from [
        Case("prelu-scalar", f, prelu, [Input((3, 5)), Input((), -1.0, 1.0)], torch="prelu"),
        Case("prelu-images", f, prelu, [Input((2, 3, 5, 7)), Input((3,), -1.0, 1.0)], torch="prelu"),
        Case("prelu-kinks", f, prelu, [Input(values=[[-0.0, 0.0, -1e30, 1e30]]), Input(values=[0.3, 2.0, -1.0, 1.0])],
             torch="prelu", smooth=False),
    ]  # fmt: skip


CASES = [*[case for name in FUNCTIONS for case in over_arguments(name)], *prelus()]

x = cr.ones(2, 3)
BAD = [
    *[Bad(f"{name}-int", lambda name=name: getattr(ops, name)(x.long()), TypeError, "not defined for int64")
      for name in FUNCTIONS],
    *[Bad(f"{name}-list", lambda name=name: getattr(ops, name)([1.0]), TypeError,
          rf"{name}: expected a tensor, got list.*chainrule.tensor") for name in FUNCTIONS],
    Bad("gelu-approximate", lambda: ops.gelu(x, "erf"), ValueError,
        "gelu: approximate must be one of none, tanh, got 'erf'"),
    Bad("hardtanh-bounds", lambda: ops.hardtanh(x, 1.0, -1.0), ValueError,
        "hardtanh: min_val must not be greater than max_val, got 1.0 and -1.0"),
    Bad("prelu-channels", lambda: ops.prelu(x, cr.ones(2)), ValueError,
        r"prelu: weight must have one element, or one for each channel of x \(weight: \[2\], x: \[2, 3\]\)"),
    Bad("prelu-no-channels", lambda: ops.prelu(cr.ones(3), cr.ones(3)), ValueError, "prelu: weight must have one element"),
    Bad("prelu-rank", lambda: ops.prelu(x, cr.ones(3, 1)), ValueError, "prelu: weight must have one element"),
    Bad("prelu-dtypes", lambda: ops.prelu(x, cr.ones(3).double()), TypeError,
        "prelu: inputs must have one dtype, got float32 and float64"),
]  # fmt: skip
