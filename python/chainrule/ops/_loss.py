"""What the losses share: reductions, one shape for input and target, weights, and a look at what made the input."""

from __future__ import annotations

import math

from chainrule import _core
from chainrule._warn import warn
from chainrule.autograd import Node, name_of, record
from chainrule.ops import view
from chainrule.ops.elementwise import cast, cast_backward, mul, sigmoid_backward
from chainrule.ops.index import getitem_backward
from chainrule.ops.softmax import softmax_backward

# As the first of the native options, which a loss's own numbers follow.
CODES = {"none": (0,), "mean": (1,), "sum": (2,)}
BATCHMEAN = {**CODES, "batchmean": (3,)}
MEAN = CODES["mean"][0]

_VIEWS = {
    cast_backward,
    getitem_backward,
    view.expand_backward,
    view.permute_backward,
    view.reshape_backward,
    view.select_backward,
    view.slice_backward,
    view.transpose_backward,
}


def pair_loss(op, native, rule, input, target, reduction, numbers=(), codes=CODES, *, weight=None,
              sample_weight=None, weight_counts=False):  # fmt: skip
    """A native loss of input against target, whose rule reads `node.saved` (both) and `node.params` (options).

    weight: broadcasts to the losses; with `weight_counts` the mean divides by its sum.
    sample_weight: (N,), see reduce().
    """
    if weight is not None or sample_weight is not None:
        losses = pair_loss(op, native, rule, input, target, "none", numbers)
        if weight is not None:
            losses = times(op, losses, weight)
        return reduce(op, losses, reduction, sample_weight, weight if weight_counts else None, codes)
    try:
        options = codes[reduction] + numbers
        a, b = input._t, target._t
        out = native(a, b, options)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        input, target = _explain(op, input, target, reduction, codes)
        a, b, options = input._t, target._t, codes[reduction] + numbers
        out = native(a, b, options)
    return record(out, (input, target), rule, (a, b), options)


def _explain(op, input, target, reduction, codes):
    """Says in the caller's terms what the native call refused; where a cast helps, the pair to try again."""
    code_of(op, reduction, codes)
    x, t = natives(op, input, target)
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


def code_of(op, reduction, codes=CODES):
    if not isinstance(reduction, str) or reduction not in codes:
        *others, last = (repr(name) for name in codes)
        raise ValueError(f"{op}: reduction must be {', '.join(others)} or {last}, got {reduction!r}")
    return codes[reduction][0]


def natives(op, input, target):
    for name, value in (("input", input), ("target", target)):
        _check_tensor(op, name, value)
    return input._t, target._t


def _check_tensor(op, name, value):
    if not hasattr(value, "_t"):
        raise TypeError(f"{op}: {name} must be a Tensor, got {type(value).__name__}")


def constant_target(op, target):
    """For losses whose targets are labels: a gradient that is asked for in vain is a mistake."""
    if _core.grad_enabled() and getattr(target, "requires_grad", False):
        raise ValueError(f"{op}: target must not require grad, this loss has no gradient for it; detach() it")


# ---- gradients --------------------------------------------------------------------------------------------


def symmetric(node, d):
    """For a function of input - target."""
    return d, _core.neg(d) if node.parents[1] is not None else None


def spread(node, g, x):
    """The gradient of one element's loss, before reduction."""
    reduction = node.params[0]
    if reduction == MEAN:
        return _core.div(g, x.numel())
    return _core.div(g, x.shape[0]) if reduction == BATCHMEAN["batchmean"][0] and x.shape else g


# ---- weights ----------------------------------------------------------------------------------------------


def times(op, losses, weight, name="weight"):
    """losses · weight, which may be broadcast, but not losses."""
    out = mul(losses, weight)
    if out.shape != losses.shape:
        raise ValueError(
            f"{op}: {name} of shape {list(weight.shape)} does not broadcast to {list(losses.shape)}"
        )
    return out


def reduce(op, losses, reduction, sample_weight=None, counts=None, codes=CODES):
    """Reduces the losses of reduction="none": what `sample_weight` copies of each sample would give.

    counts: how much each loss counts in the mean, where that is not 1; broadcasts to losses.
    """
    code_of(op, reduction, codes)
    samples = None
    if sample_weight is not None:
        samples = _per_sample(op, losses, sample_weight)
        losses = mul(losses, samples)
        counts = samples if counts is None else mul(counts, samples)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if reduction == "batchmean":
        batch = losses.shape[0] if losses.shape else 1
        return losses.sum() / (batch if samples is None else samples.sum())
    if counts is None:
        return losses.mean()
    return losses.sum() / view.expand(counts, losses.shape).sum()


def check_sample_weight(op, sample_weight):
    """ValueError unless all are finite and none is negative: there is no such number of copies of a sample."""
    values = sample_weight.detach().numpy()
    if values.size and not 0 <= values.min() <= values.max() < math.inf:
        i = int((~((values >= 0) & (values < math.inf))).argmax())
        raise ValueError(
            f"{op}: sample_weight must be finite and not negative, got {values.flat[i]} at position {i}"
        )


def _per_sample(op, losses, sample_weight):
    """The weights (N,) beside losses (N, ...)."""
    _check_tensor(op, "sample_weight", sample_weight)
    expected, shape = losses.shape[:1], sample_weight.shape
    if shape != expected:
        raise ValueError(
            f"{op}: sample_weight must have shape {list(expected)}, one number a sample, got {list(shape)}"
        )
    if not _core.recording():  # a program has no values to look at
        check_sample_weight(op, sample_weight)
    return cast(sample_weight, losses.dtype).reshape(expected + (1,) * (losses.ndim - 1))


# ---- inputs that have been normalised already ----------------------------------------------------------------


def expect_scores(op, input, other=""):
    """Warns where the graph shows that the loss's own softmax or sigmoid has been applied already."""
    made = _maker(input)
    if made is not None:
        fix = f"leave the {made} out{other}"
        warn(f"{op}: takes scores and normalises them itself, but input is the result of {made}; {fix}")


def expect_logs(op, input):
    """Warns where the graph shows that the logarithm is missing."""
    if _maker(input) == "softmax":
        warn(f"{op}: takes log-probabilities, but input is the result of softmax; use log_softmax")


def _maker(x):
    """'softmax' or 'sigmoid' if it made x, perhaps seen through views and casts."""
    node = x._node
    while type(node) is Node:
        rule = node.rule
        if rule is softmax_backward or rule is sigmoid_backward:
            return name_of(node)
        if rule not in _VIEWS:
            return None
        node = node.parents[0]
    return None
