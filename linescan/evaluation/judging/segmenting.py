"""The pipeline's own segmentation on aligned heights; nothing else here knows how it is called."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from linescan.config import SegmentationSection
from linescan.evaluation.datasets import TrueFrame
from linescan.evaluation.judging.alignments import Aligned
from linescan.evaluation.judging.models import About
from linescan.records import Convention, DepthMap, Inspection, Segmentation
from linescan.segmentation import Segment


class Segmenter:
    """Finds objects in frames, one after the other; begins anew with each web."""

    def __init__(
        self,
        section: SegmentationSection,
        about: About,
        *,
        per_frame: bool,
        overlap: int = 0,
        aligned: bool = False,
    ) -> None:
        """Prepare.

        Args:
            section: the configuration of segmentation; it is on, whatever it says.
            about: the model; its noise floor follows what became of its output.
            per_frame: each frame is aligned by itself, and segmented by itself.
            overlap: lines that a frame shares with the next one.
            aligned: the model's depth was aligned from frame to frame.
        """
        self._section = section.model_copy(update={"enabled": True})
        self._about, self._per_frame = about, per_frame
        self._overlap, self._aligned = overlap, aligned
        self._web: int | None = None
        self._stage: Segment | None = None

    def segment(self, frame: TrueFrame, depth: DepthMap, aligned: Aligned) -> Segmentation:
        """Objects of one frame."""
        if self._stage is None or self._per_frame or self._web != frame.web:
            self._web = frame.web
            # What means nothing in the model's output means nothing in heights made of it.
            factor = abs(aligned.scale * depth.scale / self._about.scale)
            self._stage = Segment(
                self._section,
                self._about.noise_floor * factor,
                self._overlap,
                alone=self._per_frame,
                aligned=self._aligned,
            )
            self._stage.setup()
        heights = replace(depth, values=aligned.values, convention=Convention.HEIGHT)
        (made,) = self._stage.process(Inspection(frame.frame, depth=heights))
        return cast("Segmentation", cast("Inspection", made).segmentation)
