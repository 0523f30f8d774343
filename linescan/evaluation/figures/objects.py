"""Found objects against true ones, by size and height; false alarms where there is nothing.

Objects are matched frame by frame as in ``linescan.evaluation.detection``. Sizes and heights are
in pixels of the depth map: that decides whether a model can see an object, whatever the camera.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from linescan.evaluation.detection import MIN_VISIBLE, Box, match_boxes
from linescan.records import Interval

SIZES: Final = (0.0, 8.0, 16.0, 32.0)
"""Bins of the square root of an object's area begin at so many pixels."""
HEIGHTS: Final = (0.0, 0.5, 1.0, 2.0)
"""Bins of an object's absolute height begin at so many pixels."""
LINES: Final = 1000
"""False alarms are counted on so many lines."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A found or a true object.

    Attributes:
        box: on the web.
        size: square root of its area, in pixels of the depth map.
        height: absolute height in pixels of the depth map; None where no common unit is known.
    """

    box: Box
    size: float
    height: float | None


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one object in one frame: ``found`` by the model or ``true``, and matched."""

    true: bool
    matched: bool
    size: float
    height: float | None


@dataclass(slots=True)
class Rate:
    """Counts of found and true objects; precision and recall are None of nothing."""

    found: int = 0
    right: int = 0
    wanted: int = 0
    wanted_found: int = 0

    def add(self, fate: Fate) -> None:
        """Count one object."""
        if fate.true:
            self.wanted += 1
            self.wanted_found += fate.matched
        else:
            self.found += 1
            self.right += fate.matched

    @property
    def precision(self) -> float | None:
        """Share of found objects that are right."""
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Share of true objects that were found."""
        return self.wanted_found / self.wanted if self.wanted else None


class ObjectTally:
    """Rates over any number of frames: of all objects, and by bins of size and height.

    True objects are binned by their true size and height, found ones by what was measured.

    Attributes:
        all: of all objects.
        by_size: one rate a bin of ``SIZES``.
        by_height: one rate a bin of ``HEIGHTS``; objects without a height are in none.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.all = Rate()
        self.by_size = [Rate() for _ in SIZES]
        self.by_height = [Rate() for _ in HEIGHTS]

    def add(self, objects: Iterable[Fate]) -> None:
        """Count the objects of a frame."""
        for each in objects:
            self.all.add(each)
            self.by_size[bisect_right(SIZES, each.size) - 1].add(each)
            if each.height is not None:
                self.by_height[bisect_right(HEIGHTS, each.height) - 1].add(each)


def fates(found: Sequence[Thing], truth: Iterable[Thing], frame: Box) -> list[Fate]:
    """Match the objects of one frame.

    A true object of which less than half of the box lies in the frame is neither asked for nor held
    against the finder, as in ``detection.score_frame``.
    """
    visible = [(each, each.box.intersection(frame)) for each in truth]
    there = [(each, part) for each, part in visible if part.area]
    pairs = match_boxes([each.box for each in found], [part for _, part in there])
    right, seen = {i for i, _ in pairs}, {k for _, k in pairs}
    mine = [Fate(False, i in right, each.size, each.height) for i, each in enumerate(found)]
    theirs = [
        Fate(True, k in seen, each.size, each.height)
        for k, (each, part) in enumerate(there)
        if part.area >= MIN_VISIBLE * each.box.area
    ]
    return mine + theirs


def false_alarms(found: Iterable[Box], frame: Box, overlap: int) -> int:
    """Found objects of a frame without true ones, but those that the frame before showed whole."""
    new = Box(Interval(frame.lines.first + overlap, frame.lines.count - overlap), frame.columns)
    return sum(1 for box in found if box.intersection(new).area)
