import importlib
import pathlib
import signal
import sys

import numpy as np
import pytest

import chainrule as cr


def pytest_report_header():
    info = cr.cpu_info()
    return f"chainrule {cr.__version__}: instruction set {info['isa']}, {info['threads']} threads"


@pytest.fixture(autouse=True)
def seeded():
    if hasattr(cr, "manual_seed"):
        cr.manual_seed(0)
    np.random.seed(0)


@pytest.fixture
def threads():
    """Restores the number of threads."""
    before = cr.get_num_threads()
    yield cr.set_num_threads
    cr.set_num_threads(before)


def pytest_configure() -> None:
    """Shells start what runs in the background with Ctrl-C ignored; tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def example(monkeypatch):
    """Imports an example by its name."""
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parents[1] / "examples"))

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load
