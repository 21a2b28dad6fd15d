"""Losses of probabilities: binary cross-entropy, focal loss, cross-entropy, negative log-likelihood, divergence.

`reduction`, `sample_weight` and shapes as in loss.py. A loss that takes raw scores warns where the graph shows
that softmax or sigmoid made them; one that takes log-probabilities, where the logarithm is missing.
"""

from __future__ import annotations

from chainrule import _core
from chainrule._validate import real
from chainrule._warn import warn
from chainrule.autograd import _unwrap, record, wrap
from chainrule.ops._loss import (
    BATCHMEAN,
    MEAN,
    code_of,
    constant_target,
    expect_logs,
    expect_scores,
    natives,
    pair_loss,
    reduce,
    spread,
    times,
)
from chainrule.ops.compare import ne, where
from chainrule.ops.elementwise import cast, mul
from chainrule.ops.scatter import take

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
    "nll_loss",
    "sigmoid_focal_loss",
]


def binary_cross_entropy(input, target, weight=None, reduction="mean", *, sample_weight=None):
    """-(t·log p + (1 - t)·log(1 - p)) for probabilities p (input) and t (target); logarithms stop at -100.

    Shapes: input and target alike; `weight` broadcasts to them and scales the elements.

    Raises:
        ValueError: other shapes, or a value outside [0, 1] (NaN too).
    """
    return pair_loss("binary_cross_entropy", _core.bce_loss, binary_cross_entropy_backward, input, target,
                     reduction, weight=weight, sample_weight=sample_weight)  # fmt: skip


def binary_cross_entropy_backward(node, g):
    p, t = node.saved
    gp = _core.bce_loss_grad(g, p, t, node.params) if node.parents[0] is not None else None
    if node.parents[1] is None:
        return gp, None
    log_p = _core.maximum(_core.log(p), -100.0)
    log_rest = _core.maximum(_core.log1p(_core.neg(p)), -100.0)
    return gp, _core.mul(spread(node, g, p), _core.sub(log_rest, log_p))


def binary_cross_entropy_with_logits(
    input, target, weight=None, reduction="mean", pos_weight=None, *, sample_weight=None
):
    """binary_cross_entropy of sigmoid(input), finite for any logit: max(x, 0) - x·t + log(1 + exp(-|x|)).

    Shapes: input and target alike; `weight` scales the elements, `pos_weight` the term of the positives, both
    broadcast to input.

    Raises:
        ValueError: other shapes, or a target outside [0, 1] (NaN too), to which the loss would have no lower bound.

    Example:
        >>> binary_cross_entropy_with_logits(tensor([0.0]), tensor([1.0]))
        tensor(0.6931)
    """
    op = "binary_cross_entropy_with_logits"
    native, rule = _core.bce_with_logits_loss, binary_cross_entropy_with_logits_backward
    if pos_weight is None:
        loss = pair_loss(
            op, native, rule, input, target, reduction, weight=weight, sample_weight=sample_weight
        )
        expect_scores(op, input, ", or use binary_cross_entropy")
        return loss
    loss = pair_loss(op, native, rule, input, target, "none")
    expect_scores(op, input, ", or use binary_cross_entropy")
    # The loss against a target of 1 is log(1 + exp(-x)), what t multiplies: it counts pos_weight times.
    ones = wrap(_core.full(input.shape, 1.0, input.dtype))
    positive = mul(target, pair_loss(op, native, rule, input, ones, "none"))
    loss = loss + times(op, positive, pos_weight - 1, "pos_weight")
    if weight is not None:
        loss = times(op, loss, weight)
    return reduce(op, loss, reduction, sample_weight)


def binary_cross_entropy_with_logits_backward(node, g):
    x, t = node.saved
    gx = _core.bce_with_logits_loss_grad(g, x, t, node.params) if node.parents[0] is not None else None
    if node.parents[1] is None:
        return gx, None
    return gx, _core.neg(_core.mul(spread(node, g, x), x))


def sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2, reduction="none", *, sample_weight=None):
    """alpha_t · (1 - p_t)^gamma · (-log p_t) of raw scores: confident, right predictions hardly count.

    p_t is the probability sigmoid(inputs) gives to the right class, alpha_t is alpha for positives and 1 - alpha
    for negatives. Lin et al. 2017, Focal Loss for Dense Object Detection, in the form and with the defaults of
    torchvision.ops.sigmoid_focal_loss: reduction="none".

    Args:
        inputs: scores of any shape. targets: as inputs, in [0, 1].
        alpha: in [0, 1]; -1 leaves alpha_t out.
        gamma: at least 0; with 0 it is (weighted) binary cross-entropy.

    Raises:
        ValueError: other shapes, alpha, gamma or a target out of range, a target that requires grad.

    Example:
        >>> sigmoid_focal_loss(tensor([0.0]), tensor([1.0]))
        tensor([0.0433])
    """
    op = "sigmoid_focal_loss"
    constant_target(op, targets)
    numbers = (real(op, "alpha", alpha), real(op, "gamma", gamma, "non-negative"))
    loss = pair_loss(op, _core.focal_loss, sigmoid_focal_loss_backward, inputs, targets, reduction, numbers,
                     sample_weight=sample_weight)  # fmt: skip
    expect_scores(op, inputs)
    return loss


def sigmoid_focal_loss_backward(node, g):
    return _core.focal_loss_grad(g, *node.saved, node.params), None


def kl_div(input, target, reduction="mean", log_target=False, *, sample_weight=None):
    """target · (log target - input), for log-probabilities input: the divergence of target from exp(input).

    Shapes: input and target alike. `reduction` may be "batchmean", too: the sum divided by the first dimension,
    which is the divergence; "mean" divides by the number of elements, and warns as PyTorch does.

    Args:
        log_target: target holds log-probabilities: exp(target) · (target - input).

    Raises:
        ValueError: a negative target (without log_target), other shapes.

    Example:
        >>> kl_div(log(tensor([[0.5, 0.5]])), tensor([[1.0, 0.0]]), reduction="batchmean")
        tensor(0.6931)
    """
    native = _core.kl_div_log if log_target else _core.kl_div
    numbers = (float(bool(log_target)),)
    loss = pair_loss("kl_div", native, kl_div_backward, input, target, reduction, numbers, BATCHMEAN,
                     sample_weight=sample_weight)  # fmt: skip
    expect_logs("kl_div", input)
    if reduction == "mean":
        warn("kl_div: reduction='mean' divides by the number of elements; the divergence is 'batchmean'")
    return loss


def kl_div_backward(node, g):
    x, t = node.saved
    log_target = node.params[1]
    native = _core.kl_div_log_grad if log_target else _core.kl_div_grad
    gx = native(g, x, t, node.params) if node.parents[0] is not None else None
    if node.parents[1] is None:
        return gx, None
    p, log_p = (_core.exp(t), t) if log_target else (None, _core.log(t))
    rise = _core.add(_core.sub(log_p, x), 1.0)
    return gx, _core.mul(spread(node, g, x), rise if p is None else _core.mul(p, rise))


def cross_entropy(
    input,
    target,
    weight=None,
    *,
    ignore_index=-100,
    reduction="mean",
    label_smoothing=0.0,
    sample_weight=None,
):
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
    op = "cross_entropy"
    code = code_of(op, reduction)
    x, t = natives(op, input, target)
    if t.dtype.is_floating_point and t.shape == x.shape:
        loss = _soft_cross_entropy(
            input, target, weight, label_smoothing, 0 if sample_weight is not None else code
        )
        expect_scores(op, input)
        return loss if sample_weight is None else reduce(op, loss, reduction, sample_weight)
    loss = _of_classes(
        op,
        _core.cross_entropy,
        cross_entropy_backward,
        input,
        target,
        weight,
        reduction,
        (ignore_index, label_smoothing, code),
        sample_weight,
    )
    expect_scores(op, input)
    return loss


def cross_entropy_backward(node, g):
    return _core.cross_entropy_grad(g, node.saved, node.params)


def _soft_cross_entropy(input, target, weight, label_smoothing, code):
    """Against probabilities: its gradient reaches the target, too."""
    target = cast(target, input.dtype)
    x, t, w = input._t, target._t, _class_weight(weight, input._t)
    params = (label_smoothing, code)
    loss, stats = _core.cross_entropy_soft(x, t, w, params)
    return record(loss, (input, target), cross_entropy_soft_backward, (x, t, w, stats), params)


def cross_entropy_soft_backward(node, g):
    gx = _core.cross_entropy_soft_grad(g, node.saved, node.params) if node.parents[0] is not None else None
    return gx, _soft_target_grad(node, g) if node.parents[1] is not None else None


def _soft_target_grad(node, g):
    """-(1 - smoothing) · weight · log softmax(x), times the gradient of each position."""
    x, _, w, _ = node.saved
    smoothing, code = node.params
    dim = 1 if x.ndim > 1 else 0
    classes = x.shape[dim]
    out = _core.mul(_core.log_softmax(x, dim), smoothing - 1.0)
    if w is not None:
        out = _core.mul(out, _core.view(w, (classes,) + (1,) * (x.ndim - dim - 1)))
    if code == 0:
        return _core.mul(out, _core.unsqueeze(g, dim))
    return _core.mul(out, _core.div(g, x.numel() // classes) if code == MEAN else g)


def nll_loss(input, target, weight=None, *, ignore_index=-100, reduction="mean", sample_weight=None):
    """-input[target] for log-probabilities, as log_softmax gives them; arguments as cross_entropy."""
    op = "nll_loss"
    code = code_of(op, reduction)
    natives(op, input, target)
    options = (ignore_index, 0.0, code)
    loss = _of_classes(
        op, _core.nll_loss, nll_loss_backward, input, target, weight, reduction, options, sample_weight
    )
    expect_logs(op, input)
    return loss


def nll_loss_backward(node, g):
    return _core.nll_loss_grad(g, node.saved, node.params)


def _of_classes(op, native, rule, input, target, weight, reduction, options, sample_weight):
    """A loss of class indices; options: (ignore_index, label_smoothing, code of the reduction)."""
    x, t, w = input._t, target._t, _class_weight(weight, input._t)
    if sample_weight is not None:
        options = (*options[:2], 0)
    try:
        loss, *found = native(x, t, w, options)
    except IndexError as error:
        raise IndexError(str(error).replace("value", "target", 1)) from None
    loss = record(loss, (input,), rule, (x, t, w, *found), options)
    if sample_weight is None:
        return loss
    return _reduce_classes(op, loss, target, w, options[0], reduction, sample_weight)


def _class_weight(weight, x):
    if weight is None:
        return None
    native = _unwrap(weight)
    return _core.cast(native, x.dtype) if native.dtype.is_floating_point else native


def _reduce_classes(op, losses, target, weight, ignore_index, reduction, sample_weight):
    """A loss counts as much as its class does in the mean, an ignored one not at all."""
    counted = ne(target, ignore_index)
    counts = cast(counted, losses.dtype)
    if weight is not None:
        counts = mul(counts, take(wrap(weight), where(counted, target, 0)))
    return reduce(op, losses, reduction, sample_weight, counts)
