"""Basic and advanced indexing, assignment, gather and scatter, masks."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input

X = (4, 5, 6)
I = np.array([0, 2, -1, 2])  # noqa: E741
M = np.arange(4 * 5).reshape(4, 5) % 3 == 0

KEYS = {
    "int": 1, "negative": -1, "slice": slice(1, 3), "step": slice(None, None, 2), "empty": slice(3, 1),
    "ellipsis": ..., "none": None, "ints": (1, 2), "all-ints": (1, 2, 3), "mixed": (slice(1, 4), 2, slice(0, 6, 3)),
    "dots": (..., 0), "dots-inside": (1, ..., slice(2, 4)), "none-inside": (slice(None), None, 1),
    "list": [0, 2, 2], "empty-list": [], "array": I, "matrix": np.array([[0, 1], [-1, 2]]),
    "two": (I, np.array([0, 1, 2, 4])), "broadcast": (I[:, None], np.array([0, 3])),
    "three": (I, I, I), "second": (slice(None), I), "last": (..., I),
    "int-and-array": (1, I), "slice-and-array": (slice(1, 3), I, slice(0, 2)), "apart": (I, slice(None), I),
    "array-none": (I, None, slice(1, 3)), "scalar-array": np.array(2),
    "mask": M, "row-mask": (slice(None), M[0]), "mask-and-int": (M, 2), "full-mask": np.arange(120).reshape(X) % 7 == 0,
    "no-mask": np.zeros(4, bool), "mask-and-array": (M[:, 0], np.array([1, 3])), "bool-list": [True, False, True, True],
    "np-int": np.int64(2), "negative-step": slice(None, None, -1),
}  # fmt: skip


def key_of(key):
    """The key for tensors: arrays become tensors."""
    if isinstance(key, tuple):
        return tuple(key_of(k) for k in key)
    return cr.tensor(key) if isinstance(key, np.ndarray) else key


def peer_key(torch, key):
    if isinstance(key, tuple):
        return tuple(peer_key(torch, k) for k in key)
    return torch.from_numpy(key) if isinstance(key, np.ndarray) else key


def getitem_cases():
    cases = []
    for name, key in KEYS.items():
        for layout in ("contiguous", "transposed"):
            cases.append(Case(
                f"getitem-{name}-{layout}", lambda x, key=key: ops.getitem(x, key_of(key)),
                lambda x, key=key: x[key], [Input(X, layout=layout)],
                torch=None if name == "negative-step" else lambda torch, x, key=key: x[peer_key(torch, key)],
            ))  # fmt: skip
    for dtype in ("int64", "uint8", "bool"):
        cases.append(Case(f"getitem-{dtype}", lambda x: ops.getitem(x, cr.tensor(I)), lambda x: x[I],
                          [Input((4, 5), 0, 9, dtype)], grad=False))  # fmt: skip
    big = np.arange(40000) * 7 % 3000
    cases += [
        Case("getitem-large", lambda x: ops.getitem(x, cr.tensor(big)), lambda x: x[big], [Input((3000, 33))],
             torch=lambda torch, x: x[torch.from_numpy(big)], large=True),
        Case("getitem-large-columns", lambda x: ops.getitem(x, (slice(None), cr.tensor(big))), lambda x: x[:, big],
             [Input((17, 3000))], torch=lambda torch, x: x[:, torch.from_numpy(big)], large=True),
    ]  # fmt: skip
    return cases


def assign(copy, key):
    def f(x, value):
        out = copy(x)
        out[key] = value
        return out

    return f


def setitem_cases():
    cases = []
    names = [n for n in KEYS if n not in ("array", "two", "apart", "second", "last", "list", "int-and-array",
                                          "slice-and-array", "three", "array-none", "broadcast")]  # fmt: skip
    unique = np.array([0, 2, -1])  # where indices repeat, which value stays is nobody's promise
    keys = {n: KEYS[n] for n in names} | {"array": unique, "apart": (unique, slice(1, 3), unique),
                                          "second": (slice(None), unique), "two": (unique, unique)}  # fmt: skip
    for name, key in keys.items():
        shape = np.empty(X)[key].shape
        values = {"full": shape, "scalar": ()} | ({"broadcast": shape[1:]} if len(shape) > 1 else {})
        for kind, s in values.items():
            cases.append(Case(
                f"setitem-{name}-{kind}",
                lambda x, v, key=key: assign(lambda x: ops.clone(x), key_of(key))(x, v),
                assign(np.copy, key), [Input(X), Input(s)],
                torch=None if name == "negative-step"
                else lambda torch, x, v, key=key: assign(lambda x: x.clone(), peer_key(torch, key))(x, v),
            ))  # fmt: skip
        cases.append(Case(
            f"setitem-{name}-number", lambda x, key=key: assign(lambda x: ops.clone(x), key_of(key))(x, 7.0),
            lambda x, key=key: assign(np.copy, key)(x, 7.0), [Input(X)],
        ))  # fmt: skip
    return cases


def add_at(x, dim, index, source):
    out = x.copy()
    where = list(np.indices(index.shape))
    where[dim] = index
    np.add.at(out, tuple(where), source[tuple(slice(n) for n in index.shape)])
    return out


def scatter(x, index, source, dim):
    out = x.copy()
    np.put_along_axis(out, index, source[tuple(slice(n) for n in index.shape)], dim)
    return out


def gather_cases():
    cases = []
    for x, index, dim in [
        ((5,), (7,), 0),
        ((3, 4), (3, 9), 1),
        ((3, 4), (9, 4), 0),
        ((2, 3, 4), (2, 5, 4), 1),
        ((3, 4), (2, 3), 1),
        ((3, 4), (0, 4), 0),
        ((4, 1), (4, 3), 1),
        ((3, 33), (3, 1), 1),
    ]:
        i = Input(index, 0, x[dim], "int64")
        name = f"{list(x)}-{list(index)}-{dim}"
        cut = tuple(slice(None) if d == dim else slice(n) for d, n in enumerate(index))
        cases.append(Case(
            f"gather-{name}", lambda x, i, dim: ops.gather(x, dim, i),
            lambda x, i, dim, cut=cut: np.take_along_axis(x[cut], i, dim), [Input(x), i], {"dim": dim},
            torch=lambda torch, x, i, dim: torch.gather(x, dim, i),
        ))  # fmt: skip
        cases.append(Case(
            f"scatter_add-{name}", lambda x, i, s, dim: ops.scatter_add(x, dim, i, s),
            lambda x, i, s, dim: add_at(x, dim, i, s), [Input(x), i, Input(index)], {"dim": dim},
            torch=lambda torch, x, i, s, dim: torch.scatter_add(x, dim, i, s),
        ))  # fmt: skip
    distinct = np.array([[2, 0, 1], [1, 3, 0]])
    cases += [
        Case("scatter", lambda x, i, s: ops.scatter(x, 1, i, s), lambda x, i, s: scatter(x, i, s, 1),
             [Input((2, 4)), Input(values=distinct, dtype="int64"), Input((2, 3))],
             torch=lambda torch, x, i, s: torch.scatter(x, 1, i, s)),
        Case("scatter-larger-source", lambda x, i, s: ops.scatter(x, 1, i, s), lambda x, i, s: scatter(x, i, s, 1),
             [Input((2, 4)), Input(values=distinct, dtype="int64"), Input((3, 5))]),  # no gradient in PyTorch
        Case("scatter-number", lambda x, i: ops.scatter(x, 1, i, 2.5),
             lambda x, i: scatter(x, i, np.full((2, 3), 2.5), 1),
             [Input((2, 4)), Input(values=distinct, dtype="int64")],
             torch=lambda torch, x, i: torch.scatter(x, 1, i, 2.5)),
        Case("gather-negative", lambda x, i: ops.gather(x, 0, i), lambda x, i: x[i],
             [Input((5,)), Input(values=[-1, 0, -5], dtype="int64")]),
        Case("gather-strided", lambda x, i: ops.gather(x, 1, i), lambda x, i: np.take_along_axis(x, i, 1),
             [Input((4, 6), layout="transposed"), Input((4, 3), 0, 6, "int64")]),
        Case("gather-large", lambda x, i: ops.gather(x, 1, i), lambda x, i: np.take_along_axis(x, i, 1),
             [Input((500, 90)), Input((500, 200), 0, 90, "int64")],
             torch=lambda torch, x, i: torch.gather(x, 1, i), large=True),
        Case("scatter_add-large", lambda x, i, s: ops.scatter_add(x, 1, i, s),
             lambda x, i, s: add_at(x, 1, i, s), [Input((500, 90)), Input((500, 200), 0, 90, "int64"),
                                                  Input((500, 200))],
             torch=lambda torch, x, i, s: torch.scatter_add(x, 1, i, s), large=True),
        Case("scatter_add-large-rows", lambda x, i, s: ops.scatter_add(x, 0, i, s),
             lambda x, i, s: add_at(x, 0, i, s), [Input((50, 200)), Input((900, 200), 0, 50, "int64"),
                                                  Input((900, 200))], large=True),
    ]  # fmt: skip
    return cases


def along_cases():
    def add_reference(x, i, s, dim):
        out = np.moveaxis(x.copy(), dim, 0)
        np.add.at(out, i, np.moveaxis(s, dim, 0))
        return np.moveaxis(out, 0, dim)

    cases = []
    for x, n, dim in [((5,), 7, 0), ((4, 3), 6, 0), ((4, 3), 2, 1), ((2, 3, 4), 5, -2), ((4, 3), 0, 0)]:
        i = Input((n,), 0, x[dim], "int64")
        s = list(x)
        s[dim] = n
        cases.append(Case(f"index_select-{list(x)}-{n}-{dim}", lambda x, i, dim: ops.index_select(x, dim, i),
                          lambda x, i, dim: np.take(x, i, dim), [Input(x), i], {"dim": dim},
                          torch=lambda torch, x, i, dim: torch.index_select(x, dim, i)))  # fmt: skip
        cases.append(Case(f"index_add-{list(x)}-{n}-{dim}", lambda x, i, s, dim: ops.index_add(x, dim, i, s),
                          add_reference, [Input(x), i, Input(tuple(s))], {"dim": dim},
                          torch=lambda torch, x, i, s, dim: torch.index_add(x, dim, i, s)))  # fmt: skip
    cases += [
        Case("index_select-strided", lambda x, i: ops.index_select(x, 1, i), lambda x, i: x[:, i],
             [Input((4, 6), layout="transposed"), Input((3,), 0, 6, "int64")]),
        Case("index_select-large", lambda x, i: ops.index_select(x, 0, i), lambda x, i: x[i],
             [Input((1000, 64)), Input((3000,), 0, 1000, "int64")],
             torch=lambda torch, x, i: torch.index_select(x, 0, i), large=True),
        Case("index_add-large", lambda x, i, s, dim: ops.index_add(x, dim, i, s), add_reference,
             [Input((40, 512)), Input((300,), 0, 40, "int64"), Input((300, 512))], {"dim": 0},
             torch=lambda torch, x, i, s, dim: torch.index_add(x, dim, i, s), large=True),
        Case("index_copy", lambda x, i, s: ops.index_copy(x, 0, i, s), assign_rows,
             [Input((4, 3)), Input(values=[2, 0], dtype="int64"), Input((2, 3))],
             torch=lambda torch, x, i, s: torch.index_copy(x, 0, i, s)),
        Case("index_put-accumulate", lambda x, i, v: ops.index_put_(ops.clone(x), (i,), v, accumulate=True),
             lambda x, i, s: add_reference(x, i, s, 0), [Input((4, 3)), Input((9,), 0, 4, "int64"), Input((9, 3))],
             torch=lambda torch, x, i, v: x.clone().index_put_((i,), v, accumulate=True)),
        Case("take", ops.take, np.take, [Input((3, 4)), Input((2, 5), 0, 12, "int64")], torch="take"),
        Case("take_along_dim", lambda x, i: ops.take_along_dim(x, i, 1), lambda x, i: np.take_along_axis(x, i, 1),
             [Input((3, 4)), Input((1, 6), 0, 4, "int64")],
             torch=lambda torch, x, i: torch.take_along_dim(x, i, 1)),
    ]  # fmt: skip
    return cases


def assign_rows(x, i, s):
    out = x.copy()
    out[i] = s
    return out


def mask_cases():
    m = Input((4, 5), dtype="bool")
    return [
        Case("masked_select", ops.masked_select, lambda x, m: x[m], [Input((4, 5)), m], torch="masked_select"),
        Case("masked_select-broadcast", ops.masked_select, lambda x, m: np.broadcast_to(x, (4, 5))[m],
             [Input((5,)), m], torch="masked_select"),
        Case("masked_select-large", ops.masked_select, lambda x, m: x[m],
             [Input((400, 301)), Input((400, 301), dtype="bool")], torch="masked_select", large=True),
        *[Case(f"nonzero-{list(s)}-{d}", ops.nonzero, lambda x: np.argwhere(x), [Input(s, 0, 2, d)], grad=False,
               torch="nonzero")
          for s in [(7,), (3, 4), (0, 3), (2, 3, 35)] for d in ("bool", "int64", "uint8")],
        Case("nonzero-float", ops.nonzero, lambda x: np.argwhere(x), [Input(values=[0.0, -0.0, np.nan, 2.0])],
             grad=False, torch="nonzero"),
        Case("nonzero-large", ops.nonzero, lambda x: np.argwhere(x), [Input((301, 400), 0, 2, "int64")], grad=False,
             torch="nonzero", large=True),
        Case("nonzero-tuple", lambda x: ops.nonzero(x, as_tuple=True), np.nonzero, [Input((3, 4), dtype="bool")],
             grad=False),
    ]  # fmt: skip


CASES = [*getitem_cases(), *setitem_cases(), *gather_cases(), *along_cases(), *mask_cases()]

x = cr.zeros(3, 4)


def put(*args):
    return lambda: ops.setitem(cr.zeros(3, 4), *args)


def get(key):
    return lambda: ops.getitem(x, key)


BAD = [
    Bad("getitem-int-range", get(3), IndexError, "index 3 is out of range for dimension 0 of size 3"),
    Bad("getitem-range", get([0, 3]), IndexError, r"index: value 3 at position 1 is out of range \[-3, 3\)"),
    Bad("getitem-second-range", get(([0, 1], [1, -5])), IndexError, r"value -5 at position 1 is out of range \[-4, 4\)"),
    Bad("getitem-too-many", get((0, 0, 0)), IndexError, r"too many indices: 3 for a tensor of shape \[3, 4\]"),
    Bad("getitem-dots", get((..., 0, ...)), IndexError, r"only one \.\.\. is allowed"),
    Bad("getitem-float", get(1.0), TypeError, "expects ints, slices"),
    Bad("getitem-text", get("a"), TypeError, "expects ints, slices"),
    Bad("getitem-float-tensor", get(cr.zeros(2)), TypeError, "tensors must be int64, or bool as a mask, got float32"),
    Bad("getitem-uint8", get(cr.zeros(3, dtype=cr.uint8)), TypeError, r"got uint8; use .bool\(\) for a mask"),
    Bad("getitem-mask", get(cr.zeros(4) > 0), IndexError, r"a mask of shape \[4\] does not fit dimensions 0 to 0"),
    Bad("getitem-indices", get(([0, 1], [0, 1, 2])), ValueError, "do not broadcast"),
    Bad("getitem-step", get(slice(None, None, 0)), ValueError, "step"),
    Bad("setitem-shape", put(0, cr.zeros(3)), ValueError, "do not broadcast"),
    Bad("setitem-index-shape", put([0, 1], cr.zeros(3)), ValueError, r"do(es)? not broadcast"),
    Bad("setitem-range", put([0, 5], 1.0), IndexError, "value 5 at position 1"),
    Bad("setitem-expanded", lambda: ops.setitem(cr.zeros(1, 3).expand(2, 3), [0], 1.0), ValueError,
        "share one memory location"),
    Bad("gather-rank", lambda: ops.gather(x, 0, cr.zeros(3, dtype=cr.int64)), ValueError, "as many dimensions"),
    Bad("gather-size", lambda: ops.gather(x, 0, cr.zeros(1, 5, dtype=cr.int64)), ValueError, "larger than the tensor"),
    Bad("gather-dtype", lambda: ops.gather(x, 0, x), TypeError, "gather: index must be int64, got float32"),
    Bad("gather-range", lambda: ops.gather(x, 0, cr.tensor([[3]])), IndexError, r"gather: value 3 at position 0"),
    Bad("gather-dim", lambda: ops.gather(x, 2, cr.tensor([[0]])), IndexError, "gather"),
    Bad("scatter-range", lambda: ops.scatter_add(x, 1, cr.tensor([[0, 4]]), cr.ones(1, 2)), IndexError,
        "value 4 at position 1"),
    Bad("scatter-source", lambda: ops.scatter_add(x, 1, cr.tensor([[0, 1]]), cr.ones(1, 1)), ValueError,
        "do not cover the index"),
    Bad("index_select-rank", lambda: ops.index_select(x, 0, cr.tensor([[0]])), ValueError, "one dimension"),
    Bad("index_select-range", lambda: ops.index_select(x, 1, cr.tensor([4])), IndexError, "value 4 at position 0"),
    Bad("setitem-leaf", lambda: ops.setitem(cr.zeros(3, requires_grad=True), 0, 1.0), RuntimeError, "leaf"),
]  # fmt: skip
