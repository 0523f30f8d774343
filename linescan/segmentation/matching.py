"""Which regions of two neighbouring frames are one: they share pixels, or touch across the border.

Frames that overlap show the same web twice, though not at the same array rows: a row is held
against the nearest one of the other frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from linescan.records import WebMap
from linescan.segmentation.pieces import row_edges
from linescan.segmentation.regions import Regions

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]
Pairs = list[tuple[int, int]]

TOLERANCE = 1e-3
"""Lines of rounding in the web map."""


def labels_of(regions: Regions, first_row: int, rows: int) -> Labels:
    """Numbers of regions from 1, 0 elsewhere, in ``rows`` array rows from ``first_row`` on."""
    labels: Labels = np.zeros((rows, regions.width), np.int32)
    regions.paint(labels, np.arange(1, regions.count + 1, dtype=np.int32), first_row)
    return labels


def same_columns(one: WebMap, other: WebMap) -> bool:
    """Whether array columns of both lie at the same places across the web."""
    return (one.column_offset, one.column_step) == (other.column_offset, other.column_step)


def row_pairs(before: tuple[WebMap, int, int], after: tuple[WebMap, int]) -> list[tuple[int, int]]:
    """Array rows of two frames that show the same part of the web.

    Args:
        before: the earlier frame's map, its first row to look at, and its number of rows.
        after: the later frame's map and number of rows.

    Returns:
        (row before, row after) where the centre of either lies nearest to the other's, both within
        the stretch that both frames show; none where they only touch. The outermost rows go with
        all that they share web with: what begins or ends there is in no other row of its frame.
    """
    map_before, first_row, rows_before = before
    map_after, rows_after = after
    low_before, high_before = row_edges(map_before, rows_before)
    low_after, high_after = row_edges(map_after, rows_after)
    end, start = high_before[-1], low_after[0]
    pairs = {
        *((rows_before - 1, n) for n in _sharing(low_before[-1], end, low_after, high_after)),
        *((n, 0) for n in _sharing(start, high_after[0], low_before, high_before)),
    }
    for n in range(rows_after):
        centre = map_after.line_offset + n * map_after.line_step
        if centre + 0.5 > end - TOLERANCE:
            break
        pairs.add((_nearest(map_before, centre), n))
    for n in range(rows_before - 1, first_row - 1, -1):
        centre = map_before.line_offset + n * map_before.line_step
        if centre + 0.5 < start + TOLERANCE:
            break
        pairs.add((n, _nearest(map_after, centre)))
    return sorted(p for p in pairs if first_row <= p[0] < rows_before and 0 <= p[1] < rows_after)


def overlapping(before: Labels, after: Labels) -> Pairs:
    """Pairs of regions that share a pixel, of label rows of equal shape; regions count from 0."""
    both = (before > 0) & (after > 0)
    return _pairs(before[both], after[both])


def touching(before: npt.NDArray[np.int32], after: npt.NDArray[np.int32]) -> Pairs:
    """Pairs of regions that touch, diagonally too, across the border between two rows of labels."""
    pairs: set[tuple[int, int]] = set()
    pairs.update(overlapping(before, after))
    pairs.update(overlapping(before[1:], after[:-1]))
    pairs.update(overlapping(before[:-1], after[1:]))
    return sorted(pairs)


def _sharing(low: float, high: float, lows: Floats, highs: Floats) -> list[int]:
    """Rows, from ``lows`` to ``highs``, that have a part between ``low`` and ``high``."""
    shared = np.minimum(high, highs) - np.maximum(low, lows)
    return [int(n) for n in np.flatnonzero(shared > TOLERANCE)]


def _nearest(web: WebMap, line: float) -> int:
    return round((line - web.line_offset) / web.line_step)


def _pairs(before: npt.NDArray[np.int32], after: npt.NDArray[np.int32]) -> Pairs:
    joint = np.unique(before.astype(np.int64) << 32 | after)
    return [(int(pair >> 32) - 1, int(pair & 0xFFFFFFFF) - 1) for pair in joint]
