"""A strip of web cut into overlapping frames, and the same strip labelled as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray, WebMap
from linescan.segmentation.complete import whole_objects
from linescan.segmentation.finding import find_regions
from linescan.segmentation.follow import Tracks
from linescan.segmentation.regions import Regions
from linescan.segmentation.thresholds import Thresholds
from linescan.segmentation.tracks import Part, Track
from linescan.whole import Cut, WholeObject

THRESHOLDS = Thresholds(raised=0.5, sunk=0.5, noise=0.1)
FIRST_LINE = 10**9
"""Where strips begin: line numbers grow large in a run of months."""


def section(**changes: object) -> SegmentationSection:
    plain = {"open_px": 0, "min_area_px": 1, "hysteresis": 1.0, "outline": "threshold"}
    return SegmentationSection.model_validate(plain | changes)


def web_map(row: float, step: float = 1.0) -> WebMap:
    """The map of an array whose first row begins ``row`` array rows into the strip."""
    return WebMap(FIRST_LINE + (row + 0.5) * step - 0.5, step, 0.5, 2.0)


@dataclass
class Cutter:
    """Gives frames to ``Tracks`` and collects what comes out."""

    overlap: int
    section: SegmentationSection

    def __post_init__(self) -> None:
        self.tracks = Tracks(self.section.tracks, self.overlap)
        self.complete: list[Track] = []
        self.web = web_map(0)

    def take(self, height: FloatArray, web: WebMap, valid: BoolArray | None = None) -> Regions:
        valid = np.ones(len(height), np.bool_) if valid is None else valid
        known = np.broadcast_to(valid[:, None], height.shape).copy()
        inner = self.tracks.inner(web, valid)
        regions = find_regions(height, known, THRESHOLDS, self.section, inner)
        self.complete += self.tracks.follow(Part(regions, valid, web)).complete
        self.web = web
        return regions

    def objects(self) -> tuple[WholeObject, ...]:
        return whole_objects(self.complete, self.section, self.web, "um")

    def close(self) -> tuple[WholeObject, ...]:
        self.complete += self.tracks.close(Cut.END)
        return self.objects()


def frames_of(rows: int, frame: int, overlap: int) -> list[tuple[int, int]]:
    """First and last (exclusive) row of frames that cover so many rows."""
    step, spans = frame - overlap, [(0, min(frame, rows))]
    while spans[-1][1] < rows:
        first = spans[-1][0] + step
        spans.append((first, min(first + frame, rows)))
    return spans


def cut(strip: FloatArray, frame: int, overlap: int, **changes: object) -> tuple[WholeObject, ...]:
    """The objects of a strip that is seen in frames."""
    cutter = Cutter(overlap, section(**changes))
    for first, end in frames_of(len(strip), frame, overlap):
        cutter.take(strip[first:end], web_map(first))
    return cutter.close()


@dataclass(frozen=True)
class Uncut:
    """One object of the whole strip, by OpenCV's labels alone."""

    box: tuple[int, int, int, int]
    area: float
    total: float
    extreme: float


def uncut(strip: FloatArray) -> list[Uncut]:
    """All objects of the strip, first line, lines, first column, columns, by their boxes."""
    found = []
    for sign in (1, -1):
        mask = (strip * sign > 0.5).astype(np.uint8)
        count, labels = cv2.connectedComponents(mask, connectivity=8)
        for n in range(1, count):
            rows, columns = np.nonzero(labels == n)
            heights = strip[rows, columns].astype(np.float64)
            top, left = int(rows.min()), int(columns.min())
            box = (
                FIRST_LINE + top,
                int(rows.max()) - top + 1,
                2 * left,
                2 * (int(columns.max()) - left + 1),
            )
            extreme = heights.max() if sign > 0 else heights.min()
            found.append(Uncut(box, 2.0 * rows.size, 2.0 * heights.sum(), float(extreme)))
    return sorted(found, key=lambda o: (*o.box, o.total))


def as_uncut(objects: Sequence[WholeObject]) -> list[Uncut]:
    """The same of whole objects."""
    return sorted(
        (
            Uncut(
                (o.first_line, o.line_count, o.first_column, o.column_count),
                round(o.area_px, 6),
                round(o.volume_px, 6),
                o.max_height,
            )
            for o in objects
        ),
        key=lambda o: (*o.box, o.total),
    )


def drawn(pattern: str) -> FloatArray:
    """A strip from a drawing: ``#`` raised by 1, ``o`` sunk by 1."""
    rows = [line.strip() for line in pattern.strip().splitlines()]
    values: npt.NDArray[np.float32] = np.array(
        [[{"#": 1.0, "o": -1.0}.get(c, 0.0) for c in row] for row in rows], np.float32
    )
    return values
