"""The example of image transforms in a short form: it draws its sheet, and both ways of training learn."""

import importlib
import pathlib
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def test_augment(monkeypatch, tmp_path, capsys):
    for name in ("matplotlib", "skimage", "sklearn"):
        pytest.importorskip(name)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "augment", raising=False)
    augment = importlib.import_module("augment")
    sheet = tmp_path / "augment.png"
    results = augment.main(["--sheet", str(sheet), "--seeds", "1", "--epochs", "15"])
    assert sheet.stat().st_size > 100_000
    assert all(0.85 < accuracy < 1 for values in results.values() for accuracy in values)
    assert "better with" in capsys.readouterr().out
