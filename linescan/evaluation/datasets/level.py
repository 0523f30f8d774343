"""The tilt of a sample under an instrument, which is not relief."""

from __future__ import annotations

import numpy as np

from linescan.records import FloatArray


def level(height: FloatArray) -> FloatArray:
    """Heights above the plane of least squares through all that is known, (h, w) float32."""
    rows, columns = np.nonzero(np.isfinite(height))
    values = height[rows, columns].astype(np.float64)
    middle = values.mean()
    system = np.stack([rows - rows.mean(), columns - columns.mean()], axis=1)
    slopes = np.linalg.lstsq(system, values - middle, rcond=None)[0]
    levelled = np.full(height.shape, np.nan, np.float32)
    levelled[rows, columns] = values - middle - system @ slopes
    return levelled
