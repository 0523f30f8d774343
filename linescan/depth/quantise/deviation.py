"""How far a quantised model is off, over several frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linescan.depth.gate import agreement
from linescan.errors import ModelError
from linescan.records import FloatArray


@dataclass(frozen=True, slots=True)
class Deviation:
    """Of outputs from their references, each fitted in scale and shift (``gate.agreement``).

    Attributes:
        pooled: RMS of all residuals over the RMS spread of the references: frames count by what
            there is to see in them.
        frames: of each frame by itself. On a frame with little relief noise alone is large here.
        errors: of each frame, the largest difference before any fit, in ranges of the reference.
    """

    pooled: float
    frames: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def worst(self) -> float:
        """Of all frames."""
        return max(self.frames)


def deviation(outputs: Sequence[FloatArray], references: Sequence[FloatArray]) -> Deviation:
    """Compare outputs with their references, all (h, w) float32.

    Raises:
        ModelError: no reference shows anything.
    """
    frames, errors, left, spread = [], [], 0.0, 0.0
    for output, reference in zip(outputs, references, strict=True):
        variance = float(np.var(reference, dtype=np.float64))
        if variance == 0.0:
            continue
        frames.append(agreement(output, reference).deviation)
        errors.append(float(np.abs(output - reference).max() / np.ptp(reference)))
        left += frames[-1] ** 2 * variance
        spread += variance
    if not frames:
        raise ModelError(
            "the model gives the same depth everywhere on all frames: nothing can be compared; "
            "take frames that show something"
        )
    return Deviation(math.sqrt(left / spread), tuple(frames), tuple(errors))
