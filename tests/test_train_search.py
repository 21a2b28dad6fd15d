"""Searches over seeds, settings, sizes of the data and learning rates: dev chooses, everything is put back."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import TensorDataset, mark_part, train_test_split
from chainrule.nn import functional as F


def points(n, seed):
    x = np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)
    return cr.tensor(x), cr.tensor((x[:, 0] * x[:, 1] > 0).astype(np.int64))


TRAIN, DEV = points(120, 0), points(60, 1)


def make(hidden=6):
    return nn.Sequential(nn.Linear(4, hidden), nn.Tanh(), nn.Linear(hidden, 2))


def fit(model, part=TRAIN, lr=0.3, epochs=3, **settings):
    optimizer = cr.optim.SGD(model.parameters(), lr)
    return train.fit(
        model, F.cross_entropy, optimizer, part, DEV, epochs, metrics="accuracy", quiet=True, **settings
    )


def bits(model):
    return [t.numpy().tobytes() for t in model.state_dict().values()]


# ---- seeds ----


def test_the_best_of_several_seeds_is_kept_with_its_weights():
    best = train.best_of(4, make, fit, seed=10)
    assert best["seed"] == [10, 11, 12, 13]
    assert len(set(best["score"])) == 4
    assert best.best["score"] == min(best["score"])
    assert train.evaluate(best.model, DEV, loss=F.cross_entropy)["loss"] == best.best["score"]
    cr.manual_seed(best.best["seed"])
    again = make()
    fit(again)
    assert bits(again) == bits(best.model)
    assert best.history.kept("dev_loss") == best.best["score"]


def test_a_score_is_that_of_the_weights_that_were_kept():
    stopping = lambda: [train.EarlyStopping(patience=20)]  # noqa: E731
    best = train.best_of(
        2, make, lambda model: fit(model, lr=3.0, epochs=8, callbacks=stopping()), monitor="dev_accuracy"
    )
    assert best.best["score"] == max(best["score"])
    assert train.evaluate(best.model, DEV, "accuracy")["accuracy"] == best.best["score"]


def test_only_dev_chooses():
    for call in (
        lambda: train.best_of(2, make, fit, monitor="loss"),
        lambda: train.search({"lr": [1]}, fit, monitor="accuracy"),
        lambda: train.learning_curve(make, fit, TRAIN, monitor="loss"),
    ):
        with pytest.raises(ValueError, match="monitor must be a column of dev"):
            call()
    with pytest.raises(ValueError, match="best_of: n must be positive"):
        train.best_of(0, make, fit)


# ---- settings ----


def test_a_grid_tries_every_combination_from_the_same_seed():
    results = train.search(
        {"lr": [0.1, 0.3], "hidden": [2, 6, 9]}, lambda lr, hidden: fit(make(hidden), lr=lr)
    )
    assert [(row["lr"], row["hidden"]) for row in results] == [(a, b) for a in (0.1, 0.3) for b in (2, 6, 9)]
    assert results.best["score"] == min(results["score"])
    again = train.search({"hidden": [9, 6], "lr": [0.3]}, lambda lr, hidden: fit(make(hidden), lr=lr))
    assert again["score"] == results["score"][:3:-1]


def test_random_draws_follow_the_seed_stay_in_range_and_of_lists_never_repeat():
    space = {"lr": train.log_uniform(1e-4, 1e-1), "p": train.uniform(0.2, 0.4), "hidden": [2, 3]}
    tries = [train.search(space, lambda lr, p, hidden: lr, 40, mode="min", seed=s).rows for s in (1, 1, 2)]
    assert tries[0] == tries[1] != tries[2]
    rates = [row["lr"] for row in tries[0]]
    assert 1e-4 < min(rates) < 1e-3 < 1e-2 < max(rates) < 1e-1
    assert all(0.2 <= row["p"] <= 0.4 for row in tries[0])
    assert {row["hidden"] for row in tries[0]} == {2, 3}
    lists = train.search({"a": range(5), "b": range(5)}, lambda a, b: a, 20, mode="min")
    assert len({(row["a"], row["b"]) for row in lists}) == 20
    assert len(train.search({"a": range(5)}, lambda a: a, 20, mode="min")) == 5


def test_a_trial_that_fails_is_noted_and_the_others_go_on():
    def objective(a):
        if a == 2:
            raise ValueError("too large")
        return math.nan if a == 1 else float(a)

    results = train.search({"a": [3, 2, 1]}, objective, mode="min")
    assert results["error"] == [None, "ValueError: too large", None]
    assert results.best["a"] == 3
    with pytest.raises(ValueError, match="too large"):
        train.search({"a": [2, 2]}, objective)


def test_ctrl_c_ends_the_search_with_what_there_is():
    def objective(a):
        if a == 3:
            raise KeyboardInterrupt
        return a

    results = train.search({"a": [1, 2, 3, 4]}, objective, mode="min")
    assert (results["score"], results.interrupted) == ([1.0, 2.0], True)

    class Interrupting(train.Callback):
        def on_epoch_end(self, run, row):
            raise KeyboardInterrupt

    best = train.best_of(3, make, lambda model: fit(model, callbacks=[Interrupting()]))
    assert (len(best), best.interrupted) == (1, True)


@pytest.mark.parametrize(
    ("space", "n", "text"),
    [
        ({}, None, "space must be a dictionary of lists or distributions"),
        ({"a": []}, None, "search: a has no values to try"),
        ({"a": train.uniform(0, 1)}, None, "search: a has no end of values; say how many trials"),
        ({"a": [1]}, 0, "search: n must be positive"),
    ],
)
def test_bad_spaces_are_errors(space, n, text):
    with pytest.raises(ValueError, match=text):
        train.search(space, lambda a: 1.0, n)


def test_bad_distributions_and_objectives_are_errors():
    with pytest.raises(ValueError, match="uniform: low must be below high, got 2 and 1"):
        train.uniform(2, 1)
    with pytest.raises(ValueError, match="log_uniform: low must be above 0, got 0"):
        train.log_uniform(0, 1)
    with pytest.raises(TypeError, match="search: expected a History or a number, got str"):
        train.search({"a": [1]}, lambda a: "good")


# ---- sizes ----


def test_a_learning_curve_has_a_training_for_each_size_of_nested_parts():
    parts = []

    def noting(model, part):
        parts.append(list(part.indices))
        return fit(model, part)

    curve = train.learning_curve(make, noting, TRAIN, sizes=(0.1, 30, 1.0))
    assert curve["size"] == [12, 30, 120]
    assert parts[0] == parts[1][:12] == parts[2][:12]
    assert sorted(parts[2]) == list(range(120))
    cr.manual_seed(0)
    model = make()
    assert fit(model, TensorDataset(*TRAIN)).columns == [
        "epoch", "step", "loss", "accuracy", "dev_loss", "dev_accuracy", "lr", "seconds",
    ]  # fmt: skip
    for size in (0.0, 121, -3, 1.5):
        with pytest.raises(ValueError, match="learning_curve: sizes must be fractions"):
            train.learning_curve(make, fit, TRAIN, sizes=[size])


@pytest.mark.parametrize("score", [np.float32(0.5), np.float64(0.5), cr.tensor([0.5])])
def test_a_score_may_be_a_number_of_numpy_or_a_tensor(score):
    row = train.search({"a": [1]}, lambda a: score, mode="min")[0]
    assert (row["score"], type(row["score"])) == (0.5, float)


# ---- learning rates ----


@pytest.mark.parametrize(
    ("rates", "moved"), [((0.1, 0.0), (1, 0)), ((0.0, 0.1), (0, 1)), ((0.0, 0.0), (1, 1))]
)
def test_a_group_with_rate_0_stays_while_the_finder_trains_others(rates, moved):
    model = make()
    before = [model[0].weight.tolist(), model[2].weight.tolist()]
    seen = []
    model.register_forward_hook(lambda *_: seen.append([model[0].weight.tolist(), model[2].weight.tolist()]))
    groups = [{"params": model[i].parameters(), "lr": rate} for i, rate in zip((0, 2), rates)]
    train.lr_find(model, F.cross_entropy, cr.optim.SGD(groups, 0.1), TRAIN, low=0.01, steps=5)
    assert tuple(int(now != then) for now, then in zip(seen[-1], before)) == moved


def test_the_finder_puts_everything_back():
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Linear(6, 2))
    optimizer = cr.optim.Adam(model.parameters(), lr=0.01)
    train.fit(model, F.cross_entropy, optimizer, TRAIN, quiet=True)
    model[2].eval()
    state, random = bits(model), cr.get_rng_state().tolist()
    settings = str(optimizer.state_dict())
    modes = [m.training for m in model.modules()]
    curve = train.lr_find(model, F.cross_entropy, optimizer, TRAIN, steps=30)
    assert len(curve) == 30
    with pytest.raises(ValueError, match="loss must return one number"):
        train.lr_find(model, lambda o, t: o, optimizer, TRAIN)
    assert bits(model) == state
    assert str(optimizer.state_dict()) == settings
    assert cr.get_rng_state().tolist() == random
    assert [m.training for m in model.modules()] == modes
    assert all(p.grad is None for p in model.parameters())


def test_the_rates_grow_evenly_and_the_end_is_where_the_loss_explodes():
    model = make(16)
    optimizer = cr.optim.SGD(
        [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.2}], lr=0.1
    )
    data = TRAIN[0], (TRAIN[0].sum(1) > 0).long()
    curve = train.lr_find(
        model, F.cross_entropy, optimizer, data, low=1e-4, high=1e4, steps=80, batch_size=60
    )
    ratios = np.diff(np.log(curve["lr"]))
    np.testing.assert_allclose(ratios, math.log(1e8) / 79, rtol=1e-6)
    assert len(curve) < 80
    assert 0.01 < curve.suggestion < curve[int(np.argmin(curve["smooth"]))]["lr"]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"low": 0.0}, "needs 0 < low < high"),
        ({"low": 2.0}, "needs 0 < low < high"),
        ({"smoothing": 1.0}, "0 <= smoothing < 1"),
        ({"steps": 2}, "lr_find: steps must be at least 3, got 2"),
    ],
)
def test_bad_settings_of_the_finder(settings, text):
    model = make()
    with pytest.raises(ValueError, match=text):
        train.lr_find(model, F.cross_entropy, cr.optim.SGD(model.parameters(), 0.1), TRAIN, **settings)


def test_the_finder_takes_no_test_part_and_suggests_nothing_without_a_fall():
    model = make()
    optimizer = cr.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match="lr_find: train is the test part of a split"):
        train.lr_find(model, F.cross_entropy, optimizer, mark_part(TensorDataset(*TRAIN), "test"))
    with pytest.raises(ValueError, match="the loss falls at no rate"):
        train.LRCurve([{"lr": i, "loss": i, "smooth": i} for i in range(1, 16)]).suggestion  # noqa: B018
    with pytest.raises(ValueError, match="1 steps are too few"):
        train.LRCurve([{"lr": 1, "loss": 1, "smooth": 1}]).suggestion  # noqa: B018


# ---- plots ----


def test_every_table_draws_itself(tmp_path):
    pytest.importorskip("matplotlib")
    rates = {"lr": train.log_uniform(1e-4, 1), "kind": ["a", "b"]}
    results = train.search(rates, lambda lr, kind: lr, 20, mode="min")
    left, right = results.plot(tmp_path / "results.png").axes
    assert (left.get_xlabel(), left.get_xscale(), right.get_xlabel()) == ("lr", "log", "kind")
    curve = train.learning_curve(make, fit, TRAIN, sizes=(0.5, 1.0))
    lines = curve.plot(tmp_path / "sizes.png").axes[0].lines
    assert [line.get_label() for line in lines] == ["training", "dev"]
    model = make()
    found = train.lr_find(model, F.cross_entropy, cr.optim.SGD(model.parameters(), 0.1), TRAIN, high=10.0)
    assert found.plot(tmp_path / "rates.png").axes[0].get_xscale() == "log"
    for name in ("results", "sizes", "rates"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    for empty in (train.Results("dev_loss", -1), train.LearningCurve("dev_loss", -1)):
        with pytest.raises(ValueError, match="nothing to plot"):
            empty.plot()


def test_a_number_needs_its_direction():
    with pytest.raises(ValueError, match="search: the objective gave a number; say mode='max' or mode='min'"):
        train.search({"a": [0.5, 0.9]}, lambda a: a)
    assert train.search({"a": [0.5, 0.9]}, lambda a: a, mode="max").best["a"] == 0.9


def test_a_learning_curve_refuses_the_test_part_in_arrays_too():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 3)).astype(np.float32), rng.integers(0, 2, 40)
    _, x_test, _, y_test = train_test_split(x, y, test_size=0.5, seed=0)
    with pytest.raises(ValueError, match="test part"):
        train.learning_curve(lambda: None, lambda model, part: None, (x_test, y_test))
