"""Transforms of transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.creation import tensor
from chainrule.ops import cat
from chainrule.tensor import Tensor
from chainrule.transforms import _check
from chainrule.transforms._images import draws, is_pil, sizes


class Compose:
    """One transform after the other.

    Raises TypeError for what is not callable.

    Example:
        >>> Compose([ToTensor(), Normalize(0.5, 0.25)])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = _check.transforms("Compose", transforms)

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return _listing("Compose", self.transforms)


class Lambda:
    """Any function of an image. Raises TypeError for what is not callable."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Lambda: expects a function, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return "Lambda()"


class RandomApply:
    """All of the transforms, one after the other, with probability p, else none.

    In a batch each image is drawn for; the transforms get a batch of those drawn, whose shape and dtype they must
    keep (ValueError).
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5) -> None:
        self.transforms = _check.transforms("RandomApply", transforms)
        self.p = _check.probability("RandomApply", p)

    def __call__(self, img: Any) -> Any:
        chosen = draws(_images("RandomApply", img), 1)[:, 0] < self.p
        return _grouped("RandomApply", img, chosen.astype(int), (Compose([]), Compose(self.transforms)))

    def __repr__(self) -> str:
        return _listing("RandomApply", self.transforms, f"p={self.p}")


class RandomChoice:
    """One of the transforms, drawn for each image, with weights `p` if these are given.

    In a batch all of them must give one shape and dtype (ValueError).
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None) -> None:
        self.transforms = _check.transforms("RandomChoice", transforms)
        count = len(self.transforms)
        if count == 0:
            raise ValueError("RandomChoice: needs at least one transform, got none")
        weights = [1.0] * count if p is None else _check.numbers("RandomChoice", "p", p, (count,))
        if min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f"RandomChoice: p must be weights, not negative and not all 0, got {p}")
        self.p = p
        self._ends = np.cumsum(weights) / sum(weights)

    def __call__(self, img: Any) -> Any:
        u = draws(_images("RandomChoice", img), 1)[:, 0]
        choice = np.minimum(np.searchsorted(self._ends, u, side="right"), len(self.transforms) - 1)
        return _grouped("RandomChoice", img, choice, self.transforms)

    def __repr__(self) -> str:
        return _listing("RandomChoice", self.transforms) + f"(p={self.p})"


def _images(op: str, img: Any) -> int:
    """Images that there are; of something else than an image, one."""
    return sizes(op, img)[0] if is_pil(img) or isinstance(img, Tensor) else 1


def _grouped(op: str, img: Any, choice: np.ndarray, transforms: Sequence[Callable[[Any], Any]]) -> Any:
    """Each image of a batch under the transform that is chosen for it, in the batch's order."""
    if not isinstance(img, Tensor) or img.ndim != 4 or len(choice) == 0:
        return transforms[int(choice[0])](img) if len(choice) else img
    used = np.unique(choice)
    if len(used) == 1:
        return transforms[int(used[0])](img)
    places = [np.flatnonzero(choice == which) for which in used]
    parts = [transforms[int(which)](img[tensor(place)]) for which, place in zip(used, places, strict=True)]
    forms = {(tuple(part.shape[1:]), part.dtype.name) for part in parts}
    if len(forms) > 1:
        text = ", ".join(f"{list(shape)} {dtype}" for shape, dtype in sorted(forms))
        raise ValueError(f"{op}: a batch's images must keep one shape and dtype, got {text}")
    return cat(parts, 0)[tensor(np.argsort(np.concatenate(places)))]


def _listing(name: str, transforms: Sequence[Any], *first: str) -> str:
    lines = [*first, *(repr(transform) for transform in transforms)]
    return f"{name}(" + "".join("\n    " + line for line in lines) + "\n)"
