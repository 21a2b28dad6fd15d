"""Activation functions: one native call each, and another for the gradient, which is in terms of the input.

They are for floating tensors. At kinks the derivative is the one that PyTorch takes, on the left unless said
otherwise. `inplace` writes the result over x, as the functions with _ at the end of their names do.
"""

from __future__ import annotations

from chainrule import _core, _validate
from chainrule.autograd import _unwrap, record
from chainrule.ops.inplace import _detached_copy, _replace

__all__ = [
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu6",
    "selu",
    "silu",
    "softplus",
]


def _activate(op, input, inplace=False, a=0.0, b=0.0):
    """op: the native function and its gradient. a, b: the numbers that both take."""
    if inplace:
        return _replace(input, _activate(op, _detached_copy(input), False, a, b))
    value, gradient = op
    y = value(input, a, b)
    return record(y, (input,), activation_backward, (_unwrap(input),), (gradient, a, b))


def activation_backward(node, g):
    gradient, a, b = node.params
    return gradient(g, node.saved[0], a, b)


_LEAKY_RELU = _core.leaky_relu, _core.leaky_relu_grad
_ELU = _core.elu, _core.elu_grad
_GELU = {"none": (_core.gelu, _core.gelu_grad), "tanh": (_core.gelu_tanh, _core.gelu_tanh_grad)}
_SILU = _core.silu, _core.silu_grad
_SOFTPLUS = _core.softplus, _core.softplus_grad
_HARDTANH = _core.hardtanh, _core.hardtanh_grad
_MISH = _core.mish, _core.mish_grad
_LOGSIGMOID = _core.logsigmoid, _core.logsigmoid_grad
_HARDSIGMOID = _core.hardsigmoid, _core.hardsigmoid_grad
_HARDSWISH = _core.hardswish, _core.hardswish_grad


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x where it is positive, negative_slope · x elsewhere (Maas et al., 2013).

    Example:
        >>> leaky_relu(tensor([-2.0, 3.0]), 0.1)
        tensor([-0.2,  3. ])
    """
    return _activate(_LEAKY_RELU, input, inplace, negative_slope)


def elu(input, alpha=1.0, inplace=False):
    """x where it is positive, alpha · (exp(x) - 1) elsewhere (Clevert et al., 2016).

    Example:
        >>> elu(tensor([-20.0, 3.0]))
        tensor([-1.,  3.])
    """
    return _activate(_ELU, input, inplace, alpha, 1.0)


def selu(input, inplace=False):
    """scale · elu(x, alpha) with scale = 1.0507… and alpha = 1.6733…, for which activations of mean 0 and
    variance 1 keep them from layer to layer (Klambauer et al., 2017)."""
    return _activate(
        _ELU, input, inplace, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    )


def gelu(input, approximate="none"):
    """x · Φ(x), with Φ the standard normal distribution (Hendrycks and Gimpel, 2016).

    approximate="tanh": x/2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))), within 5e-4 of it.

    Raises:
        ValueError: another `approximate`.

    Example:
        >>> gelu(tensor([-1.0, 0.0, 1.0]))
        tensor([-0.15865526,  0.        ,  0.8413447 ])
    """
    _validate.choice("gelu", "approximate", approximate, ("none", "tanh"))
    return _activate(_GELU[approximate], input)


def silu(input, inplace=False):
    """x · sigmoid(x), also known as swish (Elfwing et al., 2018).

    Example:
        >>> silu(tensor([-200.0, 0.0, 200.0]))
        tensor([ -0.,   0., 200.])
    """
    return _activate(_SILU, input, inplace)


def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + exp(beta · x)) / beta, and x itself where beta · x is above threshold.

    Any threshold is safe: the exponential does not overflow.

    Example:
        >>> softplus(tensor([-100.0, 0.0, 100.0]))
        tensor([3.783506e-44, 6.931472e-01, 1.000000e+02])
    """
    return _activate(_SOFTPLUS, input, False, beta, threshold)


def logsigmoid(input):
    """log(sigmoid(x)) = -log(1 + exp(-x)), without overflow.

    Example:
        >>> logsigmoid(tensor([-1000.0, 0.0]))
        tensor([-1000.        ,    -0.6931472])
    """
    return _activate(_LOGSIGMOID, input)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x held within [min_val, max_val]; the gradient is 0 outside and at the bounds.

    Raises:
        ValueError: min_val is greater than max_val.

    Example:
        >>> hardtanh(tensor([-2.0, 0.5, 2.0]))
        tensor([-1. ,  0.5,  1. ])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val must not be greater than max_val, got {min_val} and {max_val}")
    return _activate(_HARDTANH, input, inplace, min_val, max_val)


def relu6(input, inplace=False):
    """min(max(x, 0), 6); the gradient is 0 outside and at the bounds."""
    return _activate(_HARDTANH, input, inplace, 0.0, 6.0)


def mish(input, inplace=False):
    """x · tanh(log(1 + exp(x))) (Misra, 2019), without overflow.

    Example:
        >>> mish(tensor([-200.0, 0.0, 200.0]))
        tensor([ -0.,   0., 200.])
    """
    return _activate(_MISH, input, inplace)


def hardsigmoid(input, inplace=False):
    """min(max(x + 3, 0), 6) / 6; the gradient at -3 and 3 is 0."""
    return _activate(_HARDSIGMOID, input, inplace)


def hardswish(input, inplace=False):
    """x · hardsigmoid(x) (Howard et al., 2019); the gradient is 0 at -3 and 1 at 3."""
    return _activate(_HARDSWISH, input, inplace)


def prelu(input, weight):
    """x where it is positive, weight · x elsewhere, with a weight that is trained (He et al., 2015).

    Shapes: x [N, C, ..] and weight [C]; or x of any shape and a weight of one element.

    Raises:
        ValueError: weight has neither one element nor one per channel.

    Example:
        >>> prelu(tensor([[-2.0, -2.0]]), tensor([0.1, 0.5]))
        tensor([[-0.2, -1. ]])
    """
    x, w = _unwrap(input), _unwrap(weight)
    shape = ()
    if w.numel() != 1:
        shape = (-1,) + (1,) * (x.ndim - 2)
        if w.ndim != 1 or x.ndim < 2 or w.shape[0] != x.shape[1]:
            raise ValueError(
                "prelu: weight must have one element, or one for each channel of x "
                f"(weight: {list(w.shape)}, x: {list(x.shape)})"
            )
    slope = _core.reshape(w, shape)
    return record(_core.prelu(x, slope), (input, weight), prelu_backward, (x, slope), w.shape)


def prelu_backward(node, g):
    x, slope = node.saved
    gx = gw = None
    if node.parents[0] is not None:
        gx = _core.prelu_grad(g, x, slope)
    if node.parents[1] is not None:
        each = _core.prelu_weight_grad(g, x)
        gw = _core.reshape(_core.sum_to(each, slope.shape, slope.dtype), node.params)
    return gx, gw
