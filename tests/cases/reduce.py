"""Reductions."""

import warnings
from dataclasses import replace

import numpy as np

import chainrule as cr
from op_cases import LAYOUTS, Bad, Case, Input

INF = float("inf")
# (shape, dim): whole tensor, one dimension, several, apart, size 1, odd tails; then empty ones.
PLACES = [
    *[((), None), ((1,), 0), ((7,), None), ((3, 33), 0), ((3, 33), 1), ((3, 33), None)],
    *[((2, 3, 5), 1), ((2, 3, 5), (0, 2)), ((2, 3, 5), (0, 1)), ((2, 1, 5), 1)],
    *[((2, 3, 4, 5), (0, 2, 3)), ((2, 3, 4, 5), (-1, -3)), ((70, 5), 0), ((5, 130), -1)],
]
EMPTY = [((0,), None), ((0, 3), 0), ((0, 3), 1), ((3, 0), 1)]
KEPT = [((0, 3), 1), ((3, 0), 0)]  # empty, and so is the result
LARGE = [
    *[((70000,), None), ((300, 301), 0), ((300, 301), 1)],
    *[((5, 16, 31, 33), (0, 2, 3)), ((40000, 3), 0)],
]


def reduction(
    name, reference, torch=None, *, empty=EMPTY, ties=False, low=-2.0, high=2.0, dtype=None, **more
):
    """Cases of op(x, dim=..., keepdim=...); a parameter of the op goes into `params`.

    ties: repeated elements share a gradient, where a finite difference sees one side only.
    """
    op, params, differentiable = getattr(cr, name), more.pop("params", {}), more.pop("grad", True)
    tag = "".join(f"-{v}" for v in params.values())

    def numpy_of(x, dim=None, keepdim=False, **p):
        return reference(x, axis=dim, keepdims=keepdim, **p)

    def same_name(t, x, dim=None, keepdim=False, **p):
        return getattr(t, name)(x, dim=dim, keepdim=keepdim, **p)

    def case(suffix, shape, dim, keepdim=False, layout="contiguous", large=False):
        x = Input(shape, low, high, dtype, layout)
        settings = {"dim": dim, "keepdim": keepdim, **params}
        peer = torch or same_name
        smooth = not (ties and layout == "expanded")
        label = f"{name}{tag}-{suffix}"
        return Case(label, op, numpy_of, [x], settings, torch=peer, large=large, grad=differentiable, smooth=smooth,
                    **more)  # fmt: skip

    return [
        *[case(f"{list(s)}-{d}", s, d) for s, d in PLACES + empty],
        case("keep-one", (2, 3, 5), 1, True),
        case("keep-all", (2, 3), None, True),
        case("keep-apart", (2, 3, 5), (0, 2), True),
        *[case(f"{layout}-{d}", (4, 19), d, layout=layout) for layout in LAYOUTS for d in (0, 1)],
        *[case(f"large-{list(s)}-{d}", s, d, large=True) for s, d in LARGE],
    ]


def along(name, reference, grad=True):
    """Cases of op(x, dim) for one dimension."""
    shapes = [((7,), 0), ((1,), 0), ((3, 33), 0), ((3, 33), 1), ((2, 3, 5), 1), ((2, 3, 5), -1)]
    shapes += [((0, 3), 1), ((4, 1), 1), ((3, 130), 0)]
    large = [((300, 301), 0), ((300, 301), 1), ((3, 20000, 2), 1)]

    def case(suffix, shape, dim, layout="contiguous", large=False):
        return Case(
            f"{name}-along-{suffix}",
            getattr(cr, name),
            reference,
            [Input(shape, layout=layout)],
            {"dim": dim},
            torch=name,
            grad=grad,
            large=large,
        )

    return [
        *[case(f"{list(s)}-{d}", s, d) for s, d in shapes],
        *[case(layout, (4, 19), 1, layout) for layout in LAYOUTS],
        *[case(f"large-{list(s)}-{d}", s, d, large=True) for s, d in large],
    ]


def special(label, op, reference, x, torch, grad=False, **params):
    return Case(label, op, reference, [x], params, torch=torch, grad=grad)


def integers(name, numpy, dtype, low, high, dim=0):
    return Case(
        f"{name}-{dtype}",
        getattr(cr, name),
        numpy,
        [Input((9, 5), low, high, dtype=dtype)],
        {"dim": dim},
        torch=name,
        grad=False,
    )


# ---- references: NumPy's, where it has one ----


def mean(x, axis=None, keepdims=False):
    total = np.sum(x, axis=axis, keepdims=keepdims)
    return total / (x.size / total.size) if x.size else total + np.nan


def var(x, axis=None, keepdims=False, correction=1):
    total = np.sum((x - mean(x, axis, True)) ** 2, axis=axis, keepdims=keepdims)
    count = x.size / total.size if total.size else 1
    return total / max(count - correction, 0)


def std(x, axis=None, keepdims=False, correction=1):
    return np.sqrt(var(x, axis, keepdims, correction))


def with_mean(spread):
    return lambda x, axis=None, keepdims=False, **p: (spread(x, axis, keepdims, **p), mean(x, axis, keepdims))


def logsumexp(x, axis=None, keepdims=False):
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis=axis)


def norm(x, axis=None, keepdims=False, p=2):
    a = np.abs(x)
    if p == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdims).astype(x.dtype)
    if np.isinf(p):
        return (np.max if p > 0 else np.min)(a, axis=axis, keepdims=keepdims)
    return np.sum(a**p, axis=axis, keepdims=keepdims) ** (1 / p)


def greatest(x, dim):
    return np.max(x, axis=dim), np.argmax(x, axis=dim)


def least(x, dim):
    return np.min(x, axis=dim), np.argmin(x, axis=dim)


# ---- PyTorch, where its arguments differ ----


def torch_extreme(name):
    def peer(t, x, dim=None, keepdim=False):
        return getattr(t, name)(x, dim=() if dim is None else dim, keepdim=keepdim)

    return peer


def torch_logsumexp(t, x, dim=None, keepdim=False):
    return t.logsumexp(x, tuple(range(x.ndim)) if dim is None else dim, keepdim)


def torch_norm(t, x, dim=None, keepdim=False, p=2):
    return t.linalg.vector_norm(x, p, dim, keepdim)


def torch_spread(name):
    """PyTorch warns where there are too few values for the correction."""

    def peer(t, *args, **params):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return getattr(t, name)(*args, **params)

    return peer


def torch_prod(t, x, dim=None, keepdim=False):
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = {d % x.ndim for d in dims} if x.ndim else set()
    for d in dims:
        x = x.prod(d, keepdim=True)
    return x.reshape([n for d, n in enumerate(x.shape) if keepdim or d not in dims])


def norms():
    why = "the power p, and its inverse, amplify the roundings of the sum"
    for p in (0, 1, 2, 3.0, 0.5, -1.0, INF, -INF):
        tolerance = {"tol32": 5e-5, "why": why} if p in (3.0, 0.5, -1.0) else {}
        tied = abs(p) == INF
        yield from reduction(
            "norm",
            norm,
            torch_norm,
            empty=EMPTY if p in (0, 1, 2, 3.0) else KEPT,
            ties=tied,
            low=0.2,
            params={"p": p},
            **tolerance,
        )
        if p in (1, 2, 3.0, INF, -INF):  # of both signs
            yield Case(
                f"norm-signed-{p}",
                cr.norm,
                lambda x, dim, p: norm(x, dim, False, p),
                [Input((3, 17))],
                {"dim": 1, "p": p},
                torch=torch_norm,
            )


def spreads():
    for name, f in (("var", var), ("std", std), ("var_mean", with_mean(var)), ("std_mean", with_mean(std))):
        for correction in (0, 1):
            for case in reduction(name, f, torch_spread(name), params={"correction": correction}):
                shape = case.inputs[0].shape  # that of one value, or none, has no spread to differentiate
                yield replace(case, grad=0 not in shape and shape not in ((), (1,), (2, 1, 5)))


ZEROS = Input(values=[[1.5, 0.0, 2.0], [0.0, -1.0, 0.0], [3.0, 2.0, 1.0]])
TIES = Input(values=[[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
NANS = Input(values=[[1.0, np.nan, 3.0, np.nan], [5.0, 2.0, np.nan, 1.0]])
EXTREMES = Input(values=[[INF, 1.0], [-INF, -INF], [-INF, 0.0], [np.nan, 1.0], [1e4, 1e4]])
ONE = Input((3, 1))

CASES = [
    *reduction("sum", np.sum),
    *reduction("mean", mean),
    *reduction(
        "prod",
        np.prod,
        torch_prod,
        low=0.5,
        high=1.5,
        tol32=1e-3,
        why="a product of n float32 factors carries n roundings",
    ),
    *reduction("amax", np.max, torch_extreme("amax"), empty=KEPT, ties=True),
    *reduction("amin", np.min, torch_extreme("amin"), empty=KEPT, ties=True),
    *reduction("logsumexp", logsumexp, torch_logsumexp),
    *spreads(),
    *norms(),
    # Few true ones for any, few false ones for all.
    *reduction("any", np.any, dtype="bool", low=-20.0, high=1.0, grad=False),
    *reduction("all", np.all, dtype="bool", low=-1.0, high=20.0, grad=False),
    *along("max", greatest),
    *along("min", least),
    *along("argmax", lambda x, dim: np.argmax(x, axis=dim), grad=False),
    *along("argmin", lambda x, dim: np.argmin(x, axis=dim), grad=False),
    *along("cumsum", lambda x, dim: np.cumsum(x, axis=dim)),
    special("max-whole", cr.max, np.max, Input((5, 7)), "max", grad=True),
    special("min-whole", cr.min, np.min, Input((5, 7)), "min", grad=True),
    special("argmax-flat", cr.argmax, np.argmax, Input((5, 7)), "argmax"),
    special("argmin-flat", cr.argmin, np.argmin, Input((5, 7)), "argmin"),
    special("argmax-ties", cr.argmax, lambda x, dim: np.argmax(x, dim), TIES, "argmax", dim=1),
    special("argmin-ties", cr.argmin, lambda x, dim: np.argmin(x, dim), TIES, "argmin", dim=1),
    *[Case(f"{name}-tied-gradient", getattr(cr, name), lambda x, dim, f=f: f(x, dim), [TIES], {"dim": 1}, torch=name,
           smooth=False) for name, f in [("amax", np.max), ("amin", np.min), ("max", greatest), ("min", least)]],
    special("max-nan", cr.max, greatest, NANS, "max", dim=1),
    special("max-nan-columns", cr.max, greatest, NANS, "max", dim=0),
    special("amax-nan", cr.amax, lambda x, dim: np.max(x, axis=dim), NANS, "amax", dim=0),
    special("prod-zeros", cr.prod, lambda x, dim: np.prod(x, dim), ZEROS, "prod", True, dim=1),
    special("prod-zeros-whole", cr.prod, np.prod, ZEROS, "prod", True),
    special("logsumexp-extremes", cr.logsumexp, lambda x, dim: logsumexp(x, dim), EXTREMES,
            "logsumexp", dim=1),
    special("var-of-one", cr.var, lambda x, dim: x[:, 0] * np.nan, ONE, torch_spread("var"), dim=1),
    integers("sum", lambda x, dim: np.sum(x, dim), "int64", -9, 9),
    integers("sum", lambda x, dim: np.sum(x, dim, dtype=np.int64), "bool", 0, 2),
    integers("sum", lambda x, dim: np.sum(x, dim, dtype=np.int64), "uint8", 0, 255, 1),
    integers("prod", lambda x, dim: np.prod(x, dim), "int64", -9, 9),
    integers("amax", lambda x, dim: np.max(x, dim), "uint8", 0, 255, 1),
    integers("amin", lambda x, dim: np.min(x, dim), "int64", -99, 99),
    integers("argmax", lambda x, dim: np.argmax(x, dim), "int64", -9, 9),
    integers("cumsum", lambda x, dim: np.cumsum(x, dim, dtype=np.int64), "uint8", 0, 255),
    integers("any", lambda x, dim: np.any(x, dim).astype(np.uint8), "uint8", 0, 2),
]  # fmt: skip


def bad(label, call, error, match):
    return Bad(label, lambda: call(lambda *s: cr.zeros(*s)), error, match)


whole = cr.tensor([1, 2])
EMPTY_TEXT = "no elements to choose from"
BAD = [
    bad("sum-dim", lambda x: cr.sum(x(3), 1), IndexError, r"sum: dim 1 is out of range \[-1, 0\]"),
    bad("sum-twice", lambda x: cr.sum(x(3, 3), (1, -1)), ValueError, "sum: dim 1 is named twice"),
    bad("mean-int", lambda x: cr.mean(whole), TypeError, "mean: needs a floating dtype, got int64"),
    bad("var-int", lambda x: cr.var(whole), TypeError, "var: needs a floating dtype, got int64"),
    bad("norm-int", lambda x: cr.norm(whole), TypeError, "norm: needs a floating dtype, got int64"),
    bad("norm-nuc", lambda x: cr.norm(x(2, 2), "nuc"), ValueError, "norm: p must be a number or"),
    bad("max-empty", lambda x: cr.max(x(0)), ValueError, rf"amax: {EMPTY_TEXT} \(x: \[0\]\)"),
    bad("max-dim-empty", lambda x: cr.max(x(2, 0), 1), ValueError, rf"max: {EMPTY_TEXT} \(x: \[2"),
    bad("argmin-empty", lambda x: cr.argmin(x(0, 3), 0), ValueError, f"argmin: {EMPTY_TEXT}"),
    bad("norm-empty", lambda x: cr.norm(x(0), -INF), ValueError, f"norm: {EMPTY_TEXT}"),
    bad("cumsum-dim", lambda x: cr.cumsum(x(2, 2), 2), IndexError, "cumsum: dim 2 is out of range"),
]
