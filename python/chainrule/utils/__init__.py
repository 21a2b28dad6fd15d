"""``chainrule.utils.data`` is ``chainrule.data``: PyTorch's path to the same module object."""

import sys
from typing import NoReturn

from chainrule import data
from chainrule._absent import absent as _absent_error
from chainrule.data import collate, dataset, loader, part, sampler, split

__all__ = ["data"]

# With the submodules named too, no import path loads a second copy of a class.
sys.modules[f"{__name__}.data"] = data
for _module in (collate, dataset, loader, part, sampler, split):
    sys.modules[f"{__name__}.data.{_module.__name__.rpartition('.')[2]}"] = _module


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
