"""Values and names agree with scikit-learn's; pandas frames go in and come out."""

import itertools
import os
import warnings

import numpy as np
import pytest

from chainrule import preprocessing
from chainrule.data import train_dev_test_split
from chainrule.preprocessing import (
    ColumnTransformer,
    LabelEncoder,
    ModelImputer,
    OneHotEncoder,
    OrdinalEncoder,
    SimpleImputer,
    StandardScaler,
    drop_missing,
    make_column_selector,
    make_pipeline,
)

if os.environ.get("CHAINRULE_REQUIRE_PEERS"):
    import pandas
    import sklearn
else:
    sklearn = pytest.importorskip("sklearn")  # of the extra `examples`
    pandas = pytest.importorskip("pandas")

from sklearn import compose, datasets, impute, pipeline
from sklearn import preprocessing as theirs

pytestmark = pytest.mark.peers

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(3.0, 2.0, (60, 4)) * [1, 10, 1e-3, 1e4]
NUMBERS[RNG.random(NUMBERS.shape) < 0.1] = np.nan

SCALERS = {
    "StandardScaler": [{}, {"with_mean": False}, {"with_std": False}],
    "MinMaxScaler": [{}, {"feature_range": (-2, 3)}, {"clip": True}],
    "RobustScaler": [{}, {"unit_variance": True}, {"quantile_range": (10, 80)}, {"with_centering": False}],
}
ATTRIBUTES = (
    "mean_",
    "var_",
    "scale_",
    "data_min_",
    "data_max_",
    "data_range_",
    "min_",
    "center_",
    "n_samples_seen_",
)


@pytest.mark.parametrize(("name", "settings"), [(n, s) for n, all_ in SCALERS.items() for s in all_], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scalers(name, settings, dtype):
    x = NUMBERS.astype(dtype)
    ours = getattr(preprocessing, name)(**settings).fit(x[:40])
    peer = getattr(theirs, name)(**settings).fit(x[:40])
    # In float32 scikit-learn rounds after every step, we once.
    bound = {"rtol": 1e-10, "atol": 1e-12} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-5}
    result, expected = ours.transform(x), peer.transform(x)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, **bound)
    np.testing.assert_allclose(ours.inverse_transform(expected), peer.inverse_transform(expected), **bound)
    for attribute in ATTRIBUTES:
        if (value := getattr(peer, attribute, None)) is not None:
            np.testing.assert_allclose(
                getattr(ours, attribute), value, rtol=1e-6 if dtype == np.float32 else 1e-10
            )
    assert ours.get_feature_names_out().tolist() == peer.get_feature_names_out().tolist()


def categories():
    columns = [
        RNG.choice(list("abcdefg"), 200, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.03, 0.02]),
        RNG.choice(["u", "v"], 200),
        RNG.choice([1, 2, 5], 200),
    ]
    known = np.array(list(zip(*(column.tolist() for column in columns))), dtype=object)
    unknown = known.copy()
    unknown[3, 0], unknown[4, 2] = "zz", 77
    return known, unknown


def both(ours, peer, settings, x):
    """Fitted, or the pair of Nones where both refuse the settings."""
    made = []
    for kind, extra in ((ours, {}), (peer, {"sparse_output": False} if peer is theirs.OneHotEncoder else {})):
        try:
            made.append(kind(**settings, **extra).fit(x))
        except (
            ValueError,
            TypeError,
            AttributeError,
        ):  # the last is scikit-learn's, about a rare category to drop
            made.append(None)
    assert (made[0] is None) == (made[1] is None), settings
    return made


ONE_HOT = list(
    itertools.product(
        ["error", "ignore", "infrequent_if_exist"],
        [None, 15, 0.1],
        [None, 1, 3],
        [None, "first", "if_binary", ["a", "u", 2]],
    )
)


def test_one_hot_encoding_in_every_combination():
    known, unknown = categories()
    compared = 0
    for values in ONE_HOT:
        names = ("handle_unknown", "min_frequency", "max_categories", "drop")
        settings = dict(zip(names, values))
        ours, peer = both(OneHotEncoder, theirs.OneHotEncoder, settings, known)
        if ours is None:
            continue
        compared += 1
        expected_names = [name.replace("_sklearn", "") for name in peer.get_feature_names_out()]
        assert ours.get_feature_names_out().tolist() == expected_names, settings
        np.testing.assert_array_equal(ours.drop_idx_, peer.drop_idx_)
        for x in (known, unknown)[: 1 if settings["handle_unknown"] == "error" else 2]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # both, of unknown ones beside dropped ones
                result, expected = ours.transform(x), peer.transform(x)
                np.testing.assert_array_equal(result, expected, err_msg=str(settings))
                # With rare categories joined and one dropped, scikit-learn's way back takes another for the dropped.
                joined = any(rare is not None for rare in ours.infrequent_categories_)
                if result.shape[1] and not (joined and settings["drop"]):
                    back = peer.inverse_transform(expected)
                    back = np.where(back == "infrequent_sklearn", "infrequent", back)
                    np.testing.assert_array_equal(ours.inverse_transform(result), back, err_msg=str(settings))
    assert compared > 80


def test_ordinal_encoding_in_every_combination():
    known, unknown = categories()
    holes = known.copy()
    holes[7, 0] = holes[9, 1] = np.nan
    names = ("handle_unknown", "unknown_value", "min_frequency", "max_categories", "encoded_missing_value")
    ways = itertools.product(
        ["error", "use_encoded_value"], [None, -1, np.nan], [None, 15], [None, 1, 3], [np.nan, -5]
    )
    compared = 0
    for values in ways:
        settings = dict(zip(names, values))
        for x in (known, holes):
            ours, peer = both(OrdinalEncoder, theirs.OrdinalEncoder, settings, x)
            if ours is None:
                continue
            compared += 1
            for table in (x, unknown)[: 1 if settings["handle_unknown"] == "error" else 2]:
                np.testing.assert_array_equal(
                    ours.transform(table), peer.transform(table), err_msg=str(settings)
                )
    assert compared > 50


def test_labels():
    for y in (["b", "a", "c", "a"], [3, 1, 1, 9], np.array([True, False])):
        ours, peer = preprocessing.LabelEncoder().fit(y), theirs.LabelEncoder().fit(y)
        np.testing.assert_array_equal(ours.classes_, peer.classes_)
        np.testing.assert_array_equal(ours.transform(y), peer.transform(y))
        np.testing.assert_array_equal(ours.inverse_transform([1, 0]), peer.inverse_transform([1, 0]))


def frame(n=60):
    rng = np.random.default_rng(1)
    found = pandas.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(5, 3, n),
            "s": rng.choice(["x", "y", "z"], n),
            "t": rng.choice(["u", "v"], n),
            "k": rng.integers(0, 9, n),
        },
        index=np.arange(n) + 100,
    )
    found.loc[103, "a"] = np.nan
    found.loc[[104, 109], "b"] = np.nan
    found.loc[107, "s"] = None
    return found


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("add_indicator", [False, True])
def test_simple_imputation(strategy, add_indicator):
    x = frame()[["a", "b", "k"]]
    settings = {"strategy": strategy, "add_indicator": add_indicator}
    ours, peer = SimpleImputer(**settings).fit(x), impute.SimpleImputer(**settings).fit(x)
    np.testing.assert_allclose(ours.transform(x), peer.transform(x), rtol=1e-14)
    np.testing.assert_allclose(ours.statistics_, peer.statistics_.astype(np.float64), rtol=1e-14)
    assert ours.get_feature_names_out().tolist() == peer.get_feature_names_out().tolist()


def groups(sides, one_hot, select):
    scale, fill, columns, steps = sides
    numbers = steps.Pipeline(
        [
            ("fill", fill.SimpleImputer(strategy="median", add_indicator=True)),
            ("scale", scale.StandardScaler()),
        ]
    )
    texts = steps.make_pipeline(fill.SimpleImputer(strategy="most_frequent"), one_hot)
    return columns.ColumnTransformer(
        [("numbers", numbers, ["a", "b"]), ("texts", texts, select)], remainder="passthrough"
    )


@pytest.mark.parametrize("verbose", [True, False])
def test_groups_of_columns_of_a_frame(verbose):
    x = frame()
    x["s"] = x["s"].astype(object).where(x["s"].notna(), np.nan)
    ours = groups(
        (preprocessing,) * 4,
        OneHotEncoder(handle_unknown="ignore"),
        make_column_selector(dtype_include=object),
    ).set_params(verbose_feature_names_out=verbose)
    peer = groups(
        (theirs, impute, compose, pipeline),
        theirs.OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        ["s", "t"],
    ).set_params(verbose_feature_names_out=verbose)
    np.testing.assert_allclose(ours.fit_transform(x), peer.fit_transform(x), rtol=1e-12, atol=1e-12)
    assert ours.get_feature_names_out().tolist() == peer.get_feature_names_out().tolist()
    assert ours.output_indices_ == peer.output_indices_
    assert set(ours.get_params()) <= set(peer.get_params())
    result = ours.set_output(transform="pandas").transform(x)
    expected = peer.set_output(transform="pandas").fit_transform(x)
    pandas.testing.assert_frame_equal(result, expected, rtol=1e-12)


def test_frames_and_their_extension_types_are_read():
    x = pandas.DataFrame(
        {
            "n": pandas.array([1, None, 3], dtype="Int64"),
            "c": pandas.Categorical(["u", "v", None]),
            "s": pandas.array(["x", None, "z"], dtype="string"),
            "b": pandas.array([True, False, None], dtype="boolean"),
        }
    )
    filled = SimpleImputer(strategy="most_frequent").fit(x).set_output(transform="pandas").transform(x)
    assert filled.to_dict("list") == {
        "n": [1.0, 1.0, 3.0],
        "c": ["u", "v", "u"],
        "s": ["x", "x", "z"],
        "b": [1.0, 0.0, 0.0],
    }
    kept, y, report = drop_missing(x, pandas.Series([5, 6, 7]))
    assert (kept.index.tolist(), y.tolist()) == ([0], [5])
    assert report.columns == {"n": 1, "c": 1, "s": 1, "b": 1}
    with pytest.raises(TypeError, match="column 'day' must hold numbers or texts, row 0 is Timestamp"):
        StandardScaler().fit(pandas.DataFrame({"day": pandas.to_datetime(["2020-01-01", "2020-01-02"])}))
    with pytest.raises(TypeError, match=r"got Series; one column is X\[\['name'\]\]"):
        StandardScaler().fit(x["n"])
    with pytest.raises(ValueError, match="names of columns must differ, got 'n' 2 times"):
        StandardScaler().fit(x[["n", "n"]])


def test_a_frame_row_alone_gives_the_same_bits_as_among_others():
    x = frame()
    made = ColumnTransformer(
        [
            ("n", make_pipeline(ModelImputer(random_state=0, epochs=3), StandardScaler()), ["a", "b", "k"]),
            ("c", OneHotEncoder(), ["s", "t"]),
        ]
    ).fit(x)
    whole = made.transform(x)
    assert np.concatenate([made.transform(x.iloc[[i]]) for i in range(len(x))]).tobytes() == whole.tobytes()
    assert made.transform(x[["t", "k", "s", "b", "a"]]).tobytes() == whole.tobytes()
    records = x.astype(object).where(x.notna(), None).to_dict("records")
    assert made.transform(records).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", ["iris", "breast_cancer"])
def test_predicted_values_beat_the_mean_by_30_percent(name):
    x = getattr(datasets, f"load_{name}")().data
    train, _, test = train_dev_test_split(x, seed=0)
    rng = np.random.default_rng(0)
    errors = {}
    scale = train.std(0)
    holes = [part.copy() for part in (train, test)]
    masks = [rng.random(part.shape) < 0.1 for part in (train, test)]
    for part, mask in zip(holes, masks):
        part[mask] = np.nan
    for imputer in (SimpleImputer(), ModelImputer(random_state=0)):
        wrong = (imputer.fit(holes[0]).transform(holes[1]) - test) / scale
        errors[type(imputer).__name__] = np.sqrt((wrong[masks[1]] ** 2).mean())
    assert errors["ModelImputer"] < 0.7 * errors["SimpleImputer"], errors


def test_pandas_bools_ints_and_categories_are_what_they_are():
    table = pandas.DataFrame(
        {
            "b": pandas.array([True, None, False], dtype="boolean"),
            "i": pandas.array([1, None, 2], dtype="Int64"),
            "o": np.array(["x", "y", "x"], dtype=object),
            "c": pandas.Categorical(["x", "y", "x"]),
        }
    )
    names = OneHotEncoder().fit(table[["b", "i"]]).get_feature_names_out().tolist()
    assert names == ["b_False", "b_True", "b_nan", "i_1", "i_2", "i_nan"]
    assert make_column_selector(dtype_include=object)(table) == [2]
    for dtype in ("category", "number", "bool"):
        ours = [table.columns[j] for j in make_column_selector(dtype_include=dtype)(table)]
        assert ours == compose.make_column_selector(dtype_include=dtype)(table)


def test_frames_that_are_no_flat_table_are_refused():
    table = pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    with pytest.raises(ValueError, match=r"StandardScaler.fit: names of columns must be of one level"):
        StandardScaler().fit(table)
    with pytest.raises(
        ValueError, match=r"'y' must have one dimension, got a frame; one column is frame\['name"
    ):
        LabelEncoder().fit(pandas.DataFrame({"c": ["a", "b"]}))
    encoder = OneHotEncoder(handle_unknown="ignore").fit(pandas.DataFrame({"c": ["a", "b"]}))
    with pytest.raises(
        ValueError, match=r"are texts, other kinds do not fit: row 0, column 'c' is Timestamp"
    ):
        encoder.transform(pandas.DataFrame({"c": [pandas.Timestamp("2020-01-01")]}))
