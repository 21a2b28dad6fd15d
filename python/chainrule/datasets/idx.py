"""IDX files, the format of MNIST and its relatives: an array of any shape behind a short header.

The header is two zero bytes, one byte for the dtype, one for the number of dimensions, and each size as a big-endian
unsigned 32-bit integer; the values follow, big-endian, the last dimension fastest (LeCun, Cortes and Burges, "The MNIST
database of handwritten digits").
"""

from __future__ import annotations

import gzip
import math
import os
import zlib

import numpy as np

from chainrule.datasets.download import written_atomically

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(text).newbyteorder("="): code for code, text in _DTYPES.items()}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array in an IDX file, which may be compressed with gzip, whatever its name says.

    The dtype is that of the file (uint8, int8, int16, int32, float32 or float64), in the machine's byte order.

    Raises ValueError, with the file and the numbers, for another kind of file, a dtype the format does not have, and
    fewer or more values than the header says; FileNotFoundError if there is no such file.

    Example:
        >>> images = read_idx("t10k-images-idx3-ubyte.gz")
        >>> images.shape, images.dtype
        ((10000, 28, 28), dtype('uint8'))
    """
    path = os.fspath(path)
    data = _contents(path)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise ValueError(
            f"read_idx: {path}: not an IDX file: it begins with {data[:4].hex(' ') or 'nothing'}"
        )
    code, dimensions = data[2], data[3]
    if code not in _DTYPES:
        known = ", ".join(f"{number:#04x}" for number in _DTYPES)
        raise ValueError(f"read_idx: {path}: dtype must be one of {known}, got {code:#04x}")
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise ValueError(
            f"read_idx: {path}: truncated: {dimensions} sizes need a header of {header} bytes, the file has {len(data)}"
        )
    shape = [int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4)]
    dtype = np.dtype(_DTYPES[code])
    wanted, found = math.prod(shape) * dtype.itemsize, len(data) - header
    if wanted != found:
        raise ValueError(
            f"read_idx: {path}: {'truncated' if found < wanted else 'too long'}: {shape} of {dtype.name} are "
            f"{wanted} bytes, the file has {found} behind its header"
        )
    values = np.frombuffer(data, dtype=dtype, offset=header).reshape(shape)
    return values.astype(dtype.newbyteorder("="))  # a copy: bytes cannot be written to


def write_idx(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Writes an array as an IDX file, compressed if the name ends in .gz; the file is complete or absent.

    Raises TypeError for a dtype that the format does not have, ValueError for a size of 2^32 or more.

    Example:
        >>> write_idx("labels-idx1-ubyte.gz", np.array([7, 2, 1], np.uint8))
    """
    path, array = os.fspath(path), np.asarray(array)
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(dtype.name for dtype in _CODES)
        raise TypeError(f"write_idx: dtype must be one of {known}, got {array.dtype}")
    if any(size >= 2**32 for size in array.shape):
        raise ValueError(f"write_idx: sizes must be below 2^32, got {list(array.shape)}")
    header = bytes([0, 0, code, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    data = header + array.astype(_DTYPES[code]).tobytes()
    with written_atomically(path) as file:
        file.write(gzip.compress(data, mtime=0) if path.endswith(".gz") else data)


def _contents(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"read_idx: {path}: truncated or damaged gzip file of {len(data)} bytes: {error}"
        ) from error
