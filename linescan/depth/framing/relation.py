"""What two passes of a model over the same place say about each other: a robust affine relation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_CORRELATION = 0.6
"""Below it two passes do not tell their ratio of scales: what they differ by is not scale."""
LEAST_SAMPLES = 24
CORRELATED = 16
"""Neighbouring samples that count as one: the residuals of a network are smooth."""
MOST_CERTAIN = 1e4
"""Inverse variance of the logarithm of a scale, at most: 1 % is as well as passes ever agree."""
ROUNDS = 4
SETTLED = 1e-3
"""Relative change of a slope from which on no round follows: a tenth of the best certainty."""
_SIGMA = 1.4826
"""Standard deviation of a normal distribution whose median absolute deviation is 1."""


@dataclass(frozen=True, slots=True)
class Relation:
    """``there ≈ scale·here``, up to a shift.

    Attributes:
        scale: the ratio of scales; 1 where it cannot be told.
        certainty: inverse variance of the scale's logarithm; 0 where it cannot be told.
        correlation: of the samples, -1 to 1; 0 where one side is flat.
    """

    scale: float
    certainty: float
    correlation: float


UNKNOWN = Relation(1.0, 0.0, 0.0)


def relate(here: Floats, there: Floats, flat: float) -> Relation:
    """How the scales of two passes relate, from (n,) samples of the same places.

    Least absolute deviations, whose slope is the median of the samples' slopes weighted by how far
    they stand from the middle: outliers do not pull it, and the few samples that hold the structure
    are not taken for outliers, as a trimmed fit on a mostly flat web would. Both directions are
    fitted, and their geometric mean taken: noise on either side then does not flatten the slope.

    Args:
        here: samples of the one pass.
        there: samples of the other.
        flat: a standard deviation of ``here`` below it is no structure.
    """
    if here.size < LEAST_SAMPLES:
        return UNKNOWN
    spread, other = float(here.std()), float(there.std())
    if spread <= flat or other <= 1e-6 * float(np.abs(there).max(initial=0.0)) or other == 0.0:
        return UNKNOWN
    x, y = (here - here.mean()) / spread, (there - there.mean()) / other
    correlation = float(np.clip(np.mean(x * y), -1.0, 1.0))
    if correlation < MIN_CORRELATION:
        return Relation(1.0, 0.0, correlation)
    forth, forth_variance = _slope(x, y, correlation)
    back, back_variance = _slope(y, x, correlation)
    if forth <= 0.0 or back <= 0.0:
        return Relation(1.0, 0.0, correlation)
    scale = other / spread * float(np.sqrt(forth / back))
    certainty = 2.0 / max(forth_variance + back_variance, 2.0 / MOST_CERTAIN)
    return Relation(scale, certainty, correlation)


def centre(values: Floats) -> tuple[float, float]:
    """Median of (n,) samples and the variance of that estimate; n must not be 0."""
    middle = median(values)
    sigma = _SIGMA * median(np.abs(values - middle))
    return middle, sigma**2 * max(1.0, CORRELATED / values.size)


def median(values: Floats) -> float:
    """Median of (n,) finite samples; n must not be 0."""
    # np.median takes twice the time on so few: it looks for NaN, masks and axes.
    half = values.size // 2
    parted = np.partition(values, half)
    if values.size % 2:
        return float(parted[half])
    return float(parted[:half].max() + parted[half]) / 2


def _slope(x: Floats, y: Floats, start: float) -> tuple[float, float]:
    """Slope of y on x by least absolute deviations, and the variance of its logarithm."""
    slope = start
    middle = x - median(x)
    known = middle != 0
    if not known.any():
        return 0.0, np.inf
    run, rise = middle[known], y[known]
    weight = np.abs(run)
    for _ in range(ROUNDS):
        before = slope
        slopes = (rise - median(y - slope * x)) / run
        slope = _weighted_median(slopes, weight)
        if abs(slope - before) <= SETTLED * abs(slope):
            break
    if slope <= 0.0:
        return slope, np.inf
    sigma = _SIGMA * _weighted_median(np.abs(slopes - slope), weight) / slope
    count = float(weight.sum()) ** 2 / float(weight @ weight) / CORRELATED
    return slope, sigma**2 * np.pi / 2 / max(count, 1.0)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])
