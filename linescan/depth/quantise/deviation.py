"""How far a quantised model is off, over several frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linescan.depth.gate import agreement, pooled
from linescan.errors import ModelError
from linescan.records import FloatArray


@dataclass(frozen=True, slots=True)
class Deviation:
    """Of outputs from their references.

    Attributes:
        pooled: over all frames, as the gate measures (``gate.pooled``).
        frames: of each frame by itself, fitted alone. With little relief noise alone is large here.
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
    frames, errors = [], []
    for output, reference in zip(outputs, references, strict=True):
        if not np.ptp(reference) > 0.0:
            continue
        frames.append(agreement(output, reference).deviation)
        errors.append(float(np.abs(output - reference).max() / np.ptp(reference)))
    if not frames:
        raise ModelError(
            "the model gives the same depth everywhere on all frames: nothing can be compared; "
            "take frames that show something"
        )
    return Deviation(pooled(outputs, references).deviation, tuple(frames), tuple(errors))
