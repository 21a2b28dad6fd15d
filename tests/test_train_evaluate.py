"""evaluate and predict: evaluation mode without gradients, the mode afterwards as before, thresholds."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, TensorDataset
from chainrule.nn import functional as F
from chainrule.train.decision import Decision


def data(n=50):
    rng = np.random.default_rng(0)
    return cr.tensor(rng.standard_normal((n, 3)).astype(np.float32)), cr.tensor(rng.integers(0, 2, n))


def network(outputs=2):
    cr.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, outputs))


def test_the_whole_of_the_data_counts_whatever_the_batches():
    model, (x, y) = network(), data()
    with cr.no_grad():
        output = model.eval()(x)
    model.train()
    expected = F.cross_entropy(output, y).item()
    for batch_size in (50, 7, 1):
        loader = DataLoader(TensorDataset(x, y), batch_size=batch_size)
        result = train.evaluate(model, loader, ["accuracy", "confusion_matrix"], F.cross_entropy)
        assert result["loss"] == pytest.approx(expected, rel=1e-6)
        assert result["accuracy"] == (output.argmax(1) == y).numpy().mean()
        assert result["confusion_matrix"].numpy().sum() == 50
    assert train.evaluate(model, (x, y), loss=F.cross_entropy)["loss"] == pytest.approx(expected, rel=1e-6)


def test_modes_gradients_and_statistics_are_left_alone_also_after_an_error():
    model, (x, y) = network(), data()
    model[1].eval()
    modes = [m.training for m in model.modules()]
    mean = model[1].running_mean.tolist()
    seen = []
    model.register_forward_hook(lambda m, i, out: seen.append((m.training, out.requires_grad)))
    train.evaluate(model, (x, y), "accuracy")
    train.predict(model, x)
    with pytest.raises(ValueError, match="both classes"):
        train.evaluate(model, (x, y * 0), "roc_auc", F.cross_entropy)
    with pytest.raises(ValueError, match="linear"):
        train.predict(model, x[:, :2])
    assert set(seen) == {(False, False)}
    assert [m.training for m in model.modules()] == modes
    assert model[1].running_mean.tolist() == mean
    assert cr.is_grad_enabled()


def test_a_threshold_is_a_probability_whatever_the_model_gives():
    model, (x, y) = network(1), data()
    probability = 1 / (1 + np.exp(-train.predict(model, x).numpy().astype(np.float64).ravel()))
    squashed = nn.Sequential(model, nn.Sigmoid())
    target = y.float().unsqueeze(1)
    for threshold in np.quantile(probability, [0.21, 0.53, 0.87]).tolist():
        expected = (probability > threshold).astype(np.int64)
        for net, outputs, loss in (
            (model, "logits", nn.BCEWithLogitsLoss()),
            (squashed, "probabilities", F.binary_cross_entropy),
        ):
            classes = train.predict(net, x, threshold=threshold, outputs=outputs)
            np.testing.assert_array_equal(classes.numpy(), expected)
            for told in ({"loss": loss}, {"outputs": outputs}):
                value = train.evaluate(net, (x, target), "accuracy", threshold=threshold, **told)["accuracy"]
                assert value == (expected == y.numpy()).mean()
        assert 0 < expected.sum() < 50


OUTPUTS = {
    "logits": [
        nn.BCEWithLogitsLoss(),
        nn.CrossEntropyLoss(),
        nn.FocalLoss(),
        F.cross_entropy,
        F.sigmoid_focal_loss,
    ],
    "probabilities": [nn.BCELoss(), F.binary_cross_entropy],
    "log_probabilities": [nn.NLLLoss(), F.nll_loss],
    "values": [nn.MSELoss(), nn.L1Loss(), nn.HuberLoss(), nn.SmoothL1Loss(), F.mse_loss, F.huber_loss],
}


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_a_loss_of_the_library_says_what_the_model_gives(outputs):
    assert [Decision("x", loss).outputs for loss in OUTPUTS[outputs]] == [outputs] * len(OUTPUTS[outputs])
    assert Decision("x", lambda o, t: o, "logits").outputs == "logits"
    assert Decision("x", lambda o, t: o).outputs is None


def test_a_loss_of_values_gives_no_classes():
    x, y = data()
    for loss in (nn.MSELoss(), F.l1_loss, nn.HuberLoss(), F.smooth_l1_loss):
        with pytest.raises(ValueError, match=r"say outputs='logits' or 'probabilities' \(got 'values'"):
            train.evaluate(network(1), (x, y.float().unsqueeze(1)), "f1", loss)


def test_the_area_of_several_classes_is_of_their_probabilities():
    model, (x, _) = network(3), data()
    y = cr.tensor(np.arange(50) % 3)
    expected = train.metrics.roc_auc(F.softmax(train.predict(model, x), 1), y)
    assert train.evaluate(model, (x, y), "roc_auc", nn.CrossEntropyLoss())["roc_auc"] == expected
    logged = nn.Sequential(model, nn.LogSoftmax(1))
    assert train.evaluate(logged, (x, y), "roc_auc", nn.NLLLoss())["roc_auc"] == pytest.approx(expected)


def test_the_function_that_the_error_names_measures_labels_of_both_signs():
    model, metrics = network(1), train.metrics
    named = {"accuracy": lambda output, target: metrics.accuracy(output > 0, target > 0)}
    expected = (np.sign(train.predict(model, X).numpy()) == SIGNS.numpy()).mean()
    assert train.evaluate(model, (X, SIGNS), named, nn.HingeLoss())["accuracy"] == expected


def test_predict_takes_tensors_arrays_datasets_and_loaders():
    model, (x, y) = network(), data()
    expected = train.predict(model, x)
    assert expected.shape == (50, 2)
    for given in (x.numpy(), TensorDataset(x, y), TensorDataset(x)):
        assert train.predict(model, given).tolist() == expected.tolist()
    batches = train.predict(model, DataLoader(TensorDataset(x, y), batch_size=7))
    np.testing.assert_allclose(batches.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


class Two(nn.Module):
    """A model of two inputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, a, b):
        return self.layer(cr.cat([a, b], 1))


def test_predict_gives_a_model_of_two_inputs_both():
    model, (x, y) = Two(), data()
    other = x + 1.0
    with cr.no_grad():
        expected = model(x, other).tolist()
    both = TensorDataset(x, other)
    for given, settings in (
        ((x, other), {}),
        ([x.numpy(), other.numpy()], {}),
        ((x, other, y), {"targets": True}),
        (both, {"targets": False}),
        (DataLoader(both, batch_size=50), {"targets": False}),
        (TensorDataset(x, other, y), {}),
        (TensorDataset(x, other, y, cr.ones(50)), {"weighted": True}),
        ([(x, other, y)], {}),  # a loader of one batch
        ([[x, other]], {"targets": False}),
    ):
        assert train.predict(model, given, **settings).tolist() == expected
    train.fit(model, F.cross_entropy, cr.optim.SGD(model.parameters(), 0.1), (x, other, y), quiet=True)
    assert train.evaluate(model, (x, other, y), "accuracy")["accuracy"] > 0


def test_predict_says_what_became_of_the_last_tensor():
    x, y = data()
    with pytest.raises(
        TypeError, match=r"predict: Sequential cannot be called with 2 inputs.*targets=True leaves it out"
    ):
        train.predict(network(), (x, y))
    assert train.predict(network(), (x, y), targets=True).shape == (50, 2)
    with pytest.raises(
        TypeError, match=r"predict: Two cannot be called with 1 input.*targets=False gives it"
    ):
        train.predict(Two(), TensorDataset(x, x))


def test_log_probabilities_have_a_threshold_too():
    class Logged(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = network(1)

        def forward(self, x):
            return self.model(x).sigmoid().log()

    model, (x, _) = Logged(), data()
    chances = train.predict(model.model, x, threshold=0.4, outputs="logits")
    assert train.predict(model, x, threshold=0.4, outputs="log_probabilities").tolist() == chances.tolist()


def test_a_penalty_is_part_of_the_loss_in_either_mode():
    model, (x, y) = network(), data()
    penalty = train.Penalty(model, l2=0.1)
    plain = train.evaluate(model, (x, y), loss=F.cross_entropy)["loss"]
    both = train.evaluate(model, (x, y), loss=F.cross_entropy, penalty=penalty)["loss"]
    assert both == pytest.approx(plain + penalty().item())


X, Y = data(4)
MISSING = cr.tensor([[0.0], [0.0], [math.nan], [0.0]])
SIGNS = cr.tensor([[-1.0], [1.0], [1.0], [-1.0]])
BAD = {
    "nothing": (lambda m: train.evaluate(m, (X, Y)), ValueError, "evaluate: nothing to measure"),
    "empty": (lambda m: train.evaluate(m, (X[:0], Y[:0]), "accuracy"), ValueError, "evaluate: data is empty"),
    "one class": (
        lambda m: train.evaluate(m, (X, Y * 0), "roc_auc", F.cross_entropy),
        ValueError,
        "both classes",
    ),
    "unknown": (lambda m: train.evaluate(m, (X, Y), "auc"), ValueError, "evaluate: metrics must be one of"),
    "no names": (
        lambda m: train.evaluate(m, (X, Y), [3]),
        TypeError,
        "a metric must be a name or a function",
    ),
    "several labels": (
        lambda m: train.evaluate(m, (X, cr.zeros(4, 2)), "accuracy"),
        ValueError,
        "accuracy needs one class per sample",
    ),
    "vector": (
        lambda m: train.evaluate(m, (X, Y), loss=nn.CrossEntropyLoss(reduction="none")),
        ValueError,
        r"evaluate: loss must be a mean over samples, got CrossEntropyLoss\(reduction='none'\); take reduction='mean'",
    ),
    "sum": (
        lambda m: train.evaluate(m, (X, Y), loss=nn.CrossEntropyLoss(reduction="sum")),
        ValueError,
        r"evaluate: loss must be a mean over samples, got CrossEntropyLoss\(reduction='sum'\); take reduction='mean'",
    ),
    "threshold of two columns": (
        lambda m: train.evaluate(m, (X, Y), "f1", F.cross_entropy, threshold=0.3),
        ValueError,
        r"evaluate: a threshold decides on one number per sample, got 0.3 for outputs of shape \[4, 2\]",
    ),
    "hinge": (
        lambda m: train.evaluate(network(1), (X, SIGNS), "accuracy", nn.HingeLoss(), outputs="logits"),
        ValueError,
        r"compares classes 0 and 1, got targets \[-1.0, 1.0\]; for -1 and 1 \(HingeLoss\) give a function such as",
    ),
    "no outputs": (
        lambda m: train.predict(network(1), X, threshold=0.5),
        ValueError,
        "predict: what does the model give",
    ),
    "two columns": (
        lambda m: train.predict(m, X, threshold=0.5, outputs="logits"),
        ValueError,
        r"predict: a threshold decides on one number per sample, got outputs of shape \[4, 2\]",
    ),
    "threshold": (
        lambda m: train.predict(m, X, threshold=1.5, outputs="logits"),
        ValueError,
        r"threshold must be a probability in \(0, 1\), got 1.5",
    ),
    "NaN": (
        lambda m: train.evaluate(m, (X * math.nan, Y), "accuracy", F.cross_entropy),
        ValueError,
        "evaluate: accuracy needs numbers, but the model's outputs have NaN, the first in row 0, in the metrics of",
    ),
    "NaN of one": (
        lambda m: train.predict(network(1), X + MISSING, threshold=0.5, outputs="logits"),
        ValueError,
        "predict: a class needs numbers, but the model's outputs have NaN, the first in row 2",
    ),
    "no data": (lambda m: train.predict(m, X[:0]), ValueError, "predict: data is empty"),
    "no inputs": (lambda m: train.predict(m, 3), TypeError, "predict: data must be a DataLoader"),
}


@pytest.mark.parametrize("name", train.decision.NAMES)
@pytest.mark.parametrize("outputs", [1, 2])
def test_no_metric_by_name_counts_nan_as_a_class(name, outputs):
    with pytest.raises(ValueError, match=rf"{name} needs numbers, .* row 2, in the metrics of data"):
        train.evaluate(network(outputs), (X + MISSING, Y), name, outputs="logits")


def test_outputs_that_are_nan_are_predicted_as_they_are():
    assert train.predict(network(), X + MISSING).isnan().any(1).tolist() == [False, False, True, False]


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error(name):
    call, error, text = BAD[name]
    with pytest.raises(error, match=text):
        call(network())
