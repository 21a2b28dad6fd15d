"""Warnings about the user's code, attributed to the user's line: Python shows each once for every such place."""

from __future__ import annotations

import os
import sys
import warnings

_PACKAGE = os.path.join(os.path.dirname(__file__), "")


def warn(text: str) -> None:
    """A UserWarning at the innermost line outside of this package; inside modules it names their path."""
    from chainrule.nn._path import running_path
    from chainrule.nn.module import Module

    frame, level = sys._getframe(1), 2
    path = running_path(frame, Module.__call__.__code__)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{text}, in {path}" if path else text, stacklevel=level)
