"""Losses refuse what would train silently on a wrong number, and say what is wrong and where."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

NAN = float("nan")
SAME_SHAPE = [nn.L1Loss, nn.MSELoss, nn.BCELoss, nn.BCEWithLogitsLoss]
CLASSES = [nn.CrossEntropyLoss, nn.NLLLoss]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("loss", SAME_SHAPE)
def test_no_loss_broadcasts(loss, reduction):
    flat, column = cr.full((12,), 0.5), cr.full((12, 1), 0.5)
    with pytest.raises(ValueError, match=r"input: \[12\], target: \[12, 1\]\); use target.squeeze\(1\), in "):
        loss(reduction=reduction)(flat, column)
    with pytest.raises(
        ValueError, match=r"input: \[12, 1\], target: \[12\]\); use target.unsqueeze\(1\), in "
    ):
        loss(reduction=reduction)(column, flat)
    with pytest.raises(ValueError, match=r"must have the same shape.*input: \[12\], target: \[\]\)"):
        loss(reduction=reduction)(flat, cr.tensor(0.5))
    with pytest.raises(ValueError, match=r"input: \[12\], target: \[3\]\)"):
        loss(reduction=reduction)(flat, cr.ones(3))


@pytest.mark.parametrize("loss", [*SAME_SHAPE, *CLASSES])
def test_unknown_reductions_and_targets_that_are_no_tensors(loss):
    for reduction in ("avg", None, 1):
        with pytest.raises(
            ValueError, match=rf"{loss.__name__}: reduction must be one of none, mean, sum, got"
        ):
            loss(reduction=reduction)
    with pytest.raises(TypeError, match=r"target must be a Tensor, got ndarray, in model \("):
        loss()(cr.full((2, 3), 0.5), np.ones((2, 3)))
    with pytest.raises(TypeError, match="input must be a Tensor, got list"):
        loss()([[0.5]], cr.ones(1, 1))
    with pytest.raises(TypeError):
        loss(None, None, False)  # the rest is by keyword: a reduction of that position would be misread


# ---- labels ----


@pytest.mark.parametrize("loss", CLASSES)
def test_a_label_out_of_range_is_named_and_nothing_is_written(loss):
    scores = cr.randn(4, 10, requires_grad=True)
    labels = cr.tensor([1, 2, 10, 11])
    before = scores.detach().numpy().copy(), labels.numpy().copy()
    with pytest.raises(IndexError, match=r"target 10 at position 2 is out of range \[0, 10\)"):
        loss()(scores, labels)
    with pytest.raises(IndexError, match="target -1 at position 3 is out of range"):
        loss(reduction="none")(scores, cr.tensor([1, 2, 9, -1]))
    np.testing.assert_array_equal(scores.detach().numpy(), before[0])
    np.testing.assert_array_equal(labels.numpy(), before[1])
    assert scores.grad is None
    # The value to ignore is one label, not a licence for others.
    with pytest.raises(IndexError, match="target 255 at position 1"):
        loss(ignore_index=7)(scores, cr.tensor([7, 255, 7, 0]))


def test_a_label_out_of_range_deep_inside_is_found():
    labels = cr.zeros(3, 7, 5, dtype=cr.int64)
    labels[2, 3, 4] = 6
    with pytest.raises(IndexError, match=f"target 6 at position {2 * 35 + 3 * 5 + 4} is out of range"):
        F.cross_entropy(cr.randn(3, 6, 7, 5), labels)


@pytest.mark.parametrize("loss", CLASSES)
def test_labels_that_are_no_classes(loss):
    scores = cr.randn(4, 3)
    for labels in (cr.zeros(4), cr.full((4,), NAN), cr.ones(4, dtype=cr.float64), cr.ones(4) > 0):
        with pytest.raises(TypeError, match="int64 class indices, got "):
            loss()(scores, labels)
    for labels in (cr.zeros(4, 1), cr.zeros(3), cr.zeros(4, 3), cr.tensor(0.0)):
        with pytest.raises(ValueError, match=r"of an input \[4, 3\] must have shape \[4\], got"):
            loss()(scores, labels.long())
    with pytest.raises(ValueError, match=r"weight must have shape \[3\]"):
        loss(weight=cr.ones(4))(scores, cr.zeros(4).long())


def test_probabilities_outside_of_their_range():
    fine = cr.tensor([0.5, 0.5])
    for bad, text in [([0.5, 1.5], "1.5"), ([0.5, -0.25], "-0.25"), ([0.5, NAN], "nan")]:
        with pytest.raises(ValueError, match=rf"input must be in \[0, 1\], got {text} at position 1"):
            nn.BCELoss()(cr.tensor(bad), fine)
        with pytest.raises(ValueError, match=rf"target must be in \[0, 1\], got {text} at position 1"):
            nn.BCELoss()(fine, cr.tensor(bad))


def test_nan_labels_are_refused():
    x = cr.tensor([0.5, 0.5], requires_grad=True)
    labels = cr.tensor([1.0, NAN])
    for reduction in ("mean", "sum", "none"):
        for loss in (F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits):
            with pytest.raises(ValueError, match="target must not be NaN, got nan at position 1"):
                loss(x, labels, reduction=reduction)
        with pytest.raises(ValueError, match="cross_entropy: target must not be NaN"):
            F.cross_entropy(x.reshape(1, 2), labels.reshape(1, 2), reduction=reduction)


def test_a_nan_prediction_gives_a_nan_loss():
    x = cr.tensor([0.5, NAN])
    for loss in (F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits):
        assert loss(x, cr.tensor([1.0, 0.0])).isnan().item()


def test_a_replayed_loss_refuses_what_eager_refuses():
    loss = cr.capture(F.binary_cross_entropy)
    fine = cr.tensor([0.5, 0.5])
    for _ in range(3):
        loss(fine, fine)
    for call in (F.binary_cross_entropy, loss):
        with pytest.raises(ValueError, match=r"input must be in \[0, 1\], got 1.5 at position 1"):
            call(cr.tensor([0.5, 1.5]), fine)


def test_integer_labels_of_binary_losses_are_numbers():
    x = cr.tensor([0.3, 0.7], requires_grad=True)
    for loss in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.mse_loss, F.l1_loss):
        for labels in (cr.tensor([0, 1]), cr.tensor([False, True])):
            expected = loss(x, cr.tensor([0.0, 1.0]))
            assert loss(x, labels).item() == expected.item()
    with pytest.raises(TypeError, match="input must be float32 or float64, got int64"):
        F.mse_loss(cr.tensor([1]), cr.tensor([1]))


def test_label_smoothing_and_weights_out_of_range():
    for smoothing in (-0.1, 1.1, NAN):
        with pytest.raises(ValueError, match=r"CrossEntropyLoss: label_smoothing must be in \[0, 1\]"):
            nn.CrossEntropyLoss(label_smoothing=smoothing)
        for labels in (cr.tensor([0]), cr.ones(1, 2)):
            with pytest.raises(ValueError, match=r"cross_entropy: label_smoothing must be in \[0, 1\]"):
                F.cross_entropy(cr.ones(1, 2), labels, label_smoothing=smoothing)
    x = cr.full((4, 3), 0.5)
    for loss in (nn.BCELoss, nn.BCEWithLogitsLoss):
        with pytest.raises(ValueError, match=r"weight of shape \[2, 4, 3\] does not broadcast to \[4, 3\]"):
            loss(weight=cr.ones(2, 4, 3))(x, x)
    with pytest.raises(ValueError, match=r"pos_weight of shape \[2, 4, 3\] does not broadcast to \[4, 3\]"):
        nn.BCEWithLogitsLoss(pos_weight=cr.ones(2, 4, 3))(x, x)


def test_weights_belong_to_the_state():
    loss = nn.CrossEntropyLoss(weight=cr.tensor([1.0, 2.0]))
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []
    assert list(nn.BCEWithLogitsLoss(pos_weight=cr.ones(1)).state_dict()) == ["pos_weight"]
    assert loss.double().weight.dtype == cr.float64


def test_empty_batches():
    for loss in (F.mse_loss, F.l1_loss, F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        x = cr.zeros(0, 3, requires_grad=True)
        assert loss(x, cr.zeros(0, 3)).isnan().item()
        total = loss(x, cr.zeros(0, 3), reduction="sum")
        total.backward()
        assert total.item() == 0
        assert x.grad.shape == (0, 3)
    assert F.cross_entropy(cr.zeros(0, 3), cr.zeros(0).long()).isnan().item()
