"""Ops that draw random numbers, against Philox in NumPy: the same numbers for every vector width and thread count.

The tests seed the generator with 0 before each call.
"""

from functools import partial

import numpy as np

import chainrule as cr
from cases.inplace import LARGE, written
from chainrule import ops
from op_cases import Bad, Case, Input, sweep

SHAPES = [(), (1,), (0, 3), (63,), (64,), (65,), (3, 33)]
NO_PEER = "the numbers for a seed are not PyTorch's"


def philox(blocks):
    """Philox 4x32-10 (Salmon et al., 2011) for counters 0, 1, ... and key 0: four words each."""
    c = [np.arange(blocks, dtype=np.uint64), *(np.zeros(blocks, np.uint64) for _ in range(3))]
    key0, key1, low = 0, 0, np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [
            b >> np.uint64(32) ^ c[1] ^ np.uint64(key0),
            b & low,
            a >> np.uint64(32) ^ c[3] ^ np.uint64(key1),
            a & low,
        ]
        key0, key1 = (key0 + 0x9E3779B9) & 0xFFFFFFFF, (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, 1)


def words(n):
    """[groups, 64] 32-bit numbers for n draws: in a group the words of sixteen blocks, all first words first."""
    groups = -(-n // 64)
    return philox(16 * groups).reshape(groups, 16, 4).swapaxes(1, 2).reshape(groups, 64)


def units(n, dtype):
    """Numbers in [0, 1), in groups: 24 bits each in float32, 53 bits from two words in float64."""
    if dtype == "float32":
        return (words(n) >> np.uint64(8)) * 2.0**-24
    w = words(2 * n)
    return ((w[:, :32] << np.uint64(32) | w[:, 32:]) >> np.uint64(11)) * 2.0**-53


def shaped(groups, x):
    return groups.ravel()[: x.size].reshape(x.shape)


def uniform(x, a, b, dtype):
    return shaped(units(x.size, dtype), x) * (b - a) + a


def normal(x, mean, std, dtype):
    u = units(x.size, dtype)
    a, b = np.split(u, 2, axis=1)
    radius, angle = np.sqrt(-2 * np.log(1 - a)), 2 * np.pi * b
    return shaped(np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], 1), x) * std + mean


def kept(x, p):
    return uniform(x, 0, 1, "float32") >= int(p * 2**24) / 2**24


def dropout(x, p, training=True):
    return np.where(kept(x, p), x / (1 - p), 0) if training and p < 1 else x * (not training)


def dropout2d(x, p, training=True):
    return x * dropout(np.ones((*x.shape[:2], *[1] * (x.ndim - 2))), p, training)


def bernoulli(x, dtype):
    return (uniform(x, 0, 1, dtype) < x).astype(x.dtype)


def bernoulli_(x, p):
    return (uniform(x, 0, 1, "float32") < np.float32(p)).astype(x.dtype)


CASES = [
    *[c for p in (0.3, 0.9)
      for c in sweep(f"dropout-{p}", ops.dropout, dropout, SHAPES, large=LARGE, params={"p": p}, no_peer=NO_PEER)],
    *[Case(f"dropout-{tag}", ops.dropout, dropout, [Input((3, 33))], params, torch="dropout")
      for tag, params in {"nothing": {"p": 0.0}, "everything": {"p": 1.0},
                          "evaluation": {"p": 0.7, "training": False}}.items()],
    *[c for p in (0.3, 0.9)
      for c in sweep(f"dropout2d-{p}", ops.dropout2d, dropout2d, [(1, 1, 1), (0, 3, 2), (2, 0, 3, 3), (3, 33, 4), (2, 5, 3, 7)],
                     strided=(4, 9, 5), large=(3, 7, 60, 61), params={"p": p}, no_peer=NO_PEER)],
    *[Case(f"dropout2d-{tag}-{len(shape)}", ops.dropout2d, dropout2d, [Input(shape)], params,
           torch=f"dropout{len(shape) - 2}d")
      for tag, params in {"nothing": {"p": 0.0}, "everything": {"p": 1.0},
                          "evaluation": {"p": 0.7, "training": False}}.items() for shape in [(3, 4, 5), (2, 3, 4, 5)]],
    *[c for dtype in ("float32", "float64") for more in [{"dtypes": (dtype,), "no_peer": NO_PEER}] for c in [
        *sweep(f"bernoulli-{dtype}", ops.bernoulli, partial(bernoulli, dtype=dtype), SHAPES, large=LARGE, low=0.0,
               high=1.0, grad=False, **more),
        *written("uniform_", partial(uniform, dtype=dtype), f"-{dtype}", shapes=SHAPES, params={"a": -1.0, "b": 3.0},
                 **more),
        *written("normal_", partial(normal, dtype=dtype), f"-{dtype}", shapes=SHAPES, params={"mean": 2.0, "std": 0.5},
                 **more)]],
    *written("bernoulli_", bernoulli_, shapes=SHAPES, params={"p": 0.3}, no_peer=NO_PEER),
]  # fmt: skip

x = cr.ones(3)
BAD = [
    Bad("dropout-p", lambda: ops.dropout(x, 1.5), ValueError, r"dropout: p must be in \[0, 1\], got 1.5"),
    Bad("dropout-int", lambda: ops.dropout(x.long(), 0.5), TypeError, "dropout: needs a floating dtype, got int64"),
    Bad("dropout2d-p", lambda: ops.dropout2d(cr.ones(2, 3, 4), -0.5), ValueError,
        r"dropout2d: p must be in \[0, 1\], got -0.5"),
    *[Bad(f"dropout2d-rank-{len(shape)}", lambda shape=shape: ops.dropout2d(cr.ones(shape), training=False), ValueError,
          rf"dropout2d: expected x of shape \[N, C, H, W\] or \[N, C, L\], got \[{', '.join(map(str, shape))}\]")
      for shape in [(), (2,), (2, 3), (2, 3, 4, 5, 6)]],
    Bad("dropout2d-int", lambda: ops.dropout2d(cr.ones(2, 3, 4).long()), TypeError,
        "dropout: needs a floating dtype, got int64"),
    Bad("bernoulli-p", lambda: ops.bernoulli(x * 2), ValueError, r"bernoulli: probabilities must be in \[0, 1\]"),
    Bad("bernoulli_-p", lambda: cr.ones(3).bernoulli_(-0.1), ValueError, r"bernoulli_: p must be in \[0, 1\], got -0.1"),
    Bad("uniform_-bounds", lambda: cr.ones(3).uniform_(1.0, 0.0), ValueError, "uniform: needs low <= high"),
    Bad("normal_-std", lambda: cr.ones(3).normal_(0.0, -1.0), ValueError, "normal: std must be at least 0, got -1"),
    Bad("normal_-int", lambda: cr.ones(3, dtype=cr.int64).normal_(), TypeError, "normal_: needs a floating dtype"),
]  # fmt: skip
