"""ImageFolder: classes and order as torchvision's, empty folders, and images that cannot be read."""

import os
import pathlib
import sys

import numpy as np
import pytest

from chainrule.data import DataLoader
from chainrule.datasets import ImageFolder


def read(path):
    """A loader without Pillow: the file's text, which must be a number."""
    return int(pathlib.Path(path).read_text())


def make(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


PETS = {
    "dog/b.PNG": "3",
    "cat/10.png": "1",
    "cat/2.jpg": "2",
    "dog/old/a.jpeg": "4",
    "dog/a.bmp": "5",
    "cat/notes.txt": "",
    "readme.txt": "",
}


def test_classes_and_images_are_sorted_by_name(tmp_path):
    data = ImageFolder(make(tmp_path, PETS), loader=read)
    assert data.classes == ["cat", "dog"]
    assert data.class_to_idx == {"cat": 0, "dog": 1}
    names = [pathlib.Path(path).relative_to(tmp_path).as_posix() for path, _ in data.samples]
    assert names == ["cat/10.png", "cat/2.jpg", "dog/a.bmp", "dog/b.PNG", "dog/old/a.jpeg"]
    assert [data[i] for i in range(len(data))] == [(1, 0), (2, 0), (5, 1), (3, 1), (4, 1)]
    assert data.targets == [0, 0, 1, 1, 1]
    assert data.imgs is data.samples
    assert data.ignored == [str(tmp_path / "readme.txt"), str(tmp_path / "cat" / "notes.txt")]
    assert data.skipped == []
    assert repr(data) == f"ImageFolder({str(tmp_path)!r}): 5 images, 2 classes"


def test_transforms_and_extensions(tmp_path):
    root = make(tmp_path, PETS)
    data = ImageFolder(root, lambda x: 10 * x, lambda y: -y, read, extensions=(".bmp", ".jpg"))
    assert [data[i] for i in range(len(data))] == [(20, 0), (50, -1)]
    assert len(data.ignored) == 5
    assert len(ImageFolder(root, loader=read, extensions=".png")) == 2


def test_links_to_folders_are_followed_once(tmp_path):
    root = make(tmp_path / "root", PETS)
    make(tmp_path / "elsewhere", {"z.png": "9"})
    os.symlink(tmp_path / "elsewhere", root / "dog" / "more")
    for name in ("loop", "loop2"):  # two of them would double with every level
        os.symlink(root / "cat", root / "cat" / name)
    data = ImageFolder(root, loader=read)
    assert [data[i][0] for i in range(len(data))] == [1, 2, 5, 3, 9, 4]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.png": "1"}, r"no folder of a class in it"),
        (
            {"cat/1.png": "1", "dog/x.txt": "", "emu/y.gif": ""},
            r"no image in the folder of dog, emu; images end in",
        ),
    ],
)
def test_empty_folders_are_refused(tmp_path, files, message):
    with pytest.raises(FileNotFoundError, match=rf"^ImageFolder: .*{message}"):
        ImageFolder(make(tmp_path, files), loader=read)


def test_a_missing_root_and_an_admitted_empty_class(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ImageFolder: .*nowhere: there is no such folder"):
        ImageFolder(tmp_path / "nowhere")
    make(tmp_path, {"cat/1.png": "1"})
    (tmp_path / "dog").mkdir()
    data = ImageFolder(tmp_path, loader=read, allow_empty=True)
    assert (data.classes, len(data)) == (["cat", "dog"], 1)


def test_an_index_out_of_range_is_named(tmp_path):
    data = ImageFolder(make(tmp_path, PETS), loader=read)
    assert data[-1] == (4, 1)
    for index in (5, -6):
        with pytest.raises(IndexError, match=rf"ImageFolder: index {index} is out of range for 5 images in "):
            data[index]


CORRUPT = {"cat/1.png": "1", "cat/2.png": "broken", "dog/1.png": "3"}


def test_an_image_that_cannot_be_read_is_named_when_it_is_fetched(tmp_path):
    data = ImageFolder(make(tmp_path, CORRUPT), loader=read)
    assert len(data) == 3
    assert data[2] == (3, 1)
    message = r"^ImageFolder: image 1, .*cat.2\.png, cannot be read: ValueError: invalid literal .*'broken'$"
    with pytest.raises(ValueError, match=message) as error:
        data[1]
    assert isinstance(error.value.__cause__, ValueError)


def test_an_image_that_cannot_be_read_is_skipped_on_request_and_reported(tmp_path):
    data = ImageFolder(make(tmp_path, CORRUPT), loader=read, on_error="skip")
    assert [data[i] for i in range(len(data))] == [(1, 0), (3, 1)]
    ((path, reason),) = data.skipped
    assert path.endswith("2.png")
    assert reason.startswith("ValueError: invalid literal")
    assert "2 images, 1 skipped, 2 classes" in repr(data)
    message = r"ImageFolder: skipped 1 of 3 images that cannot be read: .*2\.png \(ValueError: invalid"
    with pytest.warns(UserWarning, match=message):
        assert len(ImageFolder(tmp_path, loader=read, on_error="warn")) == 2


def test_a_class_that_loses_all_its_images_is_refused(tmp_path):
    make(tmp_path, {"cat/1.png": "1", "dog/1.png": "x"})
    with pytest.raises(FileNotFoundError, match=r"no image in the folder of dog \(1 images cannot be read\)"):
        ImageFolder(tmp_path, loader=read, on_error="skip")


def test_an_unknown_policy_is_refused(tmp_path):
    with pytest.raises(ValueError, match="on_error must be one of raise, skip, warn, got 'ignore'"):
        ImageFolder(make(tmp_path, PETS), on_error="ignore")


def test_without_pillow_the_extra_is_named_and_nothing_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    make(tmp_path, PETS)
    with pytest.raises(ImportError, match=r"ImageFolder: needs Pillow: pip install 'chainrule\[images\]'"):
        ImageFolder(tmp_path)[0]
    with pytest.raises(ImportError, match="needs Pillow"):
        ImageFolder(tmp_path, on_error="skip")


# ---- with Pillow ----


@pytest.fixture
def pictures(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for name in ("cat/0.png", "cat/1.png", "dog/0.jpg", "dog/1.webp", "dog/2.bmp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        pillow.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
    pillow.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(tmp_path / "cat" / "grey.png")
    return tmp_path


def test_pillow_reads_images_as_rgb(pictures):
    data = ImageFolder(pictures, np.asarray)
    arrays = [data[i][0] for i in range(len(data))]
    assert [array.shape for array in arrays] == [(40, 30, 3), (40, 30, 3), (3, 4, 3), *[(40, 30, 3)] * 3]
    assert (arrays[2] == np.arange(12).reshape(3, 4, 1)).all()
    expected = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(arrays[0], expected)
    assert data.loader(data.samples[0][0]).mode == "RGB"


@pytest.mark.parametrize("name", ["cat/0.png", "dog/0.jpg", "dog/1.webp", "dog/2.bmp"])
@pytest.mark.parametrize("damage", ["half", "text", "empty", "head"])
def test_damaged_pictures_are_named_and_skipped(pictures, name, damage):
    path = pictures / name
    data = path.read_bytes()
    damaged = {
        "half": data[: len(data) // 2],
        "text": b"not an image",
        "empty": b"",
        "head": bytes(40) + data[40:],
    }
    path.write_bytes(damaged[damage])
    folder = ImageFolder(pictures, np.asarray)
    index = [sample for sample, _ in folder.samples].index(str(path))
    with pytest.raises(ValueError, match=rf"^ImageFolder: image {index}, .*{path.name}, cannot be read: "):
        folder[index]
    left = ImageFolder(pictures, on_error="skip")
    assert [name for name, _ in left.skipped] == [str(path)]
    assert len(left) == 5


def test_a_loader_hands_on_the_name_of_the_broken_image(pictures):
    (pictures / "cat" / "1.png").write_bytes(b"not an image")
    folder = ImageFolder(pictures, lambda image: np.asarray(image.resize((4, 4))))
    with pytest.raises(Exception, match=r"image 1, .*1\.png, cannot be read: UnidentifiedImageError"):
        list(DataLoader(folder, batch_size=2))


def test_images_beside_the_classes_and_hidden_ones_are_ignored_and_listed(tmp_path):
    stray = {".git/1.png": "8", "0.png": "9", "cat/._2.jpg": "9", "cat/.ipynb_checkpoints/2.jpg": "9"}
    data = ImageFolder(make(tmp_path / ".home", {**PETS, **stray}), loader=read)
    assert data.classes == ["cat", "dog"]
    assert [image for image, _ in data] == [1, 2, 5, 3, 4]
    found = {os.path.relpath(path, data.root) for path in data.ignored}
    assert found == {"0.png", "cat/._2.jpg", "cat/.ipynb_checkpoints/2.jpg", "cat/notes.txt", "readme.txt"}


def test_16_bits_per_pixel_keep_the_upper_8_and_32_are_refused(tmp_path):
    images = pytest.importorskip("PIL.Image")
    (tmp_path / "grey").mkdir()
    values = np.array([[0, 255, 256], [0x7FFF, 0x8000, 0xFFFF]], np.uint16)
    for ending in ("png", "tiff"):
        images.fromarray(values).save(tmp_path / "grey" / f"a.{ending}")
    (tmp_path / "grey" / "a.pgm").write_bytes(b"P5 3 2 65535\n" + values.astype(">u2").tobytes())
    images.fromarray(values.astype(np.float32)).save(tmp_path / "grey" / "b.tiff")
    data = ImageFolder(tmp_path)
    assert len(data) == 4
    for image, _ in (data[i] for i in range(3)):
        assert image.mode == "RGB"
        assert np.asarray(image)[..., 1].tolist() == [[0, 0, 1], [127, 128, 255]]
    with pytest.raises(
        ValueError, match=r"image 3, .*b\.tiff, cannot be read: .*mode 'F' \(32 bits\) have no known range"
    ):
        data[3]
