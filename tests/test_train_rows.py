"""What callbacks and settings bring along is shown, logged and saved: texts, numbers of any kind, late states."""

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.nn import functional as F


def fit(directory, *callbacks, epochs=1, lr=0.1, quiet=True):
    model = nn.Linear(3, 1)
    optimizer = cr.optim.SGD(model.parameters(), lr=lr)
    data = (cr.ones(4, 3), cr.ones(4, 1))
    settings = {"callbacks": callbacks, "checkpoint": directory, "resume": True, "quiet": quiet}
    return train.fit(model, F.mse_loss, optimizer, data, epochs=epochs, **settings)


class Noting(train.Callback):
    def __init__(self, value):
        self.value = value

    def on_epoch_end(self, run, row):
        row["note"] = self.value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("hi", "hi"),
        (None, None),
        (np.float32(0.5), 0.5),
        (cr.tensor([2.0]), 2.0),
        (np.array(3), 3),
        (True, True),
    ],
)
def test_a_row_takes_texts_and_numbers_of_any_kind(value, kept, tmp_path, capsys):
    path = tmp_path / "log.jsonl"
    history = fit(tmp_path, Noting(value), train.JSONLog(path), epochs=2, quiet=False)
    assert history["note"] == [kept, kept]
    assert type(history["note"][0]) is type(kept)
    assert [json.loads(line)["note"] for line in path.read_text().splitlines()] == [kept, kept]
    if kept == "hi":
        assert "note=hi" in capsys.readouterr().err


def test_what_is_no_number_or_text_in_a_row_is_named(tmp_path):
    with pytest.raises(TypeError, match="fit: column 'note' must be a number, a text or None, got list"):
        fit(tmp_path, Noting([1]))


class Counting(train.Callback):
    """Has no state before its first epoch."""

    def __init__(self):
        self.seen = {}

    def on_epoch_end(self, run, row):
        self.seen[str(row["epoch"])] = row["loss"]

    def state_dict(self):
        return self.seen

    def load_state_dict(self, state):
        self.seen = dict(state)


def test_a_callback_whose_state_is_empty_at_first_resumes(tmp_path):
    fit(tmp_path, Counting())
    counting = Counting()
    fit(tmp_path, counting, epochs=2)
    assert list(counting.seen) == ["1", "2"]


def test_a_rate_of_numpy_is_saved_as_a_number(tmp_path):
    fit(tmp_path, lr=np.float32(0.1))
    saved = cr.load(tmp_path / "last.safetensors")["state"]["optimizer"]
    assert saved["param_groups"][0]["lr"] == float(np.float32(0.1))
