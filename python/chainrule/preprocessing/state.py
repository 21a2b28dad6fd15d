"""What a fitted transformer knows as JSON values and NumPy arrays of numbers, and back. Never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.preprocessing.table import is_missing

# Dtypes that files hold; others travel as the wider one and come back as they were.
_WIDER = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64}
_KEPT = (np.bool_, np.uint8, np.int64, np.float32, np.float64)
_TYPES = {"number": np.number, "float": float, "int": int, "str": str, "bool": bool, "object": object}


def encode(op: str, name: str, value: Any) -> Any:
    """`value` as None, a number, a text, a list of such, an array of numbers, or a dictionary that says its kind.

    Raises TypeError for anything else (a function, for instance), with its name.
    """
    from chainrule.preprocessing.base import Transformer

    if value is None or isinstance(value, bool | str):
        return value
    if is_missing(value) and not isinstance(value, float):
        return None  # pandas's NA, which means the same
    if isinstance(value, np.generic):
        return encode(op, name, value.item())
    if isinstance(value, int | float):
        return value
    if isinstance(value, Transformer):
        return {"transformer": value._state()}
    if isinstance(value, np.ndarray):
        return _encode_array(op, name, value)
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if isinstance(value, type):
        return _encode_type(op, name, value)
    if isinstance(value, slice):
        return {"slice": [encode(op, name, v) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, list):
        return [encode(op, name, item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(op, name, item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[encode(op, name, k), encode(op, name, v)] for k, v in value.items()]}
    raise TypeError(f"{op}: {name} cannot be saved: {value!r} ({type(value).__name__})")


def decode(value: Any) -> Any:
    """What ``encode`` was given. Raises ValueError for a kind it does not know."""
    from chainrule.preprocessing.base import Transformer

    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "array" in value:
        array = np.asarray(value["array"])
        return array.astype(np.dtype(value["dtype"])).reshape(value["shape"])
    if "objects" in value:
        out = np.empty(len(value["objects"]), dtype=object)
        out[:] = [decode(item) for item in value["objects"]]
        out = out.reshape(value["shape"])
        return out.astype(np.str_) if value["texts"] else out
    ((kind, content),) = value.items()
    if kind == "transformer":
        return Transformer.from_state(content)
    if kind == "dtype":
        return np.dtype(content)
    if kind == "type":
        return _TYPES.get(content) or np.dtype(content).type
    if kind == "slice":
        return slice(*content)
    if kind == "tuple":
        return tuple(decode(item) for item in content)
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    raise ValueError(f"from_state: unknown kind of value {kind!r}")


def _encode_array(op: str, name: str, value: np.ndarray) -> dict[str, Any]:
    shape = list(value.shape)
    if value.dtype.kind in "biuf":
        array = value if value.dtype in _KEPT else value.astype(_WIDER[value.dtype.kind])
        return {"array": np.ascontiguousarray(array), "dtype": value.dtype.str, "shape": shape}
    if value.dtype.kind not in "OU":
        raise TypeError(f"{op}: {name} cannot be saved: an array of dtype {value.dtype}")
    items = [encode(op, name, item) for item in value.reshape(-1).tolist()]
    return {"objects": items, "shape": shape, "texts": value.dtype.kind == "U"}


def _encode_type(op: str, name: str, value: type) -> dict[str, Any]:
    for text, known in _TYPES.items():
        if known is value:
            return {"type": text}
    if issubclass(value, np.generic):
        return {"type": value.__name__}
    raise TypeError(f"{op}: {name} cannot be saved: the class {value.__name__}")
