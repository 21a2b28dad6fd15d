"""save and load: tensors in safetensors files, which hold data and never run code.

A file is an ordinary safetensors file: other programs read its tensors by name. What safetensors
lacks (nesting, numbers, order) is a JSON text in the file's metadata under ``chainrule``: each
tensor there is the name of its entry, each container says its kind.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.creation import from_numpy
from chainrule.tensor import Tensor

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I64": "int64",
    "F32": "float32",
    "F64": "float64",
}
_METADATA_KEY = "chainrule"
_VERSION = 1


def save(obj: Mapping[Any, Any], path: str | os.PathLike[str]) -> None:
    """Writes a state dictionary, for instance ``model.state_dict()``, to a safetensors file.

    `obj` is a dictionary of tensors, numbers, bools, None, strings, and lists, tuples and
    dictionaries (str or int keys) of such, so an optimizer's state fits, too. Tensors are
    bool, uint8, int64, float32 or float64.

    The file is complete or absent: a temporary file in the same directory is written, flushed to
    the disk and renamed, so a crash leaves an older file at `path` as it was.

    Raises TypeError if `obj` is no dictionary, and for a value of a type that cannot be saved, naming
    its key; IsADirectoryError if `path` is one.

    Example::

        cr.save(model.state_dict(), "model.safetensors")
        model.load_state_dict(cr.load("model.safetensors"))
    """
    if not isinstance(obj, Mapping):
        raise TypeError(f"save: expected a dictionary such as model.state_dict(), got {type(obj).__name__}")
    arrays: dict[str, np.ndarray] = {}
    structure = {"version": _VERSION, "root": _encode(obj, "", arrays)}
    text = json.dumps(structure, allow_nan=False, separators=(",", ":"))
    if os.path.isdir(path):
        raise IsADirectoryError(f"save: {os.fspath(path)}: is a directory; name a file in it")
    _write_atomically(os.path.realpath(path), arrays, {_METADATA_KEY: text})


def load(
    path: str | os.PathLike[str], map_location: Any = None, *, weights_only: bool = True
) -> dict[Any, Any]:
    """Reads what ``save`` wrote; of other safetensors files, the tensors by name.

    `map_location` (None or "cpu") and `weights_only` are there for code written for PyTorch:
    nothing but data is ever loaded.

    Raises ValueError, with the path and the reason, for a file that is truncated, damaged, of
    another kind (a pickle, too) or holds other dtypes; FileNotFoundError if there is none.
    """
    if str(map_location or "cpu") != "cpu":
        raise ValueError(f"load: map_location must be None or 'cpu', got {map_location!r}")
    if weights_only is not True:
        raise ValueError("load: weights_only must be True; files with code are never loaded")
    path = os.fspath(path)
    arrays, metadata = _read(path)
    if _METADATA_KEY not in metadata:
        return {name: from_numpy(array) for name, array in arrays.items()}
    try:
        structure = json.loads(metadata[_METADATA_KEY])
        if structure["version"] != _VERSION:
            raise ValueError(f"its layout is version {structure['version']}, known is {_VERSION}")
        return _decode(structure["root"], arrays)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"load: {path}: the description of the contents is damaged: {reason}") from (error)


def _encode(value: Any, key: str, arrays: dict[str, np.ndarray]) -> Any:
    """`value` as JSON; its tensors go to `arrays`, under their key made unique."""
    if isinstance(value, Tensor):
        name = key
        while name in arrays or name in ("", "__metadata__"):
            name += "~"
        arrays[name] = _array(value, key)
        return {"tensor": name}
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        # JSON has no infinity and no NaN.
        return float(value) if np.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, list | tuple):
        items = [_encode(item, _join(key, position), arrays) for position, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, Mapping):
        pairs = []
        for name, item in value.items():
            if isinstance(name, bool) or not isinstance(name, str | int):
                raise TypeError(
                    f"save: keys must be str or int, got {name!r} ({type(name).__name__}) "
                    f"in {key or 'the dictionary'}"
                )
            pairs.append([name, _encode(item, _join(key, name), arrays)])
        return {"dict": pairs}
    hint = "; make a tensor of it" if isinstance(value, np.ndarray | np.generic) else ""
    raise TypeError(f"save: {key}: cannot save a value of type {type(value).__name__}{hint}")


def _join(key: str, name: str | int) -> str:
    return f"{key}.{name}" if key else str(name)


def _array(tensor: Tensor, key: str) -> np.ndarray:
    array = tensor._t.numpy(writable=False)
    if array.dtype.name not in _DTYPES.values():
        raise ValueError(
            f"save: {key}: dtype must be one of {', '.join(_DTYPES.values())}, got {array.dtype}"
        )
    # safetensors reads the memory as it lies. (ascontiguousarray would give a scalar a dimension.)
    return array if array.flags.c_contiguous else array.copy(order="C")


def _decode(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(node, list):
        return [_decode(item, arrays) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) != 1:
        raise ValueError(f"an entry must have one kind, got {sorted(node)}")
    ((kind, content),) = node.items()
    if kind == "tensor":
        return from_numpy(arrays[content])
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(_decode(item, arrays) for item in content)
    if kind == "dict":
        return {name: _decode(item, arrays) for name, item in content}
    raise ValueError(f"unknown kind of entry {kind!r}")


def _write_atomically(path: str, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    from safetensors.numpy import save_file

    directory, name = os.path.split(path)
    if not os.path.isdir(directory):
        raise FileNotFoundError(f"save: {path}: there is no directory {directory}")
    temporary = os.path.join(directory, f".{name}.{os.urandom(8).hex()}.tmp")
    try:
        save_file(arrays, temporary, metadata)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
    _flush_directory(directory)


def _flush_directory(directory: str) -> None:
    """Makes the renaming durable, where the system can open a directory (Windows cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as file:
        start = file.read(4)
    try:
        with safe_open(path, framework="np") as file:
            return dict(_arrays(path, file)), file.metadata() or {}
    except SafetensorError as error:
        reason = f"not a complete safetensors file: {error}"
        if start[:1] == b"\x80" or start == b"PK\x03\x04":
            reason = (
                "a pickle, which may run code when loaded, and no safetensors file; convert it "
                "with the program that wrote it (safetensors.torch.save_file)"
            )
        raise ValueError(f"load: {path}: {reason}") from error


def _arrays(path: str, file: Any) -> Iterator[tuple[str, np.ndarray]]:
    for key in file.keys():  # noqa: SIM118  (a safetensors handle is no mapping)
        dtype = file.get_slice(key).get_dtype()
        if dtype not in _DTYPES:
            raise ValueError(f"load: {path}: {key}: dtype must be one of {', '.join(_DTYPES)}, got {dtype}")
        array = file.get_tensor(key)
        if dtype == "BOOL" and (size := array.view(np.uint8).max(initial=0)) > 1:
            raise ValueError(f"load: {path}: {key}: bytes of bool data must be 0 or 1, got {size}")
        yield key, array if array.flags.writeable else array.copy()
