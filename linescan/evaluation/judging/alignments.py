"""From a model's output to heights that can be compared with the truth, in a way that is stated.

- ``none``: nothing is fitted. What has a unit is compared as it is; relative depth has none.
- ``scale-shift``: each frame gets the scale and shift that fit its own truth best (least squares).
  It asks how good the shape is, hides what a frame cannot know by itself, and says nothing about
  frames beside each other.
- ``calibrated``: one scale and shift for the whole data set, fitted on a part of it that is then
  not judged (of a continuous web the first fifth, else every fifth frame); or a calibration file.
  It is what a production line would have.

Where the size of a pixel is known, a fitted calibration gives heights in pixels of the depth map
(rise over run is what an image can tell), so that one map can hold for webs of different pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from linescan.errors import LinescanError
from linescan.evaluation.datasets import MM_PER, HeightUnit
from linescan.evaluation.judging.models import PIXELS
from linescan.evaluation.metrics import align
from linescan.records import Convention, DepthMap, FloatArray, WebMap

Mode = Literal["none", "scale-shift", "calibrated"]
MODES: tuple[Mode, ...] = ("none", "scale-shift", "calibrated")


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

    def observe(self, depth: DepthMap, truth: FloatArray, /) -> None:
        """Take a frame to fit on."""
        ...

    def settle(self) -> None:
        """All frames to fit on have come.

        Raises:
            LinescanError: nothing can be fitted to them.
        """
        ...

    def align(self, depth: DepthMap, truth: FloatArray, /) -> Aligned:
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

    def __init__(self, unit: HeightUnit) -> None:
        self._unit = unit

    def observe(self, _depth: DepthMap, _truth: FloatArray, /) -> None:
        """Nothing is fitted."""

    def settle(self) -> None:
        """Nothing was fitted."""

    def align(self, depth: DepthMap, _truth: FloatArray, /) -> Aligned:
        """Change the unit, if there is one."""
        factor = unit_factor(depth, self._unit)
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

    def observe(self, _depth: DepthMap, _truth: FloatArray, /) -> None:
        """Each frame is fitted by itself."""

    def settle(self) -> None:
        """Each frame is fitted by itself."""

    def align(self, depth: DepthMap, truth: FloatArray) -> Aligned:
        """Fit the frame to its truth."""
        values = facing(depth)
        found = align(values, truth)
        return Aligned(np.asarray(found.apply(values), np.float32), found.scale, comparable=True)

    def statement(self) -> dict[str, Any]:
        """Say so."""
        return {
            "mode": self.mode,
            "text": "scale-shift: each frame is fitted to its own truth by least squares",
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


def unit_factor(depth: DepthMap, unit: HeightUnit) -> float | None:
    """From a depth map's unit to the data set's; None where it has none."""
    if depth.unit == PIXELS:
        return pixel_size(depth.web, unit)
    if depth.unit == "mm":
        return 1.0 / MM_PER[unit]
    return 1e-3 / MM_PER[unit] if depth.unit == "um" else None
