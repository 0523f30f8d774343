"""Found objects against true ones, pixel by pixel, at the depth map's resolution.

The pixels of each true object are kept apart, so that low objects can be left out later, when the
noise of the web is known: an object lower than three standard deviations of it is not asked for,
and what was found of it is not held against the finder either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from linescan.records import BoolArray, LabelArray

MARGIN = 8
"""Pixels of the depth map around a true object that are not object-free web: its flanks."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixels of one true object in one frame.

    Attributes:
        id: of the object; 0 stands for what was found where no object is.
        true: of the true object.
        shared: found and true.
        extra: found outside of any true object, by a found object that shares more with this one
            than with any other.
    """

    id: int
    true: int
    shared: int
    extra: int


def overlaps(found: LabelArray, truth: LabelArray, known: BoolArray) -> list[Overlap]:
    """Count the pixels of one frame.

    Args:
        found: (h, w) labels found.
        truth: (h, w) true labels.
        known: (h, w) pixels that count.

    Returns:
        One entry a true object, and one of id 0 where a found object touches none.
    """
    here, there = found[known].astype(np.int64), truth[known].astype(np.int64)
    pairs, counts = np.unique(here * 65536 + there, return_counts=True)
    shared = {
        (int(pair) >> 16, int(pair) & 0xFFFF): int(count)
        for pair, count in zip(pairs, counts, strict=True)
    }
    true: dict[int, int] = {}
    hit: dict[int, int] = {}
    best: dict[int, tuple[int, int]] = {}
    for (mine, theirs), count in shared.items():
        if theirs:
            true[theirs] = true.get(theirs, 0) + count
            if mine:
                hit[theirs] = hit.get(theirs, 0) + count
                best[mine] = max(best.get(mine, (0, 0)), (count, theirs))
    extra: dict[int, int] = {}
    for (mine, theirs), count in shared.items():
        if mine and not theirs:
            owner = best.get(mine, (0, 0))[1]
            extra[owner] = extra.get(owner, 0) + count
    ids = sorted(true.keys() | extra.keys())
    return [Overlap(i, true.get(i, 0), hit.get(i, 0), extra.get(i, 0)) for i in ids]


def mask_iou(counts: Iterable[Overlap]) -> float | None:
    """Intersection over union of all pixels together; None where nothing was found or true."""
    union = shared = 0
    for each in counts:
        shared += each.shared
        union += each.true + each.extra
    return shared / union if union else None


def object_free(truth: LabelArray) -> BoolArray:
    """(h, w) pixels at least ``MARGIN`` away from any true object."""
    import cv2

    side = 2 * MARGIN + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate((truth > 0).astype(np.uint8), disc) == 0)
