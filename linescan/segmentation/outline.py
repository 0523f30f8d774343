"""Where an object ends: at a share of its own height, not at one height for all.

A candidate of hysteresis ends where all others do, at the low threshold: far out on the flanks of
what is high, high up on those of what is low. Here each is cut back, or grows, to a share of its
own height: at a half, its outline lies in the middle of its flanks whatever the threshold was. Its
height is what a quarter of the pixels within its outline exceed.

Where a large flat part of a candidate would be cut off, it is a *ledge*: a plate with a bump on it,
or a low part that touches a high one. The outline is then that of the ledge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from linescan.records import BoolArray, FloatArray
from linescan.segmentation.runs import Connected, Indices, Mask, connected, pixels_of

TOP: Final = 0.75
"""The quantile of the heights within its outline that counts as an object's height."""
ROUNDS: Final = 5
"""So often at most is an outline drawn within itself; each time it moves by less."""
MARGIN: Final = 8
"""Pixels of the depth map that an object may grow."""
APART: Final = 1.5
"""By so much what it gains is nearer to it than to another: pixels of two then never touch."""
LEDGE_SHARE: Final = 0.3
"""A ledge is at least this share of its candidate; flanks of small objects are, too."""
LEDGE_SPREAD: Final = 0.2
"""Half of a ledge's pixels lie in this share of the heights that were cut off; half of a slope's do
not."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an outline may be.

    Attributes:
        share: of its height at which an object ends.
        low: height that all candidates reach down to.
        distance: height that a candidate must pass to have an outline of its own.
        least: pixels of an object.
        most: candidates that have an outline of their own at most, the largest.
    """

    share: float
    low: float
    distance: float
    least: int
    most: int


def draw_outlines(
    mask: Mask, height: FloatArray, known: BoolArray, found: Connected, bounds: Bounds
) -> Connected:
    """Let candidates end at a share of their own height.

    Args:
        mask: (h, w) 1 for all that hysteresis found; written to.
        height: (h, w) above the background.
        known: (h, w) pixels that may belong to an object.
        found: the candidates, regions of the mask.
        bounds: what an outline may be.

    Returns:
        What the mask consists of then.
    """
    grouped = found.by_region()
    flat, ends = grouped.pixels(), np.cumsum(grouped.areas())
    values = height.ravel()[flat]
    levels = _levels(values, ends, bounds)
    mask.ravel()[flat] = values > np.repeat(levels, np.diff(ends, prepend=0))
    left = connected(mask)
    grown = [
        _grown(mask, height, known, own, level)
        for own, level in _growing(left, height, found, levels, bounds)
    ]
    if not grown:
        return left
    mask.ravel()[np.concatenate(grown)] = 1
    return connected(mask)


def _levels(values: FloatArray, ends: Indices, bounds: Bounds) -> FloatArray:
    """Heights at which candidates end; -inf for those that have no outline of their own.

    Args:
        values: (n,) heights of their pixels, candidate by candidate.
        ends: (count,) where those of each candidate end.
        bounds: what an outline may be.
    """
    levels = np.full(ends.size, -np.inf, np.float32)
    if not ends.size:
        return levels
    begins = np.concatenate(([0], ends[:-1]))
    high = np.flatnonzero(np.maximum.reduceat(values, begins) > bounds.distance)
    largest = np.argsort(begins[high] - ends[high], kind="stable")[: bounds.most]
    for n in high[largest]:
        own = np.sort(values[begins[n] : ends[n]])
        level = _level(own, bounds.share)
        ledge = _ledge(own, level, bounds.low)
        levels[n] = level if ledge is None else bounds.share * ledge
    return levels


def _level(values: FloatArray, share: float) -> float:
    """Where a region ends; (n,) heights of its pixels, ascending.

    Its height is that of the pixels within its outline alone: of what has long slopes it would else
    depend on how far out the threshold reaches. So the outline is drawn again within itself.
    """
    first, level = 0, -math.inf
    for _ in range(ROUNDS):
        level = share * float(values[first + int(TOP * (values.size - 1 - first))])
        cut = int(values.searchsorted(level, side="right"))
        if cut <= first:
            break
        first = cut
    return level


def _ledge(values: FloatArray, level: float, low: float) -> float | None:
    """Height of a ledge that a candidate has below a level; None where it has none.

    Half of the pixels that are cut off have nearly one height, and that is not where slopes run
    out, just above the low threshold.

    Args:
        values: (n,) heights of its pixels, ascending.
        level: where it would be cut.
        low: how far down it reaches.
    """
    rest = values[: values.searchsorted(level, side="right")]
    half = rest.size // 2
    if rest.size < LEDGE_SHARE * values.size or not half:
        return None
    widths = rest[half:] - rest[: rest.size - half]
    place = widths.argmin()
    bottom, width = float(rest[place]), float(widths[place])
    flat = width < LEDGE_SPREAD * (level - low) and bottom - low > width / 2
    return bottom + width / 2 if flat else None


def _growing(
    left: Connected, height: FloatArray, candidates: Connected, levels: FloatArray, bounds: Bounds
) -> Iterator[tuple[Indices, float]]:
    """What ends farther out than where it was cut: flat indices of its pixels, and the height.

    Args:
        left: what the cuts left of the candidates.
        height: (h, w) above the background.
        candidates: before they were cut.
        levels: (candidates,) where they were cut.
        bounds: what an outline may be.
    """
    pieces = left.only(left.areas() >= bounds.least).by_region()
    begins = np.searchsorted(pieces.owner, np.arange(pieces.count + 1))
    whole = candidates.at(pieces.start[begins[:-1]])
    parts = np.bincount(whole, minlength=candidates.count)[whole]
    cut = levels[whole]
    for n in np.flatnonzero((cut > -np.inf) & ((parts > 1) | (cut < bounds.low))):
        runs = slice(begins[n], begins[n + 1])
        own = pixels_of(pieces.start[runs], pieces.length[runs])
        values = np.sort(height.ravel()[own])
        level = float(cut[n]) if parts[n] == 1 else _level(values, bounds.share)
        if values[-1] > bounds.distance and level < max(float(cut[n]), bounds.low):
            yield own, level


def _grown(mask: Mask, height: FloatArray, known: BoolArray, own: Indices, level: float) -> Indices:
    """What a region gains that grows down to a level: flat indices.

    It stays near, and away from what is nearer to another region.

    Args:
        mask: (h, w) of all regions.
        height: (h, w) above the background.
        known: (h, w) pixels that may belong to an object.
        own: flat indices of the region's pixels.
        level: to which it grows.
    """
    import cv2

    rows, columns = np.divmod(own, mask.shape[1])
    sight = 2 * MARGIN + 2  # what grows from beyond does not come near
    top, left = max(rows.min() - sight, 0), max(columns.min() - sight, 0)
    around = slice(top, rows.max() + sight + 1), slice(left, columns.max() + sight + 1)
    other = mask[around].copy()
    other[rows - top, columns - left] = 0
    core = mask[around] - other
    near = cv2.distanceTransform(1 - core, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    free = (height[around] > level) & known[around] & (near <= MARGIN)
    if other.any():
        free &= near + APART < cv2.distanceTransform(1 - other, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    free |= core > 0
    _, labels = cv2.connectedComponents(free.view(np.uint8), connectivity=8)
    gained = (labels == labels[rows[0] - top, columns[0] - left]) & (core == 0)
    row, column = np.nonzero(gained)
    flat: Indices = (row + top) * mask.shape[1] + column + left
    return flat
