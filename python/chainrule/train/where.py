"""Where in a training or an evaluation an error arose: its text ends with that, its type stays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.tensor import Tensor


class NanOutputs(ValueError):
    """A class or a score was asked for of outputs that are NaN, which would count as some class."""


@contextlib.contextmanager
def located(where: str) -> Iterator[None]:
    """Errors of data (shapes, types, values, labels) that leave this block end with `where`: ``in epoch 1, update 3``.

    A position, in their text, counts within the batch that the operation saw, and they say so.
    """
    try:
        yield
    except (ValueError, TypeError, IndexError) as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            text = error.args[0]
            note = "; positions count within the batch" if "at position " in text else ""
            error.args = (f"{text}, {where}{note}",)
        raise


def nan_row(output: Any) -> int | None:
    """The first row (sample) of a tensor that has a NaN."""
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return None
    found = np.isnan(output.detach().numpy())
    return int(np.argwhere(np.atleast_1d(found))[0, 0]) if found.any() else None


def refuse_nan(op: str, output: Tensor, what: str) -> None:
    """NanOutputs, and the first row, where `output` has NaN."""
    row = nan_row(output)
    if row is not None:
        raise NanOutputs(
            f"{op}: {what} needs numbers, but the model's outputs have NaN, the first in row {row}"
        )
