"""Optional packages, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any


def needs(op: str, module: str, package: str, extra: str) -> Any:
    """The imported `module`; ImportError that names the package and the extra to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{op}: needs {package}: pip install 'chainrule[{extra}]'") from error
