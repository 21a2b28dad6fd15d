"""Weights of samples that are no number of copies: negative and missing ones raise, all zeros have no mean."""

import math

import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

X = cr.tensor([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
LABELS = cr.tensor([0, 1, 1])
SIGNS = cr.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
LOSSES = {
    nn.MSELoss: X,
    nn.L1Loss: X,
    nn.HuberLoss: X,
    nn.SmoothL1Loss: X,
    nn.BCELoss: X,
    nn.BCEWithLogitsLoss: X,
    nn.FocalLoss: X,
    nn.HingeLoss: SIGNS,
    nn.HingeEmbeddingLoss: SIGNS,
    nn.CrossEntropyLoss: LABELS,
    nn.NLLLoss: LABELS,
}


@pytest.mark.parametrize("bad", [-0.5, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_a_weight_that_is_negative_or_not_finite_is_named_with_its_position(loss, reduction, bad):
    weight = cr.tensor([1.0, bad, 2.0])
    text = rf"\w+: sample_weight must be finite and not negative, got {bad} at position 1"
    with pytest.raises(ValueError, match=text):
        loss(reduction=reduction)(X, LOSSES[loss], sample_weight=weight)


def test_integers_are_weights_and_negative_ones_are_none():
    weight = cr.tensor([0, 1, 3])
    assert F.mse_loss(X, X + 1, sample_weight=weight).item() == pytest.approx(1)
    with pytest.raises(
        ValueError, match="mse_loss: sample_weight must be finite and not negative, got -1 at"
    ):
        F.mse_loss(X, X, sample_weight=weight - 1)


@pytest.mark.parametrize("loss", LOSSES)
def test_all_zeros_leave_a_sum_of_0_and_no_mean(loss):
    x, weight = X.clone().requires_grad_(), cr.zeros(3)
    total = loss(reduction="sum")(x, LOSSES[loss], sample_weight=weight)
    total.backward()
    assert (total.item(), x.grad.abs().sum().item()) == (0, 0)
    assert math.isnan(loss()(x, LOSSES[loss], sample_weight=weight).item())  # as the mean of no sample is


def test_no_samples_need_no_weights():
    assert F.mse_loss(X[:0], X[:0], reduction="sum", sample_weight=cr.zeros(0)).item() == 0


def test_a_replay_does_not_look_at_the_weights_that_a_plain_call_refuses():
    @cr.capture
    def loss(weight):
        return F.mse_loss(X, X + 1, sample_weight=weight)

    for _ in range(3):
        assert loss(cr.ones(3)).item() == pytest.approx(1)
    assert loss(cr.tensor([1.0, -0.5, 2.0])).item() == pytest.approx(1)
