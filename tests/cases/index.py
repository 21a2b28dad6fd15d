"""Basic and advanced indexing, assignment, masks."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import LAYOUTS, Bad, Case, Input, copy_of, in_place, sweep

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
MASKED = ["mask", "row-mask", "mask-and-int", "full-mask", "no-mask", "mask-and-array", "bool-list"]
NO_NEGATIVE_STEP = "PyTorch has no negative steps"
# The first is one element, the last has odd tails.
ROWS = {"one": ((1,), [0]), "nothing": ((0, 3), []), "odd": ((3, 33), [2, 0, -1, 2])}


def key_of(key):
    """The key for tensors: arrays become tensors."""
    if isinstance(key, tuple):
        return tuple(key_of(k) for k in key)
    return cr.tensor(key) if isinstance(key, np.ndarray) else key


def peer_key(torch, key):
    if isinstance(key, tuple):
        return tuple(peer_key(torch, k) for k in key)
    return torch.from_numpy(key) if isinstance(key, np.ndarray) else key


def compared(name, call):
    """The peer's side of a case whose key PyTorch has, too."""
    return {"no_peer": NO_NEGATIVE_STEP} if name.startswith("negative-step") else {"torch": call}


def getitem(tag, key, inputs, **more):
    peer = compared(tag, lambda torch, x: x[peer_key(torch, key)])
    return Case(
        f"getitem-{tag}", lambda x: ops.getitem(x, key_of(key)), lambda x: x[key], inputs, **peer, **more
    )


def getitem_cases():
    big = np.arange(40000) * 7 % 3000
    return [
        *[getitem(name, key, [Input(X)], recordable=name not in MASKED) for name, key in KEYS.items()],
        *[getitem(f"{name}-{k}", key, [Input(X, layout=k)], recordable=name not in MASKED)
          for name, key in KEYS.items() if name != "negative-step" for k in ("transposed",)],
        *[getitem(f"array-{k}", I, [Input(X, layout=k)]) for k in LAYOUTS[1:]],
        *[getitem(f"rows-{tag}", np.array(rows, np.int64), [Input(shape)]) for tag, (shape, rows) in ROWS.items()],
        *[getitem(dtype, I, [Input((4, 5), 0, 9, dtype)], grad=False) for dtype in ("int64", "uint8", "bool")],
        getitem("large", big, [Input((3000, 33))], large=True),
        getitem("large-columns", (slice(None), big), [Input((17, 3000))], large=True),
        getitem("large-mask", np.arange(400 * 301).reshape(400, 301) % 3 == 0, [Input((400, 301))], large=True,
                recordable=False),
    ]  # fmt: skip


def assign(copy, key):
    def f(x, value=7.0):
        out = copy(x)
        out[key] = value
        return out

    return f


def setitem(tag, key, inputs, layout="contiguous", **more):
    """out[key] = value, or 7 without one, for a copy of x in that layout."""
    peer = compared(tag, lambda torch, *xs: assign(lambda x: x.clone(), peer_key(torch, key))(*xs))
    return Case(f"setitem-{tag}", lambda *xs: assign(lambda x: copy_of(x, layout), key_of(key))(*xs),
                assign(np.copy, key), inputs, **peer, **more)  # fmt: skip


def setitem_cases():
    cases = []
    names = [n for n in KEYS if n not in ("array", "two", "apart", "second", "last", "list", "int-and-array",
                                          "slice-and-array", "three", "array-none", "broadcast")]  # fmt: skip
    unique = np.array([0, 2, -1])  # where indices repeat, which value stays is nobody's promise
    keys = {n: KEYS[n] for n in names} | {"array": unique, "apart": (unique, slice(1, 3), unique),
                                          "second": (slice(None), unique), "two": (unique, unique)}  # fmt: skip
    for name, key in keys.items():
        shape = np.empty(X)[key].shape
        sources = {"full": [Input(shape)], "scalar": [Input(())], "number": []}
        if len(shape) > 1:
            sources["broadcast"] = [Input(shape[1:])]
        for kind, source in sources.items():
            # A number goes where one mask says without looking up its positions.
            by_value = name in MASKED and not (kind == "number" and isinstance(key, np.ndarray))
            cases.append(setitem(f"{name}-{kind}", key, [Input(X), *source], recordable=not by_value))
    for k in ("transposed", "sliced"):
        for name in ("slice", "array", "second", "mask"):
            shape = np.empty(X)[keys[name]].shape
            cases.append(setitem(f"{name}-into-{k}", keys[name], [Input(X, layout=k), Input(shape, layout=k)], k,
                                 grad=False, recordable=name not in MASKED))  # fmt: skip
    distinct = np.random.default_rng(0).permutation(3000)[:2500]
    return [
        *cases,
        *[setitem(f"rows-{tag}", np.array(rows[:2], np.int64), [Input(shape), Input(())])
          for tag, (shape, rows) in ROWS.items()],
        setitem("large", distinct, [Input((3000, 33)), Input((2500, 33))], large=True),
        setitem("large-slice", slice(5, 2900, 2), [Input((3000, 67)), Input((67,))], large=True),
        setitem("large-mask", np.arange(400 * 301).reshape(400, 301) % 3 == 0, [Input((400, 301))], large=True),
    ]  # fmt: skip


def add_rows(x, i, s):
    out = x.copy()
    np.add.at(out, i, s)
    return out


def put_cases():
    """index_put_: x[indices] = values, or += with every repetition counting."""

    def put(x, i, v, accumulate=False, layout="contiguous"):
        return in_place("index_put_", layout)(x, (i,), v, accumulate=accumulate)

    def reference(x, i, v, accumulate=False):
        return add_rows(x, i, v) if accumulate else assign(np.copy, i)(x, v)

    def peer(torch, x, i, v, accumulate=False):
        return x.clone().index_put_((i,), v, accumulate=accumulate)

    cases = []
    for tag, x, rows, more in [
        ("add", (4, 3), [3, 0, 3, 1, -1, 3, 3, 0, 2], {}), ("add-nothing", (0, 3), [], {}), ("add-one", (1,), [0, 0, 0], {}),
        ("add-odd", (3, 33), [2, 0, 2, -1], {}),
        ("add-large", (40, 512), np.random.default_rng(1).integers(0, 40, 300), {"large": True}),
        ("add-into-transposed", (4, 9), [3, 0, 3], {"layout": "transposed"}),
        ("add-into-sliced", (4, 9), [3, 0, 3], {"layout": "sliced"}),
    ]:  # fmt: skip
        layout = more.pop("layout", "contiguous")
        inputs = [Input(x, layout=layout), Input(values=rows, dtype="int64"), Input((len(rows), *x[1:]))]
        cases.append(Case(f"index_put_-{tag}", lambda x, i, v, accumulate, k=layout: put(x, i, v, accumulate, k),
                          reference, inputs, {"accumulate": True}, torch=peer, grad=layout == "contiguous", **more))  # fmt: skip
    inputs = [Input((4, 3)), Input(values=[2, 0], dtype="int64"), Input((2, 3))]
    cases.append(Case("index_put_-write", put, reference, inputs, torch=peer))
    return cases


def mask_cases():
    def both(shape, layout):
        return [Input(shape, layout=layout), Input(shape, dtype="bool", layout=layout)]

    shapes = [(), (1,), (0, 3), (4, 5), (3, 33)]
    cases = sweep("masked_select", ops.masked_select, lambda x, m: x[m], shapes,
                  large=(400, 301), inputs=both, torch="masked_select", recordable=False)  # fmt: skip
    for d in ("bool", "int64", "uint8"):
        cases += sweep(f"nonzero-{d}", ops.nonzero, np.argwhere, [(1,), (7,), (3, 4), (0, 3), (2, 3, 35)], low=0, high=2,
                       dtype=d, large=(301, 400), grad=False, torch="nonzero", recordable=False)  # fmt: skip
    return [
        *cases,
        Case("masked_select-broadcast", ops.masked_select, lambda x, m: np.broadcast_to(x, (4, 5))[m],
             [Input((5,)), Input((4, 5), dtype="bool")], torch="masked_select", recordable=False),
        Case("nonzero-float", ops.nonzero, np.argwhere, [Input(values=[0.0, -0.0, np.nan, 2.0])],
             grad=False, torch="nonzero", recordable=False),
        Case("nonzero-tuple", lambda x: ops.nonzero(x, as_tuple=True), np.nonzero, [Input((3, 4), dtype="bool")],
             grad=False, torch=lambda t, x: t.nonzero(x, as_tuple=True), recordable=False),
    ]  # fmt: skip


CASES = [*getitem_cases(), *setitem_cases(), *put_cases(), *mask_cases()]

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
    Bad("setitem-leaf", lambda: ops.setitem(cr.zeros(3, requires_grad=True), 0, 1.0), RuntimeError, "leaf"),
    Bad("index_put_-range", lambda: ops.index_put_(cr.zeros(3), (cr.tensor([3]),), cr.ones(1), accumulate=True),
        IndexError, "value 3 at position 0"),
    Bad("masked_select-mask", lambda: ops.masked_select(x, x), TypeError, "tensors must be int64, or bool as a mask"),
]  # fmt: skip
