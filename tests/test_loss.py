"""Losses refuse what would train silently on a wrong number, and say what is wrong and where."""

import functools
import math
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

NAN = float("nan")
SAME_SHAPE = [
    *[nn.L1Loss, nn.MSELoss, nn.HuberLoss, nn.SmoothL1Loss, nn.BCELoss, nn.BCEWithLogitsLoss, nn.FocalLoss],
    *[nn.KLDivLoss, nn.HingeLoss, nn.HingeEmbeddingLoss],
]
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
            ValueError, match=rf"{loss.__name__}: reduction must be one of none, mean, sum(, batchmean)?, got"
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
        for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss):
            with pytest.raises(ValueError, match="target must not be NaN, got nan at position 1"):
                loss(x, labels, reduction=reduction)
        with pytest.raises(ValueError, match="cross_entropy: target must not be NaN"):
            F.cross_entropy(x.reshape(1, 2), labels.reshape(1, 2), reduction=reduction)


def test_a_nan_prediction_gives_a_nan_loss():
    x = cr.tensor([0.5, NAN])
    for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits):
        assert loss(x, cr.tensor([1.0, 0.0])).isnan().item()


def test_a_replayed_loss_refuses_what_eager_refuses():
    loss = cr.capture(F.binary_cross_entropy)
    fine = cr.tensor([0.5, 0.5])
    for _ in range(3):
        loss(fine, fine)
    for call in (F.binary_cross_entropy, loss):
        with pytest.raises(ValueError, match=r"input must be in \[0, 1\], got 1.5 at position 1"):
            call(cr.tensor([0.5, 1.5]), fine)


def test_a_replayed_loss_of_scores_refuses_labels_1_and_2():
    loss = cr.capture(F.binary_cross_entropy_with_logits)
    scores, fine = cr.tensor([0.5, -3.0]), cr.tensor([0, 1])
    for _ in range(3):
        loss(scores, fine)
    for call in (F.binary_cross_entropy_with_logits, loss):
        with pytest.raises(ValueError, match=r"with_logits: target must be in \[0, 1\], got 2 at position 1"):
            call(scores, fine + 1)


def test_a_replayed_loss_refuses_a_missing_probability():
    loss = cr.capture(F.cross_entropy)
    x, fine = cr.zeros(2, 3), cr.full((2, 3), 1 / 3)
    for _ in range(3):
        loss(x, fine)
    with pytest.raises(ValueError, match="cross_entropy: target must not be NaN, got nan at position 4"):
        loss(x, cr.tensor([[0.2, 0.3, 0.5], [0.5, NAN, 0.5]]))


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


@pytest.mark.parametrize("loss", [F.sigmoid_focal_loss, F.hinge_loss, F.hinge_embedding_loss, F.huber_loss])
def test_a_nan_prediction_is_not_lost_in_a_maximum(loss):
    x = cr.tensor([NAN, -3.0], requires_grad=True)
    for target in (cr.ones(2), cr.tensor([-1.0, 1.0]) if loss is not F.sigmoid_focal_loss else cr.zeros(2)):
        x.grad = None
        value = loss(x, target, reduction="sum")
        value.backward()
        assert value.isnan().item()
        if loss is not F.hinge_embedding_loss or target[0].item() < 0:
            assert x.grad.isnan().tolist() == [True, False]


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 5])
def test_the_gradient_of_the_focal_loss_is_finite_for_any_score(gamma, dtype):
    x = cr.tensor(
        [0.0, 30.0, 104.0, 746.0, 1e30, -30.0, -104.0, -746.0, -1e30], dtype=dtype, requires_grad=True
    )
    for target, sign in ((cr.ones(9), -1), (cr.zeros(9), 1)):
        x.grad = None
        F.sigmoid_focal_loss(x, target.to(dtype), alpha=-1, gamma=gamma, reduction="sum").backward()
        gradient = sign * x.grad.numpy()
        assert np.isfinite(gradient).all()
        assert (gradient[x.detach().numpy() * sign >= 0] > 0.05).all()  # wrong or undecided
        assert (np.abs(gradient[x.detach().numpy() * sign <= -746]) < 1e-6).all()


def test_module_numbers_out_of_range():
    for make, text in [
        (lambda: nn.HuberLoss(delta=0), "HuberLoss: delta must be positive, got 0"),
        (lambda: nn.HuberLoss(delta=NAN), "HuberLoss: delta must be positive, got nan"),
        (lambda: nn.SmoothL1Loss(beta=-1), "SmoothL1Loss: beta must be non-negative, got -1"),
        (lambda: nn.FocalLoss(alpha=2), r"FocalLoss: alpha must be in \[0, 1\], or -1 for none, got 2"),
        (lambda: nn.FocalLoss(gamma=-1), "FocalLoss: gamma must be non-negative, got -1"),
        (lambda: nn.HingeEmbeddingLoss(margin=NAN), "HingeEmbeddingLoss: margin must be a number, got nan"),
    ]:
        with pytest.raises(ValueError, match=text):
            make()
    with pytest.raises(TypeError, match="HuberLoss: delta must be a number, got str"):
        nn.HuberLoss(delta="1")


def test_half_the_squared_error_and_its_gradient():
    prediction, y = cr.tensor([3.0, -1.0], requires_grad=True), cr.tensor([1.0, 0.0])
    for loss in (nn.HuberLoss(delta=math.inf)(prediction, y), 0.5 * F.mse_loss(prediction, y)):
        prediction.grad = None
        loss.backward()
        assert loss.item() == 0.5 * (4 + 1) / 2  # the mean of (3 - 1)² / 2 and (-1 - 0)² / 2
        assert prediction.grad.tolist() == [2 / 2, -1 / 2]  # (prediction - y) / n


# ---- weights of samples ----

SCORES = np.random.default_rng(1).normal(size=(5, 4, 3))
TARGETS = {  # of 5 samples
    "classes": np.random.default_rng(2).integers(0, 4, (5, 3)),
    "signs": np.where(np.random.default_rng(2).random((5, 4, 3)) < 0.5, -1.0, 1.0),
    "probabilities": np.random.default_rng(2).dirichlet(np.ones(4), (5, 3)).transpose(0, 2, 1),
}
COUNTS = [2, 0, 1, 3, 1]
CLASS_WEIGHT = cr.tensor([0.5, 1.0, 2.0, 0.25], dtype=cr.float64)
SAMPLED = {  # the loss, its target, and what prepares the scores
    "l1_loss": (F.l1_loss, "probabilities", None),
    "mse_loss": (F.mse_loss, "probabilities", None),
    "huber_loss": (F.huber_loss, "probabilities", None),
    "smooth_l1_loss": (F.smooth_l1_loss, "probabilities", None),
    "hinge_loss": (F.hinge_loss, "signs", None),
    "hinge_embedding_loss": (F.hinge_embedding_loss, "signs", None),
    "binary_cross_entropy": (F.binary_cross_entropy, "probabilities", lambda x: 1 / (1 + np.exp(-x))),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, "probabilities", None),
    "pos_weight": (
        functools.partial(F.binary_cross_entropy_with_logits, pos_weight=cr.tensor([3.0], dtype=cr.float64)),
        *("probabilities", None),
    ),
    "sigmoid_focal_loss": (F.sigmoid_focal_loss, "probabilities", None),
    "kl_div": (F.kl_div, "probabilities", None),
    "cross_entropy": (F.cross_entropy, "classes", None),
    "cross_entropy, weights": (
        functools.partial(F.cross_entropy, weight=CLASS_WEIGHT, ignore_index=1, label_smoothing=0.1),
        *("classes", None),
    ),
    "cross_entropy of probabilities": (
        functools.partial(F.cross_entropy, weight=CLASS_WEIGHT),
        *("probabilities", None),
    ),
    "nll_loss": (functools.partial(F.nll_loss, weight=CLASS_WEIGHT), "classes", None),
}


@pytest.mark.filterwarnings("ignore:kl_div. reduction")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batchmean"])
@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample_weight_counts_as_that_many_copies_of_the_sample(name, reduction):
    loss, target, prepare = SAMPLED[name]
    if reduction == "batchmean" and name != "kl_div":
        return
    x, t = SCORES if prepare is None else prepare(SCORES), TARGETS[target]
    weighted, repeated = cr.tensor(x, requires_grad=True), cr.tensor(x, requires_grad=True)
    actual = loss(weighted, cr.tensor(t), reduction=reduction, sample_weight=cr.tensor(COUNTS))
    if reduction == "none":
        once = loss(repeated, cr.tensor(t), reduction="none")
        expected = once * cr.tensor(COUNTS).reshape(5, *[1] * (once.ndim - 1))
        actual, expected = actual.sum(), expected.sum()
    else:
        copies = cr.tensor(np.repeat(np.arange(5), COUNTS))
        expected = loss(repeated[copies], cr.tensor(np.repeat(t, COUNTS, axis=0)), reduction=reduction)
    np.testing.assert_allclose(actual.item(), expected.item(), rtol=1e-12)
    actual.backward()
    expected.backward()
    np.testing.assert_allclose(weighted.grad.numpy(), repeated.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_the_mean_of_weighted_elements():
    x, t, w = cr.tensor([1.0, 2.0]), cr.zeros(2), cr.tensor([3.0, 1.0])
    assert F.mse_loss(x, t, weight=w).item() == (3 * 1 + 1 * 4) / 4  # over the weights, as in PyTorch,
    assert F.l1_loss(x, t, weight=w).item() == (3 * 1 + 1 * 2) / 4
    assert F.huber_loss(x, t, weight=w).item() == (3 * 0.5 + 1 * 1.5) / 2  # and here over the elements
    rows = cr.tensor([[1.0, 2.0], [3.0, 4.0]])
    weighted = F.mse_loss(rows, rows * 0, weight=cr.tensor([[1.0], [3.0]]))
    assert weighted.item() == (1 + 4 + 3 * 9 + 3 * 16) / 8


@pytest.mark.parametrize("loss", CLASSES)
def test_modules_take_sample_weights_and_refuse_a_column_of_them(loss):
    x, t = cr.randn(3, 2), cr.tensor([0, 1, 1])
    one_sample = loss()(x[:1], t[:1])
    weight = cr.tensor([1.0, 0.0, 0.0])
    assert loss()(x, t, sample_weight=weight).item() == pytest.approx(one_sample.item())
    with pytest.raises(
        ValueError, match=r"sample_weight must have shape \[3\], .* got \[3, 1\], in model \("
    ):
        loss()(x, t, sample_weight=weight.unsqueeze(1))


# ---- inputs that were normalised already ----

ONES = cr.ones(4, 3)
LABELS = cr.tensor([0, 1, 2, 0])
TWICE = [
    (lambda x: F.cross_entropy(F.softmax(x, 1), LABELS), "cross_entropy.* result of softmax; leave the softmax out"),
    (lambda x: F.cross_entropy(cr.sigmoid(x), LABELS), "cross_entropy.* result of sigmoid; leave the sigmoid out"),
    (lambda x: F.cross_entropy(F.softmax(x, 1), ONES / 3), "cross_entropy.* result of softmax"),
    (lambda x: F.cross_entropy(F.softmax(x.reshape(3, 4), 0).reshape(4, 3)[:, :3], LABELS), "result of softmax"),
    (lambda x: F.binary_cross_entropy_with_logits(cr.sigmoid(x), ONES), "sigmoid out, or use binary_cross_entropy$"),
    (lambda x: F.binary_cross_entropy_with_logits(cr.sigmoid(x)[:, 0], ONES[:, 0]), "result of sigmoid"),
    (lambda x: F.binary_cross_entropy_with_logits(cr.sigmoid(x).double(), ONES.double()), "result of sigmoid"),
    (lambda x: F.binary_cross_entropy_with_logits(cr.sigmoid(x), ONES, pos_weight=ONES), "result of sigmoid"),
    (lambda x: F.sigmoid_focal_loss(cr.sigmoid(x), ONES), "sigmoid_focal_loss.* leave the sigmoid out$"),
    (lambda x: F.nll_loss(F.softmax(x, 1), LABELS), "nll_loss: takes log-probabilities, .* use log_softmax"),
    (lambda x: F.kl_div(F.softmax(x, 1), ONES / 3, reduction="batchmean"), "kl_div.* use log_softmax"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "text"), TWICE)
def test_an_input_that_was_normalised_already_warns(call, text):
    with pytest.warns(UserWarning, match=text) as caught:
        call(cr.zeros(4, 3, requires_grad=True))
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_such_a_warning_names_the_module_and_comes_once_for_a_place():
    model, criterion = nn.Sequential(nn.Linear(2, 3), nn.Softmax(1)), nn.CrossEntropyLoss()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            criterion(model(cr.ones(4, 2)), LABELS)
        criterion(model(cr.ones(4, 2)), LABELS)
    assert [str(w.message).rpartition(", in ")[2] for w in caught] == ["criterion (CrossEntropyLoss)"] * 2
    assert caught[0].lineno + 1 == caught[1].lineno


def test_what_is_right_does_not_warn():
    x = cr.zeros(4, 3, requires_grad=True)
    F.nll_loss(F.log_softmax(x, 1), LABELS)
    F.cross_entropy(F.log_softmax(x, 1), LABELS)  # a second log-softmax changes nothing
    F.cross_entropy(x, F.softmax(x, 1))
    F.cross_entropy(F.softmax(x, 1) * 5.0, LABELS)
    F.binary_cross_entropy(cr.sigmoid(x), ONES)
    F.binary_cross_entropy_with_logits(x, cr.sigmoid(x))


def test_the_mean_divergence_warns_that_it_is_none():
    x = F.log_softmax(cr.zeros(4, 3), 1)
    with pytest.warns(UserWarning, match="kl_div: reduction='mean' divides by the number of elements"):
        mean = F.kl_div(x, ONES / 6)
    with pytest.warns(UserWarning, match="in model .KLDivLoss"):
        nn.KLDivLoss()(x, ONES / 6)
    assert mean.item() * 3 == pytest.approx(F.kl_div(x, ONES / 6, reduction="batchmean").item())
