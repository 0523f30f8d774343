"""A line through measured points of which some are wrong: RANSAC, then least squares.

Hypotheses are lines through two points (Fischler and Bolles, 1981); the one with the least
quantile of absolute residuals wins (least quantile of squares, Rousseeuw and Leroy, 1987: no
threshold has to be known beforehand), and the line through the points that agree with it is fitted
by least squares, so that it is the best line in the sense in which errors of height are judged.

A web is mostly flat: a quantile of all residuals would not notice what a line does to the few
points that hold the structure. Hypotheses are therefore drawn and judged on a sample that covers
the range of predictions evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.errors import CalibrationError

Floats = npt.NDArray[np.float64]

LEAST_SAMPLES: Final = 16
"""With fewer points, a line through the wrong ones cannot be told from one through the right."""
BINS: Final = 32
"""Parts of the range of predictions that a sample takes alike from."""
LEAST_OF_BIN, MOST_OF_BIN = 8, 32
HYPOTHESES: Final = 200
"""With 40 % of wrong points, none is of two right ones with a chance below 1e-38."""
RIGHT: Final = 0.6
"""Share of right points that is counted on. With the median instead, a level line through one of
two equally frequent heights would be perfect."""
TAILS: Final = 0.005
"""Share of predictions at each end that do not widen the range."""
KEPT: Final = 3.0
"""Points so many robust standard deviations from the line agree with it."""
ROUNDS: Final = 20
LEAST_CERTAINTY: Final = 4.0
"""Least slope in standard errors of it; below, the points do not tell that there is a slope."""
ROUNDING: Final = 1e-6
"""A range below this share of the values' size is rounding, not structure."""
_SIGMA: Final = 1.4826
"""Standard deviation of a normal distribution whose median absolute deviation is 1."""


@dataclass(frozen=True, slots=True, eq=False)
class AffineFit:
    """``truth ≈ scale·predicted + shift``.

    Attributes:
        scale: truth per unit of prediction; negative where predictions fall with truth.
        shift: truth where the prediction is 0.
        inliers: (n,) bool of the points that were given: those that the line was fitted to.
        residual_sigma: standard deviation of their residuals, in the unit of truth.
        covariance: (2, 2) float64 of scale and shift, taking residuals as independent.
    """

    scale: float
    shift: float
    inliers: npt.NDArray[np.bool_]
    residual_sigma: float
    covariance: Floats

    def __call__(self, predicted: npt.ArrayLike) -> Floats:
        """What the line says of predictions of any shape, float64."""
        return np.asarray(predicted, np.float64) * self.scale + self.shift


def fit_affine(predicted: npt.ArrayLike, truth: npt.ArrayLike, *, seed: int = 0) -> AffineFit:
    """The line from predictions to truth, with up to 40 % of wrong points.

    Args:
        predicted: (n,) float, in any unit; NaN and infinite values are left out.
        truth: (n,) float, likewise.
        seed: of the draws: the same points and seed give the same line.

    Raises:
        CalibrationError: too few points, or predictions or truth too flat to tell a slope.
    """
    x, y = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise CalibrationError(
            f"predictions of shape {x.shape} and truth of shape {y.shape} do not go together: "
            "each point has one of both"
        )
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if x.size < LEAST_SAMPLES:
        raise CalibrationError(
            f"{x.size} points with both a prediction and a truth: at least {LEAST_SAMPLES} are "
            "needed to tell right ones from wrong ones"
        )
    for name, values in (("predictions are", x), ("truth is", y)):
        if np.ptp(values) <= ROUNDING * np.abs(values).max():
            raise CalibrationError(
                f"the {name} the same at all {x.size} points ({values[0]:.4g}): give points at "
                "heights that differ"
            )
    fit = _fit(x, y, np.random.default_rng(seed))
    error = float(np.sqrt(fit.covariance[0, 0]))
    if abs(fit.scale) <= LEAST_CERTAINTY * error:
        raise CalibrationError(
            f"{x.size} points tell no slope, {fit.scale:.4g} ± {error:.2g}: give points at heights "
            "that differ by much more than the noise"
        )
    inliers = np.zeros(finite.shape, np.bool_)
    inliers[finite] = fit.inliers
    return AffineFit(fit.scale, fit.shift, inliers, fit.residual_sigma, fit.covariance)


def _fit(x: Floats, y: Floats, rng: np.random.Generator) -> AffineFit:
    sample = _even_sample(x, rng)
    scale, shift = _ransac(x[sample], y[sample], rng)
    residuals = np.abs(y - scale * x - shift)
    least = ROUNDING * float(np.ptp(y))
    sigma = max(least, _SIGMA * float(np.median(residuals[sample])))
    near = np.zeros(x.shape, np.bool_)
    for _ in range(ROUNDS):
        before, near = near, residuals <= KEPT * sigma
        if np.array_equal(before, near):
            break
        scale, shift = _least_squares(x[near], y[near])
        residuals = np.abs(y - scale * x - shift)
        # Of those that agree: of all, it would be too large by the share of wrong points.
        agreeing = residuals[sample][near[sample]]
        sigma = max(least, _SIGMA * float(np.median(agreeing)))
    return AffineFit(scale, shift, near, *_spread(x[near], y[near], scale, shift))


def _even_sample(x: Floats, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Indices of points that cover the range of ``x`` evenly, as far as there are such."""
    low, high = np.quantile(x, (TAILS, 1 - TAILS))
    if low == high:
        low, high = x.min(), x.max()
    bins = np.clip((x - low) / (high - low) * BINS, 0, BINS - 1).astype(np.intp)
    order = rng.permutation(x.size)
    order = order[np.argsort(bins[order], kind="stable")]
    counts = np.bincount(bins, minlength=BINS)
    rank = np.arange(x.size) - np.repeat(np.cumsum(counts) - counts, counts)
    most = int(np.clip(x.size // BINS, LEAST_OF_BIN, MOST_OF_BIN))
    return np.asarray(order[rank < most], np.intp)


def _ransac(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Scale and shift of the line through two points that the right share of points is nearest."""
    first, second = rng.integers(x.size, size=(2, HYPOTHESES))
    run = x[second] - x[first]
    apart = run != 0
    if not apart.any():
        return _least_squares(x, y)
    first, second, run = first[apart], second[apart], run[apart]
    scales = (y[second] - y[first]) / run
    shifts = y[first] - scales * x[first]
    residuals = np.abs(y - scales[:, None] * x - shifts[:, None])
    last = int(RIGHT * x.size)
    best = int(np.argmin(np.partition(residuals, last, axis=1)[:, last]))
    return float(scales[best]), float(shifts[best])


def _least_squares(x: Floats, y: Floats) -> tuple[float, float]:
    mean, run = x.mean(), x - x.mean()
    square = float(run @ run)
    scale = float(run @ y) / square if square > 0 else 0.0
    return scale, float(y.mean() - scale * mean)


def _spread(x: Floats, y: Floats, scale: float, shift: float) -> tuple[float, Floats]:
    """Standard deviation of the residuals, and the covariance of scale and shift that follows."""
    design = np.stack((x, np.ones_like(x)), axis=1)
    residuals = y - scale * x - shift
    variance = float(residuals @ residuals) / max(1, x.size - 2)
    covariance = variance * np.linalg.pinv(design.T @ design)
    return float(np.sqrt(variance)), np.asarray(covariance, np.float64)
