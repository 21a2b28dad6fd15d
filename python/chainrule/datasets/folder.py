"""ImageFolder: images in folders that are named after their classes, as torchvision reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule._validate import choice
from chainrule._warn import warn
from chainrule.data.dataset import Dataset
from chainrule.datasets._extra import needs

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


class ImageFolder(Dataset):
    """Images in one folder per class: ``root/cat/3.png``, ``root/dog/old/b.jpg``.

    Classes are the folders' names, sorted; their images are sorted by path, those of folders in folders included. A
    sample is (image, class): a PIL image in mode 'RGB' and an int, changed by `transform` and `target_transform`.
    Files of another extension, files beside the classes' folders and hidden ones (of a name, or in a folder, that
    begins with a dot) are listed in `ignored`, and not images here. Hidden folders in `root` are no classes.

    Args:
        root: the folder of the folders.
        transform: called with each image.
        target_transform: called with each class.
        loader: path → image; another program than Pillow may read, for instance all 16 bits of an image.
        extensions: the ends of the names of images, in lower case.
        on_error: what becomes of an image that the loader cannot read. 'raise': fetching it raises. 'skip': all images
            are read once, now, and those that fail are left out and listed in `skipped`; 'warn': the same, with a
            warning that names them. (So the numbers of the samples never change later.)
        allow_empty: a class without images is a class, instead of an error.

    Attributes:
        classes, class_to_idx: the classes' names; the number of each.
        samples: (path, class) of each image. imgs: the same. targets: the classes alone.
        skipped: (path, reason) of each image that was left out.
        ignored: paths of files that are no images of a class.

    Raises:
        FileNotFoundError: no `root`, no folder in it, or a class without an image (names all such classes).
        ValueError, when a sample is fetched: the image cannot be read (names index, file and reason).
        IndexError: an index out of range. ImportError: Pillow is needed (extra `images`) and absent.

    Example:
        >>> pets = ImageFolder("pets", transform=transforms.ToTensor())
        >>> pets.class_to_idx
        {'cat': 0, 'dog': 1}
        >>> image, label = pets[0]
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] | None = None,
        *,
        extensions: Sequence[str] = IMG_EXTENSIONS,
        on_error: str = "raise",
        allow_empty: bool = False,
    ) -> None:
        choice("ImageFolder", "on_error", on_error, ("raise", "skip", "warn"))
        self.root, self.loader = os.fspath(root), loader or pil_loader
        self.transform, self.target_transform = transform, target_transform
        self.extensions = (extensions,) if isinstance(extensions, str) else tuple(extensions)
        self.classes = _classes(self.root)
        self.class_to_idx = {name: label for label, name in enumerate(self.classes)}
        self.samples: list[tuple[str, int]] = []
        self.skipped: list[tuple[str, str]] = []
        self.ignored: list[str] = []
        self.ignored.extend(sorted(entry.path for entry in os.scandir(self.root) if not entry.is_dir()))
        for name, label in self.class_to_idx.items():
            for path in _files(os.path.join(self.root, name)):
                hidden = f"{os.sep}." in path[len(self.root) :]
                if path.lower().endswith(self.extensions) and not hidden:
                    self.samples.append((path, label))
                else:
                    self.ignored.append(path)
        if on_error != "raise":
            self._skip_unreadable(on_error == "warn")
        if not allow_empty:
            self._check_classes()

    @property
    def imgs(self) -> list[tuple[str, int]]:
        return self.samples

    @property
    def targets(self) -> list[int]:
        return [label for _, label in self.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"ImageFolder: index {index} is out of range for {size} images in {self.root}")
        path, label = self.samples[index]
        image, reason = self._load(path)
        if reason is not None:
            raise ValueError(f"ImageFolder: image {index}, {path}, cannot be read: {reason}") from image
        if self.transform is not None:
            image = self.transform(image)
        return image, label if self.target_transform is None else self.target_transform(label)

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"ImageFolder({self.root!r}): {len(self)} images{left_out}, {len(self.classes)} classes"

    def _load(self, path: str) -> tuple[Any, str | None]:
        """The image and None; or the exception and its text, if the file is to blame."""
        try:
            return self.loader(path), None
        except (ImportError, MemoryError):
            raise
        # What a decoder raises for a damaged file depends on where the damage is.
        except Exception as error:
            return error, f"{type(error).__name__}: {error}"

    def _skip_unreadable(self, warns: bool) -> None:
        readable = []
        for path, label in self.samples:
            reason = self._load(path)[1]
            if reason is None:
                readable.append((path, label))
            else:
                self.skipped.append((path, reason))
        if self.skipped and warns:
            listed = "; ".join(f"{path} ({reason})" for path, reason in self.skipped[:10])
            more = f"; and {len(self.skipped) - 10} more" if len(self.skipped) > 10 else ""
            count = f"{len(self.skipped)} of {len(self.samples)} images"
            warn(f"ImageFolder: skipped {count} that cannot be read: {listed}{more}")
        self.samples = readable

    def _check_classes(self) -> None:
        found = set(self.targets)
        empty = [name for name, label in self.class_to_idx.items() if label not in found]
        if empty:
            skipped = f" ({len(self.skipped)} images cannot be read)" if self.skipped else ""
            raise FileNotFoundError(
                f"ImageFolder: {self.root}: no image in the folder of {', '.join(empty)}{skipped}; images end in "
                f"{' '.join(self.extensions)}; allow_empty=True admits classes without images"
            )


def pil_loader(path: str) -> Any:
    """The image in a file, decoded by Pillow, in mode 'RGB'. Of 16 bits per pixel the upper 8 are taken, as Pillow
    does with colours; ValueError for 32 bits, whose range the file does not say."""
    pillow = needs("ImageFolder", "PIL.Image", "Pillow", "images")
    with open(path, "rb") as file, pillow.open(file) as image:
        # Older versions of Pillow read 16 bits in mode 'I', as all do of a PGM; both formats have no more.
        if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
            return pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
        if image.mode in ("I", "F"):
            raise ValueError(
                f"pixels of mode {image.mode!r} (32 bits) have no known range; give a loader that scales them"
            )
        return image.convert("RGB")


def _classes(root: str) -> list[str]:
    if not os.path.isdir(root):
        raise FileNotFoundError(f"ImageFolder: {root}: there is no such folder")
    classes = sorted(
        entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith(".")
    )
    if not classes:
        raise FileNotFoundError(f"ImageFolder: {root}: no folder of a class in it")
    return classes


def _files(folder: str) -> Iterator[str]:
    """All files below `folder`, sorted; through links to folders, too, but into each folder once."""
    seen, found = set(), []
    for directory, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(directory)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found.append((directory, names))
    for directory, names in sorted(found):
        yield from (os.path.join(directory, name) for name in sorted(names))
