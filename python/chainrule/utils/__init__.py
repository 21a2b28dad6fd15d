"""``chainrule.utils.data`` is ``chainrule.data``: PyTorch's path to the same module object."""

import sys
from typing import NoReturn

from chainrule import data
from chainrule._absent import absent as _absent_error
from chainrule.data import (
    collate,
    dataset,
    fetch,
    loader,
    part,
    position,
    sampler,
    seeding,
    split,
    strata,
    workers,
)

__all__ = ["data"]

# With the submodules named too, no import path loads a second copy of a class.
sys.modules[f"{__name__}.data"] = data
_modules = (collate, dataset, fetch, loader, part, position, sampler, seeding, split, strata, workers)
for _module in _modules:
    sys.modules[f"{__name__}.data.{_module.__name__.rpartition('.')[2]}"] = _module


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
