"""How fit ends otherwise: losses and gradients that are not finite, Ctrl-C, a callback that stops."""

import math
import os
import signal

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, Dataset, TensorDataset
from chainrule.nn import functional as F
from training import bits, network, points, quick

# ---- not finite ----


class Poisoned:
    """A loss that is NaN, or has a gradient that is, at its third call."""

    def __init__(self, gradient):
        self.calls, self.gradient = 0, gradient

    def __call__(self, output, target):
        self.calls += 1
        loss = F.cross_entropy(output, target)
        if self.calls != 3:
            return loss
        # The square root's gradient at 0 is infinite, and times 0 it is NaN.
        return loss + ((output * 0).sum() ** 0.5 if self.gradient else loss * math.nan)


@pytest.mark.parametrize(
    ("gradient", "what"), [(False, "the loss is nan"), (True, "a gradient is not finite")]
)
def test_a_loss_or_gradient_that_is_not_finite_raises_before_it_does_harm(gradient, what):
    model, other = network(), network()
    x, y = points()
    loader = DataLoader(TensorDataset(x, y), batch_size=48)
    with pytest.raises(
        FloatingPointError, match=rf"fit: {what} in epoch 2, step 3 \(update 1 of the epoch\)"
    ):
        quick(model, loader, loss=Poisoned(gradient), epochs=3)
    quick(other, loader, epochs=1)
    assert bits(model) == bits(other)


def test_skipping_leaves_the_update_out_and_counts_it():
    model = network()
    with pytest.warns(
        RuntimeWarning, match=r"fit: the loss is nan in epoch 1, step 3 .*its update is left out"
    ):
        history = quick(model, loss=Poisoned(False), nan="skip", batch_size=12)
    assert history["skipped"] == [1, 0]
    assert all(math.isfinite(v) for v in history["loss"])
    assert all(np.isfinite(p.detach().numpy()).all() for p in model.parameters())


@pytest.mark.parametrize("capture", [False, True])
def test_a_bad_batch_leaves_no_trace_in_the_statistics_of_batch_norm(capture):
    x, y = points(36)
    x[13, 2] = math.nan
    loader = DataLoader(TensorDataset(x, y), batch_size=12)
    models = [nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    with pytest.warns(RuntimeWarning, match="epoch 1, step 2"):
        history = quick(models[0], loader, nan="skip", epochs=3, capture=capture)
    assert history["skipped"] == [1, 1, 1]
    good = cr.cat([x[:12], x[24:]]), cr.cat([y[:12], y[24:]])
    quick(models[1], DataLoader(TensorDataset(*good), batch_size=12), epochs=3)
    assert bits(models[0]) == bits(models[1])


def test_warning_goes_on_all_the_same():
    model = network()
    with pytest.warns(RuntimeWarning, match="the update was made all the same") as warned:
        history = quick(model, loss=Poisoned(False), nan="warn", batch_size=12)
    assert len(warned) == 1
    assert all(math.isnan(v) for v in history["loss"])


def test_an_epoch_without_a_finite_batch_raises_also_when_skipping():
    loss = lambda output, target: output.sum() * math.nan  # noqa: E731
    with (
        pytest.warns(RuntimeWarning, match="left out"),
        pytest.raises(FloatingPointError, match="no batch of epoch 1 had a finite loss"),
    ):
        quick(network(), loss=loss, nan="skip")


# ---- what cannot be measured ----


class Jittered(Dataset):
    """Samples that draw whenever they are looked at."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i] + 0.01 * cr.rand(4), self.y[i]


@pytest.mark.parametrize("average", [None, 0.9])
def test_an_epoch_that_cannot_be_measured_is_not_lost(average, tmp_path):
    """Its updates are in the checkpoint; with a dev part that has both classes it goes on from there."""
    x, y = points()
    settings = {"metrics": "roc_auc", "outputs": "logits", "epochs": 3, "average": average, "resume": True}
    whole, model, again = network(dropout=0.2), network(dropout=0.2), network(dropout=0.2)
    quick(whole, dev=Jittered(x, y), checkpoint=tmp_path / "whole", **settings)
    cr.manual_seed(1)
    network(dropout=0.2)
    with pytest.raises(ValueError, match="both classes, 0 and 1"):
        quick(model, dev=Jittered(x, y * 0), checkpoint=tmp_path / "cut", **settings)
    assert model.training
    state = cr.load(tmp_path / "cut" / "last.safetensors")["state"]
    assert (state["done"], state["position"]) == (0, 3)
    history = quick(again, dev=Jittered(x, y), checkpoint=tmp_path / "cut", **settings)
    assert history["epoch"] == [1, 2, 3]
    assert bits(again) == bits(whole)


def poisoned_dev():
    x, y = points(20)
    x[13, 2] = math.nan
    return x, y


@pytest.mark.parametrize("metrics", [(), "accuracy"])
def test_outputs_for_dev_that_are_nan_raise_and_name_the_row(metrics):
    text = (
        r"^fit: the model's outputs have NaN, the first in row 13 of batch 1 of dev in epoch 1; the weights"
    )
    with pytest.raises(FloatingPointError, match=text):
        quick(network(), dev=poisoned_dev(), metrics=metrics)


def test_a_metric_of_outputs_for_dev_that_are_nan_raises_where_the_loss_is_finite():
    finite = lambda output, target: F.cross_entropy(cr.where(output == output, output, 0.0), target)  # noqa: E731
    with pytest.raises(
        FloatingPointError, match=r"fit: f1 needs numbers.* row 13, in the metrics of dev in epoch 1;"
    ):
        quick(network(), dev=poisoned_dev(), metrics="f1", loss=finite, outputs="logits")


@pytest.mark.parametrize("nan", ["skip", "warn"])
def test_outputs_for_dev_that_are_nan_can_be_written_as_nan_with_one_warning(nan):
    with pytest.warns(
        RuntimeWarning, match="row 13 of batch 1 of dev in epoch 1; the scores of it"
    ) as warned:
        history = quick(network(), dev=poisoned_dev(), metrics=["accuracy", "roc_auc"], nan=nan)
    assert len(warned) == 1
    for name in ("loss", "accuracy", "roc_auc"):
        assert all(map(math.isnan, history[f"dev_{name}"]))
        assert all(map(math.isfinite, history[name]))


# ---- Ctrl-C ----


class CtrlC(train.Callback):
    """Presses it after an update, so many times."""

    def __init__(self, step, times=1):
        self.step, self.times = step, times

    def on_step_end(self, run, loss):
        if run.step == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_gives_the_history_so_far_and_a_usable_model(times):
    model = network()
    history = quick(model, epochs=50, batch_size=48, callbacks=[CtrlC(7, times)])
    assert history.interrupted
    assert history.reason == "interrupted"
    assert history["epoch"] == [1, 2, 3]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    other = network()
    quick(other, epochs=50, batch_size=48, callbacks=[Stop(7)])
    assert bits(model) != bits(other)  # the weights of step 7, not of the end of that epoch
    assert len(quick(model)) == 2


class Stop(train.Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, run, loss):
        if run.step == self.step:
            run.stop("enough")


def test_a_callback_may_stop_after_the_epoch():
    history = quick(network(), epochs=50, batch_size=48, callbacks=[Stop(7)])
    assert (len(history), history.reason, history.interrupted) == (4, "enough", False)


def test_a_handler_of_ones_own_is_left_alone():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        history = quick(network(), callbacks=[CtrlC(2)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert (seen, history.interrupted, len(history)) == ([1], False, 2)
