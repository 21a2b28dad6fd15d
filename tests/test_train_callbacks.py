"""Callbacks, tables and plots: early stopping, schedules, logs, histories."""

import csv
import json
import math
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.nn import functional as F


class Scripted:
    """A loss whose dev values are given: the model has one weight, which counts the epochs."""

    def __init__(self, values):
        self.values = values

    def fit(self, *callbacks, epochs=None, **settings):
        model = nn.Linear(1, 1, bias=False)
        with cr.no_grad():
            model.weight.fill_(0.0)
        # Every epoch adds 1 to the weight; dev's loss is the scripted value of that epoch.
        optimizer = cr.optim.SGD(model.parameters(), lr=1.0)

        def loss(output, target):
            if output.requires_grad:
                return -output.sum()
            return cr.tensor(self.values[round(output.item()) - 1])

        data = (cr.ones(1, 1), cr.ones(1, 1))
        epochs = epochs or len(self.values)
        history = train.fit(
            model, loss, optimizer, data, data, epochs, callbacks=callbacks, quiet=True, **settings
        )
        return history, model.weight.item()


VALUES = [5.0, 3.0, 3.0, 2.9, 4.0, 4.0, 1.0]


def test_early_stopping_waits_and_restores_the_best_weights():
    history, weight = Scripted(VALUES).fit(train.EarlyStopping(patience=2))
    assert history["dev_loss"] == pytest.approx(VALUES[:6])
    assert (weight, history.kept_epoch) == (4.0, 4)
    assert history.kept("dev_loss") == pytest.approx(2.9)
    assert history.reason == "dev_loss has not improved since epoch 4 (2 epochs)"


def test_an_improvement_is_more_than_min_delta_and_restoring_can_be_off():
    stopping = train.EarlyStopping(patience=2, min_delta=0.5, restore_best=False)
    history, weight = Scripted(VALUES).fit(stopping)
    assert (len(history), weight, history.kept_epoch) == (4, 4.0, None)


def test_best_weights_come_back_when_the_epochs_run_out_and_the_object_serves_again():
    stopping = train.EarlyStopping(patience=9)
    assert Scripted([2.0, 1.0, 3.0]).fit(stopping)[1] == 2.0
    assert Scripted([9.0, 8.0, 9.0, 9.0]).fit(stopping)[1] == 2.0


def test_the_direction_follows_from_the_name_or_is_said():
    metrics = {"accuracy": lambda o, t: o.item() % 3}
    history, weight = Scripted([1.0] * 6).fit(
        train.EarlyStopping("dev_accuracy", patience=3), metrics=metrics
    )
    assert (len(history), weight) == (5, 2.0)
    with pytest.raises(ValueError, match="EarlyStopping: is a larger dev_gain better"):
        train.EarlyStopping("dev_gain")
    assert Scripted([1.0, 2.0]).fit(train.EarlyStopping(mode="max"))[1] == 2.0


def test_nan_is_no_improvement():
    history, weight = Scripted([2.0, math.nan, math.nan, 1.0]).fit(train.EarlyStopping(patience=2))
    assert (len(history), weight) == (3, 1.0)


def test_a_column_that_was_never_a_number_is_said_to_be_nan():
    history, _ = Scripted([math.nan] * 4).fit(train.EarlyStopping(patience=3))
    assert history.reason == "dev_loss has been NaN from the beginning (3 epochs)"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"patience": 0}, "patience must be positive"),
        ({"min_delta": -1}, "min_delta must be at least 0, got -1"),
    ],
)
def test_bad_settings_of_early_stopping(settings, text):
    with pytest.raises(ValueError, match=f"EarlyStopping: {text}"):
        train.EarlyStopping(**settings)


class Halving:
    def __init__(self, optimizer=None):
        self.steps = 0

    def step(self):
        self.steps += 1

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Plateau(Halving):
    def step(self, metrics, epoch=None):
        self.steps += metrics


def test_schedules_step_by_epoch_by_update_or_with_a_column():
    by_epoch, by_step, plateau = Halving(), Halving(), Plateau()
    callbacks = [train.Schedule(by_step, by="step"), train.Schedule(plateau, monitor="loss")]
    model = nn.Linear(2, 1)
    history = train.fit(
        model,
        F.mse_loss,
        cr.optim.SGD(model.parameters(), 0.1),
        (cr.ones(10, 2), cr.ones(10, 1)),
        epochs=3,
        batch_size=4,
        schedule=by_epoch,
        callbacks=callbacks,
        quiet=True,
    )
    assert (by_epoch.steps, by_step.steps) == (3, 9)
    assert plateau.steps == sum(history["loss"])


@pytest.mark.parametrize("capture", [False, True])
def test_a_schedule_may_look_at_the_gradients_of_the_step_that_it_sets(capture):
    class ByLength(Halving):
        def __init__(self, optimizer):
            self.optimizer, self.lengths = optimizer, []

        def step(self):
            group = self.optimizer.param_groups[0]
            self.lengths.append(group["params"][0].grad.norm().item())
            group["lr"] = 0.1 * self.lengths[-1]

    model = nn.Linear(2, 1, bias=False)
    with cr.no_grad():
        model.weight.fill_(0.0)
    optimizer = cr.optim.SGD(model.parameters(), 0.1)
    schedule = train.Schedule(rates := ByLength(optimizer), by="gradients")
    data = (cr.ones(1, 2), cr.ones(1, 1))
    train.fit(model, F.mse_loss, optimizer, data, epochs=4, schedule=schedule, capture=capture, quiet=True)
    weight, expected = np.zeros(2), []
    for _ in range(4):
        gradient = 2 * (weight.sum() - 1) * np.ones(2)
        expected.append(np.linalg.norm(gradient))
        weight -= 0.1 * expected[-1] * gradient
    assert rates.lengths == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(model.weight.detach().numpy()[0], weight, rtol=1e-5)


def test_what_is_no_schedule_is_refused():
    with pytest.raises(TypeError, match=r"Schedule: a schedule needs step\(\), int has none"):
        train.Schedule(3)
    with pytest.raises(ValueError, match="Plateau looks at dev_loss, so it steps by epoch"):
        train.Schedule(Plateau(), by="step")
    with pytest.raises(ValueError, match="Schedule: by must be one of epoch, step, gradients"):
        train.Schedule(Halving(), by="batch")


def test_callbacks_are_called_in_order_at_their_times():
    calls = []

    class Listening(train.Callback):
        def on_fit_start(self, run):
            calls.append("start")

        def on_epoch_start(self, run):
            calls.append(f"epoch {run.epoch}")

        def on_gradients(self, run):
            calls.append(run.model.weight.grad is not None)

        def on_step_end(self, run, loss):
            calls.append(run.step)

        def on_epoch_end(self, run, row):
            calls.append(f"end {row['epoch']}")
            row["mine"] = 7.0

        def on_fit_end(self, run):
            calls.append("done")

    history, _ = Scripted([1.0, 1.0]).fit(Listening())
    assert calls == ["start", "epoch 1", True, 1, "end 1", "epoch 2", True, 2, "end 2", "done"]
    assert history["mine"] == [7.0, 7.0]


def test_logs_have_every_row_once_in_full_precision(tmp_path):
    logs = train.CSVLog(tmp_path / "log.csv"), train.JSONLog(tmp_path / "log.jsonl")
    history, _ = Scripted([1 / 3, math.nan, 0.1]).fit(*logs)
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history["loss"]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["dev_loss"] for line in lines] == [history["dev_loss"][0], "nan", history["dev_loss"][2]]
    assert (tmp_path / "log.csv").read_text() == history.to_csv()


def test_a_log_follows_when_a_column_is_added(tmp_path):
    class Adding(train.Callback):
        def on_epoch_end(self, run, row):
            if row["epoch"] == 2:
                row["mine"] = 7.0

    history, _ = Scripted([1.0, 1.0, 1.0]).fit(Adding(), train.CSVLog(tmp_path / "log.csv"))
    assert (tmp_path / "log.csv").read_text() == history.to_csv()


# ---- tables ----


def table():
    return train.History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 1 / 3, "dev_loss": 0.25}])


def test_a_table_is_rows_and_columns(tmp_path):
    history = table()
    assert history.to_dict() == {"epoch": [1, 2], "loss": [0.5, 1 / 3], "dev_loss": [None, 0.25]}
    assert history.to_csv(tmp_path / "a.csv") == f"epoch,loss,dev_loss\n1,0.5,\n2,{1 / 3},0.25\n"
    assert (tmp_path / "a.csv").read_text() == history.to_csv()
    assert repr(history).splitlines() == [
        "epoch     loss  dev_loss",
        "    1      0.5         -",
        "    2  0.33333      0.25",
    ]
    assert repr(train.History()) == "History: no rows"
    assert history.best("dev_loss")["epoch"] == history.best("loss", "min")["epoch"] == 2
    assert history.best("loss", mode="max")["epoch"] == 1
    with pytest.raises(KeyError, match="History: no column 'f1'; there are epoch, loss"):
        history["f1"]
    with pytest.raises(ValueError, match=r"History.best: no row has a value of dev_f1"):
        history.best("dev_f1")
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max', got 'low'"):
        history.best("loss", "low")


def test_pandas_is_used_only_if_it_is_there(monkeypatch):
    class Pandas:
        @staticmethod
        def DataFrame(rows, columns):
            return rows, columns

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    assert table().to_pandas()[1] == ["epoch", "loss", "dev_loss"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"History.to_pandas: needs pandas"):
        table().to_pandas()


def test_a_history_plots_its_curves(tmp_path):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    rows = [
        {"epoch": i, "step": i, "loss": v, "f1": 1 - v, "dev_loss": v, "dev_f1": v, "lr": 0.1, "seconds": 1.0}
        for i, v in enumerate(rng.random(5), 1)
    ]
    history = train.History(rows)
    history.kept_epoch = 3
    figure = history.plot(tmp_path / "a.png")
    left, right = figure.axes
    assert [line.get_label() for line in left.lines] == ["loss, training", "loss, dev", "kept: epoch 3"]
    assert [line.get_label() for line in right.lines][:2] == ["f1, training", "f1, dev"]
    np.testing.assert_array_equal(left.lines[1].get_ydata(), history["dev_loss"])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert len(history.plot(columns=["f1"]).axes) == 1
    with pytest.raises(ValueError, match=r"History.plot: there is no epoch yet"):
        train.History().plot()
