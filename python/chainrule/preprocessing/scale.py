"""Columns brought to one scale: StandardScaler (z-score), MinMaxScaler, RobustScaler."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from chainrule._warn import warn
from chainrule.preprocessing.base import Transformer
from chainrule.preprocessing.table import Frame


class _Scaler(Transformer):
    """Element by element, in float64 and rounded once: a row's result does not depend on the rows beside it.
    NaN is left out when fitting and stays NaN."""

    def _fit(self, frame: Frame, y: Any) -> None:
        op = self._op("fit")
        x = frame.matrix(op).astype(np.float64, copy=False)
        missing = np.isnan(x)
        if (empty := missing.all(axis=0)).any():
            raise ValueError(
                f"{op}: column {frame.names[int(empty.argmax())]!r} has no value in any of {frame.rows} rows"
            )
        low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            flat = self._learn(x, low, high)
            finite = np.isfinite(getattr(self, "var_", high - low))
        if not finite.all():
            j = int(finite.argmin())
            raise ValueError(
                f"{op}: column {frame.names[j]!r} varies more than float64 can tell, from {low[j]} to {high[j]}"
            )
        if flat.any():
            self._say_flat(op, [frame.names[j] for j in np.flatnonzero(flat)])

    def _typical(self, position: int) -> tuple[str | None, Any]:
        return "number", 1.0

    def _learn(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Sets the attributes from data (N, C) and its ranges; returns where the scale was 0 and is taken as 1."""
        raise NotImplementedError

    def _say_flat(self, op: str, names: Sequence[str]) -> None:
        are = "columns {} are constant and become" if len(names) > 1 else "column {} is constant and becomes"
        warn(f"{op}: {are.format(', '.join(map(repr, names)))} {self._flat_value():g}")

    def _flat_value(self) -> float:
        return 0.0

    def _forward(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _backward(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _apply(self, frame: Frame) -> Frame:
        return self._mapped(frame, self._forward, "transform")

    def _invert(self, frame: Frame) -> Frame:
        return self._mapped(frame, self._backward, "inverse_transform")

    def _mapped(self, frame: Frame, function: Any, method: str) -> Frame:
        x = frame.matrix(self._op(method))
        return frame.replaced(
            function(x.astype(np.float64, copy=False)).astype(x.dtype, copy=False), frame.names
        )


class StandardScaler(_Scaler):
    """z = (x − mean) / standard deviation, column by column: the z-score, for data that are normally distributed.

    The deviation is the population's (divided by N). Attributes, arrays of one number per column: ``mean_``,
    ``var_``, ``scale_`` (√var, 1 for a constant column). `with_mean` and `with_std` turn off a step; `copy` is
    accepted, results are always new.

    A constant column becomes 0, with a warning that names it. Integers become float64 (of tensors, float32).

    Raises ValueError for a column without values, for infinity and for values whose squares overflow, TypeError for
    texts; each names its column.

    Example::

        scaler = StandardScaler().fit(x_train)
        x_test = scaler.transform(x_test)
    """

    def __init__(self, *, copy: bool = True, with_mean: bool = True, with_std: bool = True) -> None:
        self.copy = copy
        self.with_mean = with_mean
        self.with_std = with_std

    def _typical(self, position: int) -> tuple[str | None, Any]:
        return "number", 1.0 if self.mean_ is None else self.mean_[position]

    def _learn(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        count = (~np.isnan(x)).sum(axis=0)
        average = np.mean if (count == len(x)).all() else np.nanmean
        # The mean of equal numbers may differ from them in the last bit.
        mean = np.where(low == high, low, average(x, axis=0))
        centred = x - mean
        error = average(
            centred, axis=0
        )  # of the mean, by rounding; much where values are large and differ little
        variance = np.maximum(average(np.square(centred, out=centred), axis=0) - error**2, 0.0)
        # What rounding alone would give counts as constant: the bound of scikit-learn's scaler.
        epsilon = np.finfo(np.float64).eps
        flat = variance <= count * epsilon * variance + (count * mean * epsilon) ** 2
        self.n_samples_seen_ = int(count[0]) if (count == count[0]).all() else count
        self.mean_, self.var_ = mean, variance
        self.scale_ = np.where(flat, 1.0, np.sqrt(variance)) if self.with_std else None
        return flat & self.with_std

    def _forward(self, x: np.ndarray) -> np.ndarray:
        centred = x - self.mean_ if self.with_mean else x
        return centred / self.scale_ if self.with_std else centred

    def _backward(self, x: np.ndarray) -> np.ndarray:
        scaled = x * self.scale_ if self.with_std else x
        return scaled + self.mean_ if self.with_mean else scaled


class MinMaxScaler(_Scaler):
    """x* = a + (x − min) / (max − min) · (b − a), column by column: to [a, b], for images and uniform data.

    `feature_range` is (a, b). Values outside of the fitted range land outside of [a, b] unless `clip` is on; `copy`
    is accepted, results are always new. Attributes: ``data_min_``, ``data_max_``, ``data_range_``, ``scale_`` and
    ``min_``, with which x* = x · scale_ + min_.

    A constant column becomes a, with a warning that names it.

    Raises ValueError unless a < b, for a column without values and for infinity, TypeError for texts.

    Example::

        MinMaxScaler(feature_range=(-1, 1)).fit_transform([[0.0], [5.0], [10.0]])  # -1, 0, 1
    """

    def __init__(
        self, feature_range: tuple[float, float] = (0, 1), *, copy: bool = True, clip: bool = False
    ) -> None:
        self.feature_range = feature_range
        self.copy = copy
        self.clip = clip

    def _typical(self, position: int) -> tuple[str | None, Any]:
        return "number", self.data_min_[position]

    def _learn(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        a, b = self.feature_range
        if not a < b:
            raise ValueError(f"{self._op('fit')}: feature_range must be (a, b) with a < b, got {(a, b)}")
        self.data_min_, self.data_max_, self.data_range_ = low, high, high - low
        flat = self.data_range_ == 0
        self.scale_ = (b - a) / np.where(flat, 1.0, self.data_range_)
        self.min_ = a - low * self.scale_
        self.n_samples_seen_ = len(x)
        return flat

    def _forward(self, x: np.ndarray) -> np.ndarray:
        a, b = self.feature_range
        # Not x · scale_ + min_, which misses a and b by a rounding.
        span = np.where(self.data_range_ == 0, 1.0, self.data_range_)
        out = a + (x - self.data_min_) / span * (b - a)
        return np.clip(out, a, b) if self.clip else out

    def _backward(self, x: np.ndarray) -> np.ndarray:
        return (x - self.feature_range[0]) / self.scale_ + self.data_min_

    def _flat_value(self) -> float:
        return float(self.feature_range[0])


class RobustScaler(_Scaler):
    """(x − median) / (difference of two quantiles), column by column: outliers hardly move either.

    `quantile_range` is in percent. With `unit_variance` the scale is also divided by that difference of a standard
    normal distribution. Attributes: ``center_``, ``scale_`` (1 where the quantiles are equal). `copy` is accepted.

    A constant column becomes 0; it is named in a warning, as is one whose quantiles are equal.

    Raises ValueError for other quantiles than 0 <= low < high <= 100, a column without values, infinity; TypeError
    for texts.

    Example::

        RobustScaler().fit_transform([[1.0], [2.0], [3.0], [4.0], [500.0]])  # -1, -0.5, 0, 0.5, 248.5
    """

    def __init__(
        self,
        *,
        with_centering: bool = True,
        with_scaling: bool = True,
        quantile_range: tuple[float, float] = (25.0, 75.0),
        copy: bool = True,
        unit_variance: bool = False,
    ) -> None:
        self.with_centering = with_centering
        self.with_scaling = with_scaling
        self.quantile_range = quantile_range
        self.copy = copy
        self.unit_variance = unit_variance

    def _typical(self, position: int) -> tuple[str | None, Any]:
        return "number", 1.0 if self.center_ is None else self.center_[position]

    def _learn(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        start, end = self.quantile_range
        if not 0 <= start < end <= 100:
            raise ValueError(
                f"{self._op('fit')}: quantile_range must be percentages, low < high, got {(start, end)}"
            )
        self.center_ = np.nanmedian(x, axis=0) if self.with_centering else None
        if not self.with_scaling:
            self.scale_ = None
            return np.zeros(x.shape[1], dtype=np.bool_)
        quantiles = np.nanpercentile(x, (start, end), axis=0)
        spread = quantiles[1] - quantiles[0]
        flat = spread == 0
        self.scale_ = np.where(flat, 1.0, spread)
        if self.unit_variance:
            normal = NormalDist()
            if start == 0 or end == 100:
                raise ValueError(f"{self._op('fit')}: unit_variance needs quantiles within (0, 100)")
            self.scale_ = self.scale_ / (normal.inv_cdf(end / 100) - normal.inv_cdf(start / 100))
        return flat

    def _say_flat(self, op: str, names: Sequence[str]) -> None:
        start, end = self.quantile_range
        warn(
            f"{op}: the {start:g} % and {end:g} % quantiles of {', '.join(map(repr, names))} are equal; only centred"
        )

    def _forward(self, x: np.ndarray) -> np.ndarray:
        centred = x - self.center_ if self.with_centering else x
        return centred / self.scale_ if self.with_scaling else centred

    def _backward(self, x: np.ndarray) -> np.ndarray:
        scaled = x * self.scale_ if self.with_scaling else x
        return scaled + self.center_ if self.with_centering else scaled
