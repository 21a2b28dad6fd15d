"""Tables of every kind are read alike, what does not fit is named, and fitting is for the training part."""

from decimal import Decimal

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import mark_part, part_of
from chainrule.preprocessing import (
    LabelEncoder,
    MinMaxScaler,
    ModelImputer,
    NotFittedError,
    OneHotEncoder,
    OrdinalEncoder,
    Pipeline,
    PolynomialFeatures,
    RatioFeatures,
    RobustScaler,
    SimpleImputer,
    StandardScaler,
    Transformer,
    clone,
)
from chainrule.preprocessing.table import read_table

NUMBERS = np.array([[1.0, 10.0], [2.0, 30.0], [4.0, 20.0]])
ROWS = [{"a": 1, "b": 10}, {"a": 2, "b": 30}, {"a": 4, "b": 20}]


class Doubled(Transformer):
    """The smallest subclass."""

    def __init__(self, factor=2.0):
        self.factor = factor

    def _fit(self, frame, y):
        self.seen_ = frame.rows

    def _apply(self, frame):
        return frame.replaced(frame.matrix("Doubled.transform") * self.factor, frame.names)


@pytest.mark.parametrize(
    "table",
    [
        NUMBERS,
        NUMBERS.tolist(),
        cr.tensor(NUMBERS),
        NUMBERS.astype(object),
        ROWS,
        {"a": [1, 2, 4], "b": np.array([10, 30, 20])},
        {"a": cr.tensor([1, 2, 4]), "b": (10, 30, 20)},
    ],
    ids=["array", "lists", "tensor", "objects", "rows", "columns", "tensor columns"],
)
def test_tables_of_every_kind_are_read_alike(table):
    out = StandardScaler().fit_transform(table)
    expected = (NUMBERS - NUMBERS.mean(0)) / NUMBERS.std(0)
    np.testing.assert_allclose(np.asarray(out), expected)
    assert isinstance(out, cr.Tensor if isinstance(table, cr.Tensor) else np.ndarray)


def test_one_row_is_a_dictionary_of_values():
    scaler = MinMaxScaler().fit(ROWS)
    np.testing.assert_array_equal(scaler.transform({"b": 30, "a": 1}), [[0.0, 1.0]])


def test_dtypes_are_kept_and_integers_become_floats():
    x = np.array([[1, 2], [3, 5]])
    for given, wanted in (
        (x.astype(np.float32), np.float32),
        (x.astype(np.float64), np.float64),
        (x, np.float64),
    ):
        assert StandardScaler().fit_transform(given).dtype == wanted
    assert StandardScaler().fit_transform(cr.tensor(x)).dtype is cr.float32
    assert OneHotEncoder().fit_transform(cr.tensor(x)).dtype is cr.float32


def test_results_are_new_memory():
    x = NUMBERS.copy()
    for made in (StandardScaler(with_mean=False, with_std=False), SimpleImputer(), Pipeline([("no", None)])):
        assert not np.shares_memory(made.fit_transform(x), x)


BAD_TABLES = {
    "ragged lists": ([[1, 2], [3]], ValueError, r"ragged rows: row 1 has 1 values, row 0 has 2: \[3\]"),
    "ragged rows": (
        [{"a": 1, "b": 2}, {"a": 1, "c": 2}],
        ValueError,
        r"ragged rows: row 1 lacks \['b'\] and has \['c'\], too; row 0 has \['a', 'b'\]",
    ),
    "lengths": ({"a": [1], "b": [1, 2]}, ValueError, "columns must have one length, got {'a': 1, 'b': 2}"),
    "half a row": (
        {"a": [1], "b": 2},
        TypeError,
        "columns must all be lists or arrays, or all be values of one row; 'a' is a list, 'b' is 2",
    ),
    "a list": ([1, 2], TypeError, "a list must hold rows; item 0 is 1"),
    "nothing": ([], ValueError, "an empty list has no columns"),
    "no rows": (np.zeros((0, 3)), ValueError, "needs rows and columns, got 0 and 3"),
    "a mask": (np.ma.masked_array([[1.0], [2.0]], [[0], [1]]), TypeError, r"x.filled\(numpy.nan\)"),
    "a masked column": (
        {"a": np.ma.masked_array([1, 2], [0, 1])},
        TypeError,
        "a masked array's mask would be lost",
    ),
    "a vector": (np.zeros(3), ValueError, r"got shape \[3\]; one column is x.reshape\(-1, 1\)"),
    "a text": ("abc", TypeError, "expects an array, tensor, frame, dictionary or rows, got str"),
    "complex": (np.zeros((2, 2), complex), TypeError, "got dtype complex128"),
    "mixed": (
        [[1, 5], [2, 5], ["x", 6]],
        TypeError,
        "column 'x0' mixes numbers and texts: row 0 is 1, row 2 is 'x'",
    ),
    "texts": ([{"a": "x", "b": 1}], TypeError, "column 'a' must hold numbers, row 0 is 'x'"),
    "objects": ([[1, {}]], TypeError, r"column 'x1' must hold numbers or texts, row 0 is {} \(dict\)"),
    "infinite": ([[1.0, 2.0], [np.inf, 3.0]], ValueError, "column 'x0' must be finite, row 1 is inf"),
    "all missing": ([[1.0, None], [2.0, np.nan]], ValueError, "column 'x1' has no value in any of 2 rows"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_are_named_and_change_nothing(case):
    table, error, text = BAD_TABLES[case]
    scaler = StandardScaler().fit(NUMBERS)
    with pytest.raises(error, match=text) as raised:
        scaler.fit(table)
    assert str(raised.value).startswith("StandardScaler.fit: ")
    np.testing.assert_array_equal(scaler.mean_, NUMBERS.mean(0))


def test_columns_are_matched_by_name():
    scaler = StandardScaler().fit(ROWS)
    swapped = [{"b": row["b"], "a": row["a"]} for row in ROWS]
    np.testing.assert_array_equal(scaler.transform(swapped), scaler.transform(ROWS))
    with pytest.raises(
        ValueError, match=r"columns must be those of fit: missing \['b'\], unknown \['c', 'd'\]"
    ):
        scaler.transform({"a": 1, "c": 2, "d": 3})
    with pytest.raises(ValueError, match=r"expects the 2 columns \(a, b\) of fit, got 3"):
        scaler.transform(np.zeros((2, 3)))
    with pytest.warns(
        UserWarning, match="fit had names of columns, this has none; they are taken by position"
    ):
        np.testing.assert_array_equal(scaler.transform(NUMBERS), scaler.transform(ROWS))
    with pytest.warns(UserWarning, match="this has names of columns, fit had none"):
        StandardScaler().fit(NUMBERS).transform(ROWS)


EVERY = {
    "OrdinalEncoder": OrdinalEncoder,
    "OneHotEncoder": OneHotEncoder,
    "StandardScaler": StandardScaler,
    "MinMaxScaler": MinMaxScaler,
    "RobustScaler": RobustScaler,
    "SimpleImputer": SimpleImputer,
    "ModelImputer": ModelImputer,
    "Pipeline": lambda: Pipeline([("scale", StandardScaler())]),
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("part", ["dev", "test"])
def test_fitting_on_a_held_out_part_raises(name, part):
    held = mark_part(NUMBERS.copy(), part)
    made = EVERY[name]()
    for method in ("fit", "fit_transform"):
        with pytest.raises(
            ValueError, match=f"{name}.{method}: fits on the training part only, got the {part} part"
        ):
            getattr(made, method)(held)
    with pytest.raises(ValueError, match="got the test part"):
        made.fit(NUMBERS, mark_part(np.arange(3), "test"))
    with pytest.raises(NotFittedError, match=r"transform: call fit\(\) with the training part first"):
        made.transform(NUMBERS)


def test_labels_of_a_held_out_part_cannot_be_fitted():
    with pytest.raises(
        ValueError, match=r"LabelEncoder.fit: fits on the training part only, got the dev part"
    ):
        LabelEncoder().fit(mark_part(np.array([0, 1]), "dev"))


@pytest.mark.parametrize("part", ["train", "dev", "test", None])
def test_results_are_marked_as_their_input(part):
    scaler = StandardScaler().fit(NUMBERS)
    for x in (NUMBERS.copy(), cr.tensor(NUMBERS)):
        given = x if part is None else mark_part(x, part)
        assert part_of(scaler.transform(given)) == part
    encoder = LabelEncoder().fit([0, 1])
    y = np.array([0, 1])
    assert part_of(encoder.transform(y if part is None else mark_part(y, part))) == part


def test_arguments_are_read_set_and_shown():
    pipe = Pipeline([("a", MinMaxScaler()), ("b", Doubled(3.0))])
    assert pipe.get_params()["a__feature_range"] == (0, 1)
    assert pipe.set_params(a__clip=True, b=Doubled(5.0)).get_params()["b__factor"] == 5.0
    assert repr(pipe) == "Pipeline(steps=[('a', MinMaxScaler(clip=True)), ('b', Doubled(factor=5.0))])"
    with pytest.raises(ValueError, match=r"Pipeline.set_params: no argument 'a__x'"):
        pipe.set_params(a__clip=False, a__x=1)
    assert pipe.get_params()["a__clip"] is True
    copy = clone(pipe.fit(NUMBERS))
    assert repr(copy) == repr(pipe)
    with pytest.raises(NotFittedError):
        copy.transform(NUMBERS)


def test_a_subclass_can_be_saved_and_its_name_is_its_own():
    made = Doubled(4.0).fit(NUMBERS)
    again = Transformer.from_state(made.state())
    assert (again.factor, again.seen_) == (4.0, 3)
    with pytest.raises(ValueError, match=r"StandardScaler.from_state: this is the state of a Doubled"):
        StandardScaler.from_state(made.state())
    with pytest.raises(ValueError, match="no transformer 'Tripled' here; import the module that defines it"):
        Transformer.from_state({**made.state(), "class": "Tripled"})
    with pytest.raises(TypeError, match=r"there is a class StandardScaler in chainrule.preprocessing.scale"):
        type("StandardScaler", (Transformer,), {})
    with pytest.raises(TypeError, match=r"Doubled.state: factor cannot be saved"):
        Doubled(print).fit(NUMBERS).state()


class Plain(Transformer):
    """A subclass without arguments."""

    def _fit(self, frame, y):
        self.seen_ = frame.rows

    def _apply(self, frame):
        return frame


def test_a_subclass_needs_no_constructor():
    made = Plain().fit(NUMBERS)
    assert repr(clone(made)) == "Plain()"
    assert Transformer.from_state(made.state()).transform(NUMBERS).tolist() == NUMBERS.tolist()


@pytest.mark.parametrize("fit", [PolynomialFeatures(2).fit, RatioFeatures().fit])
def test_features_of_texts_are_refused_by_fit(fit):
    with pytest.raises(TypeError, match="fit: column 'a' must hold numbers, row 0 is 'x'"):
        fit({"a": ["x"], "b": [1]})


def test_numbers_of_other_types_are_numbers():
    given = [[Decimal("1.5"), np.array(2)], [np.float32(3), cr.tensor(4.0)], [Decimal("NaN"), 1]]
    np.testing.assert_array_equal(read_table("t", given).matrix("t"), [[1.5, 2], [3, 4], [np.nan, 1]])
    one_row = read_table("t", {"a": np.array(1.0), "b": Decimal(2)})
    assert one_row.matrix("t").tolist() == [[1.0, 2.0]]


def test_what_no_number_can_be_is_named():
    for column in ([1, 10**400], [1.5, 10**400], [None, 10**5000]):
        with pytest.raises(ValueError, match=r"column 'a' must be finite, row 1 is an int of \d+ bits"):
            StandardScaler().fit({"a": column})
    with pytest.raises(TypeError, match=r"mixes bools and numbers: row 1 is True, row 0 is 2\.5"):
        StandardScaler().fit({"a": [2.5, np.True_]})
    with pytest.raises(TypeError, match=r"hold numbers or texts, row 1 is \[1\] \(list\)"):
        OneHotEncoder().fit({"a": ["x", [1]]})


def test_bools_and_ints_with_gaps_keep_their_names():
    table = {"b": [True, None, False], "i": [1, None, 2], "f": [1.0, None, 2.0]}
    names = OneHotEncoder().fit(table).get_feature_names_out().tolist()
    assert names == [
        *("b_False", "b_True", "b_nan", "i_1", "i_2", "i_nan"),
        *("f_1.0", "f_2.0", "f_nan"),
    ]
    again = Transformer.from_state(OneHotEncoder().fit(table).state())
    np.testing.assert_array_equal(again.transform(table), OneHotEncoder().fit_transform(table))
    np.testing.assert_array_equal(SimpleImputer().fit_transform(table)[1], [0.5, 1.5, 1.5])
    assert StandardScaler().fit_transform(table).dtype.metadata is None


def test_preprocessing_loads_neither_pandas_nor_scikit_learn():
    import subprocess
    import sys

    code = (
        "import sys; from chainrule.preprocessing import StandardScaler; StandardScaler().fit_transform([[1], [2]]);"
        "print([n for n in ('pandas', 'sklearn', 'safetensors') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_missing_marks_of_objects_are_one_kind():
    frame = read_table("test", [[None, "a"], [float("nan"), None], [1, np.nan]])
    np.testing.assert_array_equal(frame.columns[0], [np.nan, np.nan, 1.0])
    assert frame.columns[1].tolist()[:2] == ["a", None]


def test_whole_numbers_that_float64_would_change_stay_what_they_are():
    number = 2**53 + 1
    for rows in (
        [[number], [number + 1], [None]],
        [[2**70], [2**70 + 1]],
        [[10**400], [1]],
        {"x0": [number, number - 1, np.nan]},
    ):
        column = read_table("test", rows).columns[0]
        encoder = OrdinalEncoder().fit(rows)
        assert len(set(encoder.transform(rows)[:2, 0])) == 2
        assert encoder.inverse_transform(encoder.transform(rows))[:2, 0].tolist() == column[:2].tolist()
    rows = [[2**53 + 1], [2**53 + 3], [None]]  # to what computes, numbers are float64
    np.testing.assert_array_equal(MinMaxScaler().fit_transform(rows), [[0.0], [1.0], [np.nan]])
    with pytest.raises(ValueError, match="'x0' must be finite, row 1 is an int of 1329 bits"):
        StandardScaler().fit([[1], [-(10**400)]])
    assert read_table("test", [[2**60], [None]]).columns[0].dtype == np.float64
    assert read_table("test", [[number], [0.5]]).columns[0].dtype == np.float64


def test_whole_numbers_of_a_frame_with_missing_ones_stay_what_they_are():
    pandas = pytest.importorskip("pandas")
    number = 2**53 + 1
    frame = pandas.DataFrame({"id": pandas.array([number, None, number + 1], dtype="Int64")})
    assert read_table("test", frame).columns[0].tolist()[::2] == [number, number + 1]
