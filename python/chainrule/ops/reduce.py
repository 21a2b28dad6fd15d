"""Reductions: each function and its chain rule side by side.

`dim` is one dimension, several, or None for all; negative ones count from the end. `keepdim` leaves
the reduced dimensions with size 1. Sums are added up pairwise, in an order that depends on the
shape alone.
"""

from __future__ import annotations

from collections import namedtuple

from chainrule import _core
from chainrule.autograd import _unwrap, record, wrap
from chainrule.ops.elementwise import cast, maximum, minimum

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "cumsum",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "prod",
    "std",
    "std_mean",
    "sum",
    "var",
    "var_mean",
]

Max = namedtuple("max", ["values", "indices"])
Min = namedtuple("min", ["values", "indices"])


def _dims(dim):
    """The native form of `dim`: a tuple, empty for all dimensions."""
    if dim is None:
        return ()
    return tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)


def _spread(g, shape, dims, keepdim):
    """A result's gradient (or the result) in the shape with 1 where x was reduced."""
    if keepdim:
        return g
    rank = len(shape)
    reduced = {d % rank for d in dims} if dims and rank else range(rank)
    return _core.reshape(g, tuple(1 if d in reduced else n for d, n in enumerate(shape)))


def _count(shape, dims):
    """How many elements meet in one result."""
    count = 1
    for d in dims if dims else range(len(shape)):
        count *= shape[d] if shape else 1
    return count


# ---- sums ---------------------------------------------------------------------------------------


def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim`. bool, uint8 and int64 give int64; nothing gives 0.

    Example:
        >>> sum(tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
        tensor([4., 6.])
    """
    if dtype is not None:
        input = cast(input, dtype)
    dims = _dims(dim)
    native = _core.sum(input, dims, keepdim)
    return record(native, (input,), sum_backward, params=(input._t.shape, dims, keepdim))


def sum_backward(node, g):
    return _core.expand(_spread(g, *node.params), node.params[0])


def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over `dim`, NaN of nothing.

    Raises:
        TypeError: x is not floating; cast it first.
    """
    if dtype is not None:
        input = cast(input, dtype)
    dims = _dims(dim)
    native = _core.mean(input, dims, keepdim)
    return record(native, (input,), mean_backward, params=(input._t.shape, dims, keepdim))


def mean_backward(node, g):
    shape, dims, _ = node.params
    count = _count(shape, dims)
    share = _core.div(g, float(count)) if count else g
    return _core.expand(_spread(share, *node.params), shape)


def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product over `dim`. Integers give int64; nothing gives 1."""
    if dtype is not None:
        input = cast(input, dtype)
    dims = _dims(dim)
    return record(_core.prod(input, dims, keepdim), (input,), prod_backward, (input._t,), dims)


def prod_backward(node, g):
    return _core.prod_grad(g, node.saved[0], node.params)


def cumsum(input, dim, *, dtype=None):
    """Running sums along `dim`. Integers give int64."""
    if dtype is not None:
        input = cast(input, dtype)
    return record(_core.cumsum(input, dim), (input,), cumsum_backward, params=dim)


def cumsum_backward(node, g):
    dims = (node.params,)
    if g.ndim == 0:
        return g
    return _core.flip(_core.cumsum(_core.flip(g, dims), node.params), dims)


def logsumexp(input, dim=None, keepdim=False):
    """log Σ exp x over `dim`, with the largest element taken out first, so nothing overflows."""
    dims, t = _dims(dim), _unwrap(input)
    y = _core.logsumexp(t, dims, keepdim)
    return record(y, (input,), logsumexp_backward, (t, y), (t.shape, dims, keepdim))


def logsumexp_backward(node, g):
    x, y = node.saved
    weights = _core.exp(_core.sub(x, _spread(y, *node.params)))
    return _core.mul(weights, _spread(g, *node.params))


# ---- spread -------------------------------------------------------------------------------------


def var(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The variance over `dim`: squared deviations from the mean, divided by n - correction.

    `correction` is 1 unless given (Bessel's), or 0 for `unbiased=False`. NaN where n <= correction.
    """
    dims, correction, t = _dims(dim), _correction(unbiased, correction), _unwrap(input)
    y = _core.var(t, dims, correction, keepdim)
    return record(y, (input,), var_backward, (t,), (t.shape, dims, keepdim, correction))


def var_backward(node, g):
    shape, dims, keepdim, correction = node.params
    scaled = _core.mul(_spread(g, shape, dims, keepdim), 2 * _inverse(_count(shape, dims) - correction))
    x = node.saved[0]
    return _core.mul(_core.sub(x, _core.mean(x, dims, True)), scaled)


def std(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The standard deviation: the square root of `var`. The gradient is 0 where it is 0."""
    dims, correction, t = _dims(dim), _correction(unbiased, correction), _unwrap(input)
    y = _core.std(t, dims, correction, keepdim)
    return record(y, (input,), std_backward, (t, y), (t.shape, dims, keepdim, correction))


def std_backward(node, g):
    shape, dims, keepdim, correction = node.params
    x, y = node.saved
    scaled = _core.where(_core.eq(y, 0.0), 0.0, _core.div(g, y))
    scaled = _core.mul(_spread(scaled, shape, dims, keepdim), _inverse(_count(shape, dims) - correction))
    return _core.mul(_core.sub(x, _core.mean(x, dims, True)), scaled)


def var_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """(variance, mean) over `dim`."""
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def std_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """(standard deviation, mean) over `dim`."""
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def _correction(unbiased, correction):
    return float(correction) if correction is not None else 1.0 if unbiased else 0.0


def _inverse(degrees):
    return 1 / degrees if degrees > 0 else float("inf")


# ---- norms --------------------------------------------------------------------------------------


def norm(input, p="fro", dim=None, keepdim=False, *, dtype=None):
    """(Σ |x|^p)^(1/p) over `dim`: the Euclidean length unless p is given.

    p = 0 counts the elements that are not zero; p = inf and -inf give the largest and the smallest
    magnitude. The gradient of the Euclidean norm is 0 at 0.
    """
    if dtype is not None:
        input = cast(input, dtype)
    if p is None or p == "fro":
        p = 2.0
    elif isinstance(p, str):
        raise ValueError(f"norm: p must be a number or 'fro', got {p!r}")
    p, dims, t = float(p), _dims(dim), _unwrap(input)
    y = _core.norm(t, p, dims, keepdim)
    return record(y, (input,), norm_backward, (t, y), (t.shape, dims, keepdim, p))


def norm_backward(node, g):
    shape, dims, keepdim, p = node.params
    x, y = node.saved
    g, y = _spread(g, shape, dims, keepdim), _spread(y, shape, dims, keepdim)
    if p == 0:
        return _core.full(shape, 0.0, x.dtype)
    if p == 1:
        return _core.mul(_core.sign(x), g)
    if p == 2:
        return _core.mul(x, _core.where(_core.eq(y, 0.0), 0.0, _core.div(g, y)))
    magnitude = _core.abs(x)
    if p in (float("inf"), float("-inf")):
        return _core.mul(_core.sign(x), _share(magnitude, y, g, dims))
    # d|x|_p/dx = sign x (|x| / |x|_p)^(p - 1), which for p < 1 has no value at 0.
    ratio = _core.pow(_core.div(magnitude, y), p - 1)
    ratio = _core.where(_core.eq(magnitude, 0.0), 0.0, ratio)
    return _core.mul(_core.mul(_core.sign(x), ratio), g)


def _share(x, y, g, dims):
    """g divided evenly among the elements of x that equal y."""
    chosen = _core.cast(_core.eq(x, y), x.dtype)
    return _core.mul(chosen, _core.div(g, _core.sum(chosen, dims, True)))


# ---- extreme elements ---------------------------------------------------------------------------


def amax(input, dim=(), keepdim=False):
    """The greatest element over `dim`; NaN wins. Elements that tie share the gradient evenly.

    Raises:
        ValueError: there is nothing to choose from.
    """
    return _extreme(_core.amax, input, dim, keepdim, amax_backward)


def amin(input, dim=(), keepdim=False):
    """The least element over `dim`; otherwise as amax."""
    return _extreme(_core.amin, input, dim, keepdim, amin_backward)


def _extreme(op, x, dim, keepdim, rule):
    dims, t = _dims(dim), _unwrap(x)
    y = op(t, dims, keepdim)
    return record(y, (x,), rule, (t, y), (t.shape, dims, keepdim))


def amax_backward(node, g):
    x, y = node.saved
    return _share(x, _spread(y, *node.params), _spread(g, *node.params), node.params[1])


def amin_backward(node, g):
    return amax_backward(node, g)


def max(input, dim=None, keepdim=False):
    """The greatest element; along `dim` (values, indices); of two tensors the elementwise maximum.

    Along `dim` the first of several equal elements is chosen, and gets the gradient.

    Example:
        >>> max(tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
        max(values=tensor([5., 7.]), indices=tensor([1, 0]))
    """
    if dim is None:
        return amax(input, (), keepdim)
    if hasattr(dim, "_t"):
        return maximum(input, dim)
    values, indices = _core.max_along(input, dim, keepdim)
    return Max(_chosen(values, indices, input, dim, max_backward), wrap(indices))


def min(input, dim=None, keepdim=False):
    """The least element; otherwise as max."""
    if dim is None:
        return amin(input, (), keepdim)
    if hasattr(dim, "_t"):
        return minimum(input, dim)
    values, indices = _core.min_along(input, dim, keepdim)
    return Min(_chosen(values, indices, input, dim, min_backward), wrap(indices))


def _chosen(values, indices, x, dim, rule):
    return record(values, (x,), rule, (indices,), (x._t.shape, dim))


def max_backward(node, g):
    shape, dim = node.params
    return _core.reshape(g, ()) if not shape else _core.place(g, node.saved[0], shape, dim)


def min_backward(node, g):
    return max_backward(node, g)


def argmax(input, dim=None, keepdim=False):
    """Where the greatest element is (int64), the first of several; without `dim` in x flattened."""
    return wrap(_core.argmax(input, dim, keepdim))


def argmin(input, dim=None, keepdim=False):
    """Where the least element is (int64), the first of several; without `dim` in x flattened."""
    return wrap(_core.argmin(input, dim, keepdim))


def any(input, dim=None, keepdim=False):
    """Whether some element is not zero: bool, uint8 for uint8. False of nothing."""
    return wrap(_core.any(input, _dims(dim), keepdim))


def all(input, dim=None, keepdim=False):
    """Whether no element is zero: bool, uint8 for uint8. True of nothing."""
    return wrap(_core.all(input, _dims(dim), keepdim))
