"""How far heights are from the truth: RMSE, AbsRel, delta 1.

AbsRel and delta 1 are those of D. Eigen et al., "Depth map prediction from a single image using a
multi-scale deep network", NIPS 2014. They divide by a depth, which a height above a belt is not: it
may be 0 or negative. Both are therefore taken of the distance ``z = height - low + range``, from a
plane that lies one range of relief below the lowest true height. ``low`` and ``range`` are those of
the frame's true heights without the outermost 0.1 % at each end, so z is 1 to 2 ranges, whatever
unit and relief. The figures compare models on a data set; they do not compare with those published
for distances from a camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

TAIL: Final = 0.001
"""Share of true heights at each end that the range leaves out."""
DELTA: Final = 1.25
LEAST_REFERENCE: Final = 0.1
"""Of the range: true distances below it, from outliers, count as this."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The plane that distances are taken from: ``z = height - low + span``.

    Attributes:
        low: lowest true height, outliers left out.
        span: range of true heights; 0 where the truth is flat.
    """

    low: float
    span: float

    @classmethod
    def of(cls, truth: Floats) -> Reference:
        """The reference of (n,) true heights, all finite, at least one."""
        low, high = np.quantile(truth, [TAIL, 1 - TAIL])
        return cls(float(low), float(high - low))

    def distance(self, height: Floats) -> npt.NDArray[np.float64]:
        """Distances of heights from the plane, any shape; NaN stays NaN."""
        return np.asarray(height, np.float64) - self.low + self.span


def rmse(predicted: Floats, truth: Floats) -> float:
    """Root mean square error of (n,) heights, in their unit."""
    error = np.asarray(predicted, np.float64) - truth
    return float(np.sqrt(np.mean(error * error)))


def abs_rel(predicted: Floats, truth: Floats, reference: Reference) -> float:
    """Mean of ``|z_predicted - z| / z`` over (n,) heights; 0 is perfect."""
    z = _true_distance(truth, reference)
    return float(np.mean(np.abs(reference.distance(predicted) - reference.distance(truth)) / z))


def delta1(predicted: Floats, truth: Floats, reference: Reference) -> float:
    """Share of (n,) heights with ``max(z_predicted / z, z / z_predicted) < 1.25``; 1 is perfect."""
    z, found = _true_distance(truth, reference), reference.distance(predicted)
    return float(np.mean((found < DELTA * z) & (found * DELTA > z)))


def _true_distance(truth: Floats, reference: Reference) -> npt.NDArray[np.float64]:
    return np.maximum(reference.distance(truth), LEAST_REFERENCE * reference.span)
