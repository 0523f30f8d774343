"""Is depth continuous along the web? Steps at frame borders, drift over the run, flicker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linescan.records import DepthMap

Floats = npt.NDArray[np.float64]
TAILS = 0.001
"""Share of values at each end that is outside the height range."""


@dataclass(frozen=True, slots=True)
class Continuity:
    """Figures of a run.

    Attributes:
        frames: so many.
        step: mean absolute difference of the two rows at a frame border, over that of neighbouring
            rows inside frames.
        step_error: standard error of it: relief makes single rows differ.
        paired_step: the same over the difference of the same two places within the frame before,
            which saw both: what lies on the web cancels.
        drift: linear trend of the frames' level over the run, over the range of heights.
        flicker: mean absolute change of the frames' mean, over the standard deviation of the values
            of a frame; of use on a bare web.
        scale_drift: linear trend of the logarithm of the frames' scale against the truth over the
            run; None where there is no truth.
        scale_sigma: standard deviation of that logarithm from frame to frame.
    """

    frames: int
    step: float
    step_error: float
    paired_step: float
    drift: float
    flicker: float
    scale_drift: float | None
    scale_sigma: float | None


class ContinuityMeter:
    """Takes the depth of one frame after the other; keeps one frame and some figures of each."""

    def __init__(self) -> None:
        self._before: DepthMap | None = None
        self._inside: list[float] = []
        self._border: list[float] = []
        self._control: list[float] = []
        self._levels: list[float] = []
        self._means: list[float] = []
        self._deviations: list[float] = []
        self._scales: list[float] = []
        self._ranges: list[tuple[float, float]] = []

    def add(self, depth: DepthMap, truth: npt.NDArray[np.float32] | None = None) -> None:
        """Take a frame.

        Args:
            depth: its depth, all rows valid.
            truth: the true heights at the same places, where they are known.
        """
        values = np.asarray(depth.values, np.float64)
        if self._before is not None:
            self._add_border(self._before, depth)
        self._before = depth
        level = float(np.median(values))
        if truth is not None and truth.std() > 0:
            true = np.asarray(truth, np.float64)
            scale = float(np.mean((true - true.mean()) * (values - values.mean())) / true.var())
            self._scales.append(scale)
        self._levels.append(level)
        self._means.append(float(values.mean()))
        self._deviations.append(float(values.std()))
        low, high = np.quantile(values, (TAILS, 1 - TAILS))
        self._ranges.append((float(low), float(high)))

    def result(self) -> Continuity:
        """The figures so far; at least three frames are needed."""
        border, inside = np.array(self._border), float(np.mean(self._inside))
        low, high = min(r[0] for r in self._ranges), max(r[1] for r in self._ranges)
        scales = np.array(self._scales)
        logs = np.log(scales[scales > 0])
        return Continuity(
            frames=len(self._levels),
            step=float(border.mean()) / inside,
            step_error=float(border.std()) / np.sqrt(border.size) / inside,
            paired_step=float(border.mean() / np.mean(self._control)),
            drift=abs(_trend(np.array(self._levels))) / (high - low),
            flicker=float(np.abs(np.diff(self._means)).mean() / np.median(self._deviations)),
            scale_drift=_trend(logs) if logs.size > 2 else None,
            scale_sigma=float(logs.std()) if logs.size > 2 else None,
        )

    def _add_border(self, before: DepthMap, depth: DepthMap) -> None:
        """Compare rows across the border, and inside the part of the strip before it."""
        reach = (depth.web.line_offset - before.web.line_offset) / before.web.line_step
        rows = min(len(before.values), round(reach))
        strip = np.asarray(before.values[:rows], np.float64)
        self._inside.append(float(np.abs(np.diff(strip, axis=0)).mean()))
        self._border.append(float(np.abs(depth.values[0] - strip[-1]).mean()))
        if rows < len(before.values):
            self._control.append(float(np.abs(before.values[rows] - strip[-1]).mean()))


def _trend(values: Floats) -> float:
    """What a straight line through (n,) values rises by over all of them."""
    place = np.arange(values.size)
    return float(np.polyfit(place, values, 1)[0] * (values.size - 1))
