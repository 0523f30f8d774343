"""The pipeline's segmentation stage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from linescan.config import SegmentationSection
from linescan.records import (
    Cause,
    Completed,
    Convention,
    DepthMap,
    Inspection,
    Loss,
    WebMap,
)
from linescan.segmentation.background import SAMPLE_COLUMNS
from linescan.segmentation.segment import Segmenter, SegmenterState, segment_depth
from linescan.stages import FoldStage


class Segment(FoldStage[Inspection, Inspection | Completed, SegmenterState | None]):
    """Adds the objects to an inspection that has depth; passes any other on as it is.

    At the end it gives the objects that are still open, as ``Completed``.

    Args:
        section: the configuration of segmentation.
        noise_floor: what the model says of itself: differences of depth below it mean nothing. It
            is the floor of the thresholds where the configuration says ``auto``, but for a
            threshold of a fixed height.
        overlap: lines that frames share.
        alone: frames have nothing to do with each other: each is taken for itself.
        aligned: depth was aligned from frame to frame.
    """

    name = "segment"
    failure = Cause.SEGMENTATION_FAILURE

    def __init__(
        self,
        section: SegmentationSection,
        noise_floor: float = 0.0,
        overlap: int = 0,
        *,
        alone: bool = False,
        aligned: bool = False,
    ) -> None:
        if section.threshold.floor == "auto":
            floor = 0.0 if section.threshold.method == "height" else noise_floor
            threshold = section.threshold.model_copy(update={"floor": floor})
            section = section.model_copy(update={"threshold": threshold})
        self._section = section
        self._segmenter = None if alone else Segmenter(section, overlap, aligned=aligned)

    def setup(self) -> None:
        """Segment a small frame: what is loaded at first use is then there for the first frame.

        It is wide enough for the background to be taken from every other column.
        """
        rows = np.random.default_rng(0).normal(size=(28, 2 * SAMPLE_COLUMNS)).astype(np.float32)
        depth = DepthMap(
            values=rows,
            convention=Convention.HEIGHT,
            unit="relative",
            scale=1.0,
            shift=0.0,
            confidence=None,
            valid=np.ones(len(rows), np.bool_),
            web=WebMap(0.0, 1.0, 0.0, 1.0),
        )
        segment_depth(depth, self._section)

    def process(self, item: Inspection) -> Iterable[Inspection | Completed | Loss]:
        """Give the inspection with its ``segmentation``."""
        if item.depth is None or not self._section.enabled:
            return (item,)
        if self._segmenter is None:
            found = segment_depth(item.depth, self._section)
        else:
            found = self._segmenter.take(item.depth)
        return (dataclasses.replace(item, segmentation=found),)

    def finish(self) -> Iterable[Inspection | Completed | Loss]:
        """Give the objects that are still open: the run ends in the middle of them."""
        left = self._segmenter.close() if self._segmenter else None
        return (left,) if left and left.objects else ()

    def snapshot(self) -> SegmenterState | None:
        """What is remembered from frame to frame; None where nothing is."""
        return self._segmenter.state if self._segmenter else None

    def restore(self, state: SegmenterState | None) -> None:
        """Go on from a snapshot."""
        if self._segmenter and state:
            self._segmenter.state = state
