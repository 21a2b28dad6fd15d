"""IDX files: round trips of every dtype, and each way in which a file can be wrong."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chainrule.datasets import read_idx, write_idx

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]


def header(code, *sizes):
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, code, len(sizes), *sizes)


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
        )
    )
)
def test_what_is_written_is_read(tmp_path_factory, array):
    path = tmp_path_factory.getbasetemp() / "array.idx"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.flags.writeable
    np.testing.assert_array_equal(back, array)


def test_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "x"
    write_idx(path, np.array([[1, -2, 3]], np.int16))
    assert path.read_bytes() == bytes.fromhex("00000b02 00000001 00000003 0001 fffe 0003")
    write_idx(path, np.array([1.5], ">f8"))
    assert read_idx(path).tolist() == [1.5]


def test_compression_is_found_by_content(tmp_path):
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_idx(tmp_path / "x.gz", values)
    data = (tmp_path / "x.gz").read_bytes()
    assert data[:2] == b"\x1f\x8b"
    (tmp_path / "without-its-name").write_bytes(data)
    np.testing.assert_array_equal(read_idx(tmp_path / "without-its-name"), values)
    write_idx(tmp_path / "x.gz", values)
    assert (tmp_path / "x.gz").read_bytes() == data  # the same bytes every time


WHOLE = header(0x08, 2, 3) + bytes(6)
BAD = {
    "empty": (b"", "not an IDX file: it begins with nothing"),
    "picture": (b"\x89PNG\r\n", "not an IDX file: it begins with 89 50 4e 47"),
    "dtype": (header(0x0A, 1) + b"\0", r"dtype must be one of 0x08, .*, got 0x0a"),
    "header": (header(0x08, 2, 3)[:9], "truncated: 2 sizes need a header of 12 bytes, the file has 9"),
    "values": (WHOLE[:-1], r"truncated: \[2, 3\] of uint8 are 6 bytes, the file has 5 behind its header"),
    "too long": (WHOLE + b"\0", r"too long: \[2, 3\] of uint8 are 6 bytes, the file has 7"),
    "mislabelled": (
        header(0x0D, 2, 3) + bytes(6),
        r"truncated: \[2, 3\] of float32 are 24 bytes, the file has 6",
    ),
    "huge": (header(0x0E, *[2**32 - 1] * 9), r"truncated: \[4294967295, .* the file has 0"),
    "gzip cut": (gzip.compress(WHOLE)[:-9], r"truncated or damaged gzip file of \d+ bytes"),
    "gzip damaged": (
        gzip.compress(bytes(100))[:14] + b"\xff" * 20,
        "truncated or damaged gzip file of 34 bytes",
    ),
    "gzip sum": (gzip.compress(WHOLE)[:-8] + bytes(8), "truncated or damaged gzip file of 32 bytes: CRC"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_not_what_it_says_is_refused(tmp_path, name):
    data, message = BAD[name]
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"^read_idx: .*images-idx3-ubyte: {message}"):
        read_idx(path)


def test_a_missing_file_and_what_the_format_lacks(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        read_idx(tmp_path / "missing")
    for dtype in ("int64", "bool", "complex64", "U3"):
        with pytest.raises(TypeError, match=rf"write_idx: dtype must be one of uint8, .*, got .*{dtype[:3]}"):
            write_idx(tmp_path / "x", np.zeros(3, dtype))
    with pytest.raises(ValueError, match=r"write_idx: sizes must be below 2\^32, got \[4294967296\]"):
        write_idx(tmp_path / "x", np.broadcast_to(np.uint8(0), (2**32,)))
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        write_idx(tmp_path / "nowhere" / "x", np.zeros(3, np.uint8))
    assert list(tmp_path.iterdir()) == []
