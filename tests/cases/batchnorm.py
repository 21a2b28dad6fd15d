"""Batch normalisation in training and evaluation."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input


def per_channel(v, x):
    return v.reshape(1, -1, *[1] * (x.ndim - 2))


def normalise(x, mean, var, weight, bias, eps=1e-5):
    y = (x - per_channel(mean, x)) / np.sqrt(per_channel(var, x) + eps)
    if weight is not None:
        y = y * per_channel(weight, x)
    return y if bias is None else y + per_channel(bias, x)


def axes(x):
    return (0, *range(2, x.ndim))


def train(x, weight=None, bias=None, eps=1e-5):
    return normalise(x, x.mean(axes(x)), x.var(axes(x)), weight, bias, eps) if x.size else x


def evaluate(x, mean, var, weight=None, bias=None):
    return normalise(x, mean, var, weight, bias)


def update(x, mean, var, momentum):
    """The result and both running statistics."""
    n = x.size // x.shape[1]
    y = train(x)
    if n:
        mean = (1 - momentum) * mean + momentum * x.mean(axes(x))
        var = (1 - momentum) * var + momentum * x.var(axes(x), ddof=1)
    return y, mean, var


# The same call for both libraries: F.batch_norm has one signature.
def train_with(batch_norm):
    def call(x, weight=None, bias=None, eps=1e-5):
        return batch_norm(x, None, None, weight, bias, True, 0.1, eps)

    return call


def evaluate_with(batch_norm):
    def call(x, mean, var, weight=None, bias=None):
        return batch_norm(x, mean, var, weight, bias, False)

    return call


def update_with(batch_norm, clone):
    def call(x, mean, var, momentum):
        mean, var = clone(mean), clone(var)
        y = batch_norm(x, mean, var, None, None, True, momentum)
        return y, mean, var

    return call


def peer(with_):
    return lambda torch, *xs, **p: with_(torch.nn.functional.batch_norm)(*xs, **p)


def peer_update(torch, *xs, **p):
    return update_with(torch.nn.functional.batch_norm, lambda t: t.clone())(*xs, **p)


def in_double(peer):
    def call(torch, *xs, **p):
        out = peer(torch, *(x.double() for x in xs), **p)
        return tuple(y.to(xs[0].dtype) for y in (out if isinstance(out, tuple) else (out,)))

    return call


def relu_op(training):
    """Fused; the same arguments as train_with and evaluate_with give."""

    def fused(*args):
        return ops.batch_norm(*args, activation="relu")

    return train_with(fused) if training else evaluate_with(fused)


def relu_reference(plain):
    return lambda *xs, **p: np.maximum(plain(*xs, **p), 0)


def relu_peer(with_):
    return lambda torch, *xs, **p: torch.relu(peer(with_)(torch, *xs, **p))


train_op, evaluate_op = train_with(ops.batch_norm), evaluate_with(ops.batch_norm)
update_op = update_with(ops.batch_norm, ops.clone)

SHAPES = [(4, 3), (7, 33), (300, 5), (6, 3, 1), (3, 2, 5),
          (2, 3, 4, 4), (1, 2, 5, 17), (3, 1, 9, 11), (2, 2, 2, 3, 3)]  # fmt: skip
EMPTY = [(0, 3), (0, 2, 4, 4), (2, 3, 0)]


def affine(shape):
    c = shape[1]
    return [Input(shape), Input((c,), 0.5, 2.0), Input((c,))]


def running(shape):
    c = shape[1]
    return [Input((c,), grad=False), Input((c,), 0.5, 2.0, grad=False)]


CASES = [
    *[Case(f"batch_norm-train-{list(s)}", train_op, train, affine(s), torch=peer(train_with))
      for s in SHAPES + EMPTY],
    *[Case(f"batch_norm-train-plain-{list(s)}", train_op, train, [Input(s)], torch=peer(train_with))
      for s in [(7, 33), (2, 3, 4, 4)]],
    *[Case(f"batch_norm-eval-{list(s)}", evaluate_op, evaluate,
           [Input(s), *running(s), *affine(s)[1:]], torch=peer(evaluate_with))
      for s in [*SHAPES, *EMPTY, (1, 1), (1, 3), (1, 3, 1, 1)]],
    Case("batch_norm-eval-plain", evaluate_op, evaluate, [Input((2, 3, 4, 4)), *running((2, 3))],
         torch=peer(evaluate_with)),
    *[Case(f"batch_norm-running-{list(s)}-{m}", update_op, update, [Input(s), *running(s)],
           {"momentum": m}, torch=peer_update, grad=False)
      for s in [*SHAPES, *EMPTY] for m in (0.1, 1.0)],
    *[Case(f"batch_norm-{layout}", train_op, train,
           [Input((4, 3, 5, 6), layout=layout), *affine((4, 3))[1:]], torch=peer(train_with))
      for layout in ("transposed", "sliced", "expanded")],
    Case("batch_norm-eps", train_op, train, affine((5, 4)), {"eps": 0.1}, torch=peer(train_with)),
    *[Case(f"batch_norm-relu-{list(s)}", relu_op(True), relu_reference(train), affine(s),
           torch=relu_peer(train_with)) for s in SHAPES + EMPTY],
    *[Case(f"batch_norm-relu-eval-{list(s)}", relu_op(False), relu_reference(evaluate),
           [Input(s), *running(s), *affine(s)[1:]], torch=relu_peer(evaluate_with))
      for s in [(7, 33), (2, 3, 4, 4), (3, 2, 5)]],
    *[Case(f"batch_norm-large-relu-{list(s)}", relu_op(True), relu_reference(train), affine(s),
           torch=relu_peer(train_with), large=True) for s in [(8, 40, 20, 21), (3000, 70)]],
    # A large mean must not cost the digits that the differences have; it does cost PyTorch's float32.
    *[Case(f"batch_norm-large-mean-{list(s)}", train_op, train,
           [Input(s, 1000.0, 1001.0)], torch=in_double(peer(train_with)), grad=False)
      for s in [(64, 3), (4, 3, 20, 20), (2, 2, 90, 90)]],
    *[Case(f"batch_norm-running-large-mean-{list(s)}", update_op, update,
           [Input(s, 1000.0, 1001.0), *running(s)], {"momentum": 1.0}, torch=in_double(peer_update),
           grad=False)
      for s in [(64, 3), (4, 3, 20, 20)]],
    *[Case(f"batch_norm-large-{list(s)}", train_op, train, affine(s),
           torch=peer(train_with), large=True)
      for s in [(8, 40, 20, 21), (6, 3, 70, 71), (3000, 70), (1, 1, 300, 301), (20000, 5)]],
    Case("batch_norm-large-eval", evaluate_op, evaluate,
         [Input((8, 40, 20, 21)), *running((8, 40)), *affine((8, 40))[1:]],
         torch=peer(evaluate_with), large=True),
]  # fmt: skip

x = cr.ones(2, 3, 4)
one = cr.ones(3)
BAD = [
    Bad("batch_norm-rank", lambda: ops.batch_norm(one, one, one), ValueError,
        r"batch_norm: x must have at least 2 dimensions.*\(x: \[3\]\)"),
    Bad("batch_norm-dtype", lambda: train_op(cr.ones(2, 3, dtype=cr.int64)), TypeError,
        "batch_norm: not defined for int64"),
    Bad("batch_norm-one-value", lambda: train_op(cr.ones(1, 3)), ValueError,
        r"batch_norm: expected more than 1 value per channel when training \(x: \[1, 3\]\)"),
    Bad("batch_norm-one-pixel", lambda: update_op(cr.ones(1, 3, 1, 1), one, one, 0.1), ValueError,
        r"more than 1 value per channel.*\(x: \[1, 3, 1, 1\]\)"),
    Bad("batch_norm-weight", lambda: ops.batch_norm(x, one, one, cr.ones(4)), ValueError,
        r"batch_norm: weight must have shape \[3\], one value .*, got \[4\] \(x: \[2, 3, 4\]\)"),
    Bad("batch_norm-running", lambda: ops.batch_norm(x, one, cr.ones(2)), ValueError,
        r"batch_norm: running_var must have shape \[3\]"),
    Bad("batch_norm-no-statistics", lambda: ops.batch_norm(x, None, None), ValueError,
        "batch_norm: evaluation needs running_mean and running_var"),
    Bad("batch_norm-half-statistics", lambda: ops.batch_norm(x, one, None, training=True),
        ValueError, "running_mean and running_var must both be given or neither"),
    Bad("batch_norm-activation", lambda: ops.batch_norm(x, one, one, activation="gelu"), ValueError,
        "batch_norm: activation must be None or 'relu', got 'gelu'"),
    Bad("batch_norm-mixed", lambda: ops.batch_norm(x, one, one, cr.ones(3, dtype=cr.float64)),
        TypeError, "batch_norm: weight must be float32 as x, got float64"),
]  # fmt: skip
