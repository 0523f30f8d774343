"""A smooth profile across the web from column medians, blind to objects along the web.

Sources: MSAC, Torr and Zisserman 2000, for the start; Whittaker smoother, Eilers 2003, "A perfect
smoother"; Tukey's biweight by iterated reweighting.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from linescan.segmentation.robust import Floats, median_sigma, tukey_weights

CUTOFF_SHARE = 1 / 3
"""A wave of this share of the web's width passes the smoother at half its height."""
ORDER = 3
"""Order of the differences that the smoother penalises: a parabola passes unchanged."""
START_DEGREE = 4
START_DRAWS = 500
START_CHECKED = 128
ROUNDS = 6
MIN_COLUMNS = 12
HARMLESS = 0.5
"""Columns nearer than about twice this share of the pixels' noise are never left out."""


def smooth_profile(medians: Floats, trust: Floats, noise: float) -> Floats:
    """Smooth column medians without following columns that stand out.

    Args:
        medians: (n,) one value a column; NaN where nothing is known.
        trust: (n,) weight of each column, 0 to 1; columns of weight 0 are interpolated.
        noise: robust standard deviation of the pixels within their columns, above 0.

    Returns:
        (n,) the profile. With fewer than 12 trusted columns it is their median.
    """
    used = (trust > 0) & np.isfinite(medians)
    if np.count_nonzero(used) < MIN_COLUMNS:
        return np.full(medians.size, np.median(medians[used]) if used.any() else 0.0)
    filled = np.where(used, medians, 0.0)
    trusted = np.where(used, trust, 0.0)
    profile = _start(medians, used, noise)
    for _ in range(ROUNDS):
        residuals = medians - profile
        _, sigma = median_sigma(residuals[used])
        weights = trusted * tukey_weights(residuals, max(sigma, HARMLESS * noise))
        if np.count_nonzero(weights) < MIN_COLUMNS:
            break
        profile = _whittaker(filled, weights)
    return profile


def _start(medians: Floats, used: npt.NDArray[np.bool_], noise: float) -> Floats:
    """The quartic through five of the columns that has most of the others near it.

    What is near is given by the noise, or by what half of the columns allow where that is more. A
    start by least squares would be drawn towards a long object, and reweighting would stay there.
    """
    count = START_DEGREE + 1
    place = np.linspace(-1.0, 1.0, medians.size)
    powers = place[:, None] ** np.arange(count)
    chosen = np.flatnonzero(used)
    draws = np.random.default_rng(0).integers(0, chosen.size, (START_DRAWS, count))
    draws.sort(axis=1)
    at = chosen[draws[(np.diff(draws, axis=1) > 0).all(axis=1)]]
    solved = np.linalg.solve(powers[at], medians[at][:, :, None])
    coefficients = solved[:, :, 0].astype(np.float64)
    checked = chosen[:: -(-chosen.size // START_CHECKED)]
    distance = np.abs(_curves(coefficients, place[checked]) - medians[checked])
    half = np.partition(distance, checked.size // 2, axis=1)[:, checked.size // 2]
    reach = max(2 * noise, float(half.min()))
    cost = (np.minimum(distance / reach, 1.0) ** 2).sum(axis=1)
    best = coefficients[int(np.argmin(cost))][None, :]
    start: Floats = _curves(best, place)[0]
    return start


def _curves(coefficients: Floats, place: Floats) -> Floats:
    """Polynomials, (m, degree + 1) by ascending power, at (n,) places: (m, n).

    By Horner's rule: a matrix product may go to several threads, whose number changes the last bit.
    """
    curves: Floats = np.repeat(coefficients[:, -1:], place.size, axis=1)
    for power in range(coefficients.shape[1] - 2, -1, -1):
        curves *= place
        curves += coefficients[:, power, None]
    return curves


def _whittaker(values: Floats, weights: Floats) -> Floats:
    """Minimise sum w (v - z)² + penalty · sum (third difference of z)²: a banded system."""
    from scipy.linalg import solveh_banded

    bands = _penalty(values.size).copy()
    bands[-1] += weights
    solved: Floats = solveh_banded(bands, weights * values, check_finite=False)
    return solved


@lru_cache(maxsize=4)
def _penalty(count: int) -> Floats:
    """Upper bands of the penalty matrix for ``count`` columns."""
    difference = np.diff(np.eye(count), ORDER, axis=0)
    matrix = difference.T @ difference
    bands = np.zeros((ORDER + 1, count))
    for offset in range(ORDER + 1):
        bands[ORDER - offset, offset:] = np.diagonal(matrix, offset)
    bands *= (CUTOFF_SHARE * count / (2 * np.pi)) ** (2 * ORDER)
    return bands
