"""The calibration stage: depth in the model's unit in, height in mm or µm out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from linescan.depth.calibration.height import HeightCalibration
from linescan.records import Cause, Convention, FloatArray, Inspection, Loss
from linescan.stages import MapStage

log = logging.getLogger(__name__)

MARGIN: Final = 0.1
"""Share of the calibrated range, at each end, by which heights may leave it: noise does."""
MOST_OUTSIDE: Final = 0.005
"""Share of a frame's places that may leave it: one pixel does not make a scene."""
QUIET_S: Final = 60.0
"""Time between warnings."""


class Calibrate(MapStage[Inspection, Inspection]):
    """Turns depth into height; inspections without depth are passed on.

    Args:
        calibration: made for the model and resolution of the depth that comes.
        path: its file, for messages.
        clock: seconds, for the rate of warnings.
    """

    name = "calibrate"
    failure = Cause.INFERENCE_FAILURE

    def __init__(
        self,
        calibration: HeightCalibration,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calibration = calibration
        self._path = path
        self._clock = clock
        self._outside = 0
        self._warned: float | None = None

    def setup(self) -> None:
        """Say what is applied."""
        made = self._calibration
        log.info(
            "height in %s by %s (%s, made %s); %.4g to %.4g %s were measured",
            made.unit,
            self._path,
            made.id,
            made.created,
            *made.range,
            made.unit,
        )

    def process(self, item: Inspection) -> Iterable[Inspection | Loss]:
        """Give the inspection with its height, (h, w) as depth came."""
        depth, made = item.depth, self._calibration
        if depth is None:
            return (item,)
        values = made.apply(depth.values, depth.web)
        self._check_range(values, item.frame.first_line)
        height = replace(
            depth,
            values=values,
            convention=Convention.HEIGHT,
            unit=made.unit,
            scale=made.curve.scale * depth.scale,
            shift=made.curve.scale * depth.shift + made.curve.shift,
        )
        return (replace(item, depth=height, calibration_id=made.id),)

    @property
    def partial_failures(self) -> Mapping[str, int]:
        """``out_of_range``: frames whose heights left the calibrated range."""
        return {"out_of_range": self._outside}

    def _check_range(self, values: FloatArray, line: int) -> None:
        """Warn where heights are extrapolated, at most once a minute."""
        low, high = self._calibration.range
        margin = MARGIN * (high - low)
        known = int(np.count_nonzero(np.isfinite(values)))
        out = int(np.count_nonzero((values < low - margin) | (values > high + margin)))
        if not known or out <= MOST_OUTSIDE * known:
            return
        self._outside += 1
        now = self._clock()
        if self._warned is not None and now - self._warned < QUIET_S:
            return
        self._warned = now
        log.warning(
            "line %d: %.1f %% of the frame is beyond the %.4g to %.4g %s that %s was made from; "
            "such heights are extrapolated (%d frames so far): calibrate with such heights",
            line,
            100 * out / known,
            low,
            high,
            self._calibration.unit,
            self._path.name,
            self._outside,
        )
