"""Columns that callbacks look at: those that there are not, and what is kept of the best epoch."""

import pytest

from chainrule import train
from training import bits, network, points, quick


class Plateau:
    """A schedule that wants a metric."""

    def step(self, metric): ...

    def state_dict(self): ...

    def load_state_dict(self, state): ...


@pytest.mark.parametrize(
    "callback",
    [
        lambda: train.EarlyStopping("val_loss", mode="min"),
        lambda: train.Checkpoint("nowhere", best="val_loss", mode="min"),
        lambda: train.Schedule(Plateau(), monitor="val_loss"),
    ],
)
def test_a_misspelt_column_is_named_before_the_training_with_those_there_are(callback):
    model = network()
    before = bits(model)
    text = (
        r"looks at 'val_loss', but there is no such column; there are "
        "epoch, step, loss, f1, dev_loss, dev_f1, lr, seconds$"
    )
    with pytest.raises(ValueError, match=text):
        quick(model, dev=points(), metrics="f1", callbacks=callback())
    assert bits(model) == before


def test_a_name_that_says_no_direction_lists_those_that_do():
    with pytest.raises(
        ValueError, match=r"EarlyStopping: is a larger val_loss better\?.* for accuracy, .*dev_loss"
    ):
        train.EarlyStopping("val_loss")


def test_columns_of_callbacks_may_be_looked_at_and_misspelt_ones_show_after_an_epoch():
    class Extra(train.Callback):
        def on_epoch_end(self, run, row):
            row["extra"] = 1.0 / row["epoch"]

    stopping = train.EarlyStopping("extra", mode="max", patience=1)
    assert len(quick(network(), callbacks=[Extra(), stopping], epochs=5)) == 2
    with pytest.raises(ValueError, match=r"EarlyStopping: there is no column 'extr'; there are .*, extra"):
        quick(network(), callbacks=[Extra(), train.EarlyStopping("extr", mode="max")])


def test_the_best_weights_are_averages_and_the_ema_goes_on():
    model = network()
    ema = train.EMA(model, 0.5)
    at = []

    class Watch(train.Callback):
        def on_epoch_end(self, run, row):
            row["order"] = -abs(row["epoch"] - 2.0)
            at.append([p.tolist() for p in (run.weights()[name] for name in ("0.weight", "3.bias"))])

    stopping = train.EarlyStopping("order", mode="max", patience=9)
    quick(model, callbacks=[Watch(), stopping], epochs=4, average=ema)
    assert [model[0].weight.tolist(), model[3].bias.tolist()] == at[1]
    with ema.applied():
        assert [model[0].weight.tolist(), model[3].bias.tolist()] == at[3]
