"""Pipelines and groups of columns: names travel, columns are chosen in every way, and what is missing is named."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.preprocessing import (
    ColumnTransformer,
    MinMaxScaler,
    ModelImputer,
    OneHotEncoder,
    OrdinalEncoder,
    Pipeline,
    SimpleImputer,
    StandardScaler,
    Transformer,
    make_column_selector,
    make_column_transformer,
    make_pipeline,
)

TABLE = {
    "a": [1.0, None, 3.0, 8.0],
    "b": [1.0, 2.0, 4.0, 3.0],
    "c": ["x", "y", "x", None],
    "d": [1, 0, 1, 1],
}


def mixed(**settings):
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b"]),
            ("texts", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["c"]),
        ],
        **settings,
    )


def test_steps_run_in_order_and_back():
    x = np.random.default_rng(0).normal(size=(9, 2))
    pipe = Pipeline([("z", StandardScaler()), ("no", "passthrough"), ("range", MinMaxScaler((-1, 1)))])
    expected = MinMaxScaler((-1, 1)).fit_transform(StandardScaler().fit_transform(x))
    np.testing.assert_array_equal(pipe.fit_transform(x), expected)
    np.testing.assert_array_equal(pipe.transform(cr.tensor(x)).numpy(), expected)
    np.testing.assert_allclose(pipe.inverse_transform(expected), x, atol=1e-14)
    np.testing.assert_array_equal(pipe[:1].transform(x), StandardScaler().fit_transform(x))
    assert pipe["z"] is pipe[0] is pipe.named_steps["z"]
    assert len(pipe) == 3
    assert list(make_pipeline(StandardScaler(), MinMaxScaler(), StandardScaler()).named_steps) == [
        *("standardscaler-1", "minmaxscaler", "standardscaler-2")
    ]


def test_groups_stand_side_by_side_with_their_names():
    made = mixed(remainder="passthrough").fit(TABLE)
    assert made.get_feature_names_out().tolist() == [
        *("numbers__a", "numbers__b", "texts__c_x", "texts__c_y", "remainder__d")
    ]
    assert made.output_indices_ == {
        "numbers": slice(0, 2),
        "texts": slice(2, 4),
        "remainder": slice(4, 5),
    }
    out = made.transform(TABLE)
    np.testing.assert_allclose(out[:, :2].mean(0), 0, atol=1e-15)
    assert out[:, 2:].tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1], [1, 0, 1]]
    plain = mixed(verbose_feature_names_out=False).fit(TABLE)
    assert plain.get_feature_names_out().tolist() == ["a", "b", "c_x", "c_y"]


def test_a_row_alone_gives_the_same_bits_as_among_others():
    made = mixed(remainder="passthrough").fit(TABLE)
    rows = [{name: column[i] for name, column in TABLE.items()} for i in range(4)]
    whole = made.transform(TABLE)
    assert np.concatenate([made.transform(row) for row in rows]).tobytes() == whole.tobytes()
    assert made.transform(rows[::-1]).tobytes() == whole[::-1].tobytes()


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ("b", "b"),
        (["b", "a"], "ba"),
        (3, "d"),
        ([-1, 0], "da"),
        (slice("a", "b"), "ab"),
        (slice(1, None, 2), "bd"),
        ([True, False, False, True], "ad"),
        (lambda table: ["a"], "a"),
        (make_column_selector(dtype_include=np.number), "abd"),
        (make_column_selector(dtype_exclude=object), "abd"),
        (make_column_selector("^[bc]$"), "bc"),
        ([], ""),
    ],
)
def test_columns_are_chosen_by_name_number_slice_mask_and_kind(columns, chosen):
    made = ColumnTransformer([("take", "passthrough", columns)], verbose_feature_names_out=False).fit(TABLE)
    assert "".join(made.get_feature_names_out()) == chosen
    assert made.transform(TABLE).shape == (4, len(chosen))
    rest = ColumnTransformer([("drop", "drop", columns)], remainder="passthrough").fit(TABLE)
    assert len(rest.get_feature_names_out()) == 4 - len(chosen)


def test_those_given_stay_unfitted_and_copies_are_reached_by_name():
    scaler = StandardScaler()
    made = make_column_transformer((scaler, ["b"]), (OrdinalEncoder(), ["d"])).fit(TABLE)
    assert not hasattr(scaler, "mean_")
    assert made.named_transformers_["standardscaler"].mean_.tolist() == [2.5]
    assert made.set_params(standardscaler__with_std=False).transformers[0][1].with_std is False


def test_dropped_columns_may_be_missing_and_others_not():
    made = mixed().fit(TABLE)
    row = {"a": 1.0, "b": 2.0, "c": "x"}
    np.testing.assert_array_equal(made.transform(row), made.transform({**row, "d": 5}))
    pipe = Pipeline([("columns", mixed()), ("range", MinMaxScaler())]).fit(TABLE)
    assert pipe.transform(row).shape == (1, 4)
    for fitted in (made, pipe):
        with pytest.raises(
            ValueError, match=r"columns must be those of fit: missing \['b'\], unknown \['e'\]"
        ):
            fitted.transform({"a": 1.0, "c": "x", "e": 1})


def test_errors_inside_name_the_column_as_it_came_in():
    with pytest.raises(
        TypeError, match=r"SimpleImputer.transform: column 'b' must hold numbers, row 0 is 'oops'"
    ):
        mixed().fit(TABLE).transform({"a": 1.0, "b": "oops", "c": "x"})
    with pytest.raises(ValueError, match="column 'c', row 0: unknown category 'w'"):
        mixed().fit(TABLE).transform({"a": 1.0, "b": 1.0, "c": "w"})


BAD = {
    "no column": ([("t", StandardScaler(), ["q"])], ValueError, "'t': no column 'q'; there are a, b, c, d"),
    "number": ([("t", StandardScaler(), [4])], ValueError, "column 4 is out of range for 4 columns"),
    "mask": ([("t", StandardScaler(), [True])], ValueError, "one bool for each of 4 columns, got 1"),
    "kind": ([("t", StandardScaler(), [1.5])], TypeError, "a column is a name or a number, got 1.5"),
    "class": (
        [("t", StandardScaler, ["a"])],
        TypeError,
        "must be a .*Transformer.*; make an object of the class",
    ),
    "pair": ([("t", StandardScaler())], ValueError, r"transformers must be \(name, transformer, columns\)"),
    "twice": ([("t", "drop", ["a"]), ("t", "drop", ["b"])], ValueError, "names must differ, got 't' twice"),
    "name": ([("a__b", "drop", ["a"])], ValueError, "without '__'.*got 'a__b'"),
}


@pytest.mark.parametrize("case", BAD)
def test_groups_that_do_not_fit_are_named(case):
    transformers, error, text = BAD[case]
    with pytest.raises(error, match=text):
        ColumnTransformer(transformers).fit(TABLE)


def test_pipelines_that_do_not_fit_are_named():
    with pytest.raises(TypeError, match=r"Pipeline.fit: step 'z' must be"):
        Pipeline([("z", print)]).fit(TABLE)
    with pytest.raises(ValueError, match="names must differ, got 'z' twice"):
        Pipeline([("z", None), ("z", None)]).fit(TABLE)
    with pytest.raises(ValueError, match="memory must be None"):
        Pipeline([("z", None)], memory="cache").fit(TABLE)
    two = [("s", StandardScaler(), ["a"]), ("t", MinMaxScaler(), ["a"])]
    with pytest.raises(ValueError, match="two results are named 'a'; give a column to one group"):
        ColumnTransformer(two, verbose_feature_names_out=False).fit(TABLE)
    with pytest.raises(ValueError, match="make_column_selector: a dtype must be"):
        make_column_selector(dtype_include="datetime")


def test_state_gives_the_whole_back():
    made = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(ModelImputer(random_state=0, epochs=2), StandardScaler()),
                slice("a", "b"),
            ),
            ("texts", OneHotEncoder(), lambda table: ["c"]),
        ],
        remainder=OrdinalEncoder(),
    ).fit(TABLE)
    again = Transformer.from_state(made.state())
    assert again.transform(TABLE).tobytes() == made.transform(TABLE).tobytes()
    assert again.get_feature_names_out().tolist() == made.get_feature_names_out().tolist()
    np.testing.assert_array_equal(again.fit(TABLE).transform(TABLE), made.transform(TABLE))
