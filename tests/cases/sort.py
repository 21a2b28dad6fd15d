"""Sorting, the k best, distinct values."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input, sweep

NAN, INF = np.nan, np.inf


def sort(x, dim=-1, descending=False):
    # NumPy has no stable descending order; reversing twice gives one, with NaN first as it is the largest.
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    if not descending:
        order = np.argsort(x, dim, kind="stable")
    else:
        n = x.shape[dim]
        order = n - 1 - np.flip(np.argsort(np.flip(x, dim), dim, kind="stable"), dim)
    return np.take_along_axis(x, order, dim), order


def topk(x, k, dim=-1, largest=True):
    values, order = sort(x, dim, largest)
    keep = np.arange(k)
    return np.take(values, keep, dim), np.take(order, keep, dim)


def peer_sort(torch, x, dim=-1, descending=False):
    return torch.sort(x, dim=dim, descending=descending, stable=True)


def peer_argsort(torch, x, dim=-1, descending=False):
    return torch.argsort(x, dim=dim, descending=descending, stable=True)


def argsort(x, dim=-1, descending=False):
    return sort(x, dim, descending)[1]


SHAPES = [((), -1), ((1,), 0), ((7,), 0), ((3, 33), 1), ((3, 33), 0), ((2, 5, 3), 1), ((0, 3), 0), ((3, 0), 1),
          ((49,), 0), ((1000,), 0), ((2, 300, 3), 1)]  # fmt: skip
SPECIAL = Input(values=[1.0, NAN, -INF, 0.0, INF, -0.0, -1.0, NAN, 1.0])
TIED = Input(values=np.random.default_rng(0).integers(0, 4, (5, 61)).astype(float))


def orders(name, reference, torch, **more):
    """sort and argsort: both directions over shapes, layouts, dtypes, ties and special values."""
    op, cases = getattr(ops, name), []
    for descending in (False, True):
        p = {"descending": descending}
        for s, dim in SHAPES:
            cases.append(Case(f"{name}-{list(s)}-{dim}-{descending}", op, reference, [Input(s)], {"dim": dim, **p},
                              torch=torch, **more))  # fmt: skip
        cases += sweep(
            f"{name}-{descending}", op, reference, [], large=(300, 131), params=p, torch=torch, **more
        )
        for kind, x in [("special", SPECIAL), ("ties", TIED),
                        *[(f"{d}-{n}", Input((n,), low, high, d))
                          for d, low, high in (("int64", -5, 5), ("uint8", 0, 9)) for n in (20, 500)]]:  # fmt: skip
            cases.append(Case(f"{name}-{kind}-{descending}", op, reference, [x], p, grad=False, torch=torch))
    return cases


def topk_cases():
    places = [((9,), 3, 0), ((1,), 1, 0), ((3, 33), 33, 1), ((33, 3), 5, 0), ((2, 500), 40, 1), ((4,), 0, 0),
              ((2, 500), 7, 1), ((0, 3), 2, 1), ((2, 5, 3), 4, 1)]  # fmt: skip
    cases = []
    for largest in (False, True):
        for s, k, dim in places:
            cases.append(Case(f"topk-{list(s)}-{k}-{dim}-{largest}", ops.topk, topk, [Input(s)],
                              {"k": k, "dim": dim, "largest": largest}, torch="topk"))  # fmt: skip
        cases += sweep(f"topk-{largest}", ops.topk, topk, [], large=(90, 801), params={"k": 9, "largest": largest},
                       torch="topk")  # fmt: skip
        # Which of several equal elements is chosen is PyTorch's secret.
        cases.append(Case(f"topk-special-{largest}", lambda x, **p: ops.topk(x, **p).values,
                          lambda x, **p: topk(x, **p)[0], [SPECIAL], {"k": 4, "largest": largest}, grad=False,
                          torch=lambda t, x, **p: t.topk(x, **p).values))  # fmt: skip
    return cases


def distinct(x):
    return np.unique(x, return_inverse=True, return_counts=True, equal_nan=False)


def shaped(x):
    values, inverse, counts = distinct(x)
    return values, inverse.reshape(x.shape), counts


def unique(x):
    return ops.unique(x, return_inverse=True, return_counts=True)


def peer_unique(torch, x):
    return torch.unique(x, return_inverse=True, return_counts=True)


def unique_cases():
    more = {"grad": False, "torch": peer_unique, "recordable": False}
    return [
        *[c for d in ("int64", "uint8") for c in sweep(
            f"unique-{d}", unique, shaped, [(30,), (4, 5), (0,), (1,), (701,), (3, 33)], low=0, high=7, dtype=d, **more)],
        *sweep("unique-floats", unique, shaped, [(), (1,), (0, 3), (3, 33)], **more),
        Case("unique-special", unique, shaped, [Input(values=[2.0, -1.0, 2.0, -0.0, 0.0, INF, -INF])], **more),
        Case("unique-values", ops.unique, np.unique, [Input((50,), 0, 9, "int64")], grad=False, torch="unique",
             recordable=False),
    ]  # fmt: skip


CASES = [
    *orders("sort", sort, peer_sort), *orders("argsort", argsort, peer_argsort, grad=False), *topk_cases(),
    *unique_cases(),
]  # fmt: skip

x = cr.zeros(2, 3)
BAD = [
    Bad("sort-dim", lambda: ops.sort(x, 2), IndexError, "sort"),
    Bad("topk-k", lambda: ops.topk(x, 4), ValueError, r"topk: k must be in \[0, 3\]"),
    Bad("topk-negative", lambda: ops.topk(x, -1), ValueError, "k must not be negative, got -1"),
]  # fmt: skip
