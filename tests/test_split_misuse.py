"""Every misuse of a split raises: what is fitted, trained, chosen or resampled on a held-out part, in whatever form
that part arrives."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import data, nn, train
from chainrule import preprocessing as pp
from chainrule.data import part_of
from chainrule.datasets import Columns

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
Y = np.arange(60) % 2
PARTS = dict(
    zip(("train", "dev", "test"), data.train_dev_test_split(X, seed=0, sizes=(40, 10, 10)), strict=True)
)

FORMS = {
    "array": lambda x: x,
    "slice": lambda x: x[1:9],
    "columns": lambda x: x[:, 1:3],
    "transposed twice": lambda x: x.T[::-1].T,
    "tensor": cr.tensor,
    "shared tensor": cr.from_numpy,
    "cast": lambda x: cr.tensor(x).float(),
    "mask": lambda x: cr.tensor(x)[cr.tensor(x[:, 0] > -9)],
    "rows by number": lambda x: cr.from_numpy(x)[[3, 1, 2, 0]],
    "back to numpy": lambda x: cr.tensor(x).float()[:, :2].numpy()[::2],
    "half of it held-out": lambda x: cr.cat([cr.tensor(PARTS["train"]), cr.tensor(x)]),
    "a split of it": lambda x: data.train_test_split(x, seed=0)[1],
}

FIT = {
    "StandardScaler": lambda x: pp.StandardScaler().fit(x),
    "MinMaxScaler": lambda x: pp.MinMaxScaler().fit(x),
    "RobustScaler": lambda x: pp.RobustScaler().fit_transform(x),
    "OrdinalEncoder": lambda x: pp.OrdinalEncoder().fit(x),
    "OneHotEncoder": lambda x: pp.OneHotEncoder().fit(x),
    "LabelEncoder": lambda x: pp.LabelEncoder().fit(x[:, 0]),
    "SimpleImputer": lambda x: pp.SimpleImputer().fit(x),
    "ModelImputer": lambda x: pp.ModelImputer().fit(x),
    "PolynomialFeatures": lambda x: pp.PolynomialFeatures().fit(x),
    "Pipeline": lambda x: pp.make_pipeline(pp.SimpleImputer(), pp.StandardScaler()).fit(x),
}


@pytest.mark.parametrize("part", ["dev", "test"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FIT)
def test_fitting_on_a_held_out_part_raises(name, form, part):
    x = FORMS[form](PARTS[part])
    with pytest.raises(ValueError, match=r"fits on the training part only, got the (dev|test) part"):
        FIT[name](x)


@pytest.mark.parametrize("name", FIT)
def test_fitting_on_the_training_part_or_unsplit_data_does_not(name):
    for x in (PARTS["train"][2:], cr.tensor(PARTS["train"]).double()[:20], X):
        FIT[name](x)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "function", [pp.undersample, pp.oversample, pp.smote, pp.mixup, lambda x, y: pp.jitter(x)]
)
def test_resampling_anything_but_the_training_part_raises(function, form):
    for x in (PARTS["dev"], PARTS["test"], X):
        changed = FORMS[form](x)
        if x is X and part_of(changed) == "train":
            continue  # of unsplit data a split, or a training part behind it, is one
        with pytest.raises(ValueError, match="only the training part of a split may be"):
            function(changed, np.arange(len(changed)) % 2)


def test_training_and_choosing_on_the_test_part_raises():
    x = cr.tensor(PARTS["test"]).float()[:, :3]
    held = data.DataLoader(data.TensorDataset(x[1:], x[1:, :1]))
    model = nn.Linear(3, 1)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    for call in (
        lambda: train.fit(model, nn.MSELoss(), optimizer, held, quiet=True),
        lambda: train.fit(model, nn.MSELoss(), optimizer, (cr.zeros(8, 3), cr.zeros(8, 1)), held, quiet=True),
        lambda: train.lr_find(model, nn.MSELoss(), optimizer, held),
    ):
        with pytest.raises(ValueError, match="is the test part of a split"):
            call()
    for part in ("dev", "test"):
        with pytest.raises(ValueError, match=f"train_dev_test_split: the data is the {part} part of a split"):
            data.train_dev_test_split(PARTS[part][1:])
    with pytest.raises(ValueError, match="folds: the data is the test part of a split"):
        data.folds(x, x[:, :1])


def test_in_frames_too():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    _, dev, test = data.train_dev_test_split(frame, seed=0)
    for held in (dev, test[["a"]], test[test["a"] > -9], dev.assign(e=1.0), test.fillna(0).iloc[1:]):
        for call in (lambda x: pp.StandardScaler().fit(x), lambda x: pp.oversample(x, np.arange(len(x)) % 2)):
            with pytest.raises(ValueError, match="the training part"):
                call(held)


TABLE_FORMS = {
    "table": lambda t: t,
    "columns of it": lambda t: t.select(["year"]),
    "rows of it": lambda t: t.rows(np.arange(0, 40, 2)).select(["year"]),
    "a dictionary of its columns": lambda t: {"year": t["year"], "mass": t["mass"]},
    "dict()": dict,
    "to_numpy": lambda t: t.to_numpy(),
    "stacked column": lambda t: t["year"].reshape(-1, 1),
    "to_pandas": lambda t: t.to_pandas()[["year"]],
    "split as a dictionary": lambda t: data.train_test_split(dict(t), seed=0)[0],
}


@pytest.mark.parametrize("form", TABLE_FORMS)
def test_a_table_by_columns_hands_its_mark_on(form):
    if "pandas" in form:
        pytest.importorskip("pandas")
    table = Columns({"year": np.arange(160), "mass": rng.normal(size=160)})
    train_part, test = data.train_test_split(table, random_state=0)
    assert part_of(test["year"]) == "test"
    assert part_of(train_part["year"]) == "train"
    with pytest.raises(ValueError, match="fits on the training part only"):
        pp.StandardScaler().fit(TABLE_FORMS[form](test))
    pp.StandardScaler().fit(TABLE_FORMS[form](train_part))
    pp.StandardScaler().fit(TABLE_FORMS[form](table.rows(np.arange(40))))


def test_a_dataset_that_holds_a_table_is_of_its_part():
    class Own(data.Dataset):
        def __init__(self, table):
            self.table = table

    test = data.train_test_split(Columns({"year": np.arange(8)}), seed=0)[1]
    assert part_of(Own(test)) == "test"
    assert part_of(data.DataLoader(Own(dict(test)))) == "test"
    assert part_of(Own({"year": np.arange(8)})) is None
