"""MNIST and Fashion-MNIST from IDX files: torchvision's datasets of these names."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from chainrule.creation import from_numpy
from chainrule.data.dataset import Dataset
from chainrule.data.part import mark_part
from chainrule.datasets._extra import needs
from chainrule.datasets.download import fetch
from chainrule.datasets.idx import read_idx
from chainrule.tensor import Tensor

_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


class MNIST(Dataset):
    """Handwritten digits: 60,000 images to train on and 10,000 to test on, 28 × 28 pixels, 10 classes.

    A sample is (image, label), as torchvision's: a PIL image in mode 'L', white on black, and an int; `transform` and
    `target_transform` change them. ``TensorDataset(mnist.data.unsqueeze(1) / 255, mnist.targets)`` has the same as
    tensors and needs no Pillow. ``train=True`` is marked as the training part, ``train=False`` as the test part
    (``chainrule.data.part_of``): a dev part comes from splitting the former.

    Args:
        root: the folder that has the four files, or has them in 'MNIST/raw', where torchvision keeps them. Each may be
            compressed (.gz) or not.
        train: the 60,000 images, else the 10,000.
        transform: called with each image.
        target_transform: called with each label.
        download: files that are missing are fetched into ``root/MNIST/raw`` and their SHA-256 compared; others are
            used as they are. An interrupted or damaged download leaves no file.
        url: the address of the folder to download from, in place of the class's own.

    Attributes:
        data: uint8 [N, 28, 28], 0 to 255.
        targets: int64 [N].
        classes: names, in the order of the labels. class_to_idx: the label of each.

    Source: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/; licence CC BY-SA 3.0.

    Raises:
        FileNotFoundError: a file is missing; names the places where it was looked for.
        ValueError: a file is truncated, is no IDX file, or holds something else than images, or labels from 0 to 9, or
            they differ in number; a download has another checksum.
        OSError: the address cannot be reached (ConnectionError).

    Example:
        >>> train = MNIST("data", train=True, download=True)
        >>> image, label = train[0]
        >>> image.size, label
        ((28, 28), 5)
    """

    url: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    classes: ClassVar[list[str]] = [f"{digit} - {word}" for digit, word in enumerate(_WORDS)]
    # SHA-256 of the compressed files: those that many projects check, and whose MD5 sums torchvision has.
    sums: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
        *,
        url: str | None = None,
    ) -> None:
        self.root, self.train = os.fspath(root), train
        self.transform, self.target_transform = transform, target_transform
        name = "train" if train else "t10k"
        files = [f"{name}-images-idx3-ubyte", f"{name}-labels-idx1-ubyte"]
        paths = [self._find(file) for file in files]
        for position, file in enumerate(files):
            if paths[position] is None and download:
                paths[position] = self._download(file, url or self.url)
            elif paths[position] is None:
                raise FileNotFoundError(
                    f"{self._name}: no file {file} or {file}.gz in {' or '.join(self._folders())}; {self._remedy()}"
                )
        self.data, self.targets = self._read(*paths)
        for part in (self, self.data, self.targets):
            mark_part(part, "train" if train else "test")

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"{self._name}: index {index} is out of range for {size} samples")
        pillow = needs(f"{self._name}: an image", "PIL.Image", "Pillow", "images")
        image, label = pillow.fromarray(self.data[index].numpy()), self.targets[index].item()
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def __repr__(self) -> str:
        part = "train" if self.train else "test"
        return f"{self._name}({self.root!r}): {len(self)} images {list(self.data.shape[1:])}, {part}"

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _raw(self) -> str:
        return os.path.join(self.root, self._name, "raw")

    def _folders(self) -> list[str]:
        return [self.root, self._raw()]

    def _remedy(self) -> str:
        return "download=True fetches it"

    def _find(self, file: str) -> str | None:
        """The path of a file, if it is in one of the folders, compressed or not."""
        places = (os.path.join(folder, name) for folder in self._folders() for name in (file, f"{file}.gz"))
        return next(filter(os.path.isfile, places), None)

    def _download(self, file: str, url: str) -> str:
        path = os.path.join(self._raw(), f"{file}.gz")
        fetch(self._name, f"{url.rstrip('/')}/{file}.gz", path, self.sums[file])
        return path

    def _read(self, images_path: str, labels_path: str) -> tuple[Tensor, Tensor]:
        images, labels = read_idx(images_path), read_idx(labels_path)
        for path, array, dimensions, what in (
            (images_path, images, 3, "images [N, height, width]"),
            (labels_path, labels, 1, "labels [N]"),
        ):
            if array.ndim != dimensions or array.dtype != np.uint8:
                raise ValueError(
                    f"{self._name}: {path}: must hold {what} of uint8, holds {list(array.shape)} of {array.dtype}"
                )
        if len(images) != len(labels):
            raise ValueError(
                f"{self._name}: {len(images)} images in {images_path}, but {len(labels)} labels in {labels_path}"
            )
        if (wrong := np.flatnonzero(labels >= len(self.classes))).size:
            raise ValueError(
                f"{self._name}: {labels_path}: labels must be below {len(self.classes)}, label {wrong[0]} is "
                f"{labels[wrong[0]]}"
            )
        return from_numpy(images), from_numpy(labels.astype(np.int64))


class FashionMNIST(MNIST):
    """Photographs of clothes: 60,000 images to train on and 10,000 to test on, 28 × 28 pixels, 10 classes.

    Everything is as in MNIST; torchvision keeps the files in 'FashionMNIST/raw'. ``root=None`` reads what Debian's
    package `dataset-fashion-mnist` installs.

    Source: Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747, https://github.com/zalandoresearch/fashion-mnist; licence
    MIT (Zalando SE).

    Example:
        >>> test = FashionMNIST(None, train=False)  # after: apt-get install dataset-fashion-mnist
        >>> test.data.shape, test.classes[test.targets[0].item()]
        ((10000, 28, 28), 'Ankle boot')
    """

    url: ClassVar[str] = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    debian: ClassVar[str] = "/usr/share/datasets/fashion-mnist"
    classes: ClassVar[list[str]] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    # SHA-256 of files whose MD5 sums are those in the authors' README. Debian's have the same bytes, without name and
    # time in the gzip header.
    sums: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    }

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
        *,
        url: str | None = None,
    ) -> None:
        if root is None:
            if download:
                raise ValueError("FashionMNIST: download=True needs root, the folder to download to")
            root = self.debian
        super().__init__(root, train, transform, target_transform, download, url=url)

    def _folders(self) -> list[str]:
        return [self.root] if self.root == self.debian else super()._folders()

    def _remedy(self) -> str:
        return (
            "Debian's package dataset-fashion-mnist has it" if self.root == self.debian else super()._remedy()
        )
