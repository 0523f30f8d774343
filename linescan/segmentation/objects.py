"""From heights to labelled objects in web coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray, LabelArray, WebMap, WebObject
from linescan.segmentation.thresholds import Thresholds

Indices = npt.NDArray[np.intp]

LINE_TOLERANCE = 1e-3
"""Rounding of the web map that does not make a box one line or column larger."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected regions of one side, (n,) each, in array pixels, and the runs they consist of.

    A run is a stretch of pixels of one row: the flat index of its first pixel, its length, and the
    region that it belongs to, (runs,) each, in the order of the pixels.
    """

    boxes: npt.NDArray[np.intp]
    """(n, 4): first row, first column, last row, last column."""
    area: npt.NDArray[np.intp]
    mean: npt.NDArray[np.float64]
    extreme: npt.NDArray[np.float64]
    run_start: npt.NDArray[np.intp]
    run_length: npt.NDArray[np.intp]
    run_owner: npt.NDArray[np.intp]


def find_objects(
    height: FloatArray,
    known: BoolArray,
    valid: BoolArray,
    thresholds: Thresholds,
    section: SegmentationSection,
    web: WebMap,
) -> tuple[LabelArray, tuple[WebObject, ...]]:
    """Label and measure the objects of one frame.

    Args:
        height: (h, w) above the background, towards the camera positive.
        known: (h, w) pixels that may belong to an object.
        valid: (h,) rows with valid lines: an object on the first or last of them is cut there.
        thresholds: where objects begin.
        section: hysteresis, opening, least area and most objects.
        web: where array pixels lie on the web.

    Returns:
        (h, w) uint16 labels, 0 for background, and one object a label in the order of the ids.
    """
    labels: LabelArray = np.zeros(height.shape, np.uint16)
    rows = np.flatnonzero(valid)
    lowest, highest = _range(height, known)
    sides = []
    for sign, distance, extreme in (
        (1, thresholds.raised, highest),
        (-1, thresholds.sunk, -lowest),
    ):
        if distance is not None and extreme > distance:
            sides.append(_find_side(height, known, sign, distance, section))
    luts = [np.zeros(side.area.size, np.uint16) for side in sides]
    ranked = _rank(sides, section.max_objects)
    for number, (side, index) in enumerate(ranked, start=1):
        luts[side][index] = number
    for side_regions, lut in zip(sides, luts, strict=True):
        _paint(labels, side_regions, lut)
    ends = (int(rows[0]), int(rows[-1]))
    return labels, _web_objects(sides, ranked, ends, web)


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


def _find_side(
    height: FloatArray, known: BoolArray, sign: int, distance: float, section: SegmentationSection
) -> Regions:
    """Regions beyond the low threshold that hold a pixel beyond the high one and are large."""
    import cv2

    low = np.float32(sign * distance * section.hysteresis)
    beyond = (height > low) if sign > 0 else (height < low)
    beyond &= known
    mask = open_mask(beyond.view(np.uint8), section.open_px)
    # The statistics that OpenCV offers beside the labels cost several times what the labels do.
    count, owners = cv2.connectedComponents(mask, connectivity=8)
    start, length = _runs(mask)
    owner = owners.ravel()[start].astype(np.intp)
    area = np.zeros(count, np.intp)
    np.add.at(area, owner, length)
    large = area >= section.min_area_px
    start, length, owner = _renumber(large, owner, start, length)
    extreme, total = _measure(height, sign, start, length, owner, int(np.count_nonzero(large)))
    area = area[large]
    high = sign * extreme > distance
    start, length, owner = _renumber(high, owner, start, length)
    return Regions(
        boxes=_boxes(start, length, owner, int(np.count_nonzero(high)), height.shape[1]),
        area=area[high],
        mean=total[high] / area[high],
        extreme=extreme[high],
        run_start=start,
        run_length=length,
        run_owner=owner,
    )


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
    keep: BoolArray, owner: npt.NDArray[np.integer], start: Indices, length: Indices
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


def _measure(
    height: FloatArray, sign: int, start: Indices, length: Indices, owner: Indices, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Extreme and sum of the heights of each region."""
    extreme, total = np.full(count, -sign * np.inf), np.zeros(count)
    if start.size:
        heights = height.ravel()[_pixels(start, length)]
        begin = np.cumsum(length) - length
        farther = np.maximum if sign > 0 else np.minimum
        farther.at(extreme, owner, farther.reduceat(heights, begin).astype(np.float64))
        np.add.at(total, owner, np.add.reduceat(heights, begin, dtype=np.float64))
    return extreme, total


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


def _paint(labels: LabelArray, regions: Regions, lut: LabelArray) -> None:
    """Write the numbers of one side's regions into the labels; 0 leaves a region out."""
    named = lut[regions.run_owner]
    kept = named > 0
    length = regions.run_length[kept]
    labels.ravel()[_pixels(regions.run_start[kept], length)] = np.repeat(named[kept], length)


def _rank(sides: list[Regions], most: int) -> list[tuple[int, int]]:
    """The largest ``most`` regions as (side, index), in the order of their places on the web.

    No two regions of one side have the same box, so the order does not depend on the labelling.
    """
    found = [
        (tuple(box), side, index, area)
        for side, regions in enumerate(sides)
        for index, (box, area) in enumerate(
            zip(regions.boxes.tolist(), regions.area.tolist(), strict=True)
        )
    ]
    found.sort(key=lambda region: (-region[3], region[0], region[1]))
    return [(side, index) for _, side, index, _ in sorted(found[:most])]


def _web_objects(
    sides: list[Regions], ranked: list[tuple[int, int]], ends: tuple[int, int], web: WebMap
) -> tuple[WebObject, ...]:
    """The regions in the order of ``ranked`` as objects on the web, with ids from 1."""
    if not ranked:
        return ()
    offsets = np.cumsum([0, *(side.area.size for side in sides)])
    order = np.array([offsets[side] + index for side, index in ranked])
    top, left, bottom, right = np.concatenate([side.boxes for side in sides])[order].T
    lines = _cover(top, bottom, web.line_offset, web.line_step)
    columns = _cover(left, right, web.column_offset, web.column_step)
    area = np.concatenate([side.area for side in sides])[order] * web.line_step * web.column_step
    mm2: list[float] | list[None] = [None] * len(ranked)
    if web.mm_per_line is not None and web.mm_per_column is not None:
        mm2 = (area * web.mm_per_line * web.mm_per_column).tolist()
    fields = zip(
        range(1, len(ranked) + 1),
        *(values.tolist() for values in (*lines, *columns, area)),
        np.concatenate([side.mean for side in sides])[order].tolist(),
        np.concatenate([side.extreme for side in sides])[order].tolist(),
        (top <= ends[0]).tolist(),
        (bottom >= ends[1]).tolist(),
        mm2,
        strict=True,
    )
    return tuple(WebObject(*values) for values in fields)


def _cover(first: Indices, last: Indices, offset: float, step: float) -> tuple[Indices, Indices]:
    """First camera pixel and number of camera pixels that array pixels first..last reach into.

    An array pixel reaches half a step to both sides of its centre; camera pixel n reaches from
    n - 0.5 to n + 0.5.
    """
    low = offset + (first - 0.5) * step + 0.5
    high = offset + (last + 0.5) * step + 0.5
    start = np.floor(low + LINE_TOLERANCE).astype(np.intp)
    count = np.ceil(high - LINE_TOLERANCE).astype(np.intp) - start
    return start, np.maximum(count, 1)
