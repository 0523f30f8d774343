"""The pipeline's segmentation stage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from linescan.config import SegmentationSection
from linescan.records import Cause, Convention, DepthMap, Inspection, Loss, WebMap
from linescan.segmentation.background import SAMPLE_COLUMNS
from linescan.segmentation.segment import segment_depth
from linescan.stages import MapStage


class Segment(MapStage[Inspection, Inspection]):
    """Adds the objects to an inspection that has depth; passes any other on as it is.

    Args:
        section: the configuration of segmentation.
        noise_floor: what the model says of itself: differences of depth below it mean nothing. It
            is the floor of the thresholds where the configuration says ``auto``.
    """

    name = "segment"
    failure = Cause.SEGMENTATION_FAILURE

    def __init__(self, section: SegmentationSection, noise_floor: float = 0.0) -> None:
        if section.threshold.floor == "auto":
            threshold = section.threshold.model_copy(update={"floor": noise_floor})
            section = section.model_copy(update={"threshold": threshold})
        self._section = section

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

    def process(self, item: Inspection) -> Iterable[Inspection | Loss]:
        """Give the inspection with its ``segmentation``."""
        if item.depth is None or not self._section.enabled:
            return (item,)
        segmentation = segment_depth(item.depth, self._section)
        return (dataclasses.replace(item, segmentation=segmentation),)
