"""From heights to regions: what stands out beyond the thresholds, and where each object ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray
from linescan.segmentation.outline import Bounds, draw_outlines
from linescan.segmentation.regions import Regions, join
from linescan.segmentation.runs import Connected, connected, open_mask
from linescan.segmentation.thresholds import Thresholds


def find_regions(
    height: FloatArray,
    known: BoolArray,
    thresholds: Thresholds,
    section: SegmentationSection,
    inner: slice = slice(None),
) -> Regions:
    """Connected regions that stand out, opened, in the order of their boxes.

    No two regions of one side have the same box, so the order does not depend on the labelling.

    Args:
        height: (h, w) above the background, towards the camera positive.
        known: (h, w) pixels that may belong to an object.
        thresholds: where objects begin.
        section: hysteresis, opening, outline and least area.
        inner: rows that no neighbouring frame shows. A region in them alone must be large and have
            a pixel beyond the high threshold; one that reaches beyond them may be a small part of
            an object, and is kept.
    """
    first, end, _ = inner.indices(height.shape[0])
    lowest, highest = _range(height, known)
    sides = []
    for sign, distance, extreme in (
        (1, thresholds.raised, highest),
        (-1, thresholds.sunk, -lowest),
    ):
        if distance is None:
            continue
        low = thresholds.low(distance, section.hysteresis)
        whole = first == 0 and end == height.shape[0]
        if extreme > (distance if whole else low):
            outward = height if sign > 0 else -height
            sides.append(_Side(sign, outward, known, distance, low, (first, end)))
    return join([side.regions(section) for side in sides], height.shape[1]).in_order()


def _range(height: FloatArray, known: BoolArray) -> tuple[float, float]:
    """Smallest and largest known height."""
    import cv2

    lowest, highest, _, _ = cv2.minMaxLoc(height, known.view(np.uint8))
    return lowest, highest


@dataclass(frozen=True, slots=True)
class _Side:
    """One frame's deviations to one side of the background.

    Attributes:
        sign: 1 raised, -1 sunk.
        height: (h, w) away from the background, to this side positive.
        known: (h, w) pixels that may belong to an object.
        distance: where objects begin.
        low: how far out they may reach.
        inner: first and last (exclusive) row that no neighbouring frame shows.
    """

    sign: int
    height: FloatArray
    known: BoolArray
    distance: float
    low: float
    inner: tuple[int, int]

    def regions(self, section: SegmentationSection) -> Regions:
        """Those that are objects, or reach beyond the inner rows."""
        beyond = self.height > np.float32(self.low)
        beyond &= self.known
        mask = open_mask(beyond.view(np.uint8), section.open_px)
        found, least = connected(mask), section.min_area_px
        if section.outline != "threshold":
            wanted = (found.areas() >= least) | self._shared(found)
            bounds = Bounds(section.outline, self.low, self.distance, least, section.max_objects)
            found = draw_outlines(mask, self.height, self.known, found.only(wanted), bounds)
        large = found.areas() >= least
        shared = self._shared(found)
        wanted = large | shared
        regions = self._measure(found.only(wanted), large[wanted])
        return regions.only(regions.high | shared[wanted])

    def _shared(self, found: Connected) -> BoolArray:
        """(n,) regions that reach beyond the inner rows."""
        first, end = (row * self.height.shape[1] for row in self.inner)
        shared = np.zeros(found.count, np.bool_)
        shared[found.owner[(found.start < first) | (found.start >= end)]] = True
        return shared

    def _measure(self, found: Connected, large: BoolArray) -> Regions:
        """The regions with their heights."""
        greatest, total = np.full(found.count, -np.inf), np.zeros(found.count)
        run_greatest, run_total = np.empty(0), np.empty(0)
        if found.count:
            heights = self.height.ravel()[found.pixels()]
            begin = np.cumsum(found.length) - found.length
            run_greatest = np.maximum.reduceat(heights, begin).astype(np.float64)
            run_total = np.add.reduceat(heights, begin, dtype=np.float64)
            np.maximum.at(greatest, found.owner, run_greatest)
            np.add.at(total, found.owner, run_total)
        area = found.areas()
        return Regions(
            width=found.width,
            sign=np.full(found.count, self.sign, np.int8),
            boxes=found.boxes(),
            area=area,
            mean=self.sign * total / area,
            extreme=self.sign * greatest,
            high=greatest > self.distance,
            large=large,
            run_start=found.start,
            run_length=found.length,
            run_owner=found.owner,
            run_total=self.sign * run_total,
            run_extreme=self.sign * run_greatest,
        )
