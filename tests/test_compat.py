"""Code written for PyTorch: whole scripts under both libraries, device idioms, and the absent names."""

import copy
import importlib
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import _absent, nn

SCRIPTS = pathlib.Path(__file__).parent / "scripts"
ACCURACY = {"mlp": 0.93, "cnn": 0.95}


def with_our_imports(source):
    """The script with its imports changed, and nothing else."""
    source = re.sub(r"^import torch$", "import chainrule as torch", source, flags=re.M)
    return re.sub(r"^(import|from) torch([. ])", r"\1 chainrule\2", source, flags=re.M)


def accuracy_of(path, weights):
    # One thread for PyTorch: its pool is slow to no purpose here where other processes share the cores.
    done = subprocess.run(
        [sys.executable, str(path), str(weights)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return float(re.search(r"^test accuracy: (\S+)$", done.stdout, flags=re.M)[1])


@pytest.mark.parametrize("name", ACCURACY)
def test_a_pytorch_script_learns_with_only_its_imports_changed(name, tmp_path):
    source = with_our_imports((SCRIPTS / f"{name}.py").read_text())
    assert not re.search(r"^\s*(import|from) torch", source, flags=re.M)
    script = tmp_path / "script.py"
    script.write_text(source)
    assert accuracy_of(script, tmp_path / "weights.safetensors") >= ACCURACY[name]


@pytest.mark.peers
@pytest.mark.parametrize("name", ACCURACY)
def test_the_same_script_learns_as_much_under_pytorch(name, tmp_path):
    if not os.environ.get("CHAINRULE_REQUIRE_PEERS"):
        pytest.importorskip("torch")
    assert accuracy_of(SCRIPTS / f"{name}.py", tmp_path / "weights.pt") >= ACCURACY[name]


# ---- devices ----


def test_the_usual_choice_of_a_device_gives_the_cpu():
    device = cr.device("cuda" if cr.cuda.is_available() else "cpu")
    assert device == "cpu"
    assert (device.type, device.index, str(device), f"{device}") == ("cpu", None, "cpu", "cpu")
    assert repr(device) == "device(type='cpu')"
    assert isinstance(device, cr.device)
    assert cr.device(device) == cr.device("cpu:0") == cr.device("cpu", 0) == device
    assert copy.deepcopy(device) == device
    x = cr.zeros(2, device=device)
    assert x.to(device) is x
    assert x.device == device
    model = nn.Linear(2, 2)
    assert model.to(device) is model
    assert model.cpu() is model


def test_there_is_no_accelerator():
    assert not cr.cuda.is_available()
    assert cr.cuda.device_count() == 0
    cr.cuda.manual_seed_all(0)
    assert not cr.accelerator.is_available()
    assert cr.accelerator.current_accelerator() is None


@pytest.mark.parametrize("args", [("cuda",), ("cuda:0",), ("cpu", 1), (0,), ("mps",), (None,)])
def test_another_device_is_refused(args):
    with pytest.raises(ValueError, match=r"device: this build has no device '.*'.*; use 'cpu'"):
        cr.device(*args)
    with pytest.raises(ValueError, match="this build has no device 'cuda'; use 'cpu'"):
        cr.zeros(2).to("cuda")


# ---- absent names ----

PLACES = {
    "chainrule": cr,
    "Tensor": cr.Tensor,
    "Module": nn.Module,
    "chainrule.nn": nn,
    "chainrule.nn.functional": nn.functional,
    "chainrule.nn.init": nn.init,
    "chainrule.nn.utils": nn.utils,
    "chainrule.autograd": cr.autograd,
    "chainrule.optim": cr.optim,
    "chainrule.optim.lr_scheduler": cr.optim.lr_scheduler,
    "chainrule.data": cr.data,
}


@pytest.mark.parametrize(
    ("place", "name", "instead"),
    [
        ("chainrule", "half", "float32"),
        ("chainrule", "sin", "NumPy"),
        ("chainrule", "allclose", "isclose"),
        ("chainrule", "compile", "chainrule.capture"),
        ("chainrule", "LongTensor", "dtype=chainrule.int64"),
        ("chainrule", "vstack", "cat"),
        ("Tensor", "cuda", "CPU"),
        ("Tensor", "half", "float()"),
        ("Tensor", "int", "long()"),
        ("Tensor", "is_cuda", "x.device"),
        ("Tensor", "cos", "NumPy"),
        ("Tensor", "clip", "clamp"),
        ("Tensor", "squeeze_", "without _"),
        ("Module", "cuda", "CPU"),
        ("Module", "half", "float()"),
        ("Module", "get_submodule", "named_modules"),
        ("chainrule.nn", "LayerNorm", "rsqrt"),
        ("chainrule.nn.utils", "weight_norm", "parametrizations.weight_norm"),
        ("chainrule.nn", "Conv1d", "Conv2d"),
        ("chainrule.nn.functional", "normalize", "norm"),
        ("chainrule.nn.utils", "parameters_to_vector", "cat("),
        ("chainrule.nn.init", "dirac_", "NumPy"),
        ("chainrule.autograd", "set_detect_anomaly", "isfinite"),
        ("chainrule", "bincount", "numpy.bincount"),
        ("chainrule", "finfo", "numpy.finfo"),
        ("chainrule", "iinfo", "numpy.iinfo"),
        ("chainrule", "atleast_2d", "unsqueeze"),
        ("Tensor", "bincount", "numpy.bincount"),
        ("Tensor", "lerp_", "add_"),
        ("Tensor", "addcmul_", "add_"),
        ("Tensor", "storage_offset", "data_ptr()"),
        ("chainrule.optim", "Adamax", "Adam"),
        ("chainrule.optim.lr_scheduler", "CyclicLR", "OneCycleLR"),
        ("chainrule.data", "DistributedSampler", "threads"),
    ],
)
def test_an_absent_name_says_what_to_use(place, name, instead):
    with pytest.raises(AttributeError) as error:
        getattr(PLACES[place], name)
    assert str(error.value).startswith(f"{place} has no {name!r}; use ")
    assert instead in str(error.value)


def test_an_absent_name_of_an_object_says_what_to_use():
    x = cr.ones(2, requires_grad=True)
    with pytest.raises(AttributeError, match="Tensor has no 'cuda'; use the CPU"):
        x.cuda()
    with pytest.raises(AttributeError, match="Module has no 'half'; use float"):
        nn.Linear(1, 1).half()
    assert not hasattr(x, "sin")
    assert "cuda" not in dir(x)
    assert "relu" in dir(x)
    assert not hasattr(x, "no_such_name")


def test_an_absent_name_is_free_for_a_module_of_ones_own():
    model = nn.Sequential()
    model.half = nn.Linear(2, 1)
    model.register_buffer("type", cr.ones(1))
    assert model.half is model._modules["half"]
    assert "half" in dir(model)
    assert set(model.state_dict()) == {"half.weight", "half.bias", "type"}


@pytest.mark.parametrize("place", [p for p in PLACES if p.startswith("chainrule")])
def test_an_unknown_name_points_to_the_docs(place):
    text = rf"{place} has no 'no_such_name'; docs/differences\.md lists what common names are replaced by$"
    with pytest.raises(AttributeError, match=text):
        _ = PLACES[place].no_such_name
    with pytest.raises(ImportError):
        importlib.import_module(f"{place}.no_such_name")


@pytest.mark.parametrize("place", _absent.INSTEAD)
def test_no_text_is_left_for_a_name_that_exists(place):
    for name in _absent.names_of(place):
        assert not hasattr(PLACES[place], name), f"{place}.{name} exists: take it out of _absent.py"


@pytest.mark.peers
@pytest.mark.parametrize("place", _absent.INSTEAD)
def test_absent_names_are_pytorchs(place):
    """A misspelt entry would never be found."""
    torch = pytest.importorskip("torch")
    theirs = {
        "chainrule": torch,
        "Tensor": torch.Tensor,
        "Module": torch.nn.Module,
        "chainrule.nn": torch.nn,
        "chainrule.nn.functional": torch.nn.functional,
        "chainrule.nn.init": torch.nn.init,
        "chainrule.nn.utils": torch.nn.utils,
        "chainrule.autograd": torch.autograd,
        "chainrule.optim": torch.optim,
        "chainrule.optim.lr_scheduler": torch.optim.lr_scheduler,
        "chainrule.data": torch.utils.data,
    }[place]
    for name in _absent.names_of(place):
        assert hasattr(theirs, name), f"PyTorch has no {place}.{name}"


def test_utils_data_is_data():
    from chainrule.utils.data import DataLoader

    assert cr.utils.data is cr.data
    assert DataLoader is cr.data.DataLoader


def test_the_recommended_normalize_is_finite_at_0():
    recipe = _absent.names_of("chainrule.nn.functional")["normalize"]
    x = cr.tensor([[0.0, 0.0], [3.0, -4.0]], requires_grad=True)
    y = eval(recipe, dict(vars(cr)), {"x": x})
    y[1].sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), [[0, 0], [0.6, -0.8]], rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), [[0, 0], [0.224, 0.168]], rtol=1e-5)


def test_the_docs_recommend_the_same_formulas():
    docs = (pathlib.Path(__file__).parent.parent / "docs" / "differences.md").read_text().replace("\\|", "|")
    assert f"`{_absent.names_of('chainrule.nn.functional')['normalize']}`" in docs
