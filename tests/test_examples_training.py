"""The examples of fit and of the searches, in short: what they say of themselves."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import mark_part

datasets = pytest.importorskip("sklearn.datasets")


def test_fit_is_interrupted_and_ends_with_the_bits_of_a_run_that_was_not(example, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    fit = example("fit")
    for name, step in (("cut", "60"), ("whole", "1000")):
        run, plot = str(tmp_path / name), str(tmp_path / f"{name}.png")
        fit.main(["--epochs", "3", "--run", run, "--plot", plot, "--interrupt", step, "--quiet"])
        assert (tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert len((tmp_path / name / "log.csv").read_text().splitlines()) == 4
        assert len((tmp_path / name / "log.jsonl").read_text().splitlines()) == 3
    assert capsys.readouterr().out.count("interrupted after 1 epochs") == 1
    cut, whole = (cr.load(tmp_path / name / "last.safetensors")["state"] for name in ("cut", "whole"))
    assert len(whole["model"]) > 10
    for name, tensor in whole["model"].items():
        assert tensor.numpy().tobytes() == cut["model"][name].numpy().tobytes(), name
    best = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("cut", "whole")]
    assert best[0] == best[1]


# Whether a setting changes the training is seen beside these.
USUAL = {
    "layers": 2,
    "units": 16,
    "activation": "ReLU",
    "optimizer": "Adam",
    "rate": 0.01,
    "batch": 32,
    "dropout": 0.2,
    "loss": "BCEWithLogitsLoss",
    "data": "z-score",
    "weights": "as they are",
    "initial": "kaiming_normal_",
    "dev": 0.25,
}
OTHER = {
    "layers": 3,
    "units": 32,
    "activation": "GELU",
    "optimizer": "SGD",
    "rate": 0.02,
    "batch": 64,
    "dropout": 0.4,
    "loss": "FocalLoss",
    "data": "min-max",
    "weights": "weight_norm",
    "initial": "orthogonal_",
    "dev": 0.15,
}


def test_every_setting_of_the_search_reaches_the_training(example):
    search = example("search")
    assert set(search.SPACE) == set(USUAL) == set(OTHER)
    table = datasets.load_breast_cancer()
    for array in (table.data, table.target):  # a search splits the training part
        mark_part(array, "train")

    def losses(settings):
        cr.manual_seed(0)
        parts = search.parts_of(table.data, table.target, table.data[:9], settings, 0)
        model = search.make(table.data.shape[1], **settings)
        return search.fit(model, *parts[:2], 2, **settings)["loss"]

    usual = losses(USUAL)
    assert losses(USUAL) == usual
    for name, value in OTHER.items():
        other = losses({**USUAL, name: value})
        assert other != usual, name
        assert np.isfinite(other).all(), name


def test_the_search_chooses_on_dev_and_measures_the_choice_on_test(example, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    search = example("search")
    pictures = tmp_path / "search.png", tmp_path / "curve.png"
    area = search.main(
        ["--trials", "3", "--epochs", "3", "--plot", str(pictures[0]), "--curve", str(pictures[1])]
    )
    assert 0.9 < area <= 1
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in pictures)
    text = capsys.readouterr().out
    parts = ("best on dev: layers", "from five random starts:", "with less data:", "test: accuracy")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
