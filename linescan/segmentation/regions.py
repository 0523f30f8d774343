"""From heights to connected regions, raised and sunk, and the runs of pixels they consist of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray
from linescan.segmentation.thresholds import Thresholds

Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected regions, (n,) each, in array pixels, and their runs, (runs,) each.

    A run is a stretch of pixels of one row: the flat index of its first pixel, its length, and the
    region that it belongs to. Runs of a region come in the order of its pixels.
    """

    width: int
    """Columns of the array."""
    sign: npt.NDArray[np.int8]
    """1 raised, -1 sunk."""
    boxes: Indices
    """(n, 4): first row, first column, last row, last column."""
    area: Indices
    mean: Floats
    extreme: Floats
    high: BoolArray
    """It has a pixel beyond the threshold."""
    large: BoolArray
    """It has the least area of an object."""
    run_start: Indices
    run_length: Indices
    run_owner: Indices
    run_total: Floats
    """Sum of the heights of the run's pixels."""
    run_extreme: Floats

    @property
    def count(self) -> int:
        """How many regions."""
        return self.area.size

    def only(self, chosen: BoolArray) -> Regions:
        """The chosen regions, (n,), numbered anew without gaps."""
        if chosen.all():
            return self
        runs = chosen[self.run_owner]
        return Regions(
            width=self.width,
            sign=self.sign[chosen],
            boxes=self.boxes[chosen],
            area=self.area[chosen],
            mean=self.mean[chosen],
            extreme=self.extreme[chosen],
            high=self.high[chosen],
            large=self.large[chosen],
            run_start=self.run_start[runs],
            run_length=self.run_length[runs],
            run_owner=(np.cumsum(chosen) - 1)[self.run_owner[runs]],
            run_total=self.run_total[runs],
            run_extreme=self.run_extreme[runs],
        )

    def paint(
        self,
        labels: npt.NDArray[np.integer],
        numbers: npt.NDArray[np.integer],
        first_row: int = 0,
    ) -> None:
        """Write each region's number, (n,), into rows of ``width`` columns; 0 leaves it out.

        ``labels`` are the rows from ``first_row`` on; runs of other rows are left out.
        """
        named = numbers[self.run_owner]
        start = self.run_start - first_row * self.width
        kept = (named > 0) & (start >= 0) & (start < labels.size)
        length = self.run_length[kept]
        labels.ravel()[_pixels(start[kept], length)] = np.repeat(named[kept], length)


def find_regions(
    height: FloatArray,
    known: BoolArray,
    thresholds: Thresholds,
    section: SegmentationSection,
    inner: slice = slice(None),
) -> Regions:
    """Connected regions beyond the low threshold, opened, in the order of their boxes.

    No two regions of one side have the same box, so the order does not depend on the labelling.

    Args:
        height: (h, w) above the background, towards the camera positive.
        known: (h, w) pixels that may belong to an object.
        thresholds: where objects begin.
        section: hysteresis, opening and least area.
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
            sides.append(_Side(height, known, sign, distance, low))
    found = [side.regions(section, first, end) for side in sides]
    return _in_order(_join(found, height.shape[1]))


def open_mask(mask: npt.NDArray[np.uint8], diameter: int) -> npt.NDArray[np.uint8]:
    """Morphological opening by a disc; the result lies inside ``mask``, for even diameters too."""
    import cv2

    if diameter <= 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    anchor = diameter // 2
    eroded = cv2.erode(mask, disc, anchor=(anchor, anchor))
    mirrored = np.ascontiguousarray(disc[::-1, ::-1])
    back = diameter - 1 - anchor
    return np.asarray(cv2.dilate(eroded, mirrored, anchor=(back, back)), np.uint8)


def _range(height: FloatArray, known: BoolArray) -> tuple[float, float]:
    """Smallest and largest known height."""
    import cv2

    lowest, highest, _, _ = cv2.minMaxLoc(height, known.view(np.uint8))
    return lowest, highest


@dataclass(frozen=True, slots=True)
class _Side:
    """One frame's deviations to one side of the background."""

    height: FloatArray
    known: BoolArray
    sign: int
    distance: float
    low: float

    def regions(self, section: SegmentationSection, first: int, end: int) -> Regions:
        """Those that are objects, or reach beyond rows ``first`` to ``end`` (exclusive)."""
        import cv2

        level, width = np.float32(self.sign * self.low), self.height.shape[1]
        beyond = (self.height > level) if self.sign > 0 else (self.height < level)
        beyond &= self.known
        mask = open_mask(beyond.view(np.uint8), section.open_px)
        # The statistics that OpenCV offers beside the labels cost several times what the labels do.
        count, owners = cv2.connectedComponents(mask, connectivity=8)
        start, length = _runs(mask)
        owner = owners.ravel()[start].astype(np.intp)
        area = np.zeros(count, np.intp)
        np.add.at(area, owner, length)
        large = area >= section.min_area_px
        shared = np.zeros(count, np.bool_)
        shared[owner[(start < first * width) | (start >= end * width)]] = True
        wanted = large | shared
        start, length, owner = _renumber(wanted, owner, start, length)
        kept = int(np.count_nonzero(wanted))
        extreme, total, run_extreme, run_total = self._measure(start, length, owner, kept)
        high = self.sign * extreme > self.distance
        area = area[wanted]
        return Regions(
            width=width,
            sign=np.full(kept, self.sign, np.int8),
            boxes=_boxes(start, length, owner, kept, width),
            area=area,
            mean=total / area,
            extreme=extreme,
            high=high,
            large=large[wanted],
            run_start=start,
            run_length=length,
            run_owner=owner,
            run_total=run_total,
            run_extreme=run_extreme,
        ).only(high | shared[wanted])

    def _measure(
        self, start: Indices, length: Indices, owner: Indices, count: int
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Extreme and sum of the heights of each region, then of each run."""
        extreme, total = np.full(count, -self.sign * np.inf), np.zeros(count)
        if not start.size:
            return extreme, total, np.empty(0), np.empty(0)
        heights = self.height.ravel()[_pixels(start, length)]
        begin = np.cumsum(length) - length
        farther = np.maximum if self.sign > 0 else np.minimum
        run_extreme = farther.reduceat(heights, begin).astype(np.float64)
        run_total = np.add.reduceat(heights, begin, dtype=np.float64)
        farther.at(extreme, owner, run_extreme)
        np.add.at(total, owner, run_total)
        return extreme, total, run_extreme, run_total


def _runs(mask: npt.NDArray[np.uint8]) -> tuple[Indices, Indices]:
    """Runs of the mask in each row: flat index of the first pixel, and length."""
    height, width = mask.shape
    changes = np.empty((height, width + 1), np.bool_)
    changes[:, 0], changes[:, -1] = mask[:, 0], mask[:, -1]
    np.not_equal(mask[:, 1:], mask[:, :-1], out=changes[:, 1:-1])
    edges = np.flatnonzero(changes)
    first, end = edges[::2], edges[1::2]
    return first - first // (width + 1), end - first


def _renumber(
    keep: BoolArray, owner: Indices, start: Indices, length: Indices
) -> tuple[Indices, Indices, Indices]:
    """The runs of the regions to keep, which are numbered anew without gaps."""
    kept = keep[owner]
    numbers = np.cumsum(keep) - 1
    return start[kept], length[kept], numbers[owner[kept]]


def _pixels(start: Indices, length: Indices) -> Indices:
    """Flat index of every pixel of the runs, run by run."""
    end = np.cumsum(length)
    total = int(end[-1]) if end.size else 0
    return np.arange(total) + np.repeat(start - end + length, length)


def _boxes(start: Indices, length: Indices, owner: Indices, count: int, width: int) -> Indices:
    """Bounding boxes of the regions, (count, 4): first row and column, last row and column."""
    row, column = np.divmod(start, width)
    boxes = np.empty((count, 4), np.intp)
    boxes[:, :2], boxes[:, 2:] = np.iinfo(np.intp).max, -1
    for side, (extend, edge) in enumerate(
        (
            (np.minimum, row),
            (np.minimum, column),
            (np.maximum, row),
            (np.maximum, column + length - 1),
        )
    ):
        extend.at(boxes[:, side], owner, edge)
    return boxes


def _join(sides: list[Regions], width: int) -> Regions:
    """The regions of all sides together."""
    if not sides:
        return _none(width)
    shift = np.cumsum([0, *(side.count for side in sides)])
    owners = [side.run_owner + add for side, add in zip(sides, shift, strict=False)]
    return Regions(
        width=width,
        sign=np.concatenate([side.sign for side in sides]),
        boxes=np.concatenate([side.boxes for side in sides]),
        area=np.concatenate([side.area for side in sides]),
        mean=np.concatenate([side.mean for side in sides]),
        extreme=np.concatenate([side.extreme for side in sides]),
        high=np.concatenate([side.high for side in sides]),
        large=np.concatenate([side.large for side in sides]),
        run_start=np.concatenate([side.run_start for side in sides]),
        run_length=np.concatenate([side.run_length for side in sides]),
        run_owner=np.concatenate(owners),
        run_total=np.concatenate([side.run_total for side in sides]),
        run_extreme=np.concatenate([side.run_extreme for side in sides]),
    )


def _in_order(regions: Regions) -> Regions:
    """The same by first row, first column, last row, last column; raised before sunk."""
    order = np.lexsort((-regions.sign, *regions.boxes.T[::-1]))
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return replace(
        regions,
        sign=regions.sign[order],
        boxes=regions.boxes[order],
        area=regions.area[order],
        mean=regions.mean[order],
        extreme=regions.extreme[order],
        high=regions.high[order],
        large=regions.large[order],
        run_owner=place[regions.run_owner],
    )


def _none(width: int) -> Regions:
    counts, values, flags = np.empty(0, np.intp), np.empty(0), np.empty(0, np.bool_)
    return Regions(
        width=width,
        sign=np.empty(0, np.int8),
        boxes=np.empty((0, 4), np.intp),
        area=counts,
        mean=values,
        extreme=values,
        high=flags,
        large=flags,
        run_start=counts,
        run_length=counts,
        run_owner=counts,
        run_total=values,
        run_extreme=values,
    )
