"""chainrule: a deep-learning library small enough to read and fast enough to use.

The names are PyTorch's wherever PyTorch has the thing; `docs/differences.md` lists where we differ.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from chainrule import _core, autograd, creation, ops
from chainrule import device as _device
from chainrule._absent import absent as _absent_error
from chainrule._core import bool, float32, float64, int64, uint8
from chainrule.autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from chainrule.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    get_default_dtype,
    is_tensor,
    linspace,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from chainrule.ops import *  # noqa: F403
from chainrule.random import (
    Generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    set_rng_state,
)
from chainrule.tensor import Tensor

if TYPE_CHECKING:
    from chainrule import (
        accelerator,
        cuda,
        data,
        datasets,
        nn,
        optim,
        preprocessing,
        train,
        transforms,
        utils,
    )
    from chainrule._capture import capture
    from chainrule.nn._architecture import register_layer
    from chainrule.predictor import load_predictor, save_predictor
    from chainrule.serialization import load, save

__version__ = "0.1.0"

# Submodules have these names too, and loading one binds the package's attribute to it.
tensor = creation.tensor
device = _device.device
dtype = _core.dtype
float = float32  # PyTorch's short names
double = float64
long = int64
get_num_threads = _core.get_num_threads
set_num_threads = _core.set_num_threads


def cpu_info() -> dict[str, Any]:
    """What the kernels run on: the instruction set chosen and the number of threads."""
    return {"isa": _core.isa(), "threads": _core.get_num_threads()}


# Loaded when first used: importing chainrule stays quick.
_LAZY_MODULES = (
    "accelerator",
    "cuda",
    "data",
    "datasets",
    "nn",
    "optim",
    "preprocessing",
    "serialization",
    "train",
    "transforms",
    "utils",
)
_LAZY_NAMES = {
    "capture": "_capture",
    "load": "serialization",
    "load_predictor": "predictor",
    "register_layer": "nn._architecture",
    "save": "serialization",
    "save_predictor": "predictor",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"chainrule.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"chainrule.{_LAZY_NAMES[name]}"), name)
    raise _absent_error(__name__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY_MODULES, *_LAZY_NAMES})
