"""Encoders: numbers and columns for categories, those never seen, rare ones, and what cannot be encoded."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.predictor import BadRowsError
from chainrule.preprocessing import LabelEncoder, OneHotEncoder, OrdinalEncoder, Transformer, make_pipeline

COLOURS = [["red", "s"], ["green", "m"], ["red", "s"], ["blue", "m"], ["red", "l"]]


def test_dummy_encoding_gives_one_vector():
    encoder = LabelEncoder().fit(["male", "female", "male"])
    assert encoder.classes_.tolist() == ["female", "male"]
    assert encoder.transform(["female", "male"]).tolist() == [0, 1]
    assert encoder.inverse_transform(cr.tensor([1, 0])).tolist() == ["male", "female"]
    codes = LabelEncoder().fit(cr.tensor([7, 3])).transform(cr.tensor([3, 7, 3]))
    assert codes.dtype is cr.int64
    assert codes.tolist() == [0, 1, 0]


def test_labels_that_do_not_fit_are_named_with_their_row():
    encoder = LabelEncoder().fit(["a", "b"])
    with pytest.raises(ValueError, match="row 1: unknown category 'c', and 1 more rows; known: 'a', 'b'"):
        encoder.transform(["a", "c", "c"])
    with pytest.raises(ValueError, match=r"LabelEncoder.fit: row 1 has no label"):
        LabelEncoder().fit(["a", None])
    with pytest.raises(TypeError, match="'y' mixes numbers and texts: row 0 is 1, row 1 is 'a'"):
        LabelEncoder().fit([1, "a"])
    with pytest.raises(ValueError, match="numbers must be 0 to 1, row 1 is 2"):
        encoder.inverse_transform([0, 2])
    with pytest.raises(TypeError, match="use OrdinalEncoder"):
        make_pipeline(LabelEncoder()).fit(COLOURS)


def test_columns_of_categories_become_numbers_or_columns():
    ordinal = OrdinalEncoder(categories=[["red", "green", "blue"], ["s", "m", "l"]])
    np.testing.assert_array_equal(ordinal.fit_transform(COLOURS)[3], [2, 1])
    one_hot = OneHotEncoder().fit(COLOURS)
    assert one_hot.get_feature_names_out(["c", "size"]).tolist() == [
        *("c_blue", "c_green", "c_red", "size_l", "size_m", "size_s")
    ]
    np.testing.assert_array_equal(one_hot.transform([["green", "s"]]), [[0, 1, 0, 0, 0, 1]])
    np.testing.assert_array_equal(one_hot.inverse_transform(one_hot.transform(COLOURS)), COLOURS)


def test_a_category_never_seen_is_named_with_column_row_and_value():
    table = {"colour": ["red", "green"], "n": [1, 2]}
    text = "column 'colour', row 1: unknown category 'pink'; known: 'green', 'red'"
    for encoder in (OneHotEncoder().fit(table), OrdinalEncoder().fit(table)):
        with pytest.raises(ValueError, match=text):
            encoder.transform({"colour": ["red", "pink"], "n": [1, 1]})
        with pytest.raises(ValueError, match="column 'n', row 0: unknown category 3"):
            encoder.transform({"colour": "red", "n": 3})
        with pytest.raises(ValueError, match=r"column 'colour', row 0: unknown category \(missing\); known"):
            encoder.transform({"colour": None, "n": 1})
        with pytest.raises(
            ValueError, match="column 'n' are numbers, other kinds do not fit: row 0, column 'n' is 'two'"
        ):
            encoder.transform({"colour": "red", "n": "two"})


def test_a_category_never_seen_can_be_zeros_or_a_number():
    ignoring = OneHotEncoder(handle_unknown="ignore").fit([["a"], ["b"]])
    np.testing.assert_array_equal(ignoring.transform([["c"], ["b"]]), [[0, 0], [0, 1]])
    assert ignoring.inverse_transform([[0, 0], [0, 1]]).tolist() == [[None], ["b"]]
    warning = OneHotEncoder(handle_unknown="warn").fit([["a"], ["b"]])
    with pytest.warns(UserWarning, match="column 'x0', row 0: unknown category 'c' becomes zeros"):
        warning.transform([["c"]])
    dropped = OneHotEncoder(handle_unknown="ignore", drop="first").fit([["a"], ["b"]])
    with pytest.warns(UserWarning, match="becomes zeros, as the category that was dropped"):
        dropped.transform([["c"]])
    coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit([["a"], ["b"]])
    assert coded.transform([["c"], ["b"]]).tolist() == [[-1], [1]]


@pytest.mark.parametrize(
    ("fitted", "value", "text"),
    [
        (["a", "5"], 5, "texts.*is 5$"),
        (["True", "b"], True, "texts.*is True$"),
        (["a", "b"], np.True_, "texts.*is True$"),
        (["a", "b"], b"a", "texts.*is b'a'$"),
        (["a", "b"], {}, "texts.*is {}$"),
        (["a", "b"], np.datetime64("2020-01-01"), r"texts.*is datetime.date\(2020, 1, 1\)$"),
        ([1, 2], "1", "numbers.*is '1'$"),
        ([2, 3], True, "numbers.*is True$"),
        ([True, False], 5, "bools.*is 5$"),
    ],
)
def test_a_value_of_another_kind_is_not_an_unknown_category(fitted, value, text):
    encoders = [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ]
    for encoder in encoders:
        encoder.fit({"c": fitted * 2})
        with pytest.raises(BadRowsError, match=f"the categories of column 'c' are {text}"):
            encoder.transform([{"c": None}, {"c": value}])
    with pytest.raises(BadRowsError, match=text):
        LabelEncoder().fit(fitted).transform([value])


def test_a_bool_is_the_number_that_it_equals_as_a_category():
    encoder = OneHotEncoder(handle_unknown="ignore").fit({"c": [0, 1]})
    np.testing.assert_array_equal(encoder.transform({"c": [True, False]}), [[0, 1], [1, 0]])


def test_rare_categories_share_a_column():
    column = [["a"]] * 6 + [["b"]] * 3 + [["c"]] * 2 + [["d"]]
    encoder = OneHotEncoder(min_frequency=3, handle_unknown="infrequent_if_exist").fit(column)
    assert encoder.get_feature_names_out().tolist() == ["x0_a", "x0_b", "x0_infrequent"]
    assert encoder.infrequent_categories_[0].tolist() == ["c", "d"]
    np.testing.assert_array_equal(encoder.transform([["d"], ["never"]]), [[0, 0, 1], [0, 0, 1]])
    assert OneHotEncoder(max_categories=2).fit(column).transform(column).shape == (12, 2)
    assert OneHotEncoder(min_frequency=0.2).fit(column).infrequent_categories_[0].tolist() == ["c", "d"]


def test_missing_values_are_a_category_of_their_own():
    table = [["a"], [None], [np.nan], ["b"]]
    np.testing.assert_array_equal(OneHotEncoder().fit_transform(table).sum(0), [1, 1, 2])
    np.testing.assert_array_equal(OrdinalEncoder().fit_transform(table)[:, 0], [0, np.nan, np.nan, 1])
    coded = OrdinalEncoder(encoded_missing_value=-7, dtype=np.int64)
    assert coded.fit_transform(table)[:, 0].tolist() == [0, -7, -7, 1]
    assert coded.inverse_transform([[-7], [1]]).tolist() == [[None], ["b"]]


def test_a_row_alone_gives_what_it_gives_among_others():
    for encoder in (OneHotEncoder(), OrdinalEncoder()):
        whole = encoder.fit_transform(COLOURS)
        np.testing.assert_array_equal(np.concatenate([encoder.transform([row]) for row in COLOURS]), whole)


BAD = {
    "handle_unknown": (OneHotEncoder, {"handle_unknown": "skip"}, "handle_unknown must be one of"),
    "sparse": (OneHotEncoder, {"sparse_output": True}, "sparse_output must be False"),
    "drop": (
        OneHotEncoder,
        {"drop": ["pink", "s"]},
        "'x0': the category to drop, 'pink', is not in the data",
    ),
    "short drop": (
        OneHotEncoder,
        {"drop": ["red"]},
        "drop must name a category for each of 2 columns, got 1",
    ),
    "rare drop": (
        OneHotEncoder,
        {"drop": ["blue", "s"], "min_frequency": 2},
        "'blue', is one of the infrequent",
    ),
    "share": (
        OneHotEncoder,
        {"min_frequency": 1.5},
        "min_frequency must be a count or a share between 0 and 1",
    ),
    "max": (OneHotEncoder, {"max_categories": 0}, "max_categories must be a positive int, got 0"),
    "lists": (OrdinalEncoder, {"categories": [["red"]]}, "one list for each of 2 columns, got 1"),
    "listed": (
        OrdinalEncoder,
        {"categories": [["red"], ["s"]]},
        "column 'x0', row 1: unknown category 'green'",
    ),
    "twice": (OrdinalEncoder, {"categories": [["red", "red"], ["s"]]}, "of column 'x0' must differ"),
    "no value": (
        OrdinalEncoder,
        {"handle_unknown": "use_encoded_value"},
        "unknown_value goes with handle_unknown",
    ),
    "taken": (
        OrdinalEncoder,
        {"handle_unknown": "use_encoded_value", "unknown_value": 1},
        "unknown_value 1 is a number of a category of 'x0'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_settings_that_do_not_fit_are_named(case):
    kind, settings, text = BAD[case]
    with pytest.raises(ValueError, match=text):
        kind(**settings).fit(COLOURS)


def test_columns_without_values_or_of_mixed_types_are_named():
    for kind in (OneHotEncoder, OrdinalEncoder):
        with pytest.raises(ValueError, match="column 'x1' has no value in any of 2 rows"):
            kind().fit([["a", None], ["b", None]])
        with pytest.raises(TypeError, match="column 'x0' mixes numbers and texts: row 1 is 2, row 0 is 'a'"):
            kind().fit([["a"], [2]])
    with pytest.raises(ValueError, match="NaN does not fit dtype int64; set encoded_missing_value"):
        OrdinalEncoder(dtype=np.int64).fit_transform([["a"], [None]])


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(
            drop="if_binary", min_frequency=2, handle_unknown="infrequent_if_exist", dtype=np.float32
        ),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=2),
    ],
)
def test_state_gives_the_encoder_back(encoder):
    table = [[*row, number] for row, number in zip(COLOURS, (1, 2.5, None, 1, 1))]
    again = Transformer.from_state(encoder.fit(table).state())
    probe = [["red", "m", 2.5], ["never", "l", None]]
    np.testing.assert_array_equal(again.transform(probe), encoder.transform(probe))
    assert again.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    assert repr(again) == repr(encoder)
