"""load_penguins: the table that comes with the package."""

from __future__ import annotations

import os
from typing import Any

from chainrule.datasets.csv_file import read_csv

FILE = os.path.join(os.path.dirname(__file__), "files", "penguins.csv")

_DESCRIPTION = """\
Palmer penguins: 344 adult penguins of three species on three islands of the Palmer Archipelago, Antarctica.

Columns: species (Adelie 152, Gentoo 124, Chinstrap 68), island, bill_length_mm, bill_depth_mm, flipper_length_mm
(mm), body_mass_g (g), sex, year (2007 to 2009). 19 values are missing: 2 in each measurement, 11 of sex.
Source: Gorman, Williams, Fraser (2014), PLoS ONE 9(3): e90081, https://doi.org/10.1371/journal.pone.0090081; Palmer
Station Antarctica LTER; tidied by Horst, Hill, Gorman (2020), R package palmerpenguins.
Licence: CC0 1.0 (public domain)."""


def load_penguins(*, as_frame: bool = False) -> Any:
    """The Palmer penguins: 344 rows with missing values and categories. The file comes with chainrule, under CC0.

    Columns: species, island, bill_length_mm, bill_depth_mm, flipper_length_mm (mm), body_mass_g (g), sex, year.
    Measurements are float64 with NaN for a missing value, the year is int64, the others are texts with None for a
    missing value. `as_frame` gives a pandas DataFrame instead of Columns. Source: Gorman, Williams, Fraser (2014),
    PLoS ONE 9(3): e90081.

    Raises ImportError for `as_frame` without pandas.

    Example:
        >>> table = load_penguins()
        >>> table.shape
        (344, 8)
        >>> table["species"][0], table["body_mass_g"][:4]
        ('Adelie', array([3750., 3800., 3250.,   nan]))
    """
    table = read_csv(FILE)
    table.description = _DESCRIPTION
    return table.to_pandas() if as_frame else table
