"""Duplicate rows across parts: found by value, whatever holds them, and reported with their numbers."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import duplicates_across, mark_part, train_dev_test_split


def test_shared_rows_are_found_with_their_numbers():
    train = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [5.0, 6.0]])
    dev, test = np.array([[3.0, 4.0], [7.0, 8.0]]), np.array([[1.0, 2.0], [3.0, 4.0], [2.0, 1.0]])
    parts = [mark_part(x, name) for x, name in zip((train, dev, test), ("train", "dev", "test"), strict=True)]
    report = duplicates_across(*parts)
    assert report
    assert report.rows == (
        {"train": [0, 2], "test": [0]},
        {"train": [1], "dev": [0], "test": [1]},
    )
    assert report.counts == {"train": 3, "dev": 1, "test": 2}
    assert str(report).splitlines() == [
        "rows in more than one part: 2",
        "  train: 3 of 4 rows",
        "  dev: 1 of 2 rows",
        "  test: 2 of 3 rows",
        "  train [0, 2], test [0]",
        "  train [1], dev [0], test [1]",
    ]


def test_a_clean_split_has_none_and_repeats_within_a_part_do_not_count():
    parts = train_dev_test_split(np.arange(100).reshape(50, 2), seed=0)
    report = duplicates_across(*parts)
    assert not report
    assert str(report) == "no row is in two of train, dev, test"
    assert len(duplicates_across(np.zeros((4, 2)), np.ones((3, 2)))) == 0


def test_values_count_not_how_they_are_held():
    nan = np.nan
    a = np.array([[0.0, nan], [1.5, 2.0], [0.1, 0.0]])
    assert len(duplicates_across(a, np.array([[-0.0, -nan]]))) == 1
    assert len(duplicates_across(cr.tensor(a).float(), np.array([[1.5, 2.0]]))) == 1
    assert (
        len(duplicates_across(cr.tensor(a).float(), np.array([[0.1, 0.0]]))) == 0
    )  # float32's 0.1 is another
    assert len(duplicates_across(cr.tensor([[1, 2]]), cr.tensor([[1.0, 2.0]]), names=["a", "b"])) == 1
    assert len(duplicates_across(np.asfortranarray(a), a[::-1])) == 3
    images = cr.arange(32).reshape(2, 4, 4)
    assert duplicates_across(images, images[1:]).rows == ({"part 0": [1], "part 1": [0]},)


def test_rows_with_texts_and_frames():
    rows = [["a", 1, None], ["b", 2, 0.5]]
    mixed = np.array(rows, dtype=object)
    assert duplicates_across(mixed, np.array([["a", 1, float("nan")]], dtype=object)).counts["part 1"] == 1
    assert len(duplicates_across(["x", "y"], ["y", "z", "y"])) == 1
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=list("abc"))
    assert len(duplicates_across(frame, frame.iloc[1:])) == 1
    with pytest.raises(
        ValueError, match=r"the same columns in the same order, got \[\['a', 'b', 'c'\], \['c'"
    ):
        duplicates_across(frame, frame[["c", "b", "a"]])


def test_a_part_may_be_empty():
    x = np.ones((3, 2))
    assert not duplicates_across(x, x[:0])
    assert not duplicates_across(x.astype(object), x[:0].astype(object))


def test_a_long_report_is_cut():
    x = np.arange(20).reshape(10, 2)
    report = duplicates_across(x, np.concatenate([x] * 5))
    assert len(report) == 10
    assert str(report).splitlines()[3] == "  part 0 [0], part 1 [0, 10, 20, ... 5 in all]"
    assert str(report).splitlines()[-1] == "  ..."
    assert len(str(report).splitlines()) == 9


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: duplicates_across(x), "needs at least two parts, got 1"),
        (lambda x: duplicates_across(x, x[:, :1]), r"rows must have one shape, got \[\[2\], \[1\]\]"),
        (lambda x: duplicates_across(x, x, names=["a", "a"]), "names must be 2 different texts"),
        (lambda x: duplicates_across(x, 3), "a part must have rows, got 3"),
    ],
)
def test_bad_arguments(call, match):
    with pytest.raises(ValueError, match=f"duplicates_across: .*{match}"):
        call(np.zeros((3, 2)))
