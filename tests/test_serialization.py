"""save and load: what comes back is what was saved, completely or not at all, and never code."""

import json
import math
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import chainrule as cr
from chainrule import nn, optim, serialization


def same(a, b):
    """Equal in type, value and order; tensors in dtype, shape and bits."""
    if isinstance(a, cr.Tensor):
        assert isinstance(b, cr.Tensor)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.detach().numpy().tobytes() == b.numpy().tobytes()
        assert not b.requires_grad
    elif isinstance(a, dict):
        assert isinstance(b, dict)
        assert list(a) == list(b)
        assert list(map(type, a)) == list(map(type, b))
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert type(a) is type(b)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert type(a) is type(b)
        assert a == b or (a != a and b != b)
        assert not isinstance(a, float) or a != a or math.copysign(1, a) == math.copysign(1, b)


def network():
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))


def train(model, optimizer, steps, start=0):
    for t in range(start, start + steps):
        x = cr.tensor(np.random.default_rng(t).standard_normal((6, 3)).astype(np.float32))
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()


def test_a_model_round_trip(tmp_path):
    model, other = network(), network()
    train(model, optim.SGD(model.parameters(), lr=0.1), 2)
    cr.save(model.state_dict(), tmp_path / "model.safetensors")
    loaded = cr.load(str(tmp_path / "model.safetensors"))
    same(model.state_dict(), loaded)
    other.load_state_dict(loaded)
    x = cr.randn(4, 3)
    np.testing.assert_array_equal(model.eval()(x).detach().numpy(), other.eval()(x).detach().numpy())
    # What was loaded is memory of its own, and may be changed.
    loaded["0.weight"].zero_()
    same(model[0].weight, cr.load(tmp_path / "model.safetensors")["0.weight"])


@pytest.mark.parametrize(
    "make", [lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9), lambda ps: optim.Adam(ps, amsgrad=True)]
)
def test_training_resumes_from_a_file_with_the_same_bits(make, tmp_path):
    model = network()
    optimizer = make(model.parameters())
    train(model, optimizer, 3)
    cr.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "c")
    train(model, optimizer, 4, start=3)
    resumed = network()
    other = make(resumed.parameters())
    saved = cr.load(tmp_path / "c")
    resumed.load_state_dict(saved["model"])
    other.load_state_dict(saved["optimizer"])
    train(resumed, other, 4, start=saved["epoch"])
    same(model.state_dict(), resumed.state_dict())
    same(optimizer.state_dict(), other.state_dict())


def test_views_and_shared_tensors(tmp_path):
    x = cr.arange(24).float().reshape(4, 6)
    state = {"t": x.T, "slice": x[::2, 1:3], "back": x.flip(0), "twice": [x, x], "one": x.expand(2, 4, 6)}
    cr.save(state, tmp_path / "f")
    same(state, cr.load(tmp_path / "f"))


# ---- anything that can be saved comes back ----

TENSORS = st.one_of(
    [
        arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)).map(
            cr.tensor
        )
        for dtype in (np.float32, np.float64, np.int64, np.uint8, np.bool_)
    ]
)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
KEYS = st.one_of(
    st.text(max_size=5), st.integers(), st.sampled_from(["__metadata__", "", "a.b", "a", "tensor", "dict"])
)
VALUES = st.recursive(
    TENSORS | PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=6,
)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_is_saved_comes_back(tmp_path, state):
    cr.save(state, tmp_path / "f")
    same(state, cr.load(tmp_path / "f"))


def test_keys_that_join_to_one_name(tmp_path):
    state = {"a.b": cr.ones(1), "a": {"b": cr.zeros(1), "b~": cr.ones(2)}, 1: cr.ones(3), "1": cr.ones(4)}
    cr.save(state, tmp_path / "f")
    same(state, cr.load(tmp_path / "f"))


def test_other_programs_read_the_tensors_by_name(tmp_path):
    from safetensors.numpy import load_file, save_file

    cr.save({"layer": {"w": cr.ones(2, 3)}, "epoch": 3}, tmp_path / "f")
    assert {k: v.shape for k, v in load_file(tmp_path / "f").items()} == {"layer.w": (2, 3)}
    save_file({"w": np.ones(3, np.float32)}, tmp_path / "g")
    same({"w": cr.ones(3)}, cr.load(tmp_path / "g"))


# ---- completely or not at all ----


@pytest.mark.parametrize("step", ["write", "flush", "rename"])
def test_a_failed_save_leaves_the_older_file(step, tmp_path, monkeypatch):
    path = tmp_path / "model"
    cr.save({"w": cr.ones(3)}, path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    where = {"write": "safetensors.numpy.save_file", "flush": "os.fsync", "rename": "os.replace"}[step]
    monkeypatch.setattr(where, fail)
    with pytest.raises(OSError, match="disk full"):
        cr.save({"w": cr.zeros(5)}, path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["model"]
    assert path.read_bytes() == before


def test_the_new_file_appears_by_renaming(tmp_path, monkeypatch):
    path, real, seen = tmp_path / "model", os.replace, []

    def watch(source, target):
        same({"w": cr.ones(3)}, cr.load(source))  # it was complete before it got its name
        seen.append((os.path.dirname(source), target, path.exists()))
        real(source, target)

    monkeypatch.setattr(serialization.os, "replace", watch)
    cr.save({"w": cr.ones(3)}, path)
    assert seen == [(os.path.realpath(tmp_path), os.path.realpath(path), False)]
    assert os.listdir(tmp_path) == ["model"]


def test_a_value_that_cannot_be_saved_leaves_the_older_file(tmp_path):
    path = tmp_path / "model"
    cr.save({"w": cr.ones(3)}, path)
    for state, text in [
        ({"w": cr.zeros(3), "opt": {"f": len}}, "save: opt.f: cannot save a value of type builtin_function"),
        ({"a": [1, {2}]}, "save: a.1: cannot save a value of type set"),
        ({"a": np.ones(2)}, "save: a: cannot save a value of type ndarray; make a tensor of it"),
        ({"a": {2.5: 1}}, r"keys must be str or int, got 2.5 \(float\) in a"),
        ({True: 1}, r"keys must be str or int, got True \(bool\) in the dictionary"),
    ]:
        with pytest.raises(TypeError, match=text):
            cr.save(state, path)
    for whole in (cr.ones(3), [1], network()):
        with pytest.raises(TypeError, match=r"save: expected a dictionary such as model.state_dict\(\), got"):
            cr.save(whole, path)
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        cr.save({}, tmp_path / "absent" / "f")
    assert os.listdir(tmp_path) == ["model"]
    assert cr.load(path)["w"].tolist() == [1, 1, 1]


# ---- files that are not what they should be ----


def header(text, data=b""):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def described(root, **more):
    layout = json.dumps({"version": 1, "root": root, **more})
    return header({"__metadata__": {"chainrule": layout}, "w": entry()}, bytes(8))


class Code:
    def __reduce__(self):
        return os.system, ("exit 1",)


BAD_FILES = {
    "empty": (b"", "not a complete safetensors file"),
    "text": (b"hello, world, this is text", "not a complete safetensors file"),
    "huge-header": (struct.pack("<Q", 2**62) + b"{}", "not a complete safetensors file"),
    "no-json": (header(b"{nonsense"), "not a complete safetensors file"),
    "beyond-the-end": (header({"w": entry(offsets=(0, 800), shape=(200,))}, bytes(8)), "not a complete"),
    "backwards": (header({"w": entry(offsets=(8, 0))}, bytes(8)), "not a complete"),
    "wrong-size": (header({"w": entry(shape=(3,))}, bytes(8)), "not a complete"),
    "overflowing-size": (header({"w": entry(shape=(2**40, 2**40))}, bytes(8)), "not a complete"),
    "pickle": (pickle.dumps(Code()), "a pickle, which may run code when loaded"),
    "half": (header({"w": entry("F16", (4,))}, bytes(8)),
     "w: dtype must be one of BOOL, U8, I64, F32, F64, got F16"),
    "bfloat": (header({"w": entry("BF16", (4,))}, bytes(8)), "got BF16"),
    "version": (described({"dict": []}, version=9), "its layout is version 9, known is 1"),
    "absent-tensor": (described({"dict": [["a", {"tensor": "v"}]]}), "missing 'v'"),
    "unknown-kind": (described({"call": "os.system"}), "unknown kind of entry 'call'"),
    "two-kinds": (described({"tensor": "w", "float": "1"}), "an entry must have one kind"),
    "odd-pairs": (described({"dict": [1]}), "the description of the contents is damaged"),
    "no-root": (header({"__metadata__": {"chainrule": '{"version": 1}'}}), "missing 'root'"),
    "no-description": (header({"__metadata__": {"chainrule": "{"}}),
     "the description of the contents is damaged"),
    "bytes-of-bool": (header({"w": entry("BOOL", (8,))}, bytes([0, 1, 0, 2, 0, 0, 0, 0])),
     "w: bytes of bool data must be 0 or 1, got 2"),
    "nested": (header({"__metadata__": {"chainrule": "[" * 100000}}),
     "the description of the contents is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_foreign_and_damaged_files_name_the_path_and_the_reason(name, tmp_path):
    content, reason = BAD_FILES[name]
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        cr.load(path)
    assert str(caught.value).startswith(f"load: {path}: ")


def test_pytorchs_archives_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Code()))
    with pytest.raises(ValueError, match=r"model.pt: a pickle, .*safetensors.torch.save_file"):
        cr.load(path)


def test_every_truncation_is_found(tmp_path):
    path = tmp_path / "file"
    cr.save({"w": cr.ones(5), "n": {"b": cr.zeros(2, 2)}, "epoch": 2}, path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="not a complete safetensors file"):
            cr.load(path)


def test_a_directory_in_place_of_a_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError, match=r"^save: runs: is a directory"):
        cr.save({"w": cr.ones(3)}, "runs")
    assert os.listdir(tmp_path) == ["runs"]


def test_bool_tensors_come_back(tmp_path):
    cr.save(
        {"a": cr.tensor([True, False]), "b": cr.tensor(True), "c": cr.zeros(0, dtype=cr.bool)}, tmp_path / "f"
    )
    assert [t.tolist() for t in cr.load(tmp_path / "f").values()] == [[True, False], True, []]


def test_bad_arguments(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        cr.load(tmp_path / "absent")
    cr.save({}, tmp_path / "f")
    assert cr.load(tmp_path / "f", map_location="cpu") == {}
    with pytest.raises(ValueError, match="map_location must be None or 'cpu', got 'cuda'"):
        cr.load(tmp_path / "f", map_location="cuda")
    with pytest.raises(ValueError, match="files with code are never loaded"):
        cr.load(tmp_path / "f", weights_only=False)
