"""Metrics: their values by hand and as scikit-learn's, and what has no value."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.train import metrics

PREDICTED, TARGET = [1, 0, 1, 1, 0, 0], [1, 0, 0, 1, 1, 0]


def test_binary_values_by_hand():
    assert metrics.accuracy(PREDICTED, TARGET) == 4 / 6
    assert metrics.precision(PREDICTED, TARGET) == 2 / 3
    assert metrics.recall(PREDICTED, TARGET) == 2 / 3
    assert metrics.f1(PREDICTED, TARGET) == 2 / 3
    assert metrics.confusion_matrix(PREDICTED, TARGET).tolist() == [[2, 1], [1, 2]]
    assert metrics.roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]) == 0.75
    assert metrics.roc_auc([0.5, 0.5], [0, 1]) == 0.5


def test_columns_floats_and_tensors_are_classes_too():
    predicted, target = cr.tensor(PREDICTED).float().unsqueeze(1), np.array(TARGET, np.float32)
    assert metrics.accuracy(predicted, target) == 4 / 6
    assert metrics.f1(predicted, target) == 2 / 3


def test_regression_values_by_hand():
    assert metrics.mae([1.0, 2.0], [2.0, 4.0]) == 1.5
    assert metrics.mse([1.0, 2.0], [2.0, 4.0]) == 2.5
    assert metrics.r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]) == pytest.approx(1 - 1 / (14 / 3))


def test_what_is_never_predicted_or_never_there_counts_0():
    assert metrics.precision([0, 0], [0, 1]) == 0
    assert metrics.recall([0, 1], [0, 0]) == 0
    assert metrics.f1([0, 0], [0, 0]) == 0


def test_a_constant_target_has_r2_1_or_0():
    assert metrics.r2([2.0, 2.0], [2.0, 2.0]) == 1
    assert metrics.r2([2.0, 3.0], [2.0, 2.0]) == 0


BAD = {
    "one class": (lambda: metrics.roc_auc([0.1, 0.2], [1, 1]), r"roc_auc: target must have both classes.*got \[1\]"),
    "other classes": (lambda: metrics.roc_auc([0.1, 0.2], [1, 2]), r"target must be classes 0 and 1, got \[1, 2\]"),
    "both signs": (lambda: metrics.roc_auc([0.1, 0.2], [-1, 1]), r"got \[-1, 1\]; of -1 and 1 make target > 0$"),
    "a class is missing": (lambda: metrics.roc_auc(np.full((2, 4), 0.25), [0, 3]), "each of 4 classes must occur"),
    "logits": (lambda: metrics.roc_auc(np.ones((3, 3)), [0, 1, 2]), "must be probabilities, which sum to 1"),
    "two logits": (lambda: metrics.roc_auc([[2.0, 1.0], [0.5, 3.0]], [0, 1]), "must be probabilities, which sum to 1"),
    "NaN": (lambda: metrics.roc_auc([0.1, math.nan], [0, 1]), "roc_auc: scores have NaN, the first in row 1"),
    "NaN prediction": (lambda: metrics.mse([1.0, math.nan], [1.0, 1.0]), "mse: predictions have NaN, .* row 1"),
    "NaN target": (lambda: metrics.mae([1.0, 2.0], [math.nan] * 2), "mae: targets have NaN, the first in row 0"),
    "NaN column": (lambda: metrics.r2(np.ones((2, 2)), [[0, 0], [0, math.nan]]), "r2: targets have NaN, .* row 1"),
    "three classes": (lambda: metrics.f1([0, 1, 2], [0, 1, 1]), r"needs two classes, .* got \[0, 1, 2\]"),
    "no positive": (lambda: metrics.precision([0, 2], [0, 2]), "1 being one"),
    "average": (lambda: metrics.recall([0], [0], average="samples"), "recall: average must be one of"),
    "empty": (lambda: metrics.accuracy([], []), r"accuracy: predicted must have shape"),
    "lengths": (lambda: metrics.accuracy([1], [1, 0]), "accuracy: needs one prediction per target, got 1 and 2"),
    "no classes": (lambda: metrics.accuracy([0.3], [0]), r"predicted must be classes, whole numbers, got \[0.3"),
    "NaN class": (lambda: metrics.accuracy([0], [math.nan]), "target must be classes"),
    "logits as classes": (lambda: metrics.accuracy(np.ones((2, 3)), [0, 1]), "one class per sample"),
    "range": (lambda: metrics.confusion_matrix([3], [0], classes=3), r"classes must be in \[0, 3\), got 0 to 3"),
    "negative": (lambda: metrics.confusion_matrix([-1], [0]), "classes must be in"),
    "one sample": (lambda: metrics.r2([1.0], [1.0]), "r2: needs at least two samples, got 1"),
    "shapes": (lambda: metrics.mae(np.ones((3, 1)), np.ones(3)), r"must have one shape, got \[3, 1\]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_value_error(name):
    call, text = BAD[name]
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize("name", ["accuracy", "f1", "confusion_matrix", "roc_auc", "mse"])
def test_names_are_no_numbers(name):
    with pytest.raises(TypeError, match=rf"{name}: .* must be numbers, got <U1; of names np.unique"):
        getattr(metrics, name)(np.array(["a", "b"]), np.array(["a", "b"]))


def test_a_column_that_does_not_say_needs_a_mode():
    assert metrics.is_higher_better("x", "dev_f1")
    assert not metrics.is_higher_better("x", "dev_loss")
    with pytest.raises(ValueError, match="EarlyStopping: is a larger dev_gain better"):
        metrics.is_higher_better("EarlyStopping", "dev_gain")


# ---- scikit-learn ----


@pytest.fixture(scope="module")
def sk():
    return pytest.importorskip("sklearn.metrics")


def labels(rng, classes, n=200):
    target = rng.integers(0, classes, n)
    return np.where(rng.random(n) < 0.6, target, rng.integers(0, classes, n)), target


@pytest.mark.parametrize("seed", range(3))
def test_classes_agree_with_scikit_learn(sk, seed):
    rng = np.random.default_rng(seed)
    for classes in (2, 5):
        predicted, target = labels(rng, classes)
        assert metrics.accuracy(predicted, target) == pytest.approx(
            sk.accuracy_score(target, predicted), abs=1e-12
        )
        ours = metrics.confusion_matrix(predicted, target)
        np.testing.assert_array_equal(ours.numpy(), sk.confusion_matrix(target, predicted))
        for average in ("macro", "weighted", "micro", None, *(["binary"] if classes == 2 else [])):
            for ours, theirs in (
                (metrics.precision, sk.precision_score),
                (metrics.recall, sk.recall_score),
                (metrics.f1, sk.f1_score),
            ):
                value = ours(predicted, target, average=average)
                value = value if average else value.numpy()
                np.testing.assert_allclose(value, theirs(target, predicted, average=average), atol=1e-12)


def test_classes_that_one_side_lacks_agree_with_scikit_learn(sk):
    predicted, target = [0, 0, 4, 4], [0, 1, 1, 7]
    for average in ("macro", "weighted", "micro", None):
        value = metrics.f1(predicted, target, average=average)
        expected = sk.f1_score(target, predicted, average=average, zero_division=0)
        np.testing.assert_allclose(value if average else value.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_areas_agree_with_scikit_learn_with_ties_too(sk, seed):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, 300)
    for scores in (rng.normal(target, 1), np.round(rng.normal(target, 1))):
        assert metrics.roc_auc(scores, target) == pytest.approx(sk.roc_auc_score(target, scores), abs=1e-12)
    target = rng.integers(0, 4, 300)
    scores = np.exp(rng.normal(np.eye(4)[target], 1))
    scores /= scores.sum(1, keepdims=True)
    for average in ("macro", "weighted"):
        expected = sk.roc_auc_score(target, scores, multi_class="ovr", average=average)
        assert metrics.roc_auc(scores, target, average) == pytest.approx(expected, abs=1e-12)


def test_regression_agrees_with_scikit_learn(sk):
    rng = np.random.default_rng(0)
    for shape in ((50,), (50, 3)):
        predicted, target = rng.normal(size=shape), rng.normal(size=shape)
        assert metrics.r2(predicted, target) == pytest.approx(sk.r2_score(target, predicted), abs=1e-12)
        assert metrics.mae(predicted, target) == pytest.approx(
            sk.mean_absolute_error(target, predicted), abs=1e-12
        )
        assert metrics.mse(predicted, target) == pytest.approx(
            sk.mean_squared_error(target, predicted), abs=1e-12
        )
