"""Regions become labels and objects in web coordinates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray, LabelArray, WebMap, WebObject
from linescan.segmentation.finding import find_regions
from linescan.segmentation.regions import Regions
from linescan.segmentation.runs import Indices
from linescan.segmentation.thresholds import Thresholds

LINE_TOLERANCE = 1e-3
"""Rounding of the web map that does not make a box one line or column larger."""

Numbers = npt.NDArray[np.int64]


def find_objects(
    height: FloatArray,
    known: BoolArray,
    valid: BoolArray,
    thresholds: Thresholds,
    section: SegmentationSection,
    web: WebMap,
) -> tuple[LabelArray, tuple[WebObject, ...]]:
    """Label and measure the objects of one frame, taken for itself.

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
    regions = find_regions(height, known, thresholds, section)
    tracks = np.zeros(regions.count, np.int64)
    return label_objects(regions, tracks, valid, section.max_objects, web)


def label_objects(
    regions: Regions, tracks: Numbers, valid: BoolArray, most: int, web: WebMap
) -> tuple[LabelArray, tuple[WebObject, ...]]:
    """Number the largest ``most`` regions, in their order, and describe them.

    Args:
        regions: of one frame.
        tracks: (n,) their identities along the web.
        valid: (h,) rows with valid lines.
        most: objects of a frame at most; the largest are kept.
        web: where array pixels lie on the web.
    """
    labels: LabelArray = np.zeros((valid.size, regions.width), np.uint16)
    ranked = _rank(regions, most)
    numbers = np.zeros(regions.count, np.uint16)
    numbers[ranked] = np.arange(1, ranked.size + 1)
    regions.paint(labels, numbers)
    rows = np.flatnonzero(valid)
    return labels, _web_objects(regions, ranked, tracks, (int(rows[0]), int(rows[-1])), web)


def _rank(regions: Regions, most: int) -> Indices:
    """The largest ``most`` regions, in their order."""
    if regions.count <= most:
        return np.arange(regions.count)
    return np.sort(np.argsort(-regions.area, kind="stable")[:most])


def _web_objects(
    regions: Regions, ranked: Indices, tracks: Numbers, ends: tuple[int, int], web: WebMap
) -> tuple[WebObject, ...]:
    """The regions in the order of ``ranked`` as objects on the web, with ids from 1."""
    if not ranked.size:
        return ()
    top, left, bottom, right = regions.boxes[ranked].T
    lines = _cover(top, bottom, web.line_offset, web.line_step)
    columns = _cover(left, right, web.column_offset, web.column_step)
    area = regions.area[ranked] * web.line_step * web.column_step
    mm2: list[float] | list[None] = [None] * ranked.size
    if web.mm_per_line is not None and web.mm_per_column is not None:
        mm2 = (area * web.mm_per_line * web.mm_per_column).tolist()
    fields = zip(
        range(1, ranked.size + 1),
        *(values.tolist() for values in (*lines, *columns, area)),
        regions.mean[ranked].tolist(),
        regions.extreme[ranked].tolist(),
        (top <= ends[0]).tolist(),
        (bottom >= ends[1]).tolist(),
        mm2,
        tracks[ranked].tolist(),
        strict=True,
    )
    return tuple(WebObject(*values) for values in fields)


def _cover(first: Indices, last: Indices, offset: float, step: float) -> tuple[Indices, Indices]:
    """First camera pixel and number of camera pixels that array pixels first..last reach into.

    An array pixel reaches half a step to both sides of its centre; camera pixel n reaches from
    n - 0.5 to n + 0.5.
    """
    low = np.asarray(offset + (first - 0.5) * step + 0.5, np.float64)
    high = np.asarray(offset + (last + 0.5) * step + 0.5, np.float64)
    return cover(low, high)


def cover(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> tuple[Indices, Indices]:
    """First camera pixel and number of camera pixels that stretches of the web reach into.

    Args:
        low: where they begin; camera pixel n reaches from n to n + 1 here.
        high: where they end.
    """
    start = np.floor(low + LINE_TOLERANCE).astype(np.intp)
    count = np.ceil(high - LINE_TOLERANCE).astype(np.intp) - start
    return start, np.maximum(count, 1)
