"""From heights to labelled objects in web coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray, LabelArray, WebMap, WebObject
from linescan.segmentation.thresholds import Thresholds

LINE_TOLERANCE = 1e-3
"""Rounding of the web map that does not make a box one line or column larger."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected regions of one side, (n,) each: what is known of them in array pixels.

    ``pixels`` and ``owner`` list every labelled pixel: its flat index and its region.
    """

    boxes: npt.NDArray[np.int32]
    """(n, 4): first row, first column, last row, last column."""
    area: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float64]
    extreme: npt.NDArray[np.float64]
    pixels: npt.NDArray[np.intp]
    owner: npt.NDArray[np.intp]


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
    sides = []
    for sign, distance in ((1, thresholds.raised), (-1, thresholds.sunk)):
        if distance is not None:
            sides.append(_find_side(height, known, sign, distance, section))
    ranked = _rank(sides, section.max_objects)
    rows = np.flatnonzero(valid)
    objects = []
    luts = [np.zeros(side.area.size, np.uint16) for side in sides]
    for number, (side, index) in enumerate(ranked, start=1):
        luts[side][index] = number
        ends = (int(rows[0]), int(rows[-1]))
        objects.append(_web_object(number, sides[side], index, ends, web))
    for side_regions, lut in zip(sides, luts, strict=True):
        named = lut[side_regions.owner]
        kept = named > 0
        labels.ravel()[side_regions.pixels[kept]] = named[kept]
    return labels, tuple(objects)


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


def _find_side(
    height: FloatArray, known: BoolArray, sign: int, distance: float, section: SegmentationSection
) -> Regions:
    """Regions beyond the low threshold that hold a pixel beyond the high one and are large."""
    import cv2

    low = np.float32(sign * distance * section.hysteresis)
    beyond = (height > low) if sign > 0 else (height < low)
    beyond &= known
    mask = open_mask(beyond.view(np.uint8), section.open_px)
    pixels = np.flatnonzero(mask)
    count, owners, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    owner = owners.ravel()[pixels].astype(np.intp)
    heights = height.ravel()[pixels].astype(np.float64)
    extreme = np.zeros(count)
    (np.maximum if sign > 0 else np.minimum).at(extreme, owner, heights)
    area = np.bincount(owner, minlength=count)
    keep = (area >= section.min_area_px) & (sign * extreme > distance)
    keep[0] = False
    lut = np.cumsum(keep) - 1
    inside = keep[owner]
    left, top, wide, tall = (stats[keep, i] for i in range(4))
    sums = np.bincount(owner, heights, minlength=count)
    return Regions(
        boxes=np.stack([top, left, top + tall - 1, left + wide - 1], axis=1),
        area=area[keep],
        mean=sums[keep] / area[keep],
        extreme=extreme[keep],
        pixels=pixels[inside],
        owner=lut[owner[inside]],
    )


def _rank(sides: list[Regions], most: int) -> list[tuple[int, int]]:
    """The largest ``most`` regions as (side, index), in the order of their places on the web.

    No two regions of one side have the same box, so the order does not depend on the labelling.
    """
    found = [
        (tuple(box), side, index, int(area))
        for side, regions in enumerate(sides)
        for index, (box, area) in enumerate(zip(regions.boxes.tolist(), regions.area, strict=True))
    ]
    found.sort(key=lambda region: (-region[3], region[0], region[1]))
    return [(side, index) for _, side, index, _ in sorted(found[:most])]


def _web_object(
    number: int, regions: Regions, index: int, ends: tuple[int, int], web: WebMap
) -> WebObject:
    top, left, bottom, right = regions.boxes[index].tolist()
    first_line, line_count = _cover(top, bottom, web.line_offset, web.line_step)
    first_column, column_count = _cover(left, right, web.column_offset, web.column_step)
    area = float(regions.area[index]) * web.line_step * web.column_step
    mm2 = None
    if web.mm_per_line is not None and web.mm_per_column is not None:
        mm2 = area * web.mm_per_line * web.mm_per_column
    return WebObject(
        id=number,
        first_line=first_line,
        line_count=line_count,
        first_column=first_column,
        column_count=column_count,
        area_px=area,
        mean_height=float(regions.mean[index]),
        max_height=float(regions.extreme[index]),
        touches_start=top <= ends[0],
        touches_end=bottom >= ends[1],
        area_mm2=mm2,
    )


def _cover(first: int, last: int, offset: float, step: float) -> tuple[int, int]:
    """First camera pixel and number of camera pixels that array pixels first..last reach into.

    An array pixel reaches half a step to both sides of its centre; camera pixel n reaches from
    n - 0.5 to n + 0.5.
    """
    low = offset + (first - 0.5) * step + 0.5
    high = offset + (last + 0.5) * step + 0.5
    start = math.floor(low + LINE_TOLERANCE)
    return start, max(1, math.ceil(high - LINE_TOLERANCE) - start)
