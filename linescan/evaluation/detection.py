"""Objects found against true objects: precision and recall, frame by frame.

A found object is right if its box and the box of a true object's visible part overlap with an
intersection over union of at least ``MIN_IOU``; each matches at most once, best overlap first. A
true object that the frame's edge cuts in half is neither asked for nor held against a finder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.records import Interval

MIN_IOU: Final = 0.3
"""Least intersection over union of boxes that match."""
MIN_VISIBLE: Final = 0.5
"""A true object must be found where at least this share of its box lies in the frame."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box on the web: ``lines`` along it, ``columns`` across it."""

    lines: Interval
    columns: Interval

    @property
    def area(self) -> int:
        """Camera pixels in the box."""
        return self.lines.count * self.columns.count

    def intersection(self, other: Box) -> Box:
        """The box that both share; of area 0 where they do not touch."""
        return Box(_shared(self.lines, other.lines), _shared(self.columns, other.columns))

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        shared = self.intersection(other).area
        return shared / (self.area + other.area - shared) if shared else 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over any number of frames; adds up."""

    found: int = 0
    right: int = 0
    wanted: int = 0
    wanted_found: int = 0

    @property
    def precision(self) -> float:
        """Share of found objects that are right; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of wanted objects that were found; 1 where none was there."""
        return self.wanted_found / self.wanted if self.wanted else 1.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.found + other.found,
            self.right + other.right,
            self.wanted + other.wanted,
            self.wanted_found + other.wanted_found,
        )


def score_frame(found: Sequence[Box], truth: Iterable[Box], frame: Box) -> Score:
    """Compare what was found in one frame with what is there.

    Args:
        found: boxes of the objects found in the frame.
        truth: boxes of true objects, whole, also of those outside the frame.
        frame: the lines and columns of the frame.
    """
    visible = [(box, box.intersection(frame)) for box in truth]
    there = [(part, part.area >= MIN_VISIBLE * box.area) for box, part in visible if part.area]
    matches = match_boxes(found, [part for part, _ in there])
    matched = {k for _, k in matches}
    return Score(
        found=len(found),
        right=len(matches),
        wanted=sum(wanted for _, wanted in there),
        wanted_found=sum(wanted for k, (_, wanted) in enumerate(there) if k in matched),
    )


def match_boxes(found: Sequence[Box], truth: Sequence[Box]) -> list[tuple[int, int]]:
    """Pairs of indices into both, best overlap first, each index at most once.

    Boxes match from an intersection over union of ``MIN_IOU`` on.
    """
    overlap: npt.NDArray[np.float64] = np.array(
        [[f.iou(t) for t in truth] for f in found], np.float64
    ).reshape(len(found), len(truth))
    pairs: list[tuple[int, int]] = []
    while overlap.size and (best := overlap.max()) >= MIN_IOU:
        i, k = (int(n) for n in np.argwhere(overlap == best)[0])
        pairs.append((i, k))
        overlap[i, :] = overlap[:, k] = 0.0
    return pairs


def _shared(one: Interval, other: Interval) -> Interval:
    first = max(one.first, other.first)
    return Interval(first, max(0, min(one.end, other.end) - first))
