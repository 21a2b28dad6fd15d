"""Losses of distances and margins: squared, absolute, Huber, hinge.

Input and target never broadcast against each other: other shapes raise ValueError with the fix. Each loss takes
`reduction`, "mean", "sum" or "none", and `sample_weight` (N,); docs/losses.md says what they do. The reduced
loss is one native call, its gradient another.
"""

from __future__ import annotations

from chainrule import _core
from chainrule._validate import real
from chainrule.ops._loss import constant_target, pair_loss, symmetric

__all__ = [
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


def mse_loss(input, target, reduction="mean", weight=None, *, sample_weight=None):
    """(input - target)². Half of it, ½(ŷ - y)², is huber_loss with delta=math.inf.

    Shapes: input and target alike; a scalar out, or their shape for reduction="none". `weight` broadcasts to
    them; the mean divides by the sum of the weights.

    Example:
        >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
        tensor(2.)
    """
    return pair_loss("mse_loss", _core.mse_loss, mse_loss_backward, input, target, reduction,
                     weight=weight, sample_weight=sample_weight, weight_counts=True)  # fmt: skip


def mse_loss_backward(node, g):
    return symmetric(node, _core.mse_loss_grad(g, *node.saved, node.params))


def l1_loss(input, target, reduction="mean", weight=None, *, sample_weight=None):
    """|input - target|; the gradient at 0 is 0. Shapes and weights as mse_loss."""
    return pair_loss("l1_loss", _core.l1_loss, l1_loss_backward, input, target, reduction,
                     weight=weight, sample_weight=sample_weight, weight_counts=True)  # fmt: skip


def l1_loss_backward(node, g):
    return symmetric(node, _core.l1_loss_grad(g, *node.saved, node.params))


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None, *, sample_weight=None):
    """½d² up to |d| = delta, delta·(|d| - ½delta) beyond, for d = input - target (Huber 1964).

    Shapes as mse_loss. `weight` scales the elements; the mean divides by their number, as PyTorch's does here.
    With delta=math.inf it is ½(input - target)² everywhere.

    Raises:
        ValueError: delta not positive, other shapes.

    Example:
        >>> huber_loss(tensor([0.0, 0.0]), tensor([1.0, 3.0]), reduction="none")
        tensor([0.5000, 2.5000])
    """
    numbers = (real("huber_loss", "delta", delta, "positive"),)
    return pair_loss("huber_loss", _core.huber_loss, huber_loss_backward, input, target, reduction, numbers,
                     weight=weight, sample_weight=sample_weight)  # fmt: skip


def huber_loss_backward(node, g):
    return symmetric(node, _core.huber_loss_grad(g, *node.saved, node.params))


def smooth_l1_loss(input, target, reduction="mean", beta=1.0, *, sample_weight=None):
    """½d²/beta where |d| < beta, |d| - ½beta elsewhere, for d = input - target: huber_loss / beta (Girshick 2015).

    Shapes as mse_loss. With beta=0 it is l1_loss.

    Raises:
        ValueError: beta negative, other shapes.
    """
    numbers = (real("smooth_l1_loss", "beta", beta, "non-negative"),)
    return pair_loss("smooth_l1_loss", _core.smooth_l1_loss, smooth_l1_loss_backward, input, target, reduction,
                     numbers, sample_weight=sample_weight)  # fmt: skip


def smooth_l1_loss_backward(node, g):
    return symmetric(node, _core.smooth_l1_loss_grad(g, *node.saved, node.params))


def hinge_loss(input, target, reduction="mean", *, sample_weight=None):
    """max(0, 1 - target · input), for labels 1 and -1 and scores of any size, as a support vector machine's.

    Shapes: input and target alike. The form of scikit-learn's `hinge_loss` and of Keras's `Hinge`.

    Raises:
        ValueError: a target other than 1 and -1, a target that requires grad, other shapes.

    Example:
        >>> hinge_loss(tensor([0.5, -2.0]), tensor([1.0, -1.0]), reduction="none")
        tensor([0.5000, 0.0000])
    """
    constant_target("hinge_loss", target)
    return pair_loss("hinge_loss", _core.hinge_loss, hinge_loss_backward, input, target, reduction,
                     sample_weight=sample_weight)  # fmt: skip


def hinge_loss_backward(node, g):
    return _core.hinge_loss_grad(g, *node.saved, node.params), None


def hinge_embedding_loss(input, target, margin=1.0, reduction="mean", *, sample_weight=None):
    """input where target is 1, max(0, margin - input) where it is -1: input is a distance, small for like pairs.

    Shapes: input and target alike.

    Raises:
        ValueError: a target other than 1 and -1, a target that requires grad, other shapes.
    """
    constant_target("hinge_embedding_loss", target)
    numbers = (real("hinge_embedding_loss", "margin", margin),)
    return pair_loss("hinge_embedding_loss", _core.hinge_embedding_loss, hinge_embedding_loss_backward, input,
                     target, reduction, numbers, sample_weight=sample_weight)  # fmt: skip


def hinge_embedding_loss_backward(node, g):
    return _core.hinge_embedding_loss_grad(g, *node.saved, node.params), None
