"""How tensors look: NumPy's layout with PyTorch's four digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule import _core, autograd

if TYPE_CHECKING:
    from chainrule.tensor import Tensor

_QUIET = (_core.float32, _core.int64, _core.bool)  # dtypes that go without saying


def to_text(x: Tensor) -> str:
    if _core.recording():
        return f"tensor(<being recorded>, shape={list(x.shape)}, dtype={x.dtype!r})"
    array = x._t.numpy(writable=False)
    values = np.array2string(array, precision=4, separator=", ", prefix="tensor(", threshold=1000)
    if array.dtype.kind == "f" and array.size == 1 and array.ndim == 0:
        values = np.array2string(array, precision=4, floatmode="maxprec_equal")
    parts = [values]
    if x.numel() == 0 and x.ndim != 1:
        parts.append(f"size={x.shape}")
    if x.dtype not in _QUIET:
        parts.append(f"dtype={x.dtype!r}")
    if x.grad_fn is not None:
        parts.append(f"grad_fn=<{autograd.name_of(x.grad_fn)}>")
    elif x.requires_grad:
        parts.append("requires_grad=True")
    return f"tensor({', '.join(parts)})"
