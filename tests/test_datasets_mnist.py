"""MNIST and Fashion-MNIST: from folders, from Debian's place, from a server that may fail in the middle."""

import hashlib
import http.server
import socket
import sys
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import DataLoader, TensorDataset, part_of
from chainrule.datasets import MNIST, FashionMNIST, read_idx, write_idx

FILES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
COUNTS = {"train": 7, "t10k": 4}


def array_of(file):
    name, kind, *_ = file.split("-")
    rng = np.random.default_rng(COUNTS[name])
    if kind == "labels":
        return np.arange(COUNTS[name], dtype=np.uint8)
    return rng.integers(0, 256, (COUNTS[name], 28, 28), dtype=np.uint8)


def write_all(folder, ending=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        write_idx(folder / f"{file}{ending}", array_of(file))
    return folder


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
@pytest.mark.parametrize("place", ["", "{}/raw"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_files_are_found_where_they_are_kept(tmp_path, kind, place, ending):
    write_all(tmp_path / place.format(kind.__name__), ending)
    train, test = kind(tmp_path), kind(str(tmp_path), train=False)
    assert (len(train), len(test)) == (7, 4)
    assert (train.data.shape, train.data.dtype) == ((7, 28, 28), cr.uint8)
    assert (train.targets.dtype, train.targets.tolist()) == (cr.int64, list(range(7)))
    np.testing.assert_array_equal(test.data.numpy(), array_of("t10k-images-idx3-ubyte"))


def test_debians_place_is_read_when_no_root_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "debian", str(tmp_path / "nowhere"))
    with pytest.raises(
        FileNotFoundError, match=r"no file train-images.* in .*; Debian's package dataset-fashion"
    ):
        FashionMNIST()
    monkeypatch.setattr(FashionMNIST, "debian", str(write_all(tmp_path / "share")))
    assert len(FashionMNIST()) == 7
    with pytest.raises(ValueError, match="download=True needs root"):
        FashionMNIST(download=True)


def test_samples_are_pillows_images_as_torchvisions_are(tmp_path):
    pytest.importorskip("PIL")
    data = MNIST(write_all(tmp_path), transform=np.asarray, target_transform=str)
    image, label = data[2]
    np.testing.assert_array_equal(image, array_of(FILES[0])[2])
    assert label == "2"
    data.transform = data.target_transform = None
    image, label = data[-1]
    assert (image.mode, image.size, label) == ("L", (28, 28), 6)
    for index in (7, -8):
        with pytest.raises(IndexError, match=rf"MNIST: index {index} is out of range for 7 samples"):
            data[index]


def test_without_pillow_tensors_can_be_had_and_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    data = FashionMNIST(write_all(tmp_path))
    with pytest.raises(
        ImportError, match=r"FashionMNIST: an image: needs Pillow: pip install 'chainrule\[images\]'"
    ):
        data[0]
    images, labels = next(
        iter(DataLoader(TensorDataset(data.data.unsqueeze(1) / 255, data.targets), batch_size=5))
    )
    assert (images.shape, images.dtype, labels.tolist()) == ((5, 1, 28, 28), cr.float32, [0, 1, 2, 3, 4])


def test_the_parts_are_marked(tmp_path):
    write_all(tmp_path)
    for train, part in ((True, "train"), (False, "test")):
        data = MNIST(tmp_path, train)
        assert (
            part_of(data) == part_of(DataLoader(data)) == part_of(data.data) == part_of(data.targets) == part
        )


def test_classes_are_torchvisions():
    assert MNIST.classes[3] == "3 - three"
    assert FashionMNIST.classes[9] == "Ankle boot"
    assert len(MNIST.classes) == len(FashionMNIST.classes) == 10


WRONG = {
    "swapped": (
        FILES[0],
        np.zeros(7, np.uint8),
        r"images-idx3-ubyte: must hold images \[N, height, width\] of uint8",
    ),
    "dtype": (
        FILES[1],
        np.zeros(7, np.int32),
        r"labels-idx1-ubyte: must hold labels \[N\] of uint8, holds \[7\] of int",
    ),
    "count": (
        FILES[1],
        np.zeros(6, np.uint8),
        r"7 images in .*images-idx3-ubyte, but 6 labels in .*labels-idx1-ubyte",
    ),
    "label": (
        FILES[1],
        np.array([0, 1, 2, 10, 0, 0, 0], np.uint8),
        r"labels must be below 10, label 3 is 10",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_do_not_fit_are_refused(tmp_path, name):
    write_all(tmp_path, "")
    file, array, message = WRONG[name]
    write_idx(tmp_path / file, array)
    with pytest.raises(ValueError, match=rf"^MNIST: .*{message}"):
        MNIST(tmp_path)


def test_a_truncated_file_is_refused_by_name(tmp_path):
    write_all(tmp_path, "")
    path = tmp_path / FILES[0]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        ValueError, match=r"train-images-idx3-ubyte: truncated: \[7, 28, 28\] of uint8 are 5488 bytes"
    ):
        MNIST(tmp_path)


# ---- downloads ----


def test_each_file_has_a_checksum_of_its_own():
    for kind in (MNIST, FashionMNIST):
        assert list(kind.sums) == FILES
        assert all(len(bytes.fromhex(value)) == 32 for value in kind.sums.values())
    assert not set(MNIST.sums.values()) & set(FashionMNIST.sums.values())


class Server(http.server.ThreadingHTTPServer):
    """Serves files from a dictionary; `fault` says how it fails."""

    daemon_threads = True
    fault = ""

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data, fault = self.server.files.get(self.path), self.server.fault
        self.server.asked.append(self.path)
        if data is None or fault == "absent":
            self.send_error(404)
            return
        self.send_response(200)
        if fault != "no length":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault in ("cut", "no length"):
            data = data[: len(data) // 2]
        if fault == "corrupt":
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    folder = write_all(tmp_path / "served")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.files = {f"/some/place/{path.name}": path.read_bytes() for path in folder.iterdir()}
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_port}/some/place"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def small(server):
    """Fashion-MNIST with the checksums of the files that the server has."""

    sums = {
        path.rpartition("/")[2].removesuffix(".gz"): hashlib.sha256(data).hexdigest()
        for path, data in server.files.items()
    }
    return type("FashionMNIST", (FashionMNIST,), {"sums": sums})


def test_a_download_is_checked_and_kept(tmp_path, server, small):
    root = tmp_path / "data"
    data = small(root, download=True, url=server.url)
    np.testing.assert_array_equal(data.data.numpy(), array_of(FILES[0]))
    raw = root / "FashionMNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == [f"{file}.gz" for file in FILES[:2]]
    small(root, download=True, url=server.url)
    assert server.asked == [f"/some/place/{file}.gz" for file in FILES[:2]]
    test = small(root, train=False, download=True, url=f"{server.url}/")
    assert (len(test), len(server.asked)) == (4, 4)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("cut", ConnectionError, r"train-images-idx3-ubyte\.gz: ended after \d+ of \d+ bytes"),
        ("corrupt", ValueError, r"SHA-256 of the \d+ bytes must be [0-9a-f]{64}, is [0-9a-f]{64}"),
        ("no length", ValueError, r"SHA-256 of the \d+ bytes must be"),
        ("absent", ConnectionError, "HTTP Error 404"),
    ],
)
def test_a_download_that_fails_leaves_nothing_and_can_be_tried_again(
    tmp_path, server, small, fault, error, message
):
    server.fault, root = fault, tmp_path / "data"
    with pytest.raises(error, match=rf"^FashionMNIST: http://127\.0\.0\.1.*{message}"):
        small(root, download=True, url=server.url)
    assert files_in(root) == []
    server.fault = ""
    assert len(small(root, download=True, url=server.url)) == 7


def test_a_server_that_says_nothing_is_not_waited_for(tmp_path, small, monkeypatch):
    monkeypatch.setattr("chainrule.datasets.download._TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectionError, match="timed out"):
        small(tmp_path, download=True, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert files_in(tmp_path / "FashionMNIST") == []


def test_an_interrupted_download_leaves_nothing(tmp_path, server, small, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.datasets.download.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path / "data", download=True, url=server.url)
    assert files_in(tmp_path / "data") == []


def test_files_that_are_there_are_not_fetched_again(tmp_path, server, small):
    root = write_all(tmp_path / "mine", "")
    small(root, download=True, url=server.url)
    assert server.asked == []
    (root / FILES[1]).unlink()
    small(root, download=True, url=server.url)
    assert server.asked == [f"/some/place/{FILES[1]}.gz"]
    assert read_idx(root / "FashionMNIST" / "raw" / f"{FILES[1]}.gz").tolist() == list(range(7))


def test_without_download_a_missing_file_names_the_places(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r"MNIST: no file train-images-idx3-ubyte or .*\.gz in .* or .*raw; download=True",
    ):
        MNIST(tmp_path)
