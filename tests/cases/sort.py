"""Sorting, the k best, distinct values."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input

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


def sort_cases():
    cases = []
    shapes = [((), -1), ((1,), 0), ((7,), 0), ((3, 33), 1), ((3, 33), 0), ((2, 5, 3), 1), ((0, 3), 0), ((3, 0), 1),
              ((49,), 0), ((1000,), 0), ((2, 300, 3), 1)]  # fmt: skip
    for s, dim in shapes:
        for descending in (False, True):
            cases.append(Case(f"sort-{list(s)}-{dim}-{descending}", ops.sort, sort, [Input(s)],
                              {"dim": dim, "descending": descending}, torch=peer_sort))  # fmt: skip
    for dtype, low, high in (("int64", -5, 5), ("uint8", 0, 9)):
        for n in (20, 500):
            for descending in (False, True):
                cases.append(Case(f"sort-{dtype}-{n}-{descending}", ops.sort, sort, [Input((n,), low, high, dtype)],
                                  {"descending": descending}, grad=False, torch=peer_sort))  # fmt: skip
    special = [1.0, NAN, -INF, 0.0, INF, -0.0, -1.0, NAN, 1.0]
    for descending in (False, True):
        cases.append(Case(f"sort-special-{descending}", ops.sort, sort, [Input(values=special)],
                          {"descending": descending}, grad=False, torch=peer_sort))  # fmt: skip
    for s, k, dim in [
        ((9,), 3, 0),
        ((3, 33), 33, 1),
        ((33, 3), 5, 0),
        ((2, 500), 40, 1),
        ((4,), 0, 0),
        ((2, 500), 7, 1),
    ]:
        for largest in (False, True):
            cases.append(Case(f"topk-{list(s)}-{k}-{dim}-{largest}", ops.topk, topk, [Input(s)],
                              {"k": k, "dim": dim, "largest": largest}, torch="topk"))  # fmt: skip
    cases += [
        Case("sort-large", ops.sort, sort, [Input((300, 130))], torch=peer_sort, large=True),
        Case("topk-large", ops.topk, topk, [Input((90, 800))], {"k": 9}, torch="topk", large=True),
        Case("sort-strided", ops.sort, sort, [Input((4, 9), layout="transposed")], torch=peer_sort),
        Case("argsort", ops.argsort, lambda x: sort(x)[1], [Input((3, 9))], grad=False, torch="argsort"),
    ]  # fmt: skip
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


CASES = [
    *sort_cases(),
    *[Case(f"unique-{list(s)}-{d}", unique, shaped, [Input(s, 0, 7, d)], grad=False, torch=peer_unique)
      for s in [(30,), (4, 5), (0,), (1,), (700,)] for d in ("int64", "uint8")],
    Case("unique-float", unique, shaped, [Input(values=[2.0, -1.0, 2.0, -0.0, 0.0, INF, -INF])], grad=False,
         torch=peer_unique),
    Case("unique-values", ops.unique, np.unique, [Input((50,), 0, 9, "int64")], grad=False, torch="unique"),
]  # fmt: skip

x = cr.zeros(2, 3)
BAD = [
    Bad("sort-dim", lambda: ops.sort(x, 2), IndexError, "sort"),
    Bad("topk-k", lambda: ops.topk(x, 4), ValueError, r"topk: k must be in \[0, 3\]"),
    Bad("topk-negative", lambda: ops.topk(x, -1), ValueError, "k must not be negative, got -1"),
]  # fmt: skip
