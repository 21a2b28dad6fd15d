"""A resume with other settings, or after a stop: named, and gone on with where that is meant."""

import functools

import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, TensorDataset
from chainrule.nn import functional as F
from chainrule.train.checkpoint import described
from training import bits, network, points, quick

X, Y = points(40)
TWO = cr.tensor([1.0, 2.0])


def run(directory, resume=True, epochs=2, batch_size=10, penalty=None, **settings):
    model = network()
    settings = {"loss": nn.CrossEntropyLoss(), **settings}
    if penalty is not None:
        settings["penalty"] = penalty(model)
    loader = DataLoader(TensorDataset(X, Y, cr.ones(40)), batch_size=batch_size)
    if not settings.get("weighted"):
        loader = DataLoader(TensorDataset(X, Y), batch_size=batch_size)
    history = quick(model, loader, epochs=epochs, checkpoint=directory, resume=resume, **settings)
    return model, history


def l2(model):
    return train.Penalty(model, l2=0.1)


CHANGES = {
    "loss": (
        {"loss": nn.NLLLoss()},
        r"its loss is CrossEntropyLoss\(.*\), here it is NLLLoss\(",
    ),
    "setting of the loss": (
        {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)},
        r"its loss is .*label_smoothing=0.0\), here it is .*label_smoothing=0.1\)",
    ),
    "class weights": (
        {"loss": nn.CrossEntropyLoss(TWO)},
        r"its loss is CrossEntropyLoss\(reduction='mean',.*, here it is .*weight=\[1.0, 2.0\]",
    ),
    "function": ({"loss": F.cross_entropy}, r"its loss is CrossEntropyLoss\(.*, here it is cross_entropy"),
    "penalty": ({"penalty": l2}, r"its penalty is None, here it is Penalty\(l1=0.0, l2=0.1, 2 weights\)"),
    "clip_norm": ({"clip_norm": 1.0}, "its clip_norm is None, here it is 1.0"),
    "clip_value": ({"clip_value": 0.5}, "its clip_value is None, here it is 0.5"),
    "weighted": ({"weighted": True}, "its weighted is False, here it is True"),
    "accumulate": ({"accumulate": 2}, "its batches per update is 1, here it is 2"),
    "batch size": ({"batch_size": 5}, "its updates per epoch is 4, here it is 8"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_setting_is_named_and_taken_if_it_is_meant(name, tmp_path):
    settings, text = CHANGES[name]
    first, _ = run(tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(
        ValueError, match=rf"is of another training: {text}.*; resume='anyway' goes on with what is"
    ):
        run(tmp_path, epochs=3, **settings)
    assert (tmp_path / "last.safetensors").read_bytes() == before
    model, history = run(tmp_path, "anyway", 3, **settings)
    assert len(history) == 3
    # The third epoch is one with the new settings, from the weights of the second.
    other = network()
    other.load_state_dict(first.state_dict())
    new = {"loss": nn.CrossEntropyLoss(), "batch_size": 10, **settings}
    if "penalty" in new:
        new["penalty"] = l2(other)
    data = (X, Y, cr.ones(40)) if new.get("weighted") else (X, Y)
    loader = DataLoader(TensorDataset(*data), batch_size=new.pop("batch_size"))
    quick(other, loader, epochs=1, **new)
    assert bits(model) == bits(other)
    run(tmp_path, epochs=4, **settings)  # the checkpoint now has the new settings


def test_within_an_epoch_its_batches_stay_as_they_are(tmp_path):
    class Stop(train.Callback):
        def on_step_end(self, run, loss):
            if run.step == 2:
                raise KeyboardInterrupt

    saver = {"checkpoint": train.Checkpoint(tmp_path, every_steps=1)}

    def once(resume, **settings):
        loader = DataLoader(TensorDataset(X, Y), batch_size=10)
        return quick(network(), loader, epochs=2, resume=resume, **{**saver, **settings})

    once(False, callbacks=[Stop()])
    with pytest.raises(ValueError, match=r"its batches per update is 1, here it is 2$"):
        once("anyway", accumulate=2)
    assert len(once("anyway", clip_norm=1.0)) == 2


@pytest.mark.parametrize("settings", [{"loss": nn.CrossEntropyLoss(TWO)}, {"penalty": l2, "clip_norm": 0.5}])
def test_the_same_settings_in_new_objects_go_on(settings, tmp_path):
    run(tmp_path, **settings)
    model, _ = run(tmp_path, epochs=4, **settings)
    whole, _ = run(tmp_path / "whole", epochs=4, **settings)
    assert bits(model) == bits(whole)


class Mine(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate, self.inner = rate, nn.MSELoss()


class Plain:
    def __init__(self):
        self.delta, self.data = 2, X


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (None, None),
        (F.mse_loss, "mse_loss"),
        (functools.partial(F.huber_loss, delta=2.0), "huber_loss(delta=2.0)"),
        (nn.HuberLoss(delta=0.5), "HuberLoss(reduction='mean', delta=0.5)"),
        (nn.BCEWithLogitsLoss(pos_weight=TWO), "BCEWithLogitsLoss(reduction='mean', pos_weight=[1.0, 2.0])"),
        (Mine(0.5), "Mine(rate=0.5), inner: MSELoss(reduction='mean')"),
        (Plain(), "Plain(delta=2)"),
    ],
)
def test_losses_and_penalties_as_texts(loss, text):
    assert described(loss) == text


def stopped(directory, epochs=50, patience=1, resume=True, others=()):
    model = network()
    stopping = train.EarlyStopping("loss", patience=patience, min_delta=10.0)
    callbacks = [stopping, *others]
    return quick(model, (X, Y), epochs=epochs, callbacks=callbacks, checkpoint=directory, resume=resume)


def test_more_epochs_after_a_stop_train_nothing_and_say_why(tmp_path):
    assert len(stopped(tmp_path)) == 2
    assert len(stopped(tmp_path)) == 2  # the same program again: nothing new, no warning
    text = "nothing is left to train: .* was stopped after epoch 2 .loss has not improved since epoch 1"
    with pytest.warns(UserWarning, match=text):
        assert len(stopped(tmp_path, epochs=60)) == 2
    assert len(stopped(tmp_path, epochs=60, patience=3)) == 4
    again = stopped(tmp_path, epochs=70, patience=3, resume="anyway")
    assert (len(again), again.reason) == (7, "loss has not improved since epoch 1 (3 epochs)")


def test_a_stop_that_a_callback_asked_for_is_forgotten_too(tmp_path):
    class At3(train.Callback):
        def on_epoch_end(self, run, row):
            if row["epoch"] == 3:
                run.stop("enough")

    def once(epochs, resume=True):
        return quick(network(), (X, Y), epochs=epochs, callbacks=At3(), checkpoint=tmp_path, resume=resume)

    assert len(once(5)) == 3
    with pytest.warns(UserWarning, match=r"stopped after epoch 3 \(enough\)"):
        assert len(once(6)) == 3
    assert (len(once(6, "anyway")), once(6).reason) == (6, None)


def test_resume_is_yes_no_or_anyway(tmp_path):
    with pytest.raises(ValueError, match="fit: resume must be True, False or 'anyway', got 'always'"):
        run(tmp_path, "always")
    with pytest.raises(ValueError, match="fit: resume=anyway needs a checkpoint"):
        quick(network(), (X, Y), resume="anyway")
