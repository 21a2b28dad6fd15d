"""Matrix products: each function and its chain rule side by side.

For Y = A B the gradients are dL/dA = dL/dY Bᵀ and dL/dB = Aᵀ dL/dY; transposes are views, the
kernel reads any strides.
"""

from __future__ import annotations

from math import prod

from chainrule import _core
from chainrule.autograd import _unwrap, record
from chainrule.ops.elementwise import mul
from chainrule.ops.view import unsqueeze

_to = _core.sum_to_like


def _transposed(x):
    return _core.transpose(x, -2, -1)


def _rows(x):
    """x as one matrix: all dimensions but the last are rows."""
    return x if x.ndim == 2 else _core.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _expect(op, x, rank, name):
    shape = _unwrap(x).shape
    if len(shape) != rank:
        raise ValueError(f"{op}: {name} must have {rank} dimensions, got shape {list(shape)}")


def matmul(input, other):
    """The matrix product, PyTorch's rules: a 1-D operand is a row on the left and a column on the
    right (that dimension disappears again); dimensions before the last two are a batch and
    broadcast.

    Shapes: (*, m, k) and (*, k, n) give (*, m, n).

    Raises ValueError where the inner sizes differ, TypeError for bool or two dtypes.

    Example:
        >>> matmul(ones(2, 3), ones(3)).shape
        (2,)
    """
    native = _core.matmul(input, other)
    return record(native, (input, other), matmul_backward, (input._t, other._t))


def matmul_backward(node, g):
    a, b = node.saved
    if a.ndim == 2 and b.ndim == 2:
        return (
            _core.matmul(g, _transposed(b)) if node.parents[0] is not None else None,
            _core.matmul(_transposed(a), g) if node.parents[1] is not None else None,
        )
    # Every other case is the batched one, with the missing dimensions put back.
    a2 = _core.unsqueeze(a, 0) if a.ndim == 1 else a
    b2 = _core.unsqueeze(b, 1) if b.ndim == 1 else b
    if b.ndim == 1:
        g = _core.unsqueeze(g, -1)
    if a.ndim == 1:
        g = _core.unsqueeze(g, -2)
    ga = gb = None
    if node.parents[0] is not None:
        ga = _core.reshape(_to(_core.matmul(g, _transposed(b2)), a2), a.shape)
    if node.parents[1] is not None:
        # A weight shared by the whole batch: one product over all rows, not a sum of products.
        shared = b2.ndim == 2 and a2.ndim > 2
        x, dy = (_rows(a2), _rows(g)) if shared else (a2, g)
        gb = _core.reshape(_to(_core.matmul(_transposed(x), dy), b2), b.shape)
    return ga, gb


def mm(input, mat2):
    """The product of two matrices, (m, k) and (k, n); nothing broadcasts."""
    _expect("mm", input, 2, "input")
    _expect("mm", mat2, 2, "mat2")
    return matmul(input, mat2)


def bmm(input, mat2):
    """Products of matrices pair by pair, (b, m, k) and (b, k, n); nothing broadcasts."""
    _expect("bmm", input, 3, "input")
    _expect("bmm", mat2, 3, "mat2")
    if input._t.shape[0] != mat2._t.shape[0]:
        raise ValueError(
            f"bmm: batch sizes differ (input: {list(input._t.shape)}, "
            f"mat2: {list(mat2._t.shape)}); matmul() broadcasts"
        )
    return matmul(input, mat2)


def mv(input, vec):
    """Matrix times vector, (m, k) and (k,)."""
    _expect("mv", input, 2, "input")
    _expect("mv", vec, 1, "vec")
    return matmul(input, vec)


def dot(input, tensor):
    """The sum of products of two vectors of one length. Matrices: see `frobenius`.

    Example:
        >>> dot(tensor([1.0, 2.0]), tensor([3.0, 4.0]))
        tensor(11.)
    """
    a, b = _unwrap(input).shape, _unwrap(tensor).shape
    if len(a) != 1 or len(b) != 1 or a != b:
        hint = "; use frobenius() for the sum of elementwise products" if a == b else ""
        raise ValueError(f"dot: expects two 1-D tensors of one length, got {list(a)} and {list(b)}{hint}")
    return matmul(input, tensor)


def frobenius(input, other):
    """The Frobenius product: the sum of elementwise products of two tensors of one shape.

    Example:
        >>> a = tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> frobenius(a, a)
        tensor(30.)
    """
    a, b = _unwrap(input), _unwrap(other)
    if a.shape != b.shape:
        raise ValueError(f"frobenius: shapes must be equal, got {list(a.shape)} and {list(b.shape)}")
    flat = (prod(a.shape),)
    out = _core.matmul(_core.reshape(a, flat), _core.reshape(b, flat))
    return record(out, (input, other), frobenius_backward, (a, b))


def frobenius_backward(node, g):
    a, b = node.saved
    return (
        _core.mul(b, g) if node.parents[0] is not None else None,
        _core.mul(a, g) if node.parents[1] is not None else None,
    )


def outer(input, vec2):
    """All products of an element of one vector with one of the other, (m,) and (n,) give (m, n)."""
    _expect("outer", input, 1, "input")
    _expect("outer", vec2, 1, "vec2")
    return mul(unsqueeze(input, 1), unsqueeze(vec2, 0))


def linear(input, weight, bias=None, activation=None):
    """input @ weight.T + bias, then the activation (None or 'relu'), in one kernel.

    Shapes: input (*, in), weight (out, in), bias (out,); result (*, out).

    Raises ValueError where the sizes don't fit, TypeError unless all are of one floating dtype.

    Example:
        >>> linear(ones(5, 3), ones(2, 3)).shape
        (5, 2)
    """
    y = _core.linear(input, weight, bias, activation)
    x, w = input._t, weight._t
    saved = (x, w) if activation is None else (x, w, y)
    return record(y, (input, weight, bias), linear_backward, saved)


def linear_backward(node, g):
    x, w, *activated = node.saved
    if activated:
        g = _core.relu_grad(g, activated[0])
    gx = gw = gb = None
    if node.parents[0] is not None:
        gx = _core.matmul(g, w)
    if node.parents[1] is not None:
        gw = _core.matmul(_transposed(_rows(g)), _rows(x))
    if node.parents[2] is not None:
        gb = _core.sum_to(g, (w.shape[0],), g.dtype)
    return gx, gw, gb


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 · x2 / (max(‖x1‖, eps) · max(‖x2‖, eps)) along dim; the shapes broadcast.

    Example:
        >>> cosine_similarity(tensor([[1.0, 0.0]]), tensor([[1.0, 1.0]]))
        tensor([0.7071])
    """
    a, b = _unwrap(x1), _unwrap(x2)
    if not (a.dtype.is_floating_point and b.dtype.is_floating_point):
        raise TypeError(f"cosine_similarity: expects floating tensors, got {a.dtype.name} and {b.dtype.name}")
    rank = max(a.ndim, b.ndim)
    if not -rank <= dim < rank:
        raise IndexError(
            f"cosine_similarity: dim {dim} is out of range (x1: {list(a.shape)}, x2: {list(b.shape)})"
        )
    dim = dim % rank - rank  # from the end, so that it means the same in both before they broadcast
    product = _core.mul(a, b)
    shape = product.shape
    norms = [_core.sqrt(_core.sum(_core.square(_core.expand(x, shape)), (dim,), True)) for x in (a, b)]
    scale = _core.mul(_core.maximum(norms[0], eps), _core.maximum(norms[1], eps))
    cosine = _core.div(_core.sum(product, (dim,), True), scale)
    saved = (a, b, cosine, *norms)
    return record(_core.squeeze(cosine, dim), (x1, x2), cosine_similarity_backward, saved, (dim, eps))


def cosine_similarity_backward(node, g):
    a, b, cosine, *norms = node.saved
    dim, eps = node.params
    g = _core.unsqueeze(g, dim)
    safe = [_core.maximum(n, eps) for n in norms]
    direct = _core.div(g, _core.mul(*safe))
    share = _core.mul(g, cosine)

    def gradient(mine, other, i):
        # Through the product, and through the norm: d‖x‖/dx = x/‖x‖, 0 at x = 0.
        length = _core.where(_core.eq(norms[i], 0), 1.0, norms[i])
        through_norm = _core.div(share, _core.mul(safe[i], length))
        return _to(_core.sub(_core.mul(direct, other), _core.mul(through_norm, mine)), mine)

    return (
        gradient(a, b, 0) if node.parents[0] is not None else None,
        gradient(b, a, 1) if node.parents[1] is not None else None,
    )
