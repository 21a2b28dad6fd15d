"""From a list of samples to one batch."""

from collections import namedtuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import default_collate

Pair = namedtuple("Pair", ["a", "b"])


def test_default_collate():
    x, y = default_collate([(cr.zeros(3), 1), (cr.ones(3), 2)])
    assert x.shape == (2, 3)
    assert y.tolist() == [1, 2]
    assert y.dtype == cr.int64
    assert default_collate([1.5, 2.5]).dtype == cr.float64
    assert default_collate([True, False]).dtype == cr.bool
    assert default_collate([np.float32(1), np.float32(2)]).dtype == cr.float32
    assert default_collate([np.zeros((2, 2)), np.ones((2, 2))]).shape == (2, 2, 2)
    assert default_collate(["a", "b"]) == ["a", "b"]
    mixed = default_collate([{"x": Pair(cr.ones(1), [2])}, {"x": Pair(cr.ones(1), [3])}])
    assert isinstance(mixed["x"], Pair)
    assert mixed["x"].b[0].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("batch", "error", "match"),
    [
        ([], ValueError, "the batch is empty"),
        ([cr.ones(3), cr.ones(4)], ValueError, r"samples must have one shape, got \[3\] and \[4\]"),
        ([cr.ones(3), None], TypeError, "samples must be of one type, got Tensor and NoneType"),
        ([(1, 2), (1,)], ValueError, r"samples must have one length, got \[1, 2\]"),
        ([{"a": 1}, {"b": 1}], ValueError, r"must have the same keys, got \['a'\] and \['b'\]"),
        ([object()], TypeError, "got object; give collate_fn"),
        ([None, None], TypeError, "got NoneType"),
    ],
)
def test_samples_that_do_not_fit_together(batch, error, match):
    with pytest.raises(error, match=f"default_collate: .*{match}"):
        default_collate(batch)
