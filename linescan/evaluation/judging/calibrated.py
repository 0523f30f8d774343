"""``calibrated``: one scale and shift for a whole data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.calibration.robust import AffineFit, fit_affine
from linescan.errors import CalibrationError
from linescan.evaluation.datasets import HeightUnit
from linescan.evaluation.judging.alignments import (
    Aligned,
    AlignmentError,
    Mode,
    facing,
    pixel_size,
    unit_factor,
)
from linescan.records import DepthMap, FloatArray

FIT_SHARE = 5
"""Of the frames, one in so many is fitted on and not judged."""
SAMPLES = 2000
"""Pixels of each of these frames that are fitted on, drawn at random with a fixed seed."""
MOST_SAMPLES = 200_000
"""Pixels that are fitted on in all; frames beyond are not drawn from."""


class Calibrated:
    """``calibrated``, fitted on frames that are not judged."""

    mode: Mode = "calibrated"
    per_frame = False
    fits = True

    def __init__(self, unit: HeightUnit, *, continuous: bool) -> None:
        self._unit = unit
        part = f"the first {FIT_SHARE}th" if continuous else f"every {FIT_SHARE}th"
        self._part = f"{part} of the frames"
        self._predicted: list[npt.NDArray[np.float32]] = []
        self._truth: list[npt.NDArray[np.float32]] = []
        self._samples = self._frames = 0
        self._in_pixels: bool | None = None
        self._fit: AffineFit | None = None
        self._level: float | None = None
        self._why = ""

    def observe(self, depth: DepthMap, truth: FloatArray) -> None:
        """Draw pixels of a frame."""
        values = facing(depth)
        known = np.flatnonzero(np.isfinite(values) & np.isfinite(truth))
        if not known.size or self._samples >= MOST_SAMPLES:
            return
        rng = np.random.default_rng(self._frames)
        chosen = rng.choice(known, min(SAMPLES, known.size), replace=False)
        pixel = pixel_size(depth.web, self._unit)
        if self._in_pixels not in (None, pixel is not None):
            raise AlignmentError(
                "the size of a pixel is known of some frames only: no one calibration holds for all"
            )
        self._in_pixels = pixel is not None
        self._predicted.append(values.ravel()[chosen])
        self._truth.append(truth.ravel()[chosen] / np.float32(pixel or 1.0))
        self._samples += chosen.size
        self._frames += 1

    def settle(self) -> None:
        """Fit the line; an output that tells nothing becomes a level at the mean true height."""
        if not self._frames:
            raise AlignmentError(
                f"--align calibrated: {self._part} are to be fitted on, and none has known height"
            )
        predicted, truth = np.concatenate(self._predicted), np.concatenate(self._truth)
        self._predicted.clear()
        self._truth.clear()
        try:
            self._fit = fit_affine(predicted, truth)
        except CalibrationError as error:
            self._level, self._why = float(truth.mean(dtype=np.float64)), str(error)

    def align(self, depth: DepthMap, _truth: FloatArray, /) -> Aligned:
        """Apply the line."""
        pixel = pixel_size(depth.web, self._unit) if self._in_pixels else 1.0
        if pixel is None:
            raise AlignmentError("a frame's size of a pixel is not known, unlike those fitted on")
        scale, shift = (
            (self._fit.scale, self._fit.shift) if self._fit else (0.0, self._level or 0.0)
        )
        values = facing(depth) * np.float32(scale * pixel) + np.float32(shift * pixel)
        return Aligned(values, scale * pixel, comparable=True)

    def statement(self) -> dict[str, Any]:
        """What was fitted, and on what."""
        text = (
            f"calibrated: one scale and shift for the whole data set, fitted robustly on "
            f"{self._part} ({self._frames}, not judged)"
        )
        if self._fit is None:
            text += f"; the output tells no height and was taken as level: {self._why}"
        elif self._in_pixels:
            text += ", in pixels of the depth map"
        said: dict[str, Any] = {"mode": self.mode, "text": text}
        if self._fit is not None:
            unit = "px" if self._in_pixels else self._unit
            said |= {
                "scale": self._fit.scale,
                "shift": self._fit.shift,
                "unit": unit,
                "residual_sigma": self._fit.residual_sigma,
                "frames": self._frames,
                "samples": self._samples,
            }
        return said


def fitted_on(number: int, count: int, *, continuous: bool) -> bool:
    """Whether a calibration is fitted on a frame, by its number in ``count``."""
    return number < -(-count // FIT_SHARE) if continuous else number % FIT_SHARE == 0


class FromFile:
    """``calibrated``, by the pipeline's own calibration: depth comes with a unit already."""

    mode: Mode = "calibrated"
    per_frame = False
    fits = False

    def __init__(self, path: Path, unit: HeightUnit) -> None:
        self._path, self._unit = path, unit

    def observe(self, _depth: DepthMap, _truth: FloatArray, /) -> None:
        """Nothing is fitted."""

    def settle(self) -> None:
        """Nothing was fitted."""

    def align(self, depth: DepthMap, _truth: FloatArray, /) -> Aligned:
        """Change the unit.

        Raises:
            AlignmentError: the depth has none: the calibration does not apply to what made it.
        """
        factor = unit_factor(depth, self._unit)
        if factor is None:
            raise AlignmentError(
                f"--calibration {self._path}: it does not apply to what gives relative depth all "
                "the same, such as a baseline: leave that out"
            )
        return Aligned(facing(depth) * np.float32(factor), factor, comparable=True)

    def statement(self) -> dict[str, Any]:
        """Which file."""
        return {"mode": self.mode, "text": f"calibrated: by the file {self._path.name}"}
