"""Matrix products."""

import numpy as np

import chainrule as cr
from op_cases import LAYOUTS, Bad, Case, Input, sweep

PAIRS = [
    ((3, 4), (4, 5)), ((1, 1), (1, 1)), ((14, 33), (33, 32)), ((15, 7), (7, 33)), ((29, 17), (17, 65)),
    ((2, 300), (300, 3)), ((0, 3), (3, 2)), ((3, 0), (0, 2)), ((3, 2), (2, 0)),
    ((5,), (5,)), ((1,), (1,)), ((0,), (0,)), ((33,), (33, 7)), ((7, 33), (33,)), ((5, 19), (19, 1)), ((1, 19), (19, 5)),
    ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)),
    ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((0, 3, 4), (4, 5)), ((2, 1, 4), (2, 4, 3)), ((2, 3, 4), (2, 4, 1)),
]  # fmt: skip
ALL_LAYOUTS = ["contiguous", *LAYOUTS]


def product(name, a, b, **more):
    layouts = more.pop("layouts", ("contiguous", "contiguous"))
    inputs = [Input(a, layout=layouts[0]), Input(b, layout=layouts[1])]
    return Case(name, cr.matmul, np.matmul, inputs, torch="matmul", **more)


LONG_SUM = {"tol32": 1e-4, "why": "the result of one long sum is small beside its terms"}


def ranked(name, reference, pairs, strided, large, torch=None, **large_only):
    """Products of operands of fixed ranks: both in every layout that their ranks allow."""

    def case(tag, shapes, layout="contiguous", **more):
        inputs = [Input(s, layout=layout) for s in shapes]
        return Case(f"{name}-{tag}", getattr(cr, name), reference, inputs, torch=torch or name, **more)

    return [
        *[case(f"{list(a)}-{list(b)}", (a, b)) for a, b in pairs],
        *[case(layout, strided, layout) for layout in LAYOUTS],
        case("large", large, large=True, **large_only),
    ]  # fmt: skip


def linear_reference(x, w, b=None, activation=None):
    y = x @ w.T + (0 if b is None else b)
    return np.maximum(y, 0) if activation == "relu" else y


def linear_peer(torch, x, w, b=None, activation=None):
    y = torch.nn.functional.linear(x, w, b)
    return torch.relu(y) if activation == "relu" else y


def linear(name, x, w, bias=True, layouts=("contiguous",) * 3, **more):
    shapes = [x, w, w[:1]] if bias else [x, w]
    inputs = [Input(s, layout=k) for s, k in zip(shapes, layouts, strict=False)]
    return Case(f"linear-{name}", cr.linear, linear_reference, inputs, torch=linear_peer, **more)


def cosine(a, b, dim=1, eps=1e-8):
    a, b = np.broadcast_arrays(a, b)
    norms = [np.maximum(np.sqrt((x * x).sum(dim)), eps) for x in (a, b)]
    return (a * b).sum(dim) / (norms[0] * norms[1])


def einsum(equation, *shapes, layout="contiguous", **more):
    return Case(
        f"einsum-{equation}-{list(shapes)}-{layout}",
        lambda *xs: cr.einsum(equation, *xs),
        lambda *xs: np.einsum(equation, *xs),
        [Input(s, layout=layout) for s in shapes],
        torch=lambda torch, *xs: torch.einsum(equation, *xs),
        **more,
    )


CASES = [
    *[product(f"matmul-{list(a)}-{list(b)}", a, b) for a, b in PAIRS],
    *[product(f"matmul-{a}-{b}", (5, 18), (18, 37), layouts=(a, b)) for a in ALL_LAYOUTS for b in ALL_LAYOUTS],
    *[product(f"matmul-batch-{a}-{b}", (3, 5, 6), (3, 6, 4), layouts=(a, b)) for a in ALL_LAYOUTS for b in ALL_LAYOUTS],
    *[product(f"matmul-matvec-{a}-{b}", (9, 21), (21,), layouts=(a, b)) for a in ALL_LAYOUTS for b in ALL_LAYOUTS],
    *[product(f"matmul-vecmat-{a}-{b}", (21,), (21, 9), layouts=(b, a)) for a in ALL_LAYOUTS for b in ALL_LAYOUTS],
    product("matmul-large-rows", (300, 130), (130, 70), large=True),
    product("matmul-large-columns", (40, 520), (520, 600), large=True),
    # Both operands in place or one of them, near and far rows, a last panel that is packed.
    product("matmul-large-rows-deep", (700, 400), (400, 90), large=True),
    product("matmul-large-rows-deeper", (300, 800), (800, 150), large=True, layouts=("contiguous", "sliced")),
    product("matmul-large-tail-by-rows", (300, 800), (800, 150), large=True), product("matmul-large-batch-tail", (20, 60, 300), (20, 300, 50), large=True),
    product("matmul-large-one-set", (70, 1024), (1024, 72), large=True), product("matmul-large-far", (20, 300), (300, 1030), large=True),
    product("matmul-large-expanded", (300, 64), (64, 80), large=True, layouts=("expanded", "contiguous")),
    # Tasks that pack their rows or columns in several groups.
    product("matmul-large-groups-of-rows", (3001, 21), (21, 20), large=True),
    product("matmul-large-groups-of-columns", (20, 21), (21, 3001), large=True),
    product("matmul-large-deep", (70, 1500), (1500, 65), large=True, layouts=("transposed", "transposed")),
    product("matmul-large-batch", (24, 40, 50), (24, 50, 30), large=True),
    product("matmul-large-batch-dots", (20, 7, 390), (20, 390, 9), large=True, layouts=("contiguous", "transposed")),
    product("matmul-large-matvec", (700, 500), (500,), large=True),
    product("matmul-large-vecmat", (500,), (500, 700), large=True),
    product("matmul-large-dot", (200000,), (200000,), large=True, **LONG_SUM),
    Case("matmul-int64", cr.matmul, np.matmul,
         [Input((3, 4), -9, 9, "int64"), Input((4, 5), -9, 9, "int64")], torch="matmul", grad=False),
    Case("matmul-uint8-wraps", cr.matmul, np.matmul,
         [Input((3, 4), 0, 256, "uint8"), Input((4, 5), 0, 256, "uint8")], torch="matmul", grad=False),
    *ranked("mm", np.matmul, [((3, 4), (4, 2)), ((1, 1), (1, 1)), ((0, 3), (3, 2)), ((3, 0), (0, 2)), ((3, 33), (33, 5))],
            ((5, 9), (9, 7)), ((300, 130), (130, 71))),
    *ranked("bmm", np.matmul, [((2, 3, 4), (2, 4, 2)), ((1, 1, 1), (1, 1, 1)), ((0, 3, 4), (0, 4, 2)),
                               ((2, 3, 0), (2, 0, 2)), ((3, 3, 33), (3, 33, 5))],
            ((3, 5, 9), (3, 9, 7)), ((24, 40, 50), (24, 50, 31))),
    *ranked("mv", np.matmul, [((3, 4), (4,)), ((1, 1), (1,)), ((0, 3), (3,)), ((3, 0), (0,)), ((7, 33), (33,))],
            ((5, 9), (9,)), ((701, 500), (500,))),
    *ranked("dot", np.dot, [((35,), (35,)), ((1,), (1,)), ((0,), (0,))], ((35,), (35,)), ((200001,), (200001,)),
            **LONG_SUM),
    *ranked("outer", np.outer, [((3,), (5,)), ((1,), (1,)), ((0,), (5,)), ((3,), (33,))], ((4,), (19,)),
            ((300,), (301,))),
    *ranked("frobenius", lambda a, b: (a * b).sum(), [(s, s) for s in [(2, 2), (1, 1), (0, 3), (3, 37), (2, 3, 4), ()]],
            ((5, 9), (5, 9)), ((300, 301), (300, 301)), torch=lambda torch, a, b: (a * b).sum(), **LONG_SUM),
    linear("batch", (12, 30), (64, 30)), linear("hidden", (12, 64), (32, 64)), linear("one-out", (12, 32), (1, 32)),
    linear("one", (1, 1), (1, 1)), linear("one-sample", (1, 30), (7, 30)), linear("vector", (30,), (7, 30)), linear("3d", (2, 3, 9), (5, 9)),
    linear("no-bias", (4, 9), (5, 9), bias=False), linear("empty-batch", (0, 9), (5, 9)),
    linear("no-features", (4, 0), (5, 0)), linear("no-out", (4, 3), (0, 3)),
    *[linear(f"relu-{x}", x, w, params={"activation": "relu"})
      for x, w in [((12, 30), (64, 30)), ((12, 32), (1, 32)), ((30,), (7, 30)), ((5, 300), (33, 300))]],
    *[linear(k, (2, 5, 9), (6, 9), layouts=(k, k, k)) for k in LAYOUTS],
    # Few rows, or few features: dot products, of whole and cut tiles, of one and two blocks of k.
    linear("dots", (5, 397), (11, 397), params={"activation": "relu"}), linear("dots-few-out", (13, 200), (2, 200)),
    linear("large-dots", (31, 784), (203, 784), large=True, params={"activation": "relu"}),
    linear("large-dots-few-out", (403, 1501), (10, 1501), large=True), linear("large-dots-no-bias", (6, 1100), (90, 1100), bias=False, large=True),
    linear("large", (64, 300), (170, 300), large=True, params={"activation": "relu"}),
    *[Case(f"cosine_similarity-{list(a)}-{list(b)}-{d}", cr.cosine_similarity, cosine, [Input(a), Input(b)],
           {"dim": d}, torch="cosine_similarity")
      for a, b, d in [((4, 9), (4, 9), 1), ((4, 9), (4, 9), 0), ((9,), (9,), 0), ((1, 9), (4, 9), -1),
                      ((2, 3, 5), (3, 5), 1), ((0, 3), (0, 3), 1), ((3, 33), (3, 33), 1)]],
    Case("cosine_similarity-one", cr.cosine_similarity, cosine, [Input((1,)), Input((1,))], {"dim": 0},
         torch="cosine_similarity", grad=False),  # a sign: what is left of the gradient is rounding
    *sweep("cosine_similarity", cr.cosine_similarity, cosine, [], large=(300, 301), torch="cosine_similarity",
           inputs=lambda shape, layout: [Input(shape, layout=layout), Input(shape, layout=layout)]),
    Case("cosine_similarity-zero", cr.cosine_similarity, cosine,
         [Input(values=[[0.0, 0.0], [3.0, 4.0]]), Input(values=[[1.0, 2.0], [4.0, 3.0]])],
         torch="cosine_similarity", grad=False),
    einsum("ij,jk->ik", (3, 4), (4, 5)), einsum("ij,jk", (3, 4), (4, 5)), einsum("ij,kj->ki", (3, 4), (5, 4)),
    einsum("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), einsum("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    einsum("ij->ji", (3, 4)), einsum("ji", (3, 4)), einsum("ij->", (3, 4)), einsum("ij->j", (3, 4)),
    einsum("ii", (4, 4)), einsum("ii->i", (4, 4)), einsum("iij->ji", (4, 4, 3)), einsum("i,j->ij", (3,), (4,)),
    einsum("i,i", (5,), (5,)), einsum("ij,ij->", (3, 4), (3, 4)), einsum("ij,ij->ij", (3, 4), (3, 4)),
    einsum("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), einsum("ab,cd,ac->bd", (2, 3), (4, 5), (2, 4)),
    einsum("...ij,...jk->...ik", (2, 3, 4), (4, 5)), einsum("...i->...", (2, 3, 4)), einsum("i...,i...", (4, 2), (4, 2)),
    einsum("ik,jk->", (3, 4), (5, 4)), einsum("ij,jk->ik", (1, 4), (4, 1)), einsum("ij,jk->ik", (0, 4), (4, 3)),
    einsum("bi,bi->b", (3, 4), (1, 4)), einsum("nchw,kc->nkhw", (2, 3, 4, 5), (6, 3)),
    einsum("aabb->ab", (2, 2, 3, 3)), einsum("ij,jk->ik", (3, 4), (4, 5), layout="transposed"),
    einsum(" i j , j -> i ", (3, 4), (4,)), einsum("ij,jk->ik", (90, 120), (120, 100), large=True),
    einsum("ij,jk->ik", (1, 1), (1, 1)), einsum("ij,jk->ik", (3, 33), (33, 17)), einsum("ij->ji", (3, 5), layout="sliced"),
    einsum("ij,ij->i", (3, 5), (3, 5), layout="expanded"),
]  # fmt: skip

ones = cr.ones
BAD = [
    Bad("matmul-inner", lambda: cr.matmul(ones(3, 4), ones(5, 2)), ValueError,
        r"matmul: a has 4 columns, b has 5 rows \(a: \[3, 4\], b: \[5, 2\]\)"),
    Bad("matmul-batch", lambda: cr.matmul(ones(2, 3, 4), ones(3, 4, 5)), ValueError, r"matmul: .*\[2\] and \[3\]"),
    Bad("matmul-scalar", lambda: cr.matmul(ones(()), ones(2)), ValueError, "at least one dimension"),
    Bad("matmul-bool", lambda: cr.matmul(ones(2, 2).gt(0), ones(2, 2).gt(0)), TypeError, "not defined for bool"),
    Bad("matmul-dtypes", lambda: cr.matmul(ones(2, 2), ones(2, 2, dtype=cr.float64)), TypeError,
        "one dtype, got float32 and float64"),
    Bad("mm-rank", lambda: cr.mm(ones(2, 2, 2), ones(2, 2)), ValueError, r"mm: input must have 2 dimensions"),
    Bad("bmm-batch", lambda: cr.bmm(ones(2, 2, 2), ones(1, 2, 2)), ValueError, "bmm: batch sizes differ"),
    Bad("mv-rank", lambda: cr.mv(ones(2, 2), ones(2, 1)), ValueError, "mv: vec must have 1 dimensions"),
    Bad("dot-matrices", lambda: cr.dot(ones(2, 2), ones(2, 2)), ValueError, r"dot: .*use frobenius\(\)"),
    Bad("dot-lengths", lambda: cr.dot(ones(2), ones(3)), ValueError, r"dot: .*\[2\] and \[3\]"),
    Bad("frobenius-shapes", lambda: cr.frobenius(ones(2, 2), ones(4)), ValueError, "frobenius: shapes must be equal"),
    Bad("outer-rank", lambda: cr.outer(ones(2, 2), ones(2)), ValueError, "outer: input must have 1"),
    Bad("linear-features", lambda: cr.linear(ones(2, 6), ones(4, 8)), ValueError,
        r"linear: weight expects 8 input features, x has 6 \(x: \[2, 6\], weight: \[4, 8\]\)"),
    Bad("linear-bias", lambda: cr.linear(ones(2, 8), ones(4, 8), ones(5)), ValueError, r"linear: bias must be \(4,\)"),
    Bad("linear-weight-rank", lambda: cr.linear(ones(2, 8), ones(8)), ValueError, r"linear: weight must be \(out, in\)"),
    Bad("linear-activation", lambda: cr.linear(ones(2, 8), ones(4, 8), None, "gelu"), ValueError, "'relu', got 'gelu'"),
    Bad("cosine-int", lambda: cr.cosine_similarity(cr.tensor([[1]]), cr.tensor([[1]])), TypeError, "floating"),
    Bad("cosine-dim", lambda: cr.cosine_similarity(ones(3), ones(3)), IndexError, "dim 1 is out of range"),
    Bad("einsum-count", lambda: cr.einsum("ij,jk", ones(2, 2)), ValueError, "names 2 operands, got 1"),
    Bad("einsum-rank", lambda: cr.einsum("ijk", ones(2, 2)), ValueError, "does not fit an operand with 2"),
    Bad("einsum-sizes", lambda: cr.einsum("ij,jk", ones(2, 3), ones(4, 5)), ValueError, "'j' is both 3 and 4"),
    Bad("einsum-result", lambda: cr.einsum("ij->ik", ones(2, 3)), ValueError, "'k' occurs in no operand"),
    Bad("einsum-twice", lambda: cr.einsum("ij->ii", ones(2, 3)), ValueError, "'i' occurs twice"),
    Bad("einsum-text", lambda: cr.einsum("i-j", ones(2, 3)), ValueError, "not a list of letters"),
    Bad("einsum-diagonal", lambda: cr.einsum("ii", ones(2, 3)), ValueError, "'i' is both 2 and 3"),
]  # fmt: skip
