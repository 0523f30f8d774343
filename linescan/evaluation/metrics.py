"""How far a relative depth or height is from the truth, after the alignment it is allowed.

The alignment by scale and shift in closed form is that of MiDaS: R. Ranftl et al., "Towards robust
monocular depth estimation", TPAMI 2022, equation 4. Dividing by the truth's deviation makes frames
of shallow and of high relief comparable: 1.0 is what a constant scores.

Rank correlation asks for less: which of two pixels is nearer. No monotonic map can change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

RANKED: Final = 20_000
"""Most pixels that are ranked; more are sampled, the same ones for every map of that shape."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The affine map ``truth ~ scale * predicted + shift`` of least squares.

    Attributes:
        scale: factor; negative if the prediction's sign is wrong, 0 if it is constant.
        shift: offset, in the truth's unit.
    """

    scale: float
    shift: float

    def apply(self, predicted: ArrayLike) -> NDArray[np.float64]:
        """Return the prediction in the truth's unit."""
        return self.scale * np.asarray(predicted, dtype=np.float64) + self.shift


def _pairs(predicted: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Return both as flat float64, without the pixels where either is not finite."""
    p = np.asarray(predicted, dtype=np.float64)
    t = np.asarray(truth, dtype=np.float64)
    if p.shape != t.shape:
        raise ValueError(f"prediction {p.shape} and truth {t.shape} differ in shape")
    known = np.isfinite(p) & np.isfinite(t)
    if not known.any():
        raise ValueError("no pixel is known in both prediction and truth")
    return p[known], t[known]


def align(predicted: ArrayLike, truth: ArrayLike) -> Alignment:
    """Return the scale and shift of least squares.

    Args:
        predicted: any shape, any unit; NaN where unknown.
        truth: same shape; NaN where unknown.
    """
    p, t = _pairs(predicted, truth)
    # Centred, the 2 x 2 normal equations fall apart: no loss of digits for a large offset.
    deviation = p - p.mean()
    variance = float(deviation @ deviation)
    negligible = len(p) * (1e-12 * max(float(np.abs(p).max()), 1e-300)) ** 2
    scale = float(deviation @ (t - t.mean())) / variance if variance > negligible else 0.0
    return Alignment(scale, float(t.mean() - scale * p.mean()))


def rmse(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Return the root mean square error as it stands, in the truth's unit."""
    p, t = _pairs(predicted, truth)
    return float(np.sqrt(np.mean((p - t) ** 2)))


def rmse_over_sigma(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Return RMSE after ``align``, over the standard deviation of the truth.

    0 is perfect, 1 is no better than a constant. Equal to sqrt(1 - r^2), r being Pearson's
    correlation: blind to the sign, which ``align(...).scale`` shows.

    Raises:
        ValueError: if the truth is constant.
    """
    _, t = _pairs(predicted, truth)
    sigma = float(t.std())
    if sigma == 0:
        raise ValueError("the truth is flat: there is no deviation to compare with")
    return rmse(align(predicted, truth).apply(predicted), truth) / sigma


def rank_correlation(predicted: ArrayLike, truth: ArrayLike, most: int = RANKED) -> float:
    """Return Spearman's rank correlation, -1 to 1; equal values share their mean rank.

    Args:
        predicted: any shape, any unit; NaN where unknown. A constant ranks nothing and scores 0.
        truth: same shape; NaN where unknown.
        most: of the known pixels so many are used, drawn at random with a fixed seed.

    Raises:
        ValueError: if the truth is constant.
    """
    from scipy.stats import rankdata

    p, t = _pairs(predicted, truth)
    if len(p) > most:
        chosen = np.random.default_rng(0).choice(len(p), most, replace=False)
        p, t = p[chosen], t[chosen]
    ranks, true_ranks = rankdata(p) - (len(p) + 1) / 2, rankdata(t) - (len(t) + 1) / 2
    spread, true_spread = float(ranks @ ranks), float(true_ranks @ true_ranks)
    if true_spread == 0:
        raise ValueError("the truth is flat: there are no ranks to compare with")
    if spread == 0:
        return 0.0
    return float(np.clip(ranks @ true_ranks / np.sqrt(spread * true_spread), -1.0, 1.0))
