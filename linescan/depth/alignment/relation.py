"""What the rows that two frames share say of their scales and shifts."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.depth.alignment.estimate import Measured
from linescan.depth.framing.relation import relate
from linescan.records import FloatArray

Floats = npt.NDArray[np.float64]

SAMPLES: Final = 1024
"""Places that scales are compared at, about."""
BLOCKS: Final = 16
"""Parts across that tell the shift, each for itself."""
LEAST_PARTS: Final = 4
_SIGMA: Final = 1.4826


def scale_between(own: FloatArray, shared: FloatArray, flat: float) -> Measured | None:
    """Logarithm of the factor for ``own`` that fits ``shared``; None where it cannot be told.

    Args:
        own: (n, w) rows of a frame, NaN where not valid.
        shared: (n, w) the same places by the frame before.
        flat: a standard deviation of ``own`` below it is no structure.
    """
    if own.size == 0:
        return None
    step = max(1, int(np.sqrt(own.size / SAMPLES)))
    here = np.asarray(own[:: min(step, max(1, len(own) // 8)), ::step], np.float64).ravel()
    there = np.asarray(shared[:: min(step, max(1, len(own) // 8)), ::step], np.float64).ravel()
    known = np.isfinite(here) & np.isfinite(there)
    found = relate(here[known], there[known], flat)
    if found.certainty == 0.0:
        return None
    return Measured(float(np.log(found.scale)), 1.0 / found.certainty)


def shift_between(own: FloatArray, shared: FloatArray, scale: float) -> Measured | None:
    """What ``scale · own`` lacks to ``shared``, the median of parts; None where there are too few.

    Args:
        own: (n, w) rows of a frame, NaN where not valid.
        shared: (n, w) the same places by the frame before.
        scale: factor for ``own``.
    """
    if own.size == 0:
        return None
    apart = np.asarray(shared, np.float64) - scale * own
    parts = [part[np.isfinite(part)] for part in np.array_split(apart, BLOCKS, axis=1)]
    middles = np.array([float(np.median(part)) for part in parts if part.size])
    return middle(middles) if middles.size >= LEAST_PARTS else None


def middle(values: Floats) -> Measured:
    """Median of (n,) independent values and its variance, π/2 of that of the mean."""
    centre = float(np.median(values))
    sigma = _SIGMA * float(np.median(np.abs(values - centre)))
    return Measured(centre, np.pi / 2 * sigma**2 / values.size)
