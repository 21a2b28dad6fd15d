"""Five small tables that come with scikit-learn, as tensors, with what its documentation leaves out: licence, units."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from chainrule.creation import tensor
from chainrule.datasets._extra import needs
from chainrule.tensor import Tensor


@dataclasses.dataclass(frozen=True)
class Bunch:
    """A loaded table.

    Attributes:
        data: float32 [N, features].
        target: int64 [N], positions in `target_names`; float32 [N] where a number is to be predicted.
        feature_names: one name per column.
        target_names: one name per class; none where a number is to be predicted.
        description: source, licence, shapes, units.
    """

    data: Tensor
    target: Tensor
    feature_names: list[str]
    target_names: list[str]
    description: str

    def __repr__(self) -> str:
        return f"Bunch(data {list(self.data.shape)}, target {list(self.target.shape)})\n{self.description}"


_DIGITS = """\
Handwritten digits: 1,797 images of 8 × 8 pixels by 13 writers, 10 classes.

data [1797, 64]: pixels row by row, each the number (0 to 16) of set pixels in a 4 × 4 block of the scanned bitmap;
data.reshape(-1, 1, 8, 8) / 16 are images between 0 and 1. target [1797]: the digit.
Source: Alpaydin, Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49; scikit-learn has its test part.
Licence: CC BY 4.0."""

_BREAST_CANCER = """\
Breast Cancer Wisconsin (Diagnostic): 569 tumours, 30 features, 2 classes.

data [569, 30]: ten properties of the cell nuclei in an image of a fine needle aspirate, each as mean, standard error
and worst (mean of the three largest). Radius and perimeter are in the image's unit of length, area in its square
(the source does not say which); texture is the standard deviation of grey values; the others have no unit.
target [569]: 0 malignant (212), 1 benign (357).
Source: Wolberg, Mangasarian, Street, Street (1993), UCI Machine Learning Repository,
https://doi.org/10.24432/C5DW2B.
Licence: CC BY 4.0."""

_WINE = """\
Wine recognition: 178 wines of three cultivars from one region of Italy, 13 features.

data [178, 13]: results of a chemical analysis: alcohol, acids, phenols, colour and others; the source gives no units.
target [178]: the cultivar (59, 71 and 48 wines).
Source: Aeberhard, Forina (1991), UCI Machine Learning Repository, https://doi.org/10.24432/C5PC7J.
Licence: CC BY 4.0."""

_IRIS = """\
Iris: 150 plants of three species, 4 features.

data [150, 4]: length and width of sepals and petals, in cm. target [150]: setosa, versicolor, virginica, 50 of each.
Source: Fisher (1936), The Use of Multiple Measurements in Taxonomic Problems; UCI Machine Learning Repository,
https://doi.org/10.24432/C56C76. The values are those of Fisher's paper, which UCI's file has wrong in two rows.
Licence: CC BY 4.0."""

_DIABETES = """\
Diabetes: 442 patients, 10 features, a measure of the disease's progression.

data [442, 10]: age (years), sex (1 or 2), body mass index (kg/m²), average blood pressure, and six measurements of
blood serum: s1 total cholesterol, s2 LDL, s3 HDL, s4 cholesterol / HDL, s5 possibly the logarithm of triglycerides, s6
blood sugar; the source gives no units for them. target [442]: the measure one year later, 25 to 346, without unit.
Source: Efron, Hastie, Johnstone, Tibshirani (2004), Least Angle Regression, Annals of Statistics 32(2);
https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html.
Licence: none is stated by the source; scikit-learn distributes it under BSD-3-Clause."""


def load_digits(*, return_X_y: bool = False) -> Any:
    """1,797 handwritten digits of 8 × 8 pixels: `data` [1797, 64], values 0 to 16; `target` [1797], 0 to 9.

    ``data.reshape(-1, 1, 8, 8) / 16`` are images between 0 and 1. Source: UCI, Alpaydin and Kaynak (1998).

    Returns a Bunch; ``(data, target)`` with `return_X_y`, as scikit-learn's function. ImportError without
    scikit-learn (extra `examples`).

    Example:
        >>> x, y = load_digits(return_X_y=True)
        >>> x.shape, y.shape
        ((1797, 64), (1797,))
    """
    return _load("load_digits", _DIGITS, return_X_y)


def load_breast_cancer(*, return_X_y: bool = False) -> Any:
    """569 tumours: `data` [569, 30], properties of cell nuclei; `target` [569], 0 malignant, 1 benign.

    Source: UCI, Wolberg, Mangasarian, Street and Street (1993). Returns and raises as ``load_digits``.

    Example:
        >>> load_breast_cancer().target_names
        ['malignant', 'benign']
    """
    return _load("load_breast_cancer", _BREAST_CANCER, return_X_y)


def load_wine(*, return_X_y: bool = False) -> Any:
    """178 wines: `data` [178, 13], a chemical analysis; `target` [178], one of three cultivars.

    Source: UCI, Aeberhard and Forina (1991). Returns and raises as ``load_digits``.

    Example:
        >>> load_wine().data.shape
        (178, 13)
    """
    return _load("load_wine", _WINE, return_X_y)


def load_iris(*, return_X_y: bool = False) -> Any:
    """150 plants: `data` [150, 4], lengths and widths in cm; `target` [150], one of three species.

    Source: Fisher (1936). Returns and raises as ``load_digits``.

    Example:
        >>> load_iris().target_names
        ['setosa', 'versicolor', 'virginica']
    """
    return _load("load_iris", _IRIS, return_X_y)


def load_diabetes(*, return_X_y: bool = False, scaled: bool = False) -> Any:
    """442 patients: `data` [442, 10], age, sex, body mass index, blood pressure and serum; `target` [442], a number.

    `scaled` subtracts each column's mean and divides by its standard deviation · √442, as scikit-learn does unless
    it is told not to. Mean and deviation are those of all rows, the ones of a later test part among them; so here the
    columns have their units by default, to be scaled after the split.

    Source: Efron, Hastie, Johnstone and Tibshirani (2004). Returns and raises as ``load_digits``.

    Example:
        >>> load_diabetes().data[0, :3]  # years, sex, kg/m²
        tensor([59.0000,  2.0000, 32.1000])
    """
    return _load("load_diabetes", _DIABETES, return_X_y, scaled=scaled)


def _load(name: str, description: str, return_X_y: bool, **options: Any) -> Any:
    source = needs(name, "sklearn.datasets", "scikit-learn", "examples")
    found = getattr(source, name)(**options)
    kind = np.int64 if "target_names" in found else np.float32
    data, target = tensor(found.data.astype(np.float32)), tensor(found.target.astype(kind))
    if return_X_y:
        return data, target
    classes = [str(value) for value in found.get("target_names", ())]
    return Bunch(data, target, [str(value) for value in found.feature_names], classes, description)
