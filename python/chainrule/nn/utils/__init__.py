"""Helpers around modules and gradients, under the names of ``torch.nn.utils``."""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.nn.utils import parametrizations, parametrize
from chainrule.nn.utils.clip_grad import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parametrizations",
    "parametrize",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
