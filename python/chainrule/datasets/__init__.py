"""Real data: small tables, CSV files, IDX files (MNIST, Fashion-MNIST) and folders of images.

What a reader needs beyond NumPy (scikit-learn, pandas, Pillow) is imported when it is used. `docs/datasets.md` gives
source, licence, shapes and units of each.
"""

from typing import NoReturn

from chainrule._absent import absent as _absent_error
from chainrule.datasets.columns import Columns
from chainrule.datasets.csv_file import read_csv
from chainrule.datasets.folder import ImageFolder
from chainrule.datasets.idx import read_idx, write_idx
from chainrule.datasets.mnist import MNIST, FashionMNIST
from chainrule.datasets.penguins import load_penguins
from chainrule.datasets.tables import (
    Bunch,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)

__all__ = [
    "MNIST",
    "Bunch",
    "Columns",
    "FashionMNIST",
    "ImageFolder",
    "load_breast_cancer",
    "load_diabetes",
    "load_digits",
    "load_iris",
    "load_penguins",
    "load_wine",
    "read_csv",
    "read_idx",
    "write_idx",
]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
