"""A training that was stopped, killed or interrupted goes on with the bits of one that was not."""

import os
import pathlib
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, Dataset, TensorDataset
from chainrule.nn import functional as F

SCRIPT = pathlib.Path(__file__).parent / "scripts" / "resume.py"


def test_trainings_killed_at_random_moments_end_with_the_same_bits():
    """`python tests/scripts/resume.py` is the long form."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--trials", "3", "--in-write", "1", "--seed", "3"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 trials with the same bits" in done.stdout
    assert "while writing" in done.stdout


class Noisy(Dataset):
    """Samples that draw from every generator there is."""

    def __init__(self):
        self.own, self.numpys = cr.Generator().manual_seed(1), np.random.default_rng(2)
        self.pythons = random.Random(3)
        self.x = np.random.default_rng(4).standard_normal((40, 3)).astype(np.float32)

    def __len__(self):
        return 40

    def __getitem__(self, i):
        noise = cr.rand(3) + cr.rand(3, generator=self.own) + self.pythons.random() + random.random()
        noise = noise.numpy() + self.numpys.random(3, np.float32) + np.random.random(3).astype(np.float32)
        return self.x[i] + 0.1 * noise, int(self.x[i].sum() > 0)


class Plateau:
    """Has PyTorch's interface: step wants the metric."""

    def __init__(self, optimizer):
        self.optimizer, self.best, self.seen = optimizer, float("inf"), []

    def step(self, metrics):
        self.seen.append(metrics)
        if metrics > self.best - 0.01:
            self.optimizer.param_groups[0]["lr"] *= 0.5
        self.best = min(self.best, metrics)

    def state_dict(self):
        return {"best": self.best, "seen": self.seen}

    def load_state_dict(self, state):
        self.best, self.seen = state["best"], state["seen"]


class StopAt(train.Callback):
    def __init__(self, step, how):
        self.step, self.how = step, how

    def on_step_end(self, run, loss):
        if run.step == self.step:
            self.how()


class Died(Exception):
    pass


def die():
    raise Died


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def run(
    directory,
    capture=False,
    stop=None,
    epochs=4,
    resume=True,
    hidden=8,
    average=0.8,
    optimizer=None,
    **settings,
):
    cr.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    model = nn.Sequential(
        nn.Linear(3, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, 2)
    )
    optimizer = (optimizer or cr.optim.Adam)(model.parameters(), lr=0.02)
    loader = DataLoader(Noisy(), batch_size=7, shuffle=True, generator=cr.Generator().manual_seed(9))
    dev = DataLoader(Noisy(), batch_size=40)
    plateau = Plateau(optimizer)
    callbacks = [train.EarlyStopping("dev_loss", patience=3), *([stop] if stop else [])]
    arguments = {
        "metrics": ["accuracy", "f1"],
        "callbacks": callbacks,
        "schedule": plateau,
        "accumulate": 2,
        "average": average,
        "checkpoint": train.Checkpoint(directory, every_steps=1, best="dev_accuracy"),
        **settings,
    }
    history = train.fit(
        model,
        F.cross_entropy,
        optimizer,
        loader,
        dev,
        epochs,
        capture=capture,
        resume=resume,
        quiet=True,
        **arguments,
    )
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history]
    weights = [t.numpy().tobytes() for t in model.state_dict().values()]
    return weights, rows, plateau.seen, history


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3, 6, 11])  # of three in an epoch: within, and at its end
def test_dying_after_any_step_changes_nothing(step, capture, tmp_path):
    whole = run(tmp_path / "whole", capture)
    assert len(whole[1]) == 4
    with pytest.raises(Died):
        run(tmp_path / "cut", capture, StopAt(step, die))
    assert run(tmp_path / "cut", not capture)[:3] == whole[:3]
    for name in ("best", "last"):
        assert (tmp_path / "cut" / f"{name}.safetensors").exists()
    best = [cr.load(tmp_path / place / "best.safetensors") for place in ("whole", "cut")]
    assert all(best[0][name].numpy().tobytes() == t.numpy().tobytes() for name, t in best[1].items())


def test_ctrl_c_saves_within_an_epoch_and_more_epochs_continue(tmp_path):
    whole = run(tmp_path / "whole", epochs=5)
    saver = {"checkpoint": train.Checkpoint(tmp_path / "cut", every=100)}
    history = run(tmp_path / "cut", stop=StopAt(5, press_ctrl_c), epochs=5, **saver)[3]
    assert history.interrupted
    assert len(history) == 1
    first = run(tmp_path / "cut", epochs=3, **saver)[3]
    assert (len(first), first.interrupted) == (3, False)
    assert run(tmp_path / "cut", epochs=5, **saver)[:3] == whole[:3]


def test_ctrl_c_at_the_end_of_an_epoch_saves_too(tmp_path):
    class AtEnd(train.Callback):
        def on_epoch_end(self, run, row):
            if row["epoch"] == 2:
                press_ctrl_c()

    saver = {"checkpoint": train.Checkpoint(tmp_path / "cut", every=100)}
    history = run(tmp_path / "cut", stop=AtEnd(), **saver)[3]
    assert (len(history), history.interrupted) == (2, True)
    assert cr.load(tmp_path / "cut" / "last.safetensors")["state"]["done"] == 2
    assert run(tmp_path / "cut", **saver)[:3] == run(tmp_path / "whole")[:3]


def test_resuming_a_finished_training_gives_its_result_again(tmp_path):
    whole = run(tmp_path)
    assert run(tmp_path)[:3] == whole[:3]


def test_a_stop_by_early_stopping_lasts(tmp_path):
    early = {"callbacks": [train.EarlyStopping("dev_loss", patience=1, min_delta=10.0)]}
    first = run(tmp_path, epochs=50, **early)
    assert len(first[1]) == 2
    assert "has not improved since epoch 1" in first[3].reason
    again = run(tmp_path, epochs=50, **early)
    assert again[:3] == first[:3]
    patient = {"callbacks": [train.EarlyStopping("dev_loss", patience=3, min_delta=10.0)]}
    assert len(run(tmp_path, epochs=50, **patient)[1]) == 4


def test_without_resume_a_checkpoint_is_not_overwritten(tmp_path):
    run(tmp_path, epochs=1)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match=r"last.safetensors exists; resume=True goes on from it"):
        run(tmp_path, resume=False)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_what_a_killed_write_left_is_cleared_away(tmp_path):
    (tmp_path / ".last.safetensors.0123.tmp").write_bytes(b"half")
    (tmp_path / "mine.tmp").write_bytes(b"other")
    run(tmp_path, epochs=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.safetensors", "last.safetensors", "mine.tmp"]


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    run(tmp_path, epochs=1)
    before = (tmp_path / "last.safetensors").read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        run(tmp_path)
    monkeypatch.undo()
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert run(tmp_path)[:3] == run(tmp_path / "whole")[:3]


MISMATCHES = {
    "size": (
        {"hidden": 9},
        r"its tensor is 0.weight \(float32, 8, 3\), here it is 0.weight \(float32, 9, 3\)",
    ),
    "optimizer": ({"optimizer": cr.optim.AdamW}, r"its optimizer is Adam .*, here it is AdamW"),
    "average": ({"average": None}, "its average is 0.8, here it is None"),
    "accumulate": ({"accumulate": 3}, "its batches per update is 2, here it is 3"),
    "callback": ({"callbacks": []}, "its callback is EarlyStopping, here it is Checkpoint"),
    "schedule": ({"schedule": None}, r"its callback is Schedule \(Plateau\), here it is EarlyStopping"),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_checkpoint_of_another_training_names_the_first_difference(name, tmp_path):
    settings, text = MISMATCHES[name]
    run(tmp_path, epochs=1)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(ValueError, match=rf"resume: .*last.safetensors is of another training: {text}"):
        run(tmp_path, **settings)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def simple(directory, model, rows=8, **settings):
    x = cr.ones(rows, 3)
    loader = DataLoader(TensorDataset(x, x[:, :1].clone()), batch_size=4)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    return train.fit(
        model, F.mse_loss, optimizer, loader, checkpoint=directory, resume=True, quiet=True, **settings
    )


def test_other_layers_of_the_same_shapes_and_other_data_are_found_too(tmp_path):
    simple(tmp_path, nn.Sequential(nn.Linear(3, 1), nn.ReLU()))
    model = nn.Sequential(nn.Linear(3, 1), nn.Tanh())
    before = model[0].weight.tolist()
    with pytest.raises(ValueError, match=r"its module is 1 \(ReLU\), here it is 1 \(Tanh\)"):
        simple(tmp_path, model, epochs=2)
    assert model[0].weight.tolist() == before
    with pytest.raises(ValueError, match="its updates per epoch is 2, here it is 3"):
        simple(tmp_path, nn.Sequential(nn.Linear(3, 1), nn.ReLU()), rows=12)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "last.safetensors"
    path.write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(ValueError, match="a pickle, which may run code"):
        simple(tmp_path, nn.Linear(3, 1))
    cr.save({"weight": cr.ones(1)}, path)
    with pytest.raises(ValueError, match="not a checkpoint of this version of fit"):
        simple(tmp_path, nn.Linear(3, 1))
    assert "weight" in cr.load(path)


def test_a_checkpoint_is_data_only_and_other_programs_read_it(tmp_path):
    simple(tmp_path, nn.Linear(3, 1))
    content = cr.load(tmp_path / "last.safetensors")
    assert content["state"]["model"]["weight"].shape == (1, 3)
    assert content["state"]["done"] == 1
