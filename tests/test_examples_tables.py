"""The two examples about tables, in their short form: what they claim, and what the library refuses in them."""

import numpy as np
import pytest


def test_penguins(example, capsys):
    penguins = example("penguins")
    result = penguins.main(["--quick", "--plot", ""])
    species = sum(result["found"]["species"]["clean"])
    assert species.shape == (3, 3)
    assert penguins.recall(species) > 0.97
    assert set(result["found"]["island"]) == {"clean", "fitted on all", "resampled first"}
    for name, (mean, network) in result["rmse"].items():
        assert network < 0.7 * mean, name
    text = capsys.readouterr().out
    assert "flatters by" in text
    assert "fits on the training part only, got the test part" in text
    assert "only the training part of a split may be resampled, x is the test part" in text


def test_the_clean_way_and_the_leaks_are_what_they_say(example):
    """Test rows among the training rows: none, none, many. The columns, means of other rows: the same, others."""
    penguins = example("penguins")
    table = penguins.load_penguins()
    shared, tests = {}, {}
    for way, parts in penguins.WAYS.items():
        x_train, _, _, _, x_test, _ = parts(table, "island", 0)
        rows = {row.tobytes() for row in x_train.numpy()}
        shared[way] = np.mean([row.tobytes() in rows for row in x_test.numpy()])
        tests[way] = x_test.numpy()
    assert shared["clean"] < 0.02
    assert shared["fitted on all"] < 0.02
    assert shared["resampled first"] > 0.3
    assert tests["clean"].shape == tests["fitted on all"].shape
    assert not np.array_equal(tests["clean"], tests["fitted on all"])
    np.testing.assert_allclose(tests["clean"], tests["fitted on all"], atol=0.3)


def test_imbalance(example, capsys):
    pytest.importorskip("sklearn")
    imbalance = example("imbalance")
    results = imbalance.main(["--quick", "--plot", ""])
    _, y = imbalance.rare_table(0)
    assert y.float().mean().item() <= 0.05
    precision, recall, _, average = zip(*results.values())
    assert list(results) == ["no treatment", "undersampling", "oversampling", "class weights"]
    assert all(value > 5 * 0.048 for value in average)  # far better than guessing
    assert min(recall[1:]) >= recall[0]  # every treatment finds more of the rare class
    assert max(precision[1:]) <= precision[0]  # and raises more false alarms
    assert "average precision" in capsys.readouterr().out


def test_precision_and_recall_are_scikit_learns(example):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 2, 100), rng.random(100)
    precision, recall, f1, _ = example("imbalance").scores(truth, found)
    expected = metrics.precision_recall_fscore_support(truth, found > 0.5, average="binary")[:3]
    np.testing.assert_allclose((precision, recall, f1), expected)
