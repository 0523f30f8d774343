"""The pipeline's own segmentation on aligned heights; nothing else here knows how it is called."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from linescan.config import SegmentationSection
from linescan.evaluation.datasets import TrueFrame
from linescan.evaluation.judging.alignments import Aligned
from linescan.records import Convention, DepthMap, Inspection, Segmentation
from linescan.segmentation import Segment


class Segmenter:
    """Finds objects in frames, one after the other; begins anew with each web."""

    def __init__(self, section: SegmentationSection, noise_floor: float) -> None:
        """Prepare.

        Args:
            section: the configuration of segmentation; it is on, whatever it says.
            noise_floor: of the model, in the unit of its output.
        """
        self._section = section.model_copy(update={"enabled": True})
        self._floor = noise_floor
        self._key: tuple[int, float] | None = None
        self._stage: Segment | None = None

    def segment(self, frame: TrueFrame, depth: DepthMap, aligned: Aligned) -> Segmentation:
        """Objects of one frame.

        The floor follows the scale: what means nothing in the model's output means nothing in
        heights made of it.
        """
        floor = self._floor * abs(aligned.scale)
        if self._stage is None or self._key != (frame.web, floor):
            self._key = (frame.web, floor)
            self._stage = Segment(self._section, floor)
            self._stage.setup()
        heights = replace(depth, values=aligned.values, convention=Convention.HEIGHT)
        (made,) = self._stage.process(Inspection(frame.frame, depth=heights))
        return cast("Segmentation", cast("Inspection", made).segmentation)
