"""Missing values: dropped with a report, replaced by one value per column, predicted by a network."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import mark_part, part_of
from chainrule.datasets import Columns
from chainrule.preprocessing import MissingIndicator, ModelImputer, SimpleImputer, Transformer, drop_missing

TABLE = {"size": [1.0, None, 4.0, 1.0], "kind": ["x", "y", None, "y"], "n": [1, 2, 3, 4]}


def related(n=240, seed=0, share=0.15):
    """Columns that tell of one another, and the same with holes: four numbers and a category."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c"], n)
    shift = np.select([kind == "a", kind == "b"], [-2.0, 0.0], 2.0)
    u = rng.normal(size=n)
    full = {
        "u": u,
        "v": u**2 + shift + rng.normal(0, 0.1, n),
        "w": 3 * u - shift + rng.normal(0, 0.1, n),
        "kind": kind.astype(object),
    }
    holes, masks = {}, {}
    for name, column in full.items():
        masks[name] = rng.random(n) < share
        holes[name] = column.copy()
        holes[name][masks[name]] = None if name == "kind" else np.nan
    return full, holes, masks


def test_rows_are_dropped_with_a_report():
    table, y, report = drop_missing(TABLE, np.arange(4))
    assert table == {"size": [1.0, 1.0], "kind": ["x", "y"], "n": [1, 4]}
    assert y.tolist() == [0, 3]
    assert (report.rows, report.dropped, report.kept.tolist()) == (4, 2, [0, 3])
    assert str(report) == "dropped 2 of 4 rows (50.0 %); missing: size 1, kind 1"
    assert drop_missing(TABLE, columns=["kind", "n"])[-1].columns == {"kind": 1, "n": 0}


def test_what_is_dropped_from_keeps_its_kind_and_mark():
    x = np.array([[1.0, np.nan], [2.0, 3.0]])
    for made in (x, cr.tensor(x), x.tolist()):
        kept, _ = drop_missing(made)
        assert type(kept) is type(made)
        assert np.asarray(kept).tolist() == [[2.0, 3.0]]
    assert part_of(drop_missing(mark_part(x, "dev"))[0]) == "dev"
    table = mark_part(Columns({"a": x[:, 1], "b": np.array(["y", "z"], object)}, "where from"), "train")
    kept, columns, _ = drop_missing(table, dict(table))
    assert (type(kept), type(columns), kept.description) == (Columns, dict, "where from")
    assert (kept["b"].tolist(), columns["b"].tolist()) == (["z"], ["z"])
    assert part_of(kept) == part_of(kept["a"]) == part_of(columns) == "train"


def test_drop_missing_does_not_pair_frames_with_other_row_labels():
    pandas = pytest.importorskip("pandas")
    y = pandas.Series([1, 2], index=[1, 0])
    with pytest.raises(ValueError, match=r"drop_missing: the row labels \(index\) of array 0 and X differ"):
        drop_missing(pandas.DataFrame({"a": [1.0, np.nan]}), y)


def test_what_cannot_be_dropped_is_named():
    with pytest.raises(
        ValueError, match=r"each of 2 rows misses a value; missing per column: {'x0': 0, 'x1': 2}"
    ):
        drop_missing([[1, None], [2, None]])
    with pytest.raises(ValueError, match="array 0 must have one entry for each of 4 rows, got 3"):
        drop_missing(TABLE, np.arange(3))
    with pytest.raises(ValueError, match="no column 'colour'; there are size, kind, n"):
        drop_missing(TABLE, columns=["colour"])


@pytest.mark.parametrize(
    ("strategy", "value"), [("mean", 2.0), ("median", 1.0), ("most_frequent", 1.0), ("constant", 0.0)]
)
def test_one_value_per_column(strategy, value):
    imputer = SimpleImputer(strategy=strategy).fit({"size": TABLE["size"], "n": TABLE["n"]})
    assert imputer.transform({"size": None, "n": 7}).tolist() == [[value, 7]]


def test_texts_take_the_most_frequent_or_a_constant():
    frequent = SimpleImputer(strategy="most_frequent").fit(TABLE)
    assert frequent.transform({"size": None, "kind": None, "n": 5}).tolist() == [[1.0, "y", 5]]
    constant = SimpleImputer(strategy="constant").fit({"kind": TABLE["kind"]})
    assert constant.transform({"kind": [None, "x"]}).tolist() == [["missing_value"], ["x"]]
    marked = SimpleImputer(missing_values="?", strategy="constant", fill_value="none").fit([["?"], ["a"]])
    assert marked.transform([["?"], ["b"]]).tolist() == [["none"], ["b"]]


def test_indicators_say_where_values_were_missing():
    x = np.array([[1.0, 2.0, np.nan], [np.nan, 3.0, 4.0]])
    imputer = SimpleImputer(add_indicator=True).fit(x)
    assert imputer.get_feature_names_out(["a", "b", "c"]).tolist()[3:] == [
        "missingindicator_a",
        "missingindicator_c",
    ]
    assert imputer.transform([[np.nan, np.nan, 9.0]]).tolist() == [[1.0, 2.5, 9.0, 1.0, 0.0]]
    indicator = MissingIndicator().fit(x)
    assert indicator.transform(x).tolist() == [[False, True], [True, False]]
    with pytest.raises(ValueError, match="column 'x1' misses row 0; in fit it had every value"):
        indicator.transform([[1.0, np.nan, 1.0]])
    assert MissingIndicator(features="all").fit_transform(x).shape == (2, 3)


@pytest.mark.parametrize("kind", [SimpleImputer, ModelImputer])
def test_columns_without_values_and_mixed_ones_are_named(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__}.fit: column 'x1' has no value in any of 2 rows"):
        kind().fit([[1.0, None], [2.0, None]])
    with pytest.raises(TypeError, match="column 'x0' mixes numbers and texts: row 0 is 1, row 1 is 'a'"):
        kind().fit([[1], ["a"]])


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(TypeError, match=r"SimpleImputer.fit: column 'kind' must hold numbers, row 0 is 'x'"):
        SimpleImputer().fit(TABLE)
    with pytest.raises(ValueError, match="strategy must be one of mean"):
        SimpleImputer(strategy="mode").fit(TABLE)
    with pytest.raises(
        TypeError, match="fill_value must be of the column's kind; 'size' holds numbers, got 'none'"
    ):
        SimpleImputer(strategy="constant", fill_value="none").fit(TABLE)
    with pytest.raises(ValueError, match="columns must be one of missing, all, got 'some'"):
        ModelImputer(columns="some").fit(TABLE)
    empty = SimpleImputer(keep_empty_features=True).fit_transform([[1.0, None], [3.0, None]])
    assert empty.tolist() == [[1.0, 0.0], [3.0, 0.0]]


def test_a_network_beats_the_mean_and_the_most_frequent():
    full, holes, masks = related()
    guessed = ModelImputer(random_state=0).fit_transform(holes)
    for j, name in enumerate(("u", "v", "w")):
        mask = masks[name]
        error = (guessed[mask, j].astype(float) - full[name][mask]) ** 2
        plain = (np.nanmean(holes[name]) - full[name][mask]) ** 2
        assert np.sqrt(error.mean()) < 0.7 * np.sqrt(plain.mean()), name
    mask = masks["kind"]
    hits = (guessed[mask, 3] == full["kind"][mask]).mean()
    assert hits > 0.7
    kept = ~masks["u"]
    np.testing.assert_array_equal(guessed[kept, 0].astype(float), full["u"][kept])


def test_a_network_is_seeded_and_leaves_the_default_generator_alone():
    _, holes, _ = related(60)
    cr.manual_seed(5)
    expected = cr.rand(3).tolist()
    cr.manual_seed(5)
    first = ModelImputer(random_state=1, epochs=5).fit_transform(holes)
    assert cr.rand(3).tolist() == expected
    again = ModelImputer(random_state=1, epochs=5).fit_transform(holes)
    other = ModelImputer(random_state=2, epochs=5).fit_transform(holes)
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    drawn = []
    for _ in range(2):
        cr.manual_seed(7)
        drawn.append(ModelImputer(epochs=2).fit_transform(holes).tolist())
    assert drawn[0] == drawn[1]


def test_a_predicted_row_alone_gives_the_same_bits_as_among_others():
    _, holes, _ = related(60)
    imputer = ModelImputer(random_state=0, epochs=5, add_indicator=True)
    whole = imputer.fit_transform(holes)
    rows = [{name: column[i] for name, column in holes.items()} for i in range(60)]
    assert np.concatenate([imputer.transform(row) for row in rows]).tolist() == whole.tolist()
    again = Transformer.from_state(imputer.state())
    assert again.transform(holes).tolist() == whole.tolist()


def test_a_column_without_a_network_says_so():
    _, holes, _ = related(60)
    holes["n"] = np.arange(60.0)
    imputer = ModelImputer(random_state=0, epochs=2).fit(holes)
    row = {"u": 0.0, "v": 1.0, "w": 2.0, "kind": "a", "n": None}
    with pytest.warns(UserWarning, match="column 'n' had every value in fit and no network; 29.5 is put in"):
        assert imputer.transform(row)[0, 4] == 29.5
    every = ModelImputer(random_state=0, epochs=2, columns="all").fit(holes)
    assert sorted(every.networks_) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="column 'kind', row 0: unknown category 'q'"):
        imputer.transform({**row, "kind": "q", "n": 1.0})


def test_too_few_or_constant_values_take_the_mean():
    x = np.array([[1.0, 7.0, float(i)] for i in range(30)])
    x[5:, 0] = np.nan
    x[3, 1] = np.nan
    imputer = ModelImputer(random_state=0).fit(x)
    assert imputer.networks_ == {}
    assert imputer.transform(x)[7].tolist() == [1.0, 7.0, 7.0]


def test_an_imputer_of_pandas_missing_value_can_be_saved():
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame({"a": pandas.array([1, None, 3], dtype="Int64")})
    imputer = SimpleImputer(missing_values=pandas.NA).fit(x)
    assert Transformer.from_state(imputer.state()).transform(x).tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
def test_the_dtype_does_not_depend_on_what_a_batch_misses(strategy):
    x = np.array([[1, -1], [3, 5], [3, 5]])
    imputer = SimpleImputer(missing_values=-1, strategy=strategy).fit(x)
    assert {imputer.transform(rows).dtype for rows in (x, x[1:], x[:1])} == {np.dtype(np.float64)}
    if strategy in ("mean", "median"):
        assert SimpleImputer(strategy=strategy).fit_transform(x).dtype == np.float64
        assert SimpleImputer(strategy=strategy).fit_transform(cr.tensor(x)).dtype is cr.float32
