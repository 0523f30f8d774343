"""The known heights of a recording as measurements: what a simulated web is calibrated by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linescan.depth.calibration.points import HeightMap, Points
from linescan.recording.truth import Truth
from linescan.records import DepthMap


@dataclass(frozen=True, slots=True)
class RecordedTruth:
    """The truth of a recording, in mm, times ``factor``."""

    truth: Truth
    factor: float

    def points(self, depth: DepthMap, skip: int) -> Points:
        """See ``HeightMap.points``; what reaches beyond the recording is not known."""
        web, header = depth.web, self.truth.header
        first = max(header.first_line, int(web.line_offset - web.line_step))
        end = int(web.line_offset + web.line_step * (len(depth.values) + 1))
        end = min(end, header.first_line + header.lines)
        if end <= first:
            return Points.join(())
        heights, place = self.truth.height(first, end - first)
        return HeightMap(
            np.asarray(heights, np.float64) * self.factor,
            line=place.line_offset - (place.line_step - 1) / 2,
            column=place.column_offset - (place.column_step - 1) / 2,
            line_step=place.line_step,
            column_step=place.column_step,
        ).points(depth, skip)
