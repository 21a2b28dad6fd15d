"""read_csv: what becomes of the values, and what is refused by file, line, row and column."""

import sys

import numpy as np
import pytest

from chainrule.data import part_of, train_dev_test_split, train_test_split
from chainrule.datasets import Columns, load_penguins, read_csv


@pytest.fixture
def written(tmp_path):
    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def same(column, expected):
    assert column.dtype == expected.dtype
    np.testing.assert_array_equal(column, expected)


def texts(*values):
    return np.array(values, dtype=object)


def test_each_column_has_the_type_of_its_values(written):
    table = read_csv(written("n,x,gap,name\n1,2,3,a b\n-20,.5e1,,\n+3,-inf,NA,2nd\n"))
    assert list(table) == ["n", "x", "gap", "name"]
    assert table.shape == (3, 4)
    same(table["n"], np.array([1, -20, 3]))
    same(table["x"], np.array([2, 5, -np.inf]))
    same(table["gap"], np.array([3, np.nan, np.nan]))
    same(table["name"], texts("a b", None, "2nd"))


@pytest.mark.parametrize("text", ["", "NA", "nan", "NULL", "#N/A", " ", "n/a"])
def test_missing_values_are_pandass(written, text):
    table = read_csv(written(f"x,y\n1,a\n{text},{text}\n"))
    same(table["x"], np.array([1, np.nan]))
    same(table["y"], texts("a", None))


def test_further_missing_values_and_none_but_the_empty_one(written):
    path = written("x,y\n1,NA\n?,\n-,b\n")
    same(read_csv(path, na_values=["?", "-"])["x"], np.array([1, np.nan, np.nan]))
    same(read_csv(path, na_values=["?", "-"], keep_default_na=False)["y"], texts("NA", None, "b"))
    same(read_csv(written("x\n1\n?\n"), na_values="?")["x"], np.array([1, np.nan]))


def test_a_dtype_overrides_what_the_values_say(written):
    path = written("zip,n,x\n01234,1,5\n99999,2,NA\n")
    table = read_csv(path, dtype={"zip": str, "n": "float64", "x": np.float64})
    same(table["zip"], texts("01234", "99999"))
    same(table["n"], np.array([1.0, 2.0]))
    same(read_csv(path, dtype="str")["x"], texts("5", None))
    same(read_csv(path)["zip"], np.array([1234, 99999]))


def test_quotes_separators_names_and_line_ends(written):
    table = read_csv(written('a;"b;c"\r\n"1";"x ""y""\r\nz"\r\n\r\n2;w\r\n'), sep=";")
    same(table["a"], np.array([1, 2]))
    same(table["b;c"], texts('x "y"\r\nz', "w"))
    assert list(read_csv(written("1,2\n3,4\n"), header=None)) == ["x0", "x1"]
    same(read_csv(written("1,2\n3,4\n"), header=None, names=["a", "b"])["b"], np.array([2, 4]))
    same(read_csv(written("x,x\n3,4\n"), names=["a", "b"])["b"], np.array([4]))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_empty_line_of_one_column_is_a_missing_value(written, end):
    path = written("\nlabel\nyes\n\nno\n\n\n".replace("\n", end))
    same(read_csv(path)["label"], texts("yes", None, "no"))
    same(read_csv(written("\n5\n"), header=None)["x0"], np.array([np.nan, 5]))
    with pytest.raises(ValueError, match=r"line 5 \(row 3\), column 'a': 'q' is no number"):
        read_csv(written("a\n1\n2\n\nq\n"))


def test_points_comments_and_stretches_of_a_file(written):
    path = written('made by hand, 2020\n# units: m\na;b\n1,5;"x # y" # note\n\n# 3;4\n-,25e1;z\nbad\n')
    table = read_csv(path, sep=";", decimal=",", skiprows=1, comment="#", nrows=2)
    same(table["a"], np.array([1.5, -2.5]))
    same(table["b"], texts("x # y", "z"))
    with pytest.raises(ValueError, match=r"line 8 \(row 2\): 1 fields for 2 columns"):
        read_csv(path, sep=";", decimal=",", skiprows=1, comment="#")
    same(read_csv(written("a;b\n1.5;2\n"), sep=";", decimal=",")["a"], texts("1.5"))
    same(read_csv(written("a\n1\n# no row\n2\n"), comment="#")["a"], np.array([1, 2]))


def test_columns_can_be_chosen_and_the_others_are_not_looked_at(written):
    table = read_csv(written("a,bad,b\n1,2,x\n2,y,z\n"), usecols=["b", "a"])
    assert list(table) == ["b", "a"]
    with pytest.raises(ValueError, match=r"table\.csv: no column 'c'; there are a, bad, b"):
        read_csv(written("a,bad,b\n1,2,x\n"), usecols=["c"])


def test_encodings_and_the_byte_order_mark(written):
    assert list(read_csv(written(b"\xef\xbb\xbfa,b\n1,2\n"))) == ["a", "b"]
    latin = written("name\nAdélie\n", encoding="latin-1")
    same(read_csv(latin, encoding="latin-1")["name"], texts("Adélie"))
    with pytest.raises(ValueError, match=r"table\.csv, line 2: byte 0xe9 is not utf-8 .*encoding='latin-1'"):
        read_csv(latin)


BAD = {
    "short row": ("a,b\n1,2\n3\n", r"line 3 \(row 1\): 1 fields for 2 columns \(a, b\): \['3'\]"),
    "long row": ("a,b\n1,2\n\n3,4,5\n", r"line 4 \(row 1\): 3 fields for 2 columns"),
    "mixed": (
        "a,b\n1,x\n2,y\nn.k.,z\n",
        r"line 4 \(row 2\), column 'a': 'n\.k\.' is no number, but row 0 has '1'",
    ),
    "mixed, text first": ("a\nq\n7\n", r"line 2 \(row 0\), column 'a': 'q' is no number, but row 1 has '7'"),
    "two dots": ("a\n1.5\n1.2.3\n", r"line 3 \(row 1\), column 'a': '1\.2\.3' is no number"),
    "underscore": ("a\n1\n1_000\n", "'1_000' is no number"),
    "not ASCII": ("a\n1\n٣\n", "'٣' is no number"),
    "too large": ("a\n9223372036854775808\n", r"row 0\), column 'a': int64 cannot hold 9223372036854775808"),
    "not exact": (
        "a,b\n1,\n,\n9007199254740993,\n",
        "float64, beside missing values, cannot hold 9007199254740993",
    ),
    "no name": ("a,,c\n1,2,3\n", r"line 1: column 1 has no name; give all with names"),
    "two names": ("a,b,a\n1,2,3\n", r"columns 0 and 2 are both called 'a'"),
    "empty": ("", "the file is empty"),
    "blank": ("\n\n", "the file is empty"),
    "no rows": ("a,b\n", "no row below the names a, b"),
    "beyond float64": ("a\n1\n-1e400\n", r"line 3 \(row 1\), column 'a': float64 cannot hold -1e400; .*str"),
    "NUL": ("a\n1\n2\0\n", r"line 3: a NUL byte.*utf-16"),
    "open quote": ('a,b\n1,"2\n3,4\n', r"line 3: unexpected end of data"),
    "quote inside": ('a\n"1"2\n', r"line 2: ',' expected after '\"'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_by_name(written, name):
    text, message = BAD[name]
    with pytest.raises(ValueError, match=rf"^read_csv: .*table\.csv.*{message}"):
        read_csv(written(text))


def test_a_mixed_column_can_be_read_as_the_error_says(written):
    path = written("a\n1\nn.k.\n")
    with pytest.raises(ValueError, match=r"dtype=\{'a': str\} takes both as texts, na_values=\['n\.k\.'\]"):
        read_csv(path)
    same(read_csv(path, dtype={"a": str})["a"], texts("1", "n.k."))
    same(read_csv(path, na_values=["n.k."])["a"], np.array([1, np.nan]))


def test_a_value_that_the_dtype_does_not_fit_is_named(written):
    path = written("a,b\n1,x\n2.5,y\n")
    with pytest.raises(ValueError, match=r"line 3 \(row 1\), column 'a': must be a whole number, got '2\.5'"):
        read_csv(path, dtype={"a": int})
    with pytest.raises(ValueError, match=r"line 2 \(row 0\), column 'b': must be a number, got 'x'"):
        read_csv(path, dtype={"b": float})
    missing = r"line 2 \(row 0\), column 'a': is missing, which int has no value for; dtype=\{'a': float\}"
    with pytest.raises(ValueError, match=missing):
        read_csv(written("a,b\n,x\n1,y\n"), dtype={"a": int})
    with pytest.raises(ValueError, match=r"dtype for 'c', but the columns are a, b"):
        read_csv(path, dtype={"c": int})
    with pytest.raises(ValueError, match=r"dtype of column 'a' must be int, float or str, got 'date'"):
        read_csv(path, dtype={"a": "date"})


def test_a_column_without_values_warns(written):
    with pytest.warns(UserWarning, match=r"table\.csv: column 'b' has no value in any of 2 rows; it is NaN"):
        table = read_csv(written("a,b\n1,\n2,NA\n"))
    same(table["b"], np.array([np.nan, np.nan]))


def test_arguments_are_checked(written, tmp_path):
    path = written("a\n1\n")
    for options, message in [
        ({"header": 1}, "header must be 0 or None, got 1"),
        ({"sep": "||"}, r"sep must be one character, got '\|\|'"),
        ({"engine": "c"}, "engine must be one of csv, pandas, got 'c'"),
        ({"decimal": ".."}, r"decimal must be one character, got '\.\.'"),
        ({"nrows": 0}, "nrows must be"),
        ({"names": ["a", "b"]}, r"2 names for 1 columns: a, b"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_csv(path, **options)
    with pytest.raises(
        TypeError, match=r"no argument 'parse_dates'; there are path, sep, .*engine, and with engine="
    ):
        read_csv(path, parse_dates=True)
    with pytest.raises(FileNotFoundError, match="missing"):
        read_csv(tmp_path / "missing.csv")


def test_pandas_reads_the_same_when_asked(written):
    pandas = pytest.importorskip("pandas")
    path = written("n,x,name\n1,2.5,a\n2,?,b\n")
    frame = read_csv(path, engine="pandas", na_values="?")
    assert isinstance(frame, pandas.DataFrame)
    pandas.testing.assert_frame_equal(frame, read_csv(path, na_values="?").to_pandas())
    assert list(read_csv(path, engine="pandas", nrows=1, index_col="n").index) == [1]


def test_without_pandas_the_extra_is_named(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        ImportError, match=r"read_csv: engine='pandas': needs pandas: pip install 'chainrule\[t"
    ):
        read_csv(written("a\n1\n"), engine="pandas")
    with pytest.raises(
        ImportError, match=r"Columns\.to_pandas: needs pandas: pip install 'chainrule\[tables\]'"
    ):
        load_penguins(as_frame=True)


# ---- Columns ----


def test_columns_select_take_rows_and_become_arrays():
    table = Columns({"a": [1, 2, 3], "b": [0.5, np.nan, 1.5], "c": texts("x", None, "z")}, "made here")
    assert table.shape == (3, 3)
    chosen = table.select(["c", "a"]).rows([2, 0])
    assert list(chosen) == ["c", "a"]
    assert chosen.description == "made here"
    same(chosen["c"], texts("z", "x"))
    same(table.rows(table["a"] > 1)["a"], np.array([2, 3]))
    same(table.select(["a", "b"]).to_numpy(), np.array([[1, 0.5], [2, np.nan], [3, 1.5]]))
    same(table.to_numpy()[0], texts(1, 0.5, "x"))
    assert repr(table) == (
        "Columns: 3 rows, 3 columns\n  a: int64\n  b: float64, 1 missing\n  c: text, 1 missing"
    )


def test_columns_refuse_what_is_no_table():
    with pytest.raises(ValueError, match=r"same length, got \{'a': 2, 'b': 1\}"):
        Columns({"a": [1, 2], "b": [1]})
    with pytest.raises(ValueError, match=r"'a' must have one dimension, got shape \[1, 2\]"):
        Columns({"a": [[1, 2]]})
    with pytest.raises(TypeError, match="names must be texts, got 1"):
        Columns({1: [1]})
    with pytest.raises(KeyError, match="no column 'z'; there are a"):
        Columns({"a": [1]}).select(["z"])
    with pytest.raises(IndexError):
        Columns({"a": [1]}).rows([1])


def test_a_table_is_split_and_its_parts_stay_marked():
    table = load_penguins()
    *parts, y_train, y_dev, y_test = train_dev_test_split(table, table["species"], stratify=table["species"])
    for part, y, name in zip(parts, (y_train, y_dev, y_test), ("train", "dev", "test")):
        assert (
            part_of(part) == part_of(part.select(["sex"])) == part_of(part.rows([0, 1])) == part_of(y) == name
        )
        assert (part["species"] == y).all()
    assert sum(part.shape[0] for part in parts) == 344
    assert [part.shape[0] for part in train_test_split(table, test_size=44)] == [300, 44]
    with pytest.raises(
        ValueError, match=r"train_test_split: all arrays must have the same length, got \[344, 3\]"
    ):
        train_test_split(table, [1, 2, 3])
