"""From a model's output to heights that can be compared with the truth, in a way that is stated.

- ``none``: nothing is fitted. What has a unit is compared as it is; relative depth has none.
- ``scale-shift``: each frame gets the scale and shift that fit its own truth best (least squares).
  It asks how good the shape is, hides what a frame cannot know by itself, and says nothing about
  frames beside each other.
- ``calibrated``: one scale and shift for the whole data set, fitted on every ``FIT_EVERY``-th frame,
  which is then not judged; or a calibration file. It is what a production line would have.

Where the size of a pixel is known, a fitted calibration gives heights in pixels of the depth map
(rise over run is what an image can tell), so that one map can hold for webs of different pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from linescan.depth.calibration.robust import AffineFit, fit_affine
from linescan.errors import CalibrationError, LinescanError
from linescan.evaluation.datasets import MM_PER, HeightUnit
from linescan.evaluation.judging.models import Unit
from linescan.evaluation.metrics import align
from linescan.records import Convention, DepthMap, FloatArray, WebMap

Mode = Literal["none", "scale-shift", "calibrated"]
MODES: tuple[Mode, ...] = ("none", "scale-shift", "calibrated")
FIT_EVERY = 5
"""Of the frames, one in so many is fitted on and not judged."""
SAMPLES = 2000
"""Pixels of each of these frames that are fitted on, drawn at random with a fixed seed."""
MOST_SAMPLES = 200_000
"""Pixels that are fitted on in all; frames beyond are not drawn from."""


class AlignmentError(LinescanError):
    """A model's output cannot be aligned as was asked for."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Heights of one frame.

    Attributes:
        values: (h, w) float32, towards the camera positive.
        scale: height per unit of the model's output; negative where its sign is wrong.
        comparable: the values are in the truth's unit; else they are the model's own.
    """

    values: FloatArray
    scale: float
    comparable: bool


class Alignment(Protocol):
    """How outputs become heights; ``observe`` is called for frames that are fitted on.

    Attributes:
        mode: its name on the command line.
        per_frame: each frame is fitted to its own truth.
        fits: frames must be observed before any is aligned.
    """

    mode: Mode
    per_frame: bool
    fits: bool

    def observe(self, depth: DepthMap, truth: FloatArray) -> None:
        """Take a frame to fit on."""
        ...

    def settle(self) -> None:
        """All frames to fit on have come.

        Raises:
            LinescanError: nothing can be fitted to them.
        """
        ...

    def align(self, depth: DepthMap, truth: FloatArray) -> Aligned:
        """Heights of a frame."""
        ...

    def statement(self) -> dict[str, Any]:
        """What was done, for reports: ``mode``, ``text`` and, where fitted, the numbers."""
        ...


class Unaligned:
    """``none``."""

    mode: Mode = "none"
    per_frame = False
    fits = False

    def __init__(self, given: Unit, unit: HeightUnit) -> None:
        self._given, self._unit = given, unit

    def observe(self, depth: DepthMap, truth: FloatArray) -> None:
        """Nothing is fitted."""

    def settle(self) -> None:
        """Nothing was fitted."""

    def align(self, depth: DepthMap, truth: FloatArray) -> Aligned:
        """Change the unit, if there is one."""
        factor = _factor(self._given, self._unit, depth.web)
        values = facing(depth) * np.float32(factor or 1.0)
        return Aligned(values, factor or 1.0, comparable=factor is not None)

    def statement(self) -> dict[str, Any]:
        """Say so."""
        return {"mode": self.mode, "text": "none: the output is taken as it is"}


class ScaleShift:
    """``scale-shift``, in closed form, see ``linescan.evaluation.metrics``."""

    mode: Mode = "scale-shift"
    per_frame = True
    fits = False

    def observe(self, depth: DepthMap, truth: FloatArray) -> None:
        """Each frame is fitted by itself."""

    def settle(self) -> None:
        """Each frame is fitted by itself."""

    def align(self, depth: DepthMap, truth: FloatArray) -> Aligned:
        """Fit the frame to its truth."""
        values = facing(depth)
        found = align(values, truth)
        return Aligned(
            np.asarray(found.apply(values), np.float32), found.scale, comparable=True
        )

    def statement(self) -> dict[str, Any]:
        """Say so."""
        return {
            "mode": self.mode,
            "text": "scale-shift: each frame is fitted to its own truth by least squares",
        }


class Calibrated:
    """``calibrated``, fitted on frames that are not judged."""

    mode: Mode = "calibrated"
    per_frame = False
    fits = True

    def __init__(self, unit: HeightUnit) -> None:
        self._unit = unit
        self._predicted: list[npt.NDArray[np.float32]] = []
        self._truth: list[npt.NDArray[np.float32]] = []
        self._samples = self._frames = 0
        self._in_pixels: bool | None = None
        self._fit: AffineFit | None = None

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
        """Fit the line."""
        if not self._frames:
            raise AlignmentError(
                f"--align calibrated fits on one frame in {FIT_EVERY} and judges the others: the "
                "data set has no frame with known height to fit on"
            )
        predicted, truth = np.concatenate(self._predicted), np.concatenate(self._truth)
        try:
            self._fit = fit_affine(predicted, truth)
        except CalibrationError as error:
            raise AlignmentError(f"--align calibrated: {error}") from error
        finally:
            self._predicted.clear()
            self._truth.clear()

    def align(self, depth: DepthMap, truth: FloatArray) -> Aligned:
        """Apply the line."""
        if self._fit is None:
            raise AlignmentError("nothing was fitted")
        pixel = pixel_size(depth.web, self._unit) if self._in_pixels else 1.0
        if pixel is None:
            raise AlignmentError("a frame's size of a pixel is not known, unlike those fitted on")
        values = np.asarray(self._fit(facing(depth)) * pixel, np.float32)
        return Aligned(values, self._fit.scale * pixel, comparable=True)

    def statement(self) -> dict[str, Any]:
        """What was fitted, and on what."""
        text = (
            f"calibrated: one scale and shift for the whole data set, fitted robustly on every "
            f"{FIT_EVERY}th frame ({self._frames} frames, not judged)"
        )
        if self._in_pixels:
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


class HeightMap(Protocol):
    """A stored height calibration."""

    @property
    def unit(self) -> str:
        """``mm`` or ``um``."""
        ...

    @property
    def id(self) -> str:
        """What tells it from others."""
        ...

    def apply(self, values: FloatArray, web: WebMap) -> FloatArray:
        """Heights (h, w) in ``unit``."""
        ...


class FromFile:
    """``calibrated``, by a calibration file."""

    mode: Mode = "calibrated"
    per_frame = False
    fits = False

    def __init__(self, calibration: HeightMap, path: Path, unit: HeightUnit) -> None:
        self._calibration, self._path = calibration, path
        factor = _factor(calibration.unit, unit, None)
        if factor is None:
            raise AlignmentError(f"{path}: heights in '{calibration.unit}', expected mm or um")
        self._factor = factor

    def observe(self, depth: DepthMap, truth: FloatArray) -> None:
        """Nothing is fitted."""

    def settle(self) -> None:
        """Nothing was fitted."""

    def align(self, depth: DepthMap, truth: FloatArray) -> Aligned:
        """Apply the file's map; its slope is taken about the middle of the frame's values."""
        values = self._calibration.apply(depth.values, depth.web) * np.float32(self._factor)
        slope = align(facing(depth), values).scale if np.isfinite(values).any() else 0.0
        return Aligned(values, slope, comparable=True)

    def statement(self) -> dict[str, Any]:
        """Which file."""
        return {
            "mode": self.mode,
            "text": f"calibrated: by the file {self._path.name}",
            "calibration": self._calibration.id,
        }


def facing(depth: DepthMap) -> FloatArray:
    """Values of a depth map, larger being nearer to the camera."""
    return -depth.values if depth.convention is Convention.DEPTH else depth.values


def pixel_size(web: WebMap, unit: HeightUnit) -> float | None:
    """Size of a pixel of a depth map, geometric mean of along and across; None where unknown."""
    if web.mm_per_line is None or web.mm_per_column is None:
        return None
    area = web.mm_per_line * web.line_step * web.mm_per_column * web.column_step
    return float(np.sqrt(area)) / MM_PER[unit]


def _factor(given: str, unit: HeightUnit, web: WebMap | None) -> float | None:
    """From a model's unit to the data set's; None where it has none."""
    if given == "px":
        return pixel_size(web, unit) if web is not None else None
    if given == "mm":
        return 1.0 / MM_PER[unit]
    return 1e-3 / MM_PER[unit] if given == "um" else None
