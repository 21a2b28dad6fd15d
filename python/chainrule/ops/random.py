"""Ops that draw random numbers. They take a `generator`, or draw from the default one."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import _unwrap, record, record_, wrap
from chainrule.generator import default_generator, native

__all__ = ["bernoulli", "bernoulli_", "dropout", "dropout2d", "normal_", "uniform_"]


def dropout(input, p=0.5, training=True, inplace=False):
    """Zeroes each element with probability p and scales the others by 1/(1-p).

    Unless training the result is x itself. `inplace` is accepted; x stays as it was.
    (Srivastava et al., 2014.)

    Raises:
        ValueError: p is outside [0, 1].

    Example:
        >>> dropout(ones(4), p=0.5)
        tensor([0., 2., 2., 0.])
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must be in [0, 1], got {p}")
    if not training or p == 0:
        return input
    y, mask = _core.dropout(input, p, default_generator._g)
    return record(y, (input,), dropout_backward, (mask,), p)


def dropout_backward(node, g):
    return _core.dropout_grad(g, node.saved[0], node.params)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Zeroes each channel, a whole map x[n, c], with probability p and scales the others by 1/(1-p).

    Shapes: x [N, C, H, W] or [N, C, L]; the first two dimensions are always sample and channel. Neighbours in
    a map are much alike, so that without its own an element would hardly be missed (Tompson et al., 2015).
    Unless training the result is x itself. `inplace` is accepted; x stays as it was.

    Raises:
        TypeError: x is not a floating tensor.
        ValueError: p is outside [0, 1], or x has neither 3 nor 4 dimensions.

    Example:
        >>> dropout2d(ones(1, 2, 1, 3), p=0.5)
        tensor([[[[2., 2., 2.]],

                 [[0., 0., 0.]]]])
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout2d: p must be in [0, 1], got {p}")
    x = _unwrap(input)
    if x.ndim not in (3, 4):
        raise ValueError(f"dropout2d: expected x of shape [N, C, H, W] or [N, C, L], got {list(x.shape)}")
    if not training or p == 0:
        return input
    ones = _core.full(x.shape[:2] + (1,) * (x.ndim - 2), 1.0, x.dtype)
    scale, _ = _core.dropout(ones, p, default_generator._g)
    return record(_core.mul(x, scale), (input,), dropout2d_backward, (scale,))


def dropout2d_backward(node, g):
    return _core.mul(g, node.saved[0])


def bernoulli(input, p=None, *, generator=None):
    """1 with the probability that `input` holds (or p everywhere), else 0; without a gradient.

    Raises:
        ValueError: a probability is outside [0, 1].
    """
    probabilities = _unwrap(input)
    if p is not None:
        probabilities = _core.full(probabilities.shape, float(p), probabilities.dtype)
    return wrap(_core.bernoulli(probabilities, native(generator)))


def bernoulli_(x, p=0.5, *, generator=None):
    """Overwrites x: 1 with probability p, else 0."""
    if not 0 <= p <= 1:
        raise ValueError(f"bernoulli_: p must be in [0, 1], got {p}")

    t, numbers = _unwrap(x), native(generator)

    def write():
        drawn = _core.empty(t.shape, _core.float32)
        _core.uniform_(drawn, 0.0, 1.0, numbers)
        _core.copy_(t, _core.lt(drawn, float(p)))

    return record_(x, write, (x,), overwrite_backward)


def uniform_(x, a=0.0, b=1.0, *, generator=None):
    """Overwrites x with numbers uniform over [a, b)."""
    t, numbers = _unwrap(x), native(generator)
    return record_(x, lambda: _core.uniform_(t, a, b, numbers), (x,), overwrite_backward)


def normal_(x, mean=0.0, std=1.0, *, generator=None):
    """Overwrites x with normal numbers of the given mean and standard deviation."""
    t, numbers = _unwrap(x), native(generator)
    return record_(x, lambda: _core.normal_(t, mean, std, numbers), (x,), overwrite_backward)


def overwrite_backward(node, g):
    return _core.full(g.shape, 0.0, g.dtype)
