"""The pipeline's segmentation stage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from linescan.config import SegmentationSection
from linescan.records import Cause, Inspection, Loss
from linescan.segmentation.segment import segment_depth
from linescan.stages import MapStage


class Segment(MapStage[Inspection, Inspection]):
    """Adds the objects to an inspection that has depth; passes any other on as it is."""

    name = "segment"
    failure = Cause.SEGMENTATION_FAILURE

    def __init__(self, section: SegmentationSection) -> None:
        self._section = section

    def process(self, item: Inspection) -> Iterable[Inspection | Loss]:
        """Give the inspection with its ``segmentation``."""
        if item.depth is None or not self._section.enabled:
            return (item,)
        segmentation = segment_depth(item.depth, self._section)
        return (dataclasses.replace(item, segmentation=segmentation),)
