"""Reading and writing along one dimension: gather, scatter, index_select and their like; one-hot vectors, embeddings."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import LAYOUTS, Bad, Case, Input, in_place, sweep


def within(x, index, dim):
    """x cut to the index's sizes in all dimensions but dim."""
    return x[tuple(slice(None) if d == dim else slice(n) for d, n in enumerate(index.shape))]


def take_along(x, index, dim):
    return np.take_along_axis(within(x, index, dim), index, dim)


def source_for(index, source):
    return source[tuple(slice(n) for n in index.shape)]


def add_at(x, index, source, dim):
    out = x.copy()
    where = list(np.indices(index.shape))
    where[dim] = index
    np.add.at(out, tuple(where), source_for(index, source))
    return out


def put_at(x, index, source, dim):
    out = x.copy()
    part = within(out, index, dim)
    np.put_along_axis(part, index, source_for(index, source), dim)
    return out


# The arguments' order in the ops of both libraries.
def gather(f):
    return lambda x, i, dim: f(x, dim, i)


def scatter(f):
    return lambda x, i, s, dim: f(x, dim, i, s)


def peer(arrange, name):
    def call(torch, x, *args, **params):
        # In-place forms are methods.
        f = getattr(torch, name, None) or (lambda x, *args: getattr(x.clone(), name)(*args))
        return arrange(f)(x, *args, **params)

    return call


def permuted_rows(index, size, dim):
    """An index without repetitions along dim: with them it is nobody's promise which value stays."""
    rng = np.random.default_rng(0)
    order = np.argsort(rng.random((*index[:dim], size, *index[dim + 1 :])), axis=dim)
    return np.take(order, np.arange(index[dim]), dim)


# (x, index, dim): several sizes, one element, nothing, odd tails.
SHAPES = [
    ((1,), (1,), 0), ((5,), (7,), 0), ((3, 4), (3, 9), 1), ((3, 4), (9, 4), 0), ((2, 3, 4), (2, 5, 4), 1),
    ((3, 4), (2, 3), 1), ((3, 4), (0, 4), 0), ((4, 1), (4, 3), 1), ((3, 33), (3, 1), 1), ((3, 33), (5, 33), 0),
]  # fmt: skip
LARGE = {"large": ((500, 90), (500, 200), 1), "large-rows": ((50, 200), (900, 200), 0)}


def along_dim():
    """gather, and both kinds of scatter with their in-place forms."""
    places = {f"{list(x)}-{list(i)}-{dim}": (x, i, dim, "contiguous") for x, i, dim in SHAPES}
    places |= {k: ((4, 6), (4, 3), 1, k) for k in LAYOUTS}
    places |= {k: (*place, "contiguous") for k, place in LARGE.items()}
    cases = []
    for tag, (x, index, dim, layout) in places.items():
        large, p = tag.startswith("large"), {"dim": dim}
        i = Input(index, 0, x[dim], "int64")
        cases += [
            Case(f"gather-{tag}", gather(ops.gather), take_along, [Input(x, layout=layout), i], p,
                 torch=peer(gather, "gather"), large=large),
            *writes("scatter_add", add_at, tag, x, i, index, p, layout, large),
        ]  # fmt: skip
        if index[dim] <= x[dim]:
            i = Input(values=permuted_rows(index, x[dim], dim), dtype="int64")
            cases += writes("scatter", put_at, tag, x, i, index, p, layout, large)
    big = Input(values=permuted_rows((500, 300), 400, 1), dtype="int64")
    return [
        *cases,
        *writes("scatter", put_at, "large", (500, 400), big, (500, 300), {"dim": 1}, "contiguous", True),
    ]


def writes(name, reference, tag, x, index, source, params, layout, large):
    inputs = [Input(x, layout=layout), index, Input(source, layout=layout)]
    more = {"params": params, "large": large}
    into = "contiguous" if layout == "expanded" else layout
    return [
        Case(f"{name}-{tag}", scatter(getattr(ops, name)), reference, inputs, torch=peer(scatter, name), **more),
        Case(f"{name}_-{tag}", scatter(in_place(f"{name}_", into)), reference, inputs,
             torch=peer(scatter, f"{name}_"), grad=into == "contiguous", **more),
    ]  # fmt: skip


def at_rows(x, i, s, dim, add):
    out = np.moveaxis(x.copy(), dim, 0)
    (np.add.at if add else np.ndarray.__setitem__)(out, i, np.moveaxis(s, dim, 0))
    return np.moveaxis(out, 0, dim)


def add_rows(x, i, s, dim, alpha=1):
    return at_rows(x, i, s * alpha, dim, True)


def copy_rows(x, i, s, dim):
    return at_rows(x, i, s, dim, False)


def along_rows():
    """index_select, index_add and index_copy: one index for a whole dimension."""
    places = [((1,), 1, 0), ((5,), 7, 0), ((4, 3), 6, 0), ((4, 3), 2, 1), ((2, 3, 4), 5, -2), ((4, 3), 0, 0),
              ((3, 33), 2, 0)]  # fmt: skip
    places = {f"{list(x)}-{n}-{dim}": (x, n, dim, "contiguous") for x, n, dim in places}
    places |= {k: ((4, 9), 3, 1, k) for k in LAYOUTS}
    places |= {
        "large": ((1000, 64), 3000, 0, "contiguous"),
        "large-columns": ((300, 500), 400, 1, "contiguous"),
    }
    cases = []
    for tag, (x, n, dim, layout) in places.items():
        more = {"params": {"dim": dim}, "large": tag.startswith("large")}
        source = list(x)
        source[dim] = n
        first, s = Input(x, layout=layout), Input(tuple(source), layout=layout)
        i = Input((n,), 0, x[dim], "int64")
        cases += [
            Case(f"index_select-{tag}", gather(ops.index_select), lambda x, i, dim: np.take(x, i, dim), [first, i],
                 torch=peer(gather, "index_select"), **more),
            Case(f"index_add-{tag}", scatter(ops.index_add), add_rows, [first, i, s], torch=peer(scatter, "index_add"),
                 **more),
        ]  # fmt: skip
        if n <= x[dim]:
            i = Input(values=np.random.default_rng(0).permutation(x[dim])[:n], dtype="int64")
            cases.append(Case(f"index_copy-{tag}", scatter(ops.index_copy), copy_rows, [first, i, s],
                              torch=peer(scatter, "index_copy"), **more))  # fmt: skip
    i = Input(values=np.random.default_rng(0).permutation(1000), dtype="int64")
    return [
        *cases,
        Case("index_copy-large", scatter(ops.index_copy), copy_rows, [Input((1000, 67)), i, Input((1000, 67))],
             {"dim": 0}, torch=peer(scatter, "index_copy"), large=True),
        Case("index_add-alpha", lambda x, i, s: ops.index_add(x, 0, i, s, alpha=-2.5),
             lambda x, i, s: add_rows(x, i, s, 0, -2.5), [Input((4, 3)), Input((5,), 0, 4, "int64"), Input((5, 3))],
             torch=lambda t, x, i, s: t.index_add(x, 0, i, s, alpha=-2.5)),
    ]  # fmt: skip


def taken():
    def flat(shape, layout):
        return [Input(shape, layout=layout), Input((2, 5), 0, max(1, int(np.prod(shape))), "int64")]

    def along(shape, layout):
        return [Input(shape, layout=layout), Input((shape[0], 6), 0, max(1, shape[-1]), "int64")]

    def many(shape, layout):
        return [Input(shape), Input((70000,), 0, int(np.prod(shape)), "int64")]

    numpy = lambda x, i: np.take_along_axis(x, i, 1)  # noqa: E731
    return [
        *sweep("take", ops.take, np.take, [(1,), (3, 4), (3, 33)], inputs=flat, torch="take"),
        *sweep("take-many", ops.take, np.take, [], inputs=many, large=(30, 40), torch="take")[3:],
        Case("take-nothing", ops.take, lambda x, i: x.ravel()[:0], [Input((0, 3)), Input((0,), 0, 1, "int64")],
             torch="take"),
        *sweep("take_along_dim", lambda x, i: ops.take_along_dim(x, i, 1), numpy, [(1, 1), (0, 3), (3, 33)], inputs=along,
               large=(20000, 7), torch=lambda t, x, i: t.take_along_dim(x, i, 1)),
        Case("take_along_dim-broadcast", lambda x, i: ops.take_along_dim(x, i, 1), numpy,
             [Input((3, 4)), Input((1, 6), 0, 4, "int64")], torch=lambda t, x, i: t.take_along_dim(x, i, 1)),
        Case("take_along_dim-flat", ops.take_along_dim, lambda x, i: x.ravel()[i.ravel()],
             [Input((3, 4)), Input((2, 6), 0, 12, "int64")], torch="take_along_dim"),
    ]  # fmt: skip


def one_hots():
    def one_hot(x, num_classes):
        return np.eye(num_classes, dtype=np.int64)[x]

    def largest(x):
        return one_hot(x, int(x.max()) + 1)

    return [
        *sweep("one_hot", ops.one_hot, one_hot, [(), (1,), (0,), (5,), (3, 33), (2, 3, 5)], large=(70, 101),
               params={"num_classes": 17}, low=0, high=17, dtype="int64", grad=False, torch="one_hot"),
        *[Case(f"one_hot-largest-{list(s)}", ops.one_hot, largest, [Input(s, 0, 9, "int64")], grad=False,
               torch="one_hot", recordable=False) for s in [(), (1,), (3, 7)]],
    ]  # fmt: skip


def embeddings():
    def lookup(shape, layout):
        return [Input(shape, 0, 9, "int64", layout=layout), Input((9, 5))]

    def rows(index, weight, padding_idx=None):
        return weight[index]

    def some(rows, columns):
        return lambda shape, layout: [Input(shape, 0, rows, "int64", layout=layout), Input((rows, columns))]

    f, more = ops.embedding, {"torch": "embedding"}
    return [
        *sweep("embedding", f, rows, [(), (1,), (7,), (0, 3), (3, 33), (2, 3, 5)], inputs=lookup, **more),
        *[Case(f"embedding-weight-{k}", f, rows, [Input((3, 7), 0, 4, "int64"), Input((4, 19), layout=k)], **more)
          for k in LAYOUTS],
        Case("embedding-large", f, rows, some(11, 70)((40, 31), "contiguous"), large=True, **more),
        Case("embedding-no-columns", f, rows, some(3, 0)((4,), "contiguous"), **more),
        # The gradient of the padding is 0 by decree, which finite differences do not know.
        *[Case(f"embedding-padding-{at}", f, rows, lookup((3, 33), "contiguous"), {"padding_idx": at}, smooth=False, **more)
          for at in (0, 4, -1, -9)],
    ]  # fmt: skip


DISTINCT = Input(values=[[2, 0, 1], [1, 3, 0]], dtype="int64")
CASES = [
    *along_dim(), *along_rows(), *taken(), *one_hots(), *embeddings(),
    Case("gather-negative", lambda x, i: ops.gather(x, 0, i), lambda x, i: x[i],
         [Input((5,)), Input(values=[-1, 0, -5], dtype="int64")], no_peer="PyTorch's gather has no negative positions"),
    Case("gather-scalar", lambda x, i: ops.gather(x, 0, i), lambda x, i: x, [Input(()), Input(values=0, dtype="int64")],
         torch=lambda t, x, i: t.gather(x, 0, i)),
    Case("scatter-number", lambda x, i: ops.scatter(x, 1, i, 2.5), lambda x, i: put_at(x, i, np.full((2, 3), 2.5), 1),
         [Input((2, 4)), DISTINCT], torch=lambda t, x, i: t.scatter(x, 1, i, 2.5)),
    Case("scatter-reduce", lambda x, i, s: ops.scatter(x, 1, i, s, reduce="add"), lambda x, i, s: add_at(x, i, s, 1),
         [Input((2, 4)), Input((2, 3), 0, 4, "int64"), Input((2, 3))],
         torch=lambda t, x, i, s: t.scatter_reduce(x, 1, i, s, reduce="sum")),
    *[Case(f"{name}-larger-source", scatter(getattr(ops, name)), reference, [Input((2, 4)), DISTINCT, Input((3, 5))],
           {"dim": 1}, no_peer="PyTorch has no gradient for a source larger than the index")
      for name, reference in [("scatter", put_at), ("scatter_add", add_at)]],
    *[Case(f"{name}-larger-source-values", scatter(getattr(ops, name)), reference,
           [Input((2, 4)), DISTINCT, Input((3, 5))], {"dim": 1}, grad=False, torch=peer(scatter, name))
      for name, reference in [("scatter", put_at), ("scatter_add", add_at)]],
]  # fmt: skip

x = cr.zeros(3, 4)
BAD = [
    Bad("embedding-range", lambda: ops.embedding(cr.tensor([[0, 2], [3, 9]]), x), IndexError,
        r"embedding: value 3 at position 2 is out of range \[0, 3\)"),
    Bad("embedding-negative", lambda: ops.embedding(cr.tensor([0, -1]), x), IndexError,
        r"embedding: value -1 at position 1 is out of range \[0, 3\)"),
    Bad("embedding-float", lambda: ops.embedding(x, x), TypeError, "embedding: indices must be int64, got float32"),
    Bad("embedding-weight", lambda: ops.embedding(cr.tensor([0]), cr.ones(3)), ValueError,
        r"embedding: weight must have two dimensions, got shape \[3\]"),
    *[Bad(f"embedding-padding-{at}", lambda at=at: ops.embedding(cr.tensor([0]), x, padding_idx=at), ValueError,
          rf"embedding: padding_idx must be in \[-3, 3\), got {at}") for at in (3, -4)],
    *[Bad(f"embedding-{name}", lambda kw=kw: ops.embedding(cr.tensor([0]), x, **kw), NotImplementedError,
          f"embedding: {name} is not supported, got {value}")
      for name, value in [("max_norm", 1.0), ("scale_grad_by_freq", True), ("sparse", True)] for kw in [{name: value}]],
    Bad("one_hot-float", lambda: ops.one_hot(x), TypeError, "one_hot: classes must be int64, got float32"),
    Bad("one_hot-range", lambda: ops.one_hot(cr.tensor([0, 3]), 3), IndexError, r"one_hot: class 3 is out of range \[0, 3\)"),
    Bad("one_hot-negative", lambda: ops.one_hot(cr.tensor([0, -1]), 3), IndexError, "must not be negative, got -1"),
    Bad("one_hot-nothing", lambda: ops.one_hot(cr.zeros(0, dtype=cr.int64)), ValueError, "pass num_classes"),
    Bad("index_add-shape", lambda: ops.index_add(x, 0, cr.tensor([0]), cr.ones(2, 4)), ValueError,
        r"index_add: source must be float32 of shape \[1, 4\]"),
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
]  # fmt: skip
