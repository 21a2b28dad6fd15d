"""Losses. Input and target never broadcast against each other: other shapes raise ValueError with the fix.

Each takes `reduction`: "mean", "sum" or "none". The reduced loss is one native call, its gradient another.
"""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import _unwrap, record, wrap
from chainrule.ops.elementwise import cast, mul
from chainrule.ops.softmax import log_softmax

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "l1_loss",
    "mse_loss",
    "nll_loss",
]

_CODES = {"none": 0, "mean": 1, "sum": 2}


def mse_loss(input, target, reduction="mean"):
    """(input - target)².

    Shapes: input and target alike; a scalar out, or their shape for reduction="none".

    Example:
        >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
        tensor(2.)
    """
    return _loss("mse_loss", _core.mse_loss, mse_loss_backward, input, target, reduction)


def mse_loss_backward(node, g):
    return _symmetric(node, _core.mse_loss_grad(g, *node.saved, node.params))


def l1_loss(input, target, reduction="mean"):
    """|input - target|; the gradient at 0 is 0. Shapes as mse_loss."""
    return _loss("l1_loss", _core.l1_loss, l1_loss_backward, input, target, reduction)


def l1_loss_backward(node, g):
    return _symmetric(node, _core.l1_loss_grad(g, *node.saved, node.params))


def _symmetric(node, d):
    """For a function of input - target."""
    return d, _core.neg(d) if node.parents[1] is not None else None


def binary_cross_entropy(input, target, weight=None, reduction="mean"):
    """-(t·log p + (1 - t)·log(1 - p)) for probabilities p (input) and t (target); logarithms stop at -100.

    Shapes: input and target alike; `weight` broadcasts to them and scales the elements.

    Raises:
        ValueError: other shapes, or a value outside [0, 1] (NaN too).
    """
    native, rule = _core.bce_loss, binary_cross_entropy_backward
    if weight is None:
        return _loss("binary_cross_entropy", native, rule, input, target, reduction)
    code = _code("binary_cross_entropy", reduction)
    loss = _loss("binary_cross_entropy", native, rule, input, target, "none")
    return _reduce(_weighted("binary_cross_entropy", loss, weight, "weight"), code)


def binary_cross_entropy_backward(node, g):
    p, t = node.saved
    gp = _core.bce_loss_grad(g, p, t, node.params) if node.parents[0] is not None else None
    if node.parents[1] is None:
        return gp, None
    log_p = _core.maximum(_core.log(p), -100.0)
    log_rest = _core.maximum(_core.log1p(_core.neg(p)), -100.0)
    return gp, _core.mul(_spread(node, g, p), _core.sub(log_rest, log_p))


def binary_cross_entropy_with_logits(input, target, weight=None, reduction="mean", pos_weight=None):
    """binary_cross_entropy of sigmoid(input), finite for any logit: max(x, 0) - x·t + log(1 + exp(-|x|)).

    Shapes: input and target alike; `weight` scales the elements, `pos_weight` the term of the positives, both
    broadcast to input.

    Example:
        >>> binary_cross_entropy_with_logits(tensor([0.0]), tensor([1.0]))
        tensor(0.6931)
    """
    op = "binary_cross_entropy_with_logits"
    native, rule = _core.bce_with_logits_loss, binary_cross_entropy_with_logits_backward
    if weight is None and pos_weight is None:
        return _loss(op, native, rule, input, target, reduction)
    code = _code(op, reduction)
    loss = _loss(op, native, rule, input, target, "none")
    if pos_weight is not None:
        # The loss against a target of 1 is log(1 + exp(-x)), what t multiplies: it counts pos_weight times.
        ones = wrap(_core.full(input.shape, 1.0, input.dtype))
        positive = mul(target, _loss(op, native, rule, input, ones, "none"))
        loss = loss + _weighted(op, positive, pos_weight - 1, "pos_weight")
    if weight is not None:
        loss = _weighted(op, loss, weight, "weight")
    return _reduce(loss, code)


def binary_cross_entropy_with_logits_backward(node, g):
    x, t = node.saved
    gx = _core.bce_with_logits_loss_grad(g, x, t, node.params) if node.parents[0] is not None else None
    if node.parents[1] is None:
        return gx, None
    return gx, _core.neg(_core.mul(_spread(node, g, x), x))


def cross_entropy(input, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """-log softmax(input)[target]: takes raw scores, not probabilities.

    Args:
        input: (N, C), (N, C, d1, ...) or (C).
        target: int64 classes of shape (N), (N, d1, ...) or (), or probabilities shaped as input.
        weight: (C), scales the classes; the mean divides by the weights of the targets.
        ignore_index: targets of this value don't count. All ignored: the mean is NaN.
        label_smoothing: in [0, 1], the share of the uniform distribution mixed into the target.

    Raises:
        IndexError: a class out of range.
        TypeError: classes that are not int64.
        ValueError: shapes that do not fit, label_smoothing outside [0, 1].

    Example:
        >>> cross_entropy(tensor([[2.0, 0.0]]), tensor([0]))
        tensor(0.1269)
    """
    code = _code("cross_entropy", reduction)
    x, t = _natives("cross_entropy", input, target)
    if t.dtype.is_floating_point and t.shape == x.shape:
        return _soft_cross_entropy(input, target, weight, code, label_smoothing)
    w = _class_weight(weight, x)
    params = (ignore_index, label_smoothing, code)
    try:
        loss, stats, total = _core.cross_entropy(x, t, w, params)
    except IndexError as error:
        raise IndexError(str(error).replace("value", "target", 1)) from None
    return record(loss, (input,), cross_entropy_backward, (x, t, w, stats, total), params)


def cross_entropy_backward(node, g):
    return _core.cross_entropy_grad(g, node.saved, node.params)


def _soft_cross_entropy(input, target, weight, code, label_smoothing):
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be in [0, 1], got {label_smoothing}")
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    terms = mul(log_softmax(input, dim), cast(target, input.dtype))
    if weight is not None:
        shape = _unwrap(weight).shape
        if shape != (classes,):
            raise ValueError(f"cross_entropy: weight must have shape [{classes}], got {list(shape)}")
        terms = mul(terms, weight.reshape((classes,) + (1,) * (input.ndim - dim - 1)))
    loss = terms.sum(dim).neg()
    if not _core.recording() and loss.isnan().any().item() and target.isnan().any().item():
        raise ValueError("cross_entropy: target must not be NaN")
    return loss if code == 0 else loss.sum() / loss.numel() if code == 1 else loss.sum()


def nll_loss(input, target, weight=None, *, ignore_index=-100, reduction="mean"):
    """-input[target] for log-probabilities, as log_softmax gives them; arguments as cross_entropy."""
    code = _code("nll_loss", reduction)
    x, t = _natives("nll_loss", input, target)
    w = _class_weight(weight, x)
    params = (ignore_index, 0.0, code)
    try:
        loss, total = _core.nll_loss(x, t, w, params)
    except IndexError as error:
        raise IndexError(str(error).replace("value", "target", 1)) from None
    return record(loss, (input,), nll_loss_backward, (x, t, w, total), params)


def nll_loss_backward(node, g):
    return _core.nll_loss_grad(g, node.saved, node.params)


# ---- what they share --------------------------------------------------------------------------------------


def _loss(op, native, rule, input, target, reduction):
    try:
        code = _CODES[reduction]
        a, b = input._t, target._t
        out = native(a, b, code)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        input, target = _explain(op, input, target, reduction)
        a, b, code = input._t, target._t, _CODES[reduction]
        out = native(a, b, code)
    return record(out, (input, target), rule, (a, b), code)


def _explain(op, input, target, reduction):
    """Says in the caller's terms what the native call refused; where a cast helps, the pair to try again."""
    _code(op, reduction)
    x, t = _natives(op, input, target)
    if x.shape != t.shape:
        raise ValueError(
            f"{op}: input and target must have the same shape, they are not broadcast "
            f"(input: {list(x.shape)}, target: {list(t.shape)}){_fix(x.shape, t.shape)}"
        )
    floating = [n.dtype for n in (x, t) if n.dtype.is_floating_point]
    if not floating:
        raise TypeError(f"{op}: input must be float32 or float64, got {x.dtype.name}; use .float()")
    dtype = _core.float64 if _core.float64 in floating else _core.float32
    return cast(input, dtype), cast(target, dtype)


def _fix(x, t):
    """The reshape that makes the shapes equal, if dropping or adding one dimension of size 1 does."""
    for d, size in enumerate(t):
        if size == 1 and t[:d] + t[d + 1 :] == x:
            return f"; use target.squeeze({d})"
    for d, size in enumerate(x):
        if size == 1 and x[:d] + x[d + 1 :] == t:
            return f"; use target.unsqueeze({d})"
    return ""


def _code(op, reduction):
    if not isinstance(reduction, str) or reduction not in _CODES:
        raise ValueError(f"{op}: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    return _CODES[reduction]


def _natives(op, input, target):
    for name, value in (("input", input), ("target", target)):
        if not hasattr(value, "_t"):
            raise TypeError(f"{op}: {name} must be a Tensor, got {type(value).__name__}")
    return input._t, target._t


def _class_weight(weight, x):
    if weight is None:
        return None
    native = _unwrap(weight)
    return _core.cast(native, x.dtype) if native.dtype.is_floating_point else native


def _weighted(op, loss, weight, name):
    """loss · weight, which may be broadcast, but not loss."""
    out = mul(loss, weight)
    if out.shape != loss.shape:
        raise ValueError(
            f"{op}: {name} of shape {list(weight.shape)} does not broadcast to {list(loss.shape)}"
        )
    return out


def _reduce(loss, code):
    return loss if code == 0 else loss.mean() if code == 1 else loss.sum()


def _spread(node, g, x):
    """The gradient of one element's loss, before reduction."""
    return _core.div(g, x.numel()) if node.params == _CODES["mean"] else g
