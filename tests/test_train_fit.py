"""fit: what it computes, what it reports, and that it refuses what cannot be meant."""

import math
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, IterableDataset, TensorDataset, train_dev_test_split
from chainrule.nn import functional as F
from training import bits, network, points, quick, sgd

# ---- what it computes ----


def test_fit_has_the_bits_of_the_loop_that_everybody_writes():
    x, y = points()
    model, loader = network(dropout=0.3), DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
    history = quick(model, loader, epochs=3)
    other, losses = network(dropout=0.3), []
    optimizer = sgd(other)
    for _ in range(3):
        total = 0.0
        for inputs, target in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(other(inputs), target)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(target)
        losses.append(total / len(x))
    assert bits(model) == bits(other)
    assert history["loss"] == losses
    assert history["step"] == [5, 10, 15]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_captured_and_eager_training_have_the_same_bits(accumulate):
    def run(capture):
        model = network(dropout=0.3)
        history = quick(
            model,
            dev=points(40, 1),
            optimizer=cr.optim.Adam(model.parameters(), lr=0.01),
            epochs=5,
            batch_size=20,
            capture=capture,
            accumulate=accumulate,
            clip_norm=0.5,
            clip_value=0.1,
            penalty=train.Penalty(model, l1=1e-3, l2=1e-3),
            average=0.9,
            metrics=["accuracy", "roc_auc"],
        )
        return bits(model), [{k: v for k, v in row.items() if k != "seconds"} for row in history]

    assert run(False) == run(True)


def test_accumulated_batches_make_the_step_of_one_large_batch():
    x, y = points(50)
    small, large = network(), network()
    quick(small, DataLoader(TensorDataset(x, y), batch_size=13), epochs=4, accumulate=4)
    quick(large, DataLoader(TensorDataset(x, y), batch_size=50), epochs=4)
    for a, b in zip(small.parameters(), large.parameters()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_clipping_limits_the_step():
    x, y = points(32)
    for setting, order in (({"clip_norm": 0.01}, 2), ({"clip_value": 0.01}, math.inf)):
        model = network()
        before = [p.detach().numpy().copy() for p in model.parameters()]
        quick(model, (x, y), optimizer=sgd(model, 1.0), epochs=1, **setting)
        moved = np.concatenate([(p.detach().numpy() - b).ravel() for p, b in zip(model.parameters(), before)])
        assert 0.005 < np.linalg.norm(moved, order) <= 0.01001


def test_modes_are_kept_and_a_frozen_layer_stays_in_evaluation_mode():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[1].eval()
    seen = []
    model.register_forward_hook(lambda module, *_: seen.append((module.training, module[1].training)))
    quick(model, dev=points(), epochs=1)
    assert set(seen) == {(True, False), (False, False)}
    assert (model.training, model[1].training, model[1].running_mean.tolist()) == (True, False, [0] * 4)
    model.eval()
    seen.clear()
    quick(model, epochs=1)
    assert set(seen) == {(True, True)}
    assert not model.training
    assert not model[1].training


def test_an_autoencoder_has_its_input_as_target():
    x, _ = points()
    model = nn.Sequential(nn.Linear(4, 4, bias=False))
    history = quick(model, TensorDataset(x), (x.numpy(),), 20, loss=nn.MSELoss(), metrics="mae")
    assert history["dev_mae"][-1] < history["dev_mae"][0] / 2


def test_streams_arrays_several_inputs_and_ones_own_loaders_are_data():
    x, y = points()

    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(a, b) for a, b in zip(x, y)])

    class Mine:
        def __iter__(self):
            yield x.clone(), y.clone()

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, a, b):
            return self.layer(cr.cat([a, b], 1))

    assert quick(network(), Stream())["step"] == [3, 6]
    assert quick(network(), (x.numpy(), y.numpy()))["step"] == [3, 6]
    assert quick(network(), Mine())["step"] == [1, 2]
    assert quick(Two(), (x, x.clone(), y))["step"] == [3, 6]


# ---- what it reports ----


def test_the_history_has_train_and_dev_of_every_metric():
    model = network(1)
    x, y = points()
    y = y.float().unsqueeze(1)
    names = ["accuracy", "precision", "recall", "f1", "roc_auc", "mae", "r2"]
    history = quick(model, (x, y), (x, y), 3, loss=nn.BCEWithLogitsLoss(), metrics=names)
    assert history.columns == [
        "epoch", "step", "loss", *names, "dev_loss", *(f"dev_{n}" for n in names), "lr", "seconds",
    ]  # fmt: skip
    measured = train.evaluate(model, (x, y), names, nn.BCEWithLogitsLoss())
    for name in ("loss", *names):
        assert history[-1][f"dev_{name}"] == measured[name]


def test_metrics_may_be_functions_of_all_outputs():
    seen = []

    def half(output, target):
        seen.append((tuple(output.shape), tuple(target.shape), output.requires_grad))
        return cr.tensor(0.5)

    history = quick(network(), dev=points(40), epochs=1, metrics={"half": half, "accuracy": lambda o, t: 1})
    assert seen == [((96, 2), (96,), False), ((40, 2), (40,), False)]
    assert (history["half"], history["dev_accuracy"]) == ([0.5], [1.0])


def test_the_progress_bar_is_shown_unless_quiet(capsys):
    train.fit(model := network(), F.cross_entropy, sgd(model), points(), epochs=2)
    assert "6/6" in capsys.readouterr().err
    quick(network())
    assert capsys.readouterr().err == ""


def test_what_is_heavy_is_loaded_only_when_used():
    code = (
        "import sys, chainrule as cr; from chainrule import nn, train\n"
        "m = nn.Linear(2, 1); o = cr.optim.SGD(m.parameters(), 0.1)\n"
        "h = train.fit(m, nn.MSELoss(), o, (cr.rand(4, 2), cr.rand(4, 1)), quiet=True)\n"
        "print([n for n in ('tqdm', 'matplotlib', 'pandas', 'sklearn', 'safetensors') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ---- bad input ----

X, Y = points(8)
BAD = {
    "epochs": ({"epochs": 0}, ValueError, "fit: epochs must be positive, got 0"),
    "fractional epochs": ({"epochs": 1.5}, TypeError, "fit: epochs must be an int, got 1.5"),
    "accumulate": ({"accumulate": 0}, ValueError, "fit: accumulate must be positive"),
    "batch size": ({"batch_size": 0}, ValueError, "fit: batch_size must be positive"),
    "empty": ({"data": TensorDataset(X[:0], Y[:0])}, ValueError, "fit: train is empty: there are no batches"),
    "empty loader": (
        {"data": DataLoader(TensorDataset(X, Y), batch_size=9, drop_last=True)},
        ValueError,
        "fit: train is empty",
    ),
    "empty dev": ({"dev": (X[:0], Y[:0])}, ValueError, "fit: dev is empty"),
    "a tensor": ({"data": X}, TypeError, "fit: train must be a DataLoader, a dataset or a pair of tensors"),
    "a generator": ({"data": iter([(X, Y)])}, TypeError, "train must be a DataLoader"),
    "dictionaries": ({"data": [{"x": X}]}, TypeError, r"fit: a batch must be \(inputs..., target\), all tensors"),
    "sizes": ({"data": (X, Y[:5])}, ValueError, "TensorDataset: the first sizes must agree"),
    "vector loss": (
        {"loss": lambda o, t: F.cross_entropy(o, t, reduction="none")},
        ValueError,
        r"fit: loss must return one number, got shape \[8\]",
    ),
    "number loss": ({"loss": lambda o, t: 0.5}, TypeError, "loss must return a tensor with one number, got float"),
    "nan": ({"nan": "ignore"}, ValueError, "fit: nan must be one of raise, skip, warn"),
    "metric": ({"metrics": "auc"}, ValueError, "fit: metrics must be one of accuracy"),
    "two metrics": ({"metrics": ["f1", "f1"]}, ValueError, "fit: there are two metrics named 'f1'"),
    "matrix": (
        {"metrics": ["accuracy", "confusion_matrix"]},
        ValueError,
        r"fit: confusion_matrix is a table, .*; afterwards evaluate\(model, data, 'confusion_matrix'\) gives it",
    ),
    "no number": ({"metrics": {"m": lambda o, t: o}}, ValueError, "fit: metric m must give one number, got Tensor"),
    "misspelt metric": ({"metrics": "acc"}, ValueError, "precision, recall, f1, roc_auc, mae, mse, r2, got"),
    "one class": ({"data": (X, Y * 0), "metrics": "roc_auc"}, ValueError, r"both classes, 0 and 1, got \[0\]"),
    "outputs": ({"outputs": "scores"}, ValueError, "fit: outputs must be one of logits"),
    "threshold": ({"threshold": 0}, ValueError, r"fit: threshold must be a probability in \(0, 1\), got 0"),
    "callback": ({"callbacks": [print]}, TypeError, "fit: callbacks must be Callback objects, got builtin"),
    "no dev": ({"callbacks": [train.EarlyStopping()]}, ValueError, "looks at dev_loss, but there is no dev"),
    "resume": ({"resume": True}, ValueError, "fit: resume=True needs a checkpoint"),
    "two checkpoints": (
        {"callbacks": [train.Checkpoint("a")], "checkpoint": "b"},
        ValueError,
        "fit: one Checkpoint is enough, got 2",
    ),
    "clip": ({"clip_norm": -1.0}, ValueError, "fit: clip_norm must be non-negative, got -1.0"),
    "clip value": ({"clip_value": -1.0}, ValueError, "fit: clip_value must be non-negative, got -1.0"),
    "sum": ({"loss": nn.CrossEntropyLoss(reduction="sum")}, ValueError, "fit: loss must be a mean over samples"),
    "average of another": ({"average": train.EMA(nn.Linear(2, 2))}, ValueError, "fit: average is of another model"),
    "average": ({"average": 1.0}, ValueError, r"EMA: decay must be in \[0, 1\), got 1.0"),
}  # fmt: skip


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error_and_changes_no_weights(name, capture):
    settings, error, text = BAD[name]
    model = network()
    before = bits(model)
    with pytest.raises(error, match=text):
        quick(model, **{"data": (X, Y), **settings}, capture=capture)
    if name not in ("no number", "one class"):  # which show after an epoch
        assert bits(model) == before
    assert model.training


def test_no_metrics_may_be_none():
    assert quick(network(), metrics=None).columns == quick(network()).columns


@pytest.mark.parametrize("capture", [False, True])
def test_errors_of_data_name_epoch_and_update(capture):
    x, y = points(40)
    y[35] = 7
    data = DataLoader(TensorDataset(x, y), batch_size=8)
    with pytest.raises(IndexError, match=r"7.* in epoch 1, update 5; positions count within the batch$"):
        quick(network(), data, capture=capture)
    with pytest.raises(IndexError, match=r"7.* in batch 5 of data; positions count within the batch$"):
        train.evaluate(network(), data, loss=F.cross_entropy)
    with pytest.raises(
        IndexError, match=r"7.* in batch 5 of dev in epoch 1; positions count within the batch$"
    ):
        quick(network(), (x[:30], y[:30]), data, capture=capture)
    model = network()
    with pytest.raises(IndexError, match=r"7.* in update 5; positions count within the batch$"):
        train.lr_find(model, F.cross_entropy, sgd(model), data)


def test_errors_of_metrics_name_part_and_epoch():
    x, y = points(40)
    with pytest.raises(ValueError, match=r"^roc_auc: .* in the metrics of dev in epoch 1$"):
        quick(network(), (x, y), (x, y * 0), metrics="roc_auc")
    with pytest.raises(ValueError, match=r"^roc_auc: .* in the metrics of train in epoch 1$"):
        quick(network(), (x, y * 0), metrics="roc_auc")
    with pytest.raises(ValueError, match=r"^roc_auc: .* in the metrics of data$"):
        train.evaluate(network(), (x, y * 0), "roc_auc", F.cross_entropy)


def test_one_number_per_sample_needs_to_be_explained():
    x, y = points()
    loss = lambda output, target: ((output - target) ** 2).mean()  # noqa: E731
    data = (x, y.float().unsqueeze(1))
    with pytest.raises(ValueError, match=r"fit: what does the model give\?.*outputs='logits'"):
        quick(network(1), data, loss=loss, metrics="accuracy")
    assert len(quick(network(1), data, loss=loss, metrics="accuracy", outputs="logits")) == 2


@pytest.mark.parametrize("name", ["data", "dev"])
def test_the_test_part_of_a_split_is_refused(name):
    x_train, x_dev, x_test, y_train, y_dev, y_test = train_dev_test_split(*points())
    with pytest.raises(ValueError, match=r"is the test part of a split.*keep the test part for one evaluate"):
        quick(network(), **{"data": (x_train, y_train), name: DataLoader(TensorDataset(x_test, y_test))})
    model = network()
    quick(model, (x_train, y_train), (x_dev, y_dev))
    assert train.evaluate(model, (x_test, y_test), "accuracy")["accuracy"] >= 0
