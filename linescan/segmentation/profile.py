"""A smooth profile across the web from column medians, blind to objects along the web.

Sources: MSAC, Torr and Zisserman 2000, for the start; Whittaker smoother, Eilers 2003, "A perfect
smoother"; Tukey's biweight by iterated reweighting.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from linescan.segmentation.robust import Floats, median, median_sigma, tukey_weights

CUTOFF_SHARE = 1 / 3
"""A wave of this share of the web's width passes the smoother at half its height."""
ORDER = 3
"""Order of the differences that the smoother penalises: a parabola passes unchanged."""
START_DEGREE = 4
FEW_DRAWS = 80
MANY_DRAWS = 500
ENOUGH_NEAR = 0.8
"""Where so many columns lie near the best of few curves, no other curve can have more: a third of
all draws takes its five columns from these."""
START_CHECKED = 128
ROUNDS = 6
SETTLED = 1e-3
"""Reweighting ends when it moves the profile by less than this share of the pixels' noise."""
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
        return np.full(medians.size, median(medians[used]) if used.any() else 0.0)
    filled = np.where(used, medians, 0.0)
    trusted = np.where(used, trust, 0.0)
    profile = _start(medians, used, noise)
    for _ in range(ROUNDS):
        residuals = medians - profile
        _, sigma = median_sigma(residuals[used])
        weights = trusted * tukey_weights(residuals, max(sigma, HARMLESS * noise))
        if np.count_nonzero(weights) < MIN_COLUMNS:
            break
        before, profile = profile, _whittaker(filled, weights)
        if np.abs(profile - before).max() <= SETTLED * noise:
            break
    return profile


def _start(medians: Floats, used: npt.NDArray[np.bool_], noise: float) -> Floats:
    """The quartic through five of the columns that has most of the others near it.

    What is near is given by the noise, or by what half of the columns allow where that is more. A
    start by least squares would be drawn towards a long object, and reweighting would stay there.
    """
    place = np.linspace(-1.0, 1.0, medians.size)
    chosen = np.flatnonzero(used)
    checked = chosen[:: -(-chosen.size // START_CHECKED)]
    for count in (FEW_DRAWS, MANY_DRAWS):
        at = chosen[_draws(chosen.size, count)]
        coefficients = _through(place[at], medians[at])
        distance = _curves(coefficients, place[checked])
        distance -= medians[checked]
        np.abs(distance, out=distance)
        middle = checked.size // 2
        half = np.partition(distance, middle, axis=1)[:, middle]
        reach = max(2 * noise, float(half.min()))
        distance /= reach
        np.minimum(distance, 1.0, out=distance)
        near = np.count_nonzero(distance < 1.0, axis=1).max()
        best = int(np.argmin(np.einsum("ij,ij->i", distance, distance)))
        if near >= ENOUGH_NEAR * checked.size:
            break
    start: Floats = _curves(coefficients[best : best + 1], place)[0]
    return start


@lru_cache(maxsize=8)
def _draws(columns: int, count: int) -> npt.NDArray[np.intp]:
    """Draws of five different ones out of so many columns, ascending: (at most count, 5)."""
    draws = np.random.default_rng(0).integers(0, columns, (count, START_DEGREE + 1))
    draws.sort(axis=1)
    return draws[(np.diff(draws, axis=1) > 0).all(axis=1)].astype(np.intp)


def _through(place: Floats, values: Floats) -> Floats:
    """Polynomials through points, both (m, n): (m, n) coefficients by ascending power.

    Newton's divided differences, then expanded: as good as a solver for five points, without its
    cost or its threads.
    """
    count = place.shape[1]
    newton = values.copy()
    for order in range(1, count):
        newton[:, order:] = (newton[:, order:] - newton[:, order - 1 : -1]) / (
            place[:, order:] - place[:, :-order]
        )
    coefficients = np.zeros_like(newton)
    coefficients[:, 0] = newton[:, -1]
    for order in range(count - 2, -1, -1):
        shifted = coefficients * -place[:, order, None]
        shifted[:, 1:] += coefficients[:, :-1]
        shifted[:, 0] += newton[:, order]
        coefficients = shifted
    return coefficients


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
    from scipy.linalg.lapack import dpbsv

    bands = _penalty(values.size).copy()
    bands[-1] += weights
    _, solved, info = dpbsv(bands, weights * values, overwrite_ab=True)
    if info:
        raise np.linalg.LinAlgError(f"the smoother's system of {values.size} columns is singular")
    smooth: Floats = solved
    return smooth


@lru_cache(maxsize=4)
def _penalty(count: int) -> Floats:
    """Upper bands of the penalty matrix for ``count`` columns, in Fortran's order."""
    difference = np.diff(np.eye(count), ORDER, axis=0)
    matrix = difference.T @ difference
    bands = np.zeros((ORDER + 1, count), order="F")
    for offset in range(ORDER + 1):
        bands[ORDER - offset, offset:] = np.diagonal(matrix, offset)
    bands *= (CUTOFF_SHARE * count / (2 * np.pi)) ** (2 * ORDER)
    return bands
