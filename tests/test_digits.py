"""Training gives the same bits for any number of threads, and in every run with one seed."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import chainrule as cr
from chainrule import _core, nn
from chainrule.nn import functional as F

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
DRIVER = """
import json, sys
import chainrule as cr, digits
digits.main(["--epochs", "2", "--plot", "", "--seed", sys.argv[2], "--save", sys.argv[1]])
print(json.dumps(cr._core.pool_stats()))
"""


def train_digits(path, threads, seed=0):
    """Two epochs in a process of its own; the weights' bytes and the pool's counters."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(path), str(seed)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=EXAMPLES,
        env={**os.environ, "CHAINRULE_NUM_THREADS": str(threads)},
    )
    assert done.returncode == 0, done.stderr
    state = cr.load(path)
    assert len(state) == 16
    weights = {name: t.numpy().tobytes() for name, t in state.items()}
    return weights, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def one_thread(tmp_path_factory):
    pytest.importorskip("sklearn")
    weights, stats = train_digits(tmp_path_factory.mktemp("digits") / "one.safetensors", 1)
    assert stats["regions"] == 0
    return weights


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_digits_has_the_same_bits_for_any_number_of_threads(threads, one_thread, tmp_path):
    weights, stats = train_digits(tmp_path / "weights.safetensors", threads)
    assert [name for name in one_thread if weights[name] != one_thread[name]] == []
    if threads > 1:
        assert stats["regions"] > 100
        assert stats["worker_tasks"] > 0


def test_digits_has_other_bits_for_another_seed(one_thread, tmp_path):
    weights, _ = train_digits(tmp_path / "weights.safetensors", 2, seed=1)
    assert weights["0.weight"] != one_thread["0.weight"]


def train_larger_network(count):
    """Layers and batches for which every family splits its work, transpose convolution and SGD included."""
    cr.set_num_threads(count)
    cr.manual_seed(5)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.ConvTranspose2d(16, 8, 2, stride=2),
        nn.Tanh(),
        nn.MaxPool2d(3, 2, 1),
        nn.Flatten(),
        nn.Linear(8 * 8 * 8, 128),
        nn.Dropout(0.2),
        nn.Linear(128, 10),
    )
    optimizer = cr.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x, y = cr.randn(96, 3, 16, 16), cr.randint(10, (96,))
    before = _core.pool_stats()["regions"]
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    regions = _core.pool_stats()["regions"] - before
    return {name: t.numpy().tobytes() for name, t in model.state_dict().items()}, regions


def test_a_larger_network_has_the_same_bits_for_any_number_of_threads(threads):
    expected, regions = train_larger_network(1)
    assert regions == 0
    for count in (2, 3, 5):
        weights, regions = train_larger_network(count)
        assert [name for name in expected if weights[name] != expected[name]] == []
        assert regions > 50
