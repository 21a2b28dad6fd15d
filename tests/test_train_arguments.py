"""What fit and its relatives are given in place of what they want: errors that say what to give; nothing changes."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, TensorDataset
from chainrule.nn import functional as F
from training import bits, network, points, quick, sgd

X, Y = points(12)
RATES = cr.optim.lr_scheduler


class Frame:
    """As a table of pandas or polars looks from outside: iterating gives the names of the columns."""

    shape = (12, 4)

    def to_numpy(self):
        return X.numpy()

    def __iter__(self):
        return iter("abcd")

    def __getitem__(self, name):
        raise KeyError(name)


class Foreign:
    """Another program's tensor."""

    def __array__(self, dtype=None, copy=None):
        return X.numpy()

    def __iter__(self):
        return iter(X.numpy())


class Sparse:
    def toarray(self):
        return X.numpy()


DATA = {
    "frames": ((Frame(), Frame()), r"got \(Frame, Frame\); make tensors: cr.tensor\(x.to_numpy\(\).astype"),
    "a frame": (Frame(), r"got Frame; make tensors: cr.tensor\(x.to_numpy\(\)"),
    "a frame for targets": ((X, Frame()), r"got \(Tensor, Frame\); make tensors"),
    "sparse": ((Sparse(), Y), r"make tensors: cr.tensor\(x.toarray\(\)"),
    "foreign": ((Foreign(), Foreign()), r"got \(Foreign, Foreign\); make tensors: cr.tensor\(np.asarray\(x\)\)"),
    "lists": ((X.tolist(), Y.tolist()), r"got \(list, list\); make tensors: cr.tensor\(x, dtype=cr.float32\)"),
    "labels in a list": ((X, Y.tolist()), r"got \(Tensor, list\); make tensors"),
    "texts": ((X, ["a"] * 12), r"got \(Tensor, list\)$"),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("place", ["train", "dev"])
def test_tables_that_are_no_tensors_are_refused_with_what_makes_tensors(name, place):
    data, text = DATA[name]
    model = network()
    before = bits(model)
    with pytest.raises(TypeError, match=f"fit: {place} must be tensors or arrays .*{text}"):
        quick(model, **({"data": data} if place == "train" else {"dev": data}))
    assert bits(model) == before
    with pytest.raises(TypeError, match="evaluate: data must be tensors"):
        train.evaluate(model, data, "accuracy")
    with pytest.raises(TypeError, match="learning_curve: train must be"):
        train.learning_curve(network, quick, data)


def test_the_advice_for_tables_works():
    made = cr.tensor(Frame().to_numpy().astype(np.float32))
    other = cr.tensor(X.tolist(), dtype=cr.float32)
    foreign = cr.tensor(np.asarray(Foreign()))
    assert made.tolist() == other.tolist() == foreign.tolist() == X.tolist()


def fitted(**given):
    """fit with one argument that is no good, after which the model is as before."""
    model = network()
    before = bits(model)
    settings = {"model": model, "loss": F.cross_entropy, "optimizer": sgd(model), "train": (X, Y), **given}
    try:
        return train.fit(**settings, quiet=True)
    finally:
        assert bits(model) == before
        assert model.training


KINDS = {
    "no model": ({"model": F.relu}, "fit: model must be a Module, got builtin|got function"),
    "class of a model": ({"model": nn.Linear}, r"fit: model must be an object, got the class Linear; make one: Linear"),
    "class of a loss": ({"loss": nn.MSELoss}, r"fit: loss must be an object, got the class MSELoss; make one: MSEL"),
    "name of a loss": ({"loss": "mse"}, r"fit: loss must be a function of \(output, target\).*got 'mse'"),
    "no loss": ({"loss": None}, "fit: loss must be a function.*got NoneType"),
    "no optimizer": ({"optimizer": None}, "fit: optimizer must be one such as optim.Adam.*got None"),
    "name of an optimizer": ({"optimizer": "adam"}, "fit: optimizer must be one such as.*got 'adam'"),
    "class of an optimizer": ({"optimizer": cr.optim.SGD}, "fit: optimizer must be an object, got the class SGD"),
    "class of a schedule": ({"schedule": RATES.StepLR}, "Schedule: schedule must be an object, got the class StepLR"),
    "class of a callback": ({"callbacks": [train.EarlyStopping]}, "fit: a callback must be an object, got the class"),
    "number of callbacks": ({"callbacks": 3}, "fit: callbacks must be Callback objects, got int"),
    "penalty": ({"penalty": 0.1}, r"fit: penalty must be a function.*Penalty\(model, l2=1e-4\), got 0.1"),
    "average": ({"average": "0.9"}, "fit: average must be a number, got str"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_arguments_of_another_kind_are_refused(name):
    given, text = KINDS[name]
    with pytest.raises(TypeError, match=text):
        fitted(**given)


def test_an_optimizer_of_another_model_is_refused_and_one_of_some_layers_is_not():
    model = network()
    for call in (lambda o: fitted(optimizer=o), lambda o: train.lr_find(model, F.cross_entropy, o, (X, Y))):
        with pytest.raises(
            ValueError, match=r"optimizer has none of the model's 4 parameters.*another model"
        ):
            call(sgd(network()))
    head = cr.optim.SGD(model[3].parameters(), 0.1)
    before = bits(model)
    quick(model, (X, Y), optimizer=head)
    assert [then == now for then, now in zip(before, bits(model))] == [True, True, False, False]
    for parameter in model[
        0
    ].parameters():  # the usual way to freeze: all in the optimizer, some without gradient
        parameter.requires_grad_(False)
    quick(model, (X, Y), optimizer=sgd(model))
    assert bits(model)[:2] == before[:2]
    model.requires_grad_(False)
    with pytest.raises(
        ValueError, match="no parameter of Sequential requires grad, so there is nothing to train"
    ):
        quick(model, (X, Y), optimizer=head)


def test_a_schedule_of_another_optimizer_is_refused():
    model = network()
    other = RATES.StepLR(sgd(network()), 3)
    for given in ({"schedule": other}, {"callbacks": [train.Schedule(other)]}):
        with pytest.raises(ValueError, match=r"fit: StepLR is of another optimizer \(SGD\)"):
            quick(model, (X, Y), **given)
    optimizer = sgd(model)
    parts = [RATES.StepLR(optimizer, 3), RATES.ExponentialLR(optimizer, 0.9)]
    for own in (RATES.ChainedScheduler(parts), RATES.SequentialLR(optimizer, parts, [1])):
        quick(model, (X, Y), optimizer=optimizer, schedule=own)


def test_one_callback_needs_no_list_and_none_is_none(tmp_path):
    quick(network(), (X, Y), callbacks=train.JSONLog(tmp_path / "log.jsonl"))
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    quick(network(), (X, Y), callbacks=None)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda f: f(3, 5, quick), "make must be a function that gives a new model, got int 5"),
        (lambda f: f(3, network(), quick), "make must be a function that gives a new model, got a model"),
        (lambda f: f(3, network, 5), "fit must be a function that trains a model and returns its history, got int 5"),
        (lambda f: f(3, lambda: None, quick), "make must give a model, got NoneType"),
        (lambda f: f(3, network, lambda model: None), r"fit must return the history.*NoneType; return train.fit"),
    ],
)  # fmt: skip
def test_best_of_and_learning_curve_want_functions(call, text):
    with pytest.raises(TypeError, match=f"best_of: {text}"):
        call(train.best_of)
    with pytest.raises(TypeError, match=f"learning_curve: {text}"):
        call(
            lambda n, make, fit: train.learning_curve(make, fit if fit == 5 else lambda m, _: fit(m), (X, Y))
        )


def test_a_model_that_was_trained_before_is_no_new_start():
    model = network()
    with pytest.raises(ValueError, match="best_of: make must give a new model each time"):
        train.best_of(2, lambda: model, lambda model: quick(model, (X, Y), (X, Y)))


@pytest.mark.parametrize("values", [1e-3, "relu", nn.ReLU, {0.1, 0.2}, {"low": 1}, None])
def test_values_of_a_search_are_in_a_list(values):
    with pytest.raises(TypeError, match="search: lr must be a list of values or a distribution, got "):
        train.search({"lr": values}, lambda lr: lr, 2, mode="min")


def test_a_search_has_a_function_and_a_dictionary():
    with pytest.raises(TypeError, match="search: objective must be a function of the settings"):
        train.search({"lr": [0.1]}, 3)
    with pytest.raises(TypeError, match="search: space must be a dictionary"):
        train.search([0.1], lambda lr: lr)


@pytest.mark.parametrize("lr", ["0.1", b"0.1", None, [0.1]])
def test_a_rate_is_a_number(lr):
    model = network()
    with pytest.raises(TypeError, match="Adam: lr must be a number, got "):
        cr.optim.Adam(model.parameters(), lr=lr)
    optimizer = cr.optim.Adam(model.parameters())
    optimizer.param_groups[0]["lr"] = lr
    before = bits(model)
    with pytest.raises(TypeError, match="Adam: lr must be a number, got "):
        quick(model, (X, Y), optimizer=optimizer)
    assert bits(model) == before


def test_loaders_of_ones_own_may_be_lists_of_batches():
    batches = [(X[:6], Y[:6]), (X[6:], Y[6:])]
    assert quick(network(), batches)["step"] == [2, 4]
    assert bits_of(batches) == bits_of(DataLoader(TensorDataset(X, Y), batch_size=6))


def bits_of(data):
    model = network()
    quick(model, data)
    return bits(model)
