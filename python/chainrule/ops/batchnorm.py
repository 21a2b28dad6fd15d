"""Batch normalisation and its chain rule (Ioffe and Szegedy, Batch Normalization, 2015)."""

from __future__ import annotations

from chainrule import _core
from chainrule.autograd import record

__all__ = ["batch_norm"]


def batch_norm(
    input,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
    activation=None,
):
    """y = (x - mean) / sqrt(var + eps) · weight + bias, with one mean and variance per channel, then the
    activation (None or 'relu'), in one kernel.

    In training they are the batch's own, the variance divided by the number of values, and the
    running ones move towards them in place: running = (1 - momentum)·running + momentum·batch, the
    variance there divided by the number of values minus one. An empty batch leaves them alone. In
    evaluation the running ones are used.

    Args:
        input: (N, C), (N, C, L), (N, C, H, W) or more dimensions.
        running_mean, running_var: (C,), or both None in training.
        weight, bias: (C,) or None, which is one and zero.

    Raises:
        ValueError: fewer than 2 dimensions, parameters that are not (C,), a single value per
            channel in training, no running statistics in evaluation, another activation.
        TypeError: dtypes that differ or are not floating.

    Example:
        >>> batch_norm(tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0)
        tensor([[-1.],
                [ 1.]])
    """
    tensors = (input, running_mean, running_var, weight, bias)
    if training:
        y, mean, invstd = _core.batch_norm_train(*tensors, (momentum, eps, activation))
    else:
        y, mean, invstd = _core.batch_norm_eval(*tensors, (eps, activation))
    activated = None if activation is None else y
    saved = (input._t, None if weight is None else weight._t, mean, invstd, activated)
    return record(y, (input, weight, bias), batch_norm_backward, saved, bool(training))


def batch_norm_backward(node, g):
    """With x̂ = (x - mean)·invstd and means over a channel's values:

    weight: Σ g·x̂, bias: Σ g, x: weight·invstd·(g - mean(g) - x̂·mean(g·x̂)) in training and
    weight·invstd·g in evaluation. After a ReLU, g counts where the result is not zero.
    """
    *saved, activated = node.saved
    gx, g_weight, g_bias = _core.batch_norm_grad(g, *saved, (node.params, activated))
    want_x, want_weight, want_bias = (parent is not None for parent in node.parents)
    return (
        gx if want_x else None,
        g_weight if want_weight else None,
        g_bias if want_bias else None,
    )
