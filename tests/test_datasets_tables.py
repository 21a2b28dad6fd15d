"""The small tables: values, types, descriptions, and the file that comes with the package."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import datasets

SHAPES = {
    "load_digits": ((1797, 64), 10, "CC BY 4.0"),
    "load_breast_cancer": ((569, 30), 2, "CC BY 4.0"),
    "load_wine": ((178, 13), 3, "CC BY 4.0"),
    "load_iris": ((150, 4), 3, "CC BY 4.0"),
    "load_diabetes": ((442, 10), 0, "none is stated"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_tables_are_scikit_learns_as_tensors(name):
    theirs = pytest.importorskip("sklearn.datasets")
    shape, classes, licence = SHAPES[name]
    options = {"scaled": False} if name == "load_diabetes" else {}
    found, expected = getattr(datasets, name)(), getattr(theirs, name)(**options)
    assert found.data.shape == shape
    assert (found.data.dtype, found.target.dtype) == (cr.float32, cr.int64 if classes else cr.float32)
    np.testing.assert_array_equal(found.data.numpy(), expected.data.astype(np.float32))
    np.testing.assert_array_equal(found.target.numpy(), expected.target)
    assert found.feature_names == list(expected.feature_names)
    assert found.target_names == [str(value) for value in expected.get("target_names", ())]
    assert len(found.target_names) == classes
    x, y = getattr(datasets, name)(return_X_y=True)
    assert (x == found.data).all()
    assert (y == found.target).all()
    for part in (f"Licence: {licence}", "Source: ", f"data [{shape[0]}, {shape[1]}]"):
        assert part in found.description
    assert repr(found).startswith(f"Bunch(data [{shape[0]}, {shape[1]}], target [{shape[0]}])")


def test_diabetes_has_units_unless_scaling_over_all_rows_is_asked_for():
    theirs = pytest.importorskip("sklearn.datasets")
    assert datasets.load_diabetes().data[0, 0].item() == 59
    scaled, _ = datasets.load_diabetes(return_X_y=True, scaled=True)
    np.testing.assert_array_equal(scaled.numpy(), theirs.load_diabetes().data.astype(np.float32))


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(
        ImportError, match=r"load_iris: needs scikit-learn: pip install 'chainrule\[examples\]'"
    ):
        datasets.load_iris()


# ---- penguins ----

PENGUINS = pathlib.Path(datasets.__file__).parent / "files" / "penguins.csv"
COLUMNS = [
    "species",
    "island",
    "bill_length_mm",
    "bill_depth_mm",
    "flipper_length_mm",
    "body_mass_g",
    "sex",
    "year",
]


def test_penguins_are_those_of_the_paper():
    table = datasets.load_penguins()
    assert list(table) == COLUMNS
    assert table.shape == (344, 8)
    counts = dict(zip(*np.unique(table["species"].astype(str), return_counts=True)))
    assert counts == {"Adelie": 152, "Chinstrap": 68, "Gentoo": 124}
    assert set(table["island"]) == {"Biscoe", "Dream", "Torgersen"}
    assert set(table["year"]) == {2007, 2008, 2009}
    missing = {name: int(np.isnan(table[name]).sum()) for name in COLUMNS[2:6]}
    assert missing == dict.fromkeys(COLUMNS[2:6], 2)
    sexes = [list(table["sex"]).count(value) for value in ("male", "female", None)]
    assert sexes == [168, 165, 11]
    # Means of the R package's documentation, to its digits.
    means = [round(float(np.nanmean(table[name])), 1) for name in COLUMNS[2:6]]
    assert means == [43.9, 17.2, 200.9, 4201.8]
    assert "CC0" in table.description


def test_penguins_come_with_their_notice_and_stay_small():
    assert PENGUINS.stat().st_size < 20_000
    notice = PENGUINS.with_suffix(".txt").read_text(encoding="utf-8")
    for part in ("CC0 1.0", "Gorman", "Palmer Station", "https://doi.org/10.1371/journal.pone.0090081"):
        assert part in notice


def test_penguins_as_a_frame():
    pandas = pytest.importorskip("pandas")
    frame = datasets.load_penguins(as_frame=True)
    pandas.testing.assert_frame_equal(frame, pandas.read_csv(PENGUINS))


def test_importing_the_readers_loads_none_of_the_optional_packages():
    code = "import sys, chainrule.datasets; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pandas", "PIL", "sklearn", "urllib.request", "http.client"} & set(loaded)
    code = "import sys, chainrule; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "chainrule.datasets" not in loaded
