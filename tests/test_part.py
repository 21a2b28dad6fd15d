"""Marks of the parts of a split: the test part is recognised wherever it went as an object."""

import gc

import numpy as np
import pytest

import chainrule as cr
from chainrule import data
from chainrule.data import mark_part, part, part_of


def arrays(n=20):
    return cr.arange(n).float().unsqueeze(1), np.arange(n)


def test_a_split_in_three_marks_tensors_and_arrays():
    parts = data.train_dev_test_split(*arrays())
    assert [part_of(p) for p in parts] == ["train", "dev", "test"] * 2


def test_a_split_in_two_marks_and_a_second_split_makes_dev():
    x, y = arrays()
    train, test, *_ = data.train_test_split(x, y, seed=0)
    assert (part_of(train), part_of(test)) == ("train", "test")
    assert [part_of(p) for p in data.train_test_split(train, seed=0)] == ["train", "dev"]
    assert [part_of(p) for p in data.train_test_split(test, seed=0, shuffle=False)] == ["dev", "test"]
    assert part_of(x) is None


def test_the_mark_is_found_through_datasets_and_loaders():
    x_train, _, x_test, y_train, _, y_test = data.train_dev_test_split(*arrays())
    test = data.TensorDataset(x_test, cr.tensor(y_test))
    train = data.TensorDataset(x_train, cr.tensor(y_train))
    assert part_of(test) == "test"
    assert part_of((x_test, y_test)) == "test"
    assert part_of(data.DataLoader(data.Subset(test, [0]))) == "test"
    assert part_of(data.ConcatDataset([train, test])) == "test"
    assert part_of(data.DataLoader(train)) == "train"


def test_a_mark_can_be_set_anew_and_needs_a_known_name():
    x, _ = arrays()
    assert part_of(mark_part(mark_part(x, "test"), "dev")) == "dev"
    with pytest.raises(ValueError, match="mark_part: part must be one of train, dev, test, got 'validation'"):
        mark_part(x, "validation")
    with pytest.raises(TypeError, match="mark_part: cannot mark an object of type list"):
        mark_part([1, 2], "dev")
    assert part_of([1, 2]) is None


def test_marks_go_with_their_objects():
    before = len(part._marks)
    x = mark_part(cr.zeros(2), "test")
    assert len(part._marks) == before + 1
    del x
    gc.collect()
    assert len(part._marks) == before
