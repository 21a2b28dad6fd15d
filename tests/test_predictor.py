"""One file holds a model and what it needs to read raw rows: it comes back as it was, stays readable, runs no code."""

import base64
import itertools
import json
import threading
import zlib

import numpy as np
import pytest

import chainrule as cr
from chainrule import _serving, nn, predictor
from chainrule.nn import functional as F
from chainrule.preprocessing import (
    ColumnTransformer,
    LabelEncoder,
    ModelImputer,
    NotFittedError,
    OneHotEncoder,
    RatioFeatures,
    SimpleImputer,
    StandardScaler,
    make_pipeline,
)

TABLE = {
    "size": [1.0, None, 4.0, 2.0, 3.5, 0.5],
    "weight": [5.0, 3.0, 8.0, 1.0, 2.0, 2.5],
    "kind": ["x", "y", "x", "y", "z", "z"],
}
ROW = {"size": None, "weight": 4.0, "kind": "y"}
WIDTH = 5


@cr.register_layer
class Net(nn.Module):
    """Arguments of every kind that a file holds."""

    def __init__(self, inputs, *, hidden=(4, 3), rate=0.0, head=None):
        super().__init__()
        sizes = (inputs, *hidden)
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(sizes)])
        self.norm = nn.BatchNorm1d(sizes[-1])
        self.drop = nn.Dropout(rate)
        self.head = head

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(self.drop(self.norm(x)))


class Unknown(nn.Module):
    def forward(self, x):
        return x


def preprocessing():
    numbers = make_pipeline(ModelImputer(random_state=0, epochs=2), StandardScaler())
    return ColumnTransformer([("n", numbers, ["size", "weight"]), ("k", OneHotEncoder(), ["kind"])]).fit(
        TABLE
    )


def network(outputs=3):
    return nn.Sequential(nn.Linear(WIDTH, 4), nn.Tanh(), nn.Linear(4, outputs))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def loaded(path):
    settings = {"preprocessing": preprocessing(), "labels": ["a", "b", "c"], "input_schema": TABLE}
    cr.save_predictor(path, network(), **settings)
    return cr.load_predictor(path)


@pytest.mark.parametrize(
    "make",
    [
        network,
        lambda: Net(WIDTH, head=nn.Linear(3, 3)),
        lambda: Net(WIDTH, hidden=[6], rate=0.4, head=nn.Sequential({"deep": nn.Linear(6, 3)})).double(),
    ],
    ids=["layers", "a class of one's own", "float64"],
)
def test_it_comes_back_as_it_was(path, make):
    model, pre = make(), preprocessing()
    for p in model.parameters():
        p.data.copy_(cr.randn(p.shape).to(p.dtype))
    state = cr.get_rng_state()
    cr.save_predictor(path, model, preprocessing=pre, labels=["a", "b", "c"], input_schema=TABLE)
    found = cr.load_predictor(path)
    assert (cr.get_rng_state() == state).all()
    assert model.training
    assert not found.model.training
    assert repr(found.model) == repr(model)
    x = cr.tensor(pre.transform(TABLE)).to(next(model.parameters()).dtype)
    with cr.no_grad():
        expected = cr.softmax(model.eval()(x), 1)
    assert found.predict_proba(TABLE).tobytes() == expected.numpy().tobytes()
    assert found.predict(TABLE).tolist() == [["a", "b", "c"][i] for i in expected.argmax(1).tolist()]


def test_rows_of_every_kind_are_taken(loaded):
    rows = [{name: column[i] for name, column in TABLE.items()} for i in range(6)]
    expected = loaded.predict_proba(TABLE)
    array = np.array(list(zip(*TABLE.values())), dtype=object)
    for given in (rows, array, array.tolist()):
        np.testing.assert_array_equal(loaded.predict_proba(given), expected)
    np.testing.assert_allclose(loaded.predict_proba(rows[2]), expected[2:3], rtol=1e-6)
    assert loaded.predict(ROW).shape == (1,)


def test_bad_rows_are_named(loaded):
    rows = [{**ROW, "weight": value} for value in (1.0, "two", 3, float("inf"))]
    with pytest.raises(
        predictor.BadRowsError, match="must be finite numbers: row 1, column 'weight' is 'two'"
    ) as bad:
        loaded.predict(rows)
    assert bad.value.rows == [(1, "weight", "two"), (3, "weight", float("inf"))]
    with pytest.raises(ValueError, match="column 'kind', row 1: unknown category 'w'; known: 'x', 'y', 'z'"):
        loaded.predict([ROW, {**ROW, "kind": "w"}])
    with pytest.raises(
        ValueError, match=r"columns must be size, weight, kind: missing \['kind'\], unknown \['sort'\]"
    ):
        loaded.predict({"size": 1.0, "weight": 2.0, "sort": "x"})
    with pytest.raises(ValueError, match=r"ragged rows: row 1 lacks \['kind'\]"):
        loaded.predict([ROW, {"size": 1.0, "weight": 2.0}])
    with pytest.raises(ValueError, match="expects the 3 columns size, weight, kind, got 2"):
        loaded.predict([[1.0, 2.0]])


def test_what_nobody_fills_in_is_named(path):
    scaler = StandardScaler().fit({"a": [1.0, 2.0], "b": [2.0, 5.0]})
    cr.save_predictor(path, nn.Linear(2, 1), preprocessing=scaler)
    found = cr.load_predictor(path)
    assert found.predict({"a": 1, "b": 2}).shape == (1,)
    with pytest.raises(
        predictor.BadRowsError, match="missing, and preprocessing fills nothing in: row 1, column 'b'"
    ):
        found.predict({"a": [1, 2], "b": [2, None]})


def test_a_threshold_decides_on_one_number_per_row(path):
    model = nn.Sequential(nn.Linear(1, 1))
    model[0].weight.data.fill_(1.0)
    model[0].bias.data.fill_(0.0)
    encoder = LabelEncoder().fit(["no", "yes"])
    cr.save_predictor(path, model, labels=encoder, threshold=0.7)
    found = cr.load_predictor(path)
    x = np.array([[0.0], [0.8], [0.9]])
    chance = 1 / (1 + np.exp(-x[:, 0]))
    np.testing.assert_allclose(found.predict_proba(x), np.stack([1 - chance, chance], 1), rtol=1e-6)
    assert found.predict(x).tolist() == ["no", "no", "yes"]
    text = "a threshold decides on one number per row; of 3 the largest is the class"
    with pytest.raises(ValueError, match=f"Predictor.predict: {text}"):
        predictor.Predictor(nn.Linear(1, 3), labels=[1, 2, 3], threshold=0.7).predict(x)
    with pytest.raises(ValueError, match=f"save_predictor: {text}"):
        cr.save_predictor(path, nn.Linear(1, 3), labels=[1, 2, 3], threshold=0.7)


def test_values_and_images(path):
    cr.save_predictor(path, nn.Linear(2, 1))
    found = cr.load_predictor(path)
    assert found.predict([[1, 2], [3, 4]]).shape == (2,)
    with pytest.raises(ValueError, match="the model gives values, not classes; use predict"):
        found.predict_proba([[1, 2]])
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding="same"), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 2))
    cr.save_predictor(path, model, labels=[0, 1], input_schema=(1, 8, 8))
    found = cr.load_predictor(path)
    assert found.predict(cr.randn(3, 1, 8, 8)).dtype == np.int64
    with pytest.raises(ValueError, match=r"expects samples of shape \[1, 8, 8\], got an array \[3, 8, 8\]"):
        found.predict(np.zeros((3, 8, 8)))
    holes = np.zeros((2, 1, 8, 8))
    holes[1, 0, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"must be finite numbers: row 1, column '\[0, 2, 3\]' is nan"):
        found.predict(holes)


LAYERS = [
    *(nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.MaxPool2d((2, 1), ceil_mode=True), nn.MinPool2d(2)),
    *(nn.BatchNorm1d(3, eps=1e-3, affine=False), nn.BatchNorm2d(2, momentum=None, track_running_stats=False)),
    *(nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, bias=False), nn.Conv2d(1, 2, (3, 1), padding="same")),
    nn.ConvTranspose2d(2, 3, 4, stride=2, output_padding=1, dilation=2),
    *(
        nn.Dropout(0.3),
        nn.Dropout2d(0.1),
        nn.ELU(0.5),
        nn.Embedding(5, 3, padding_idx=1),
        nn.Flatten(0, 1),
        nn.GELU("tanh"),
    ),
    *(
        nn.Hardsigmoid(),
        nn.Hardswish(),
        nn.Hardtanh(-2.0, 0.5),
        nn.Identity(),
        nn.LeakyReLU(0.2),
        nn.Linear(2, 3, bias=False),
    ),
    *(
        nn.LogSigmoid(),
        nn.LogSoftmax(1),
        nn.Mish(),
        nn.PReLU(2, 0.1),
        nn.ReLU(True),
        nn.ReLU6(),
        nn.SELU(),
        nn.SiLU(),
    ),
    *(nn.Sigmoid(), nn.Softmax(dim=-1), nn.Softplus(2.0, 10.0), nn.Tanh(), nn.Unflatten(1, (2, -1))),
    nn.ModuleList([nn.Linear(1, 2)]),
    nn.ModuleDict({"a": nn.ModuleList([nn.ReLU()])}),
    nn.Sequential({"first": nn.Linear(1, 2), "last": nn.ReLU()}),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_every_layer_can_be_described_and_built(layer):
    from chainrule.nn._architecture import build, describe, load_weights

    again = build("build", json.loads(json.dumps(describe("describe", layer))))
    load_weights(again, layer.state_dict())
    assert type(again) is type(layer)
    hidden = ("training", "_parameters", "_buffers", "_modules")
    for name, value in layer.__dict__.items():
        if name not in hidden and not isinstance(value, cr.Tensor | nn.Module):
            assert getattr(again, name) == value, name


def test_no_layer_is_left_out():
    known = {type(layer).__name__ for layer in LAYERS} | {"Module"}
    modules = {
        n for n in nn.__all__ if isinstance(getattr(nn, n), type) and issubclass(getattr(nn, n), nn.Module)
    }
    assert {name for name in modules - known if not name.endswith("Loss")} == set()


def late():
    @cr.register_layer
    class Later(nn.Module):
        pass

    made = Later()
    del made.__dict__["_constructor"]
    return made


def changed():
    model = Net(WIDTH, head=nn.Linear(3, 2))
    model.norm = nn.BatchNorm1d(3, eps=0.1)
    return model


def hooked():
    model = network()
    model[1].register_forward_hook(lambda *args: None)
    return model


REFUSED = {
    "class": (
        lambda: nn.Sequential(nn.ReLU(), Unknown()),
        TypeError,
        r"model.1 \(Unknown\) is of a class that is not",
    ),
    "inside": (
        lambda: Net(2, head=Unknown()),
        TypeError,
        r"model.head \(Unknown\) is of a class that is not",
    ),
    "weight norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))),
        TypeError,
        r"model.0 .*call nn.utils.parametrize.remove_parametrizations first",
    ),
    "argument": (
        lambda: Net(2, head=print),
        TypeError,
        "an argument of the model is a builtin_function_or_method",
    ),
    "changed": (changed, ValueError, r"model.norm \(BatchNorm1d\) was changed after its constructor ran"),
    "hook": (hooked, ValueError, r"model.1 \(Tanh\) has hooks"),
    "late": (late, TypeError, "was made before its class was registered"),
    "no module": (lambda: print, TypeError, "model must be an nn.Module"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_file_cannot_hold_is_named_and_nothing_written(path, case):
    make, error, text = REFUSED[case]
    with pytest.raises(error, match=text):
        cr.save_predictor(path, make())
    assert not path.exists()


SETTINGS = {
    "threshold": ({"threshold": 1.0}, ValueError, r"threshold must be a probability in \(0, 1\), got 1.0"),
    "labels": ({"labels": ["a", "a"]}, ValueError, "labels must be two or more different ones"),
    "label": ({"labels": [None, "a"]}, TypeError, "a label must be a text or a number, got None"),
    "unfitted": ({"preprocessing": StandardScaler()}, NotFittedError, r"call fit\(\)"),
    "transformer": ({"preprocessing": print}, TypeError, "preprocessing must be a Transformer"),
    "outputs": ({"outputs": "scores"}, ValueError, "outputs must be one of logits, probabilities"),
    "values": ({"outputs": "values", "labels": [1, 2]}, ValueError, "outputs='values' has no classes"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_do_not_fit_are_named(path, case):
    settings, error, text = SETTINGS[case]
    with pytest.raises(error, match=text):
        cr.save_predictor(path, network(), **settings)


def test_labels_must_fit_the_output(path):
    text = r"2 labels do not fit the model's output of shape \[1, 3\]"
    with pytest.raises(ValueError, match=f"Predictor.predict: {text}"):
        predictor.Predictor(nn.Linear(1, 3), labels=["a", "b"]).predict([[1.0]])
    with pytest.raises(ValueError, match=f"save_predictor: {text}"):
        cr.save_predictor(path, nn.Linear(1, 3), labels=["a", "b"])


def scaled(**columns):
    return StandardScaler().fit(columns or {"a": [1.0, 2.0], "b": [2.0, 5.0]})


def mixed():
    parts = [("n", SimpleImputer(), ["a"]), ("k", OneHotEncoder(), ["b"])]
    return ColumnTransformer(parts).fit({"a": [1.0, 2.0], "b": ["x", "y"]})


UNFIT = {
    "labels": (nn.Linear(3, 3), {"labels": ["a", "b"], "preprocessing": mixed()}, "2 labels do not fit"),
    "width": (
        nn.Linear(5, 2),
        {"labels": ["a", "b"], "preprocessing": mixed()},
        r"the model does not take rows of shape \[3\], which preprocessing gives: ",
    ),
    "width of a shape": (
        nn.Linear(5, 1),
        {"input_schema": (4,)},
        r"does not take rows of shape \[4\], which input_schema gives",
    ),
    "missing": (
        nn.Linear(3, 1),
        {"preprocessing": mixed(), "input_schema": {"a": "number"}},
        r"input_schema: columns must be those of fit: missing \['b'\]",
    ),
    "missing in a table": (
        nn.Linear(3, 1),
        {"preprocessing": mixed(), "input_schema": {"a": [1.0]}},
        r"columns must be those of fit: missing \['b'\]",
    ),
    "number for texts": (
        nn.Linear(3, 1),
        {"preprocessing": mixed(), "input_schema": {"a": "number", "b": "number"}},
        "column 'b' is a number, preprocessing was fitted on texts, 'x' for instance",
    ),
    "texts for numbers": (
        nn.Linear(3, 1),
        {"preprocessing": mixed(), "input_schema": {"a": "category", "b": "category"}},
        "column 'a' is a category, preprocessing was fitted on it as a number",
    ),
    "table of other kinds": (
        nn.Linear(3, 1),
        {"preprocessing": mixed(), "input_schema": {"a": ["1"], "b": [1]}},
        "column 'a' is a category, preprocessing was fitted on it as a number",
    ),
    "activation": (
        nn.Sequential(nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), nn.Flatten()),
        {"preprocessing": mixed(), "labels": ["a", "b"], "outputs": "logits"},
        "outputs='logits', but the model ends in Softmax, which gives probabilities; say outputs='probabilities'",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_could_never_serve_is_not_saved(path, case):
    model, settings, text = UNFIT[case]
    with pytest.raises(ValueError, match=f"save_predictor.*{text}"):
        cr.save_predictor(path, model, **settings)
    assert not path.exists()


@pytest.mark.parametrize(
    ("layers", "outputs"),
    [
        ([nn.Linear(2, 1), nn.Sigmoid()], "probabilities"),
        ([nn.Linear(2, 2), nn.Softmax(1), nn.Identity()], "probabilities"),
        ([nn.Linear(2, 2), nn.LogSoftmax(1)], "log_probabilities"),
        ([nn.Linear(2, 2)], "logits"),
    ],
)
def test_the_last_layer_is_not_applied_twice(path, layers, outputs):
    cr.save_predictor(path, nn.Sequential(*layers), labels=["a", "b"])
    found = cr.load_predictor(path)
    assert found.outputs == outputs
    scores = nn.Sequential(layers[0])(cr.tensor([[1.0, -2.0]])).detach()
    chance = cr.softmax(scores, 1) if scores.shape[1] == 2 else cr.sigmoid(scores)
    np.testing.assert_allclose(found.predict_proba([[1.0, -2.0]])[0, -1], chance.numpy()[0, -1], rtol=1e-6)


def test_numbers_beyond_the_models_dtype_are_named(path):
    parts = [("n", StandardScaler(), ["a"]), ("k", OneHotEncoder(), ["b"])]
    table = {"a": [1.0, 2.0], "b": ["x", "y"]}
    cr.save_predictor(
        path,
        nn.Linear(3, 2),
        preprocessing=ColumnTransformer(parts).fit(table),
        labels=["u", "v"],
        input_schema=table,
    )
    found = cr.load_predictor(path)
    for method in (found.predict, found.predict_proba):
        with pytest.raises(
            predictor.BadRowsError, match=r"finite numbers in float32: row 1, column 'a' is 1e\+300"
        ):
            method([{"a": 1.0, "b": "x"}, {"a": 1e300, "b": "x"}])
    for value in (10**400, True, {}, "1", np.True_):
        with pytest.raises(predictor.BadRowsError, match=r"must be finite numbers: row 0, column 'a' is "):
            found.predict({"a": value, "b": "x"})
    with pytest.raises(predictor.BadRowsError, match=r"fills nothing in: row 0, column 'a' is None"):
        found.predict({"a": None, "b": "x"})
    with pytest.raises(predictor.BadRowsError, match=r"row 0, column 'b' is {}"):
        found.predict({"a": 1.0, "b": {}})


@pytest.mark.parametrize(("value", "labels"), [(float("nan"), None), (float("inf"), ["a", "b"])])
def test_a_row_without_a_number_from_the_model_has_no_label(value, labels):
    model = nn.Linear(1, 1)
    model.bias.data.fill_(value)
    made = predictor.Predictor(model, labels=labels)
    with pytest.raises(predictor.BadRowsError, match="gives no finite number: row 0, column 'output'") as bad:
        made.predict([[1.0], [2.0]])
    assert [row for row, _, _ in bad.value.rows] == [0, 1]
    with pytest.raises(predictor.BadRowsError, match=r"save_predictor: the model gives no finite number"):
        made.save("never")


def test_a_made_up_row_refuses_nothing_that_serves(path):
    table = {"a": [1.0, 2.0, 4.0], "b": [2.0, 5.0, 3.0]}
    ratios = make_pipeline(StandardScaler(), RatioFeatures()).fit(table)  # the mean is 0 below the line
    cr.save_predictor(path, nn.Linear(3, 1), preprocessing=ratios)
    assert cr.load_predictor(path).predict({"a": 1, "b": 2}).shape == (1,)
    through = ColumnTransformer([("all", "passthrough", ["c"])])
    texts = make_pipeline(through, OneHotEncoder()).fit({"c": ["x", "y"]})
    cr.save_predictor(path, nn.Linear(2, 1), preprocessing=texts)
    assert cr.load_predictor(path).predict({"c": "x"}).shape == (1,)


def test_without_a_schema_texts_are_no_numbers_either(path):
    cr.save_predictor(path, nn.Linear(3, 1), preprocessing=mixed())
    with pytest.raises(predictor.BadRowsError, match="must be finite numbers: row 0, column 'a' is '1'"):
        cr.load_predictor(path).predict({"a": "1", "b": "x"})


def test_no_rows_give_no_rows(loaded):
    for rows in ([], {"size": [], "weight": [], "kind": []}):
        assert loaded.predict_proba(rows).shape == (0, 3)
        assert loaded.predict(rows).shape == (0,)
    unnamed = predictor.Predictor(nn.Linear(2, 1), StandardScaler().fit([[1.0, 2.0], [3.0, 5.0]]))
    assert unnamed.predict([]).shape == (0,)


def test_bools_are_a_kind_of_column(path):
    table = {"n": [1.0, 2.0, 2.0], "paid": [True, None, False]}
    pipe = make_pipeline(SimpleImputer(), StandardScaler()).fit(table)
    cr.save_predictor(path, nn.Linear(2, 1), preprocessing=pipe, input_schema=table)
    found = cr.load_predictor(path)
    assert found.predict({"n": 1.0, "paid": True}) == found.predict({"n": 1.0, "paid": 1})
    with pytest.raises(predictor.BadRowsError, match="must be bools, 0 or 1: row 0, column 'paid' is 2"):
        found.predict({"n": 1.0, "paid": 2})


def test_a_flipped_byte_is_noticed(loaded, path):
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for at in range(start, len(content), 29):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(ValueError, match=r"damaged: its contents are not those that were written"):
            cr.load_predictor(path)
    path.write_bytes(content.replace(b'\\"threshold\\",0.5', b'\\"threshold\\",0.6'))
    assert path.read_bytes() != content
    with pytest.raises(ValueError, match=r"damaged: its contents"):
        cr.load_predictor(path)


def test_registering_needs_a_module_of_a_new_name():
    with pytest.raises(TypeError, match=r"register_layer: expects a subclass of nn.Module, got"):
        cr.register_layer(dict)
    with pytest.raises(ValueError, match="there is a layer named 'Linear'; rename the class"):
        cr.register_layer(type("Linear", (nn.Module,), {}))
    other = type("Net", (nn.Module,), {"__qualname__": "other.Net"})
    with pytest.raises(ValueError, match="there is a layer named 'Net'"):
        cr.register_layer(other)

    class Small(Net):  # not registered, though its parent is
        def __init__(self):
            super().__init__(WIDTH, head=nn.Linear(3, 1))

    with pytest.raises(TypeError, match=r"the model \(Small\) is of a class that is not registered"):
        predictor.Predictor(Small()).save("never")


def test_eight_threads_get_the_same_bits(loaded):
    expected = loaded.predict_proba(TABLE).tobytes()
    wrong, start = [], threading.Barrier(8)

    def work(number):
        start.wait()
        for _ in range(25):
            if loaded.predict_proba(TABLE).tobytes() != expected:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def altered(path, **changes):
    content = cr.load(path)
    content.update(changes)
    del content["checksum"]
    content["checksum"] = _serving.digest(content)
    cr.save(content, path)
    return path


def test_files_that_are_something_else_are_named(loaded, path):
    with pytest.raises(ValueError, match="format is version 3, known are up to 2"):
        cr.load_predictor(altered(path, version=3))
    with pytest.raises(ValueError, match=r"no layer 'Gone' here; import the module that defines it"):
        cr.load_predictor(altered(path, version=2, architecture={"layer": "Gone", "args": [], "kwargs": {}}))
    with pytest.raises(ValueError, match="its contents are damaged: KeyError"):
        cr.load_predictor(altered(path, architecture={}))
    with pytest.raises(ValueError, match=r"not a predictor; chainrule.load reads other files"):
        cr.load_predictor(altered(path, format="x"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        cr.load_predictor(path)
    with pytest.raises(FileNotFoundError):
        cr.load_predictor(path.parent / "none")


@pytest.mark.parametrize("version", [None, "1", 0, 1.5, True, [1]])
def test_a_version_that_is_none_is_named(loaded, path, version):
    with pytest.raises(ValueError, match="its contents are damaged: version "):
        cr.load_predictor(altered(path, version=version))


def nested(depth, wrap, inner):
    for _ in range(depth):
        inner = wrap(inner)
    return inner


def linear(size):
    return {
        "layer": "Linear",
        "args": [],
        "kwargs": {"in_features": {"value": size}, "out_features": {"value": size}},
    }


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"architecture": linear(2**25)}, "contents are damaged: MemoryError"),
        ({"architecture": linear(2**62)}, "load_predictor"),
        ({"architecture": linear(2**80)}, "load_predictor"),
        ({"architecture": nested(90, lambda x: {"layer": "Sequential", "children": [["0", x]]}, linear("x"))},
         "contents are damaged: TypeError"),
        ({"preprocessing": {"class": "StandardScaler", "params": {}, "fitted": {"a_": {"array": [2**80], "dtype": "<i8",
          "shape": [1]}}, "output": "default"}}, "contents are damaged: OverflowError"),
    ],
)  # fmt: skip
def test_contents_that_cannot_be_are_named(loaded, path, changes, match):
    with pytest.raises(ValueError, match=match):
        cr.load_predictor(altered(path, **changes))


def test_a_file_whose_contents_are_no_dictionary_is_named(path):
    cr.save({"x": cr.zeros(1)}, path)
    data = path.read_bytes()
    start, end = data.index(b'{\\"dict'), data.index(b'}"}')
    path.write_bytes(data[:start] + b'\\"text\\"'.ljust(end - start) + data[end:])
    with pytest.raises(ValueError, match=r"load_predictor: .*not a predictor"):
        cr.load_predictor(path)


# Written by version 1 of the format: SimpleImputer with an indicator, StandardScaler and OneHotEncoder below a
# ColumnTransformer; two Linear layers; labels, threshold and schema. zlib, base64.
VERSION_1 = """
eNrtWUtvI0UQjvgfSGjOg+WZWFkrQgoSAhEpKxC7SEixNWrPlO3e9HQP3T1JvJGllfg3/ACOwJEjd/4AV8QFbvRrXh57/NgoWLBWkunpR9VX
VV9Vd8d/vX9iPg9eFKUgUYIkiiLv/MGL5whTnhPwzr2HkXcLXGBGR9554I88zphUTdWf4Fi3rq9H3pTxFKkXNV4u7mUc9BTGR97Yv67J8QPz
jng8xxJimXNQnU2JBC2AG4Ev4NscqMSIODlqFUk4aEF6Zr9j7RWmgAr9iM+EXjM2bzd37r25FtNoCkhDao/dIpJrpIPxeGlksFxunx0WsycY
bZ4leQ56ov3R04MOu76Cq6/3syojKIaN2qeIiBX14ZO7NdzLrcEBbh0Xa+4Az+ayvazfsyN2QAIVmr3n5YJeNcEK6vcq9Wun22Hn0m3SwxXp
Ybf0sJTuzFIZl3EWgxCYzlrGxQQJYeL3CSN5Sl9yRIXOXChCmSGO0rZXZDXRRHplNM+IdrVq0q6lHXi+xBkQxaluGEJC1q1f4FS11Z9crtG3
G5YXRsZlIaMLUIqNoyNDNjc8JUwXQhUlimgRR6FUS5gtjIJUVUU9ZEammJCoICvNCbEVjmWLgrwmxZIkwlRpRqaaVgM3AFkEaSYX9YQps9lq
kBKSJvYqz5SVBlQCU5QT1S4zZelvdrNENEE8ETEih/vZCXnhhHQ5etUfd1jO1Z6lvbjSKWRSy/q3st/WsxRSxhf14KhtbMIEPIqf/ev+uNvX
8YHu/YLC50x+SmOWbPWu5ibjGOxKlEvmFiScZXXThZIgICrtsQ4wM+Uia1B4rqJLIMrpDWV31AjGM8p4keOp3hG42drjhntTdB81EJUjjuER
RSlEMUsnqmLY/ShmNEbOqW8Ri2BcxZ1Dqs4xiVNgHVEPf1RHI7RLduCdLpFloqqMjsyut2pbMdJcyCav1FFJFIXuNRhgNwqjNsB0zpGJwXVo
3yXcy1Y5qNfy6F0x/w8U83WkCg4n1QqXgg4uqX1AYiFxLNqSEedo0Tq5NA4oPWtNr0FJdWQyHOgF9f6eDVrPsGbDFCetBqrnQCwbJWrkfTQd
uojVzXRGlaGJDuTcc0ukyyrEXbSrRbrk4IeMkoVbBpwrKIxGFO6Omw2l0uPhQhXLdaMl4I08wRt4ssP54X9+wnr8nc7lRhXStQTt2vpoJJDe
DkQkAIzegTviIfq0pA26SGvg7FG6wrJ03SJ+RHZoNAeZYUh/RIZYPHub8lSXjH+n4r+72hzP1ebRGLD2NtG151fWrLlLNETfG2sWOxdsewlD
HNYIPrgSdKa5UaaKxe6HgX6Vwa+YilhisJqglhzLGr17XkLtPHtbWHewsk3zX/D2bU0QHFuYfug31Meb54b+oJq7SxnzzT+GJ0BcnCmzgdb8
dqGdK1bOGdGk7fdOa9JsUhI2w7rpav9cXbzb9Nb87bj66nYBIE8nRe5YdrZIZw3Upi29pX90B1H9FYzhnXfuXZ4NPN8CV55QSe2Zr2nYdCpA
CtXV94fj3WzYnfybAfTbAIY7A3j0m10d52fbHDX0g7PHA7rrCW4zxLANMTjzT8Mnwlg/1OwF8lSViOETgayOkHtBHAz9s4GG2PwapiHjNOyW
cTbwn4VNGbbVIUXfJ1blPAv9oN8AE24Bs4a7SoKSMmxK2QYn8NdRrK/yQCfC8oOT5udj+3jPPX+9+Pt5MviO/XHx/dU3v7/+4bcL2/+ne/7i
nifq+eaiKUN/ir43P6nfH937z/8AYk6CXg=="""


def test_a_file_of_version_1_stays_readable(path):
    path.write_bytes(zlib.decompress(base64.b64decode(VERSION_1)))
    found = cr.load_predictor(path)
    table = {"size": [1.0, None, 4.0, 2.0], "kind": ["x", "y", "x", "never"]}
    np.testing.assert_allclose(
        found.predict_proba(table)[:, 1], [0.64632440, 0.06214636, 0.96629781, 0.43782350], rtol=1e-6
    )
    assert found.predict(table).tolist() == ["yes", "no", "yes", "yes"]
    assert isinstance(found.preprocessing.named_transformers_["n"]["simpleimputer"], SimpleImputer)
    assert (found.threshold, found.labels) == (0.3, ["no", "yes"])
    found.predict({"size": True, "kind": "x"})  # bools were numbers
