"""Complete tracks become whole objects, where their size and shape is that of an object."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from linescan.config import SegmentationSection, ShapeSection
from linescan.records import WebMap
from linescan.segmentation.objects import cover
from linescan.segmentation.pieces import Piece
from linescan.segmentation.tracks import Track
from linescan.whole import WholeObject

MM_PER_UNIT = {"mm": 1.0, "um": 1e-3}
ANY_SHAPE = ShapeSection()
ROUNDING = 1e-6
"""Of the sum of parts of pixels."""


def whole_objects(
    tracks: Iterable[Track], section: SegmentationSection, web: WebMap, unit: str
) -> tuple[WholeObject, ...]:
    """The tracks that are objects, in the order of their places.

    Args:
        tracks: complete ones.
        section: least area, shape and most objects.
        web: the pitch, and the size of a pixel of the depth map.
        unit: of the heights.
    """
    found = [
        (track, track.piece)
        for track in tracks
        if track.piece is not None
        and is_object(track, section)
        and has_shape(track.piece, section.shape, web)
    ]
    found.sort(key=lambda pair: -pair[1].area)
    objects = [_whole(track, piece, web, unit) for track, piece in found[: section.max_objects]]
    return tuple(sorted(objects, key=lambda o: (o.first_line, o.first_column, o.track)))


def is_object(track: Track, section: SegmentationSection) -> bool:
    """Whether what is known of a track is high and large enough for an object."""
    least = section.min_area_px - ROUNDING
    return track.high and track.piece is not None and track.piece.cells >= least


def has_shape(piece: Piece, shape: ShapeSection, web: WebMap) -> bool:
    """Whether a whole object has the shape asked for."""
    if shape == ANY_SHAPE:
        return True
    mm2 = _mm2(web)
    checks = (
        (piece.cells, None, shape.max_area_px),
        (piece.area * (mm2 or 0.0), shape.min_area_mm2, shape.max_area_mm2),
        (abs(piece.extreme), shape.min_height, None),
        (piece.elongation(web), shape.min_elongation, shape.max_elongation),
        (piece.extent, shape.min_extent, None),
    )
    return all(
        (low is None or value >= low) and (high is None or value <= high)
        for value, low, high in checks
    )


def _whole(track: Track, piece: Piece, web: WebMap, unit: str) -> WholeObject:
    edges = np.array([[piece.low_line, piece.low_column], [piece.high_line, piece.high_column]])
    (line, column), (lines, columns) = (values.tolist() for values in cover(*edges))
    mm2, mm = _mm2(web), MM_PER_UNIT.get(unit)
    return WholeObject(
        track=track.number,
        first_line=line,
        line_count=lines,
        first_column=column,
        column_count=columns,
        area_px=piece.area,
        mean_height=piece.total / piece.area,
        max_height=piece.extreme,
        volume_px=piece.total,
        elongation=piece.elongation(web),
        extent=piece.extent,
        cut=track.cut,
        merged=track.merged,
        area_mm2=None if mm2 is None else piece.area * mm2,
        volume_mm3=None if mm2 is None or mm is None else piece.total * mm2 * mm,
    )


def _mm2(web: WebMap) -> float | None:
    """Area of a camera pixel in mm², where the pitch is known."""
    if web.mm_per_line is None or web.mm_per_column is None:
        return None
    return web.mm_per_line * web.mm_per_column
