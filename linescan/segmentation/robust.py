"""Robust estimates of place, spread and trend, as the other modules need them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
TUKEY_C = 4.685
"""Tukey's biweight reaches 95 % efficiency on normal noise with this cut-off, in sigmas."""


def median_sigma(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Median and robust standard deviation (1.4826·MAD) of finite values; 0, 0 of none."""
    if not values.size:
        return 0.0, 0.0
    centre = float(np.median(values))
    return centre, MAD_TO_SIGMA * float(np.median(np.abs(values - centre)))


def tukey_weights(residuals: Floats, sigma: float) -> Floats:
    """Tukey's biweight: 1 at residual 0, falling to 0 at 4.685 sigma; NaN weighs 0."""
    share = np.abs(residuals) / (TUKEY_C * sigma)
    weights = np.where(share < 1.0, (1.0 - np.minimum(share, 1.0) ** 2) ** 2, 0.0)
    return np.nan_to_num(weights, copy=False)


def column_medians(values: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Median of each column's finite values (NaN where there is none), and how many there are."""
    ordered = np.sort(values, axis=0)  # NaN last
    counts = np.count_nonzero(np.isfinite(ordered), axis=0)
    columns = np.arange(values.shape[1])
    low = ordered[np.maximum(counts - 1, 0) // 2, columns]
    high = ordered[np.minimum(counts // 2, values.shape[0] - 1), columns]
    return np.where(counts > 0, 0.5 * (low + high), np.nan), counts


def median_slope(values: Floats, positions: Floats, axis: int) -> float:
    """Slope along an axis: the median over pairs of values a quarter of the axis apart.

    An object changes only the pairs that one of its edges separates, and its two edges change them
    in opposite directions, so large objects hardly move the median. What is constant along the axis
    cancels. 0 where the axis is too short.
    """
    count = values.shape[axis]
    if count < 2:
        return 0.0
    lag = max(1, count // 4)
    along = np.moveaxis(values, axis, 0)
    rises = (along[lag:] - along[:-lag]) / (positions[lag:] - positions[:-lag])[:, None]
    known = rises[np.isfinite(rises)]
    return float(np.median(known)) if known.size else 0.0
