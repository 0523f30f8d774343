"""Objects that frame borders cut, against the same objects where no border cuts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from linescan.evaluation.detection import Box
from linescan.records import Interval
from linescan.whole import WholeObject

SAME: Final = 0.5
"""Least intersection over union of the boxes of one object in two runs."""
PART: Final = 0.5
"""A box that lies by this share in the object's own is a part of it, or it again."""
AREA: Final = 0.05
"""Largest deviation of the area that still counts as right."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A run over a web: where its frames lie, and what it gave.

    Attributes:
        first_line: first line of the first frame.
        frames: how many frames.
        lines: rows of a frame.
        overlap: rows that a frame shares with the one before.
        objects: complete ones.
    """

    first_line: int
    frames: int
    lines: int
    overlap: int
    objects: Sequence[WholeObject]

    def shows(self, found: WholeObject) -> bool:
        """Whether all of an object, and a line before and after it, lies in the run."""
        end = self.first_line + (self.frames - 1) * (self.lines - self.overlap) + self.lines
        return self.first_line < found.first_line and found.first_line + found.line_count < end

    def borders(self, found: WholeObject) -> int:
        """How many first or last lines of frames lie strictly inside an object."""
        step = self.lines - self.overlap
        first, end = found.first_line - self.first_line, found.first_line - self.first_line
        end += found.line_count
        return sum(
            (end - 1 - shift) // step - (first - shift) // step for shift in (0, self.overlap)
        )

    def touches_shared(self, found: WholeObject) -> bool:
        """Whether an object reaches into lines that two frames show."""
        step = self.lines - self.overlap
        place = (found.first_line - self.first_line) % step
        return place < self.overlap or place + found.line_count > step


@dataclass(frozen=True, slots=True)
class SeamScore:
    """What became of objects; adds up.

    Attributes:
        asked: objects that were looked for, each counted for each run in which one is.
        once: those that came out exactly once.
        right: those of them whose area is within 5 % of that of the uncut object.
        deviations: relative deviations of area of those that came out once.
    """

    asked: int = 0
    once: int = 0
    right: int = 0
    deviations: tuple[float, ...] = ()

    def __add__(self, other: SeamScore) -> SeamScore:
        return SeamScore(
            self.asked + other.asked,
            self.once + other.once,
            self.right + other.right,
            self.deviations + other.deviations,
        )

    def quantile(self, share: float) -> float:
        """The deviation of area that so large a share of the objects does not exceed."""
        return float(np.quantile(np.abs(self.deviations), share)) if self.deviations else 0.0


def score_seams(phases: Sequence[Phase]) -> SeamScore:
    """Compare runs over the same web whose frames lie at different places.

    An object that lies wholly in lines that a single frame of one run shows is the reference for
    every other run in which a border of frames cuts it.
    """
    return sum(_cut(phases).values(), start=SeamScore())


def uncut_shares(phases: Sequence[Phase]) -> tuple[float, float] | None:
    """The same objects in runs in which no border cuts them, nor even comes near.

    What differs then is not due to borders, but to depth that differs from run to run. Each object
    has the weight that it has among the cut ones.

    Returns:
        Shares that came out once, and that also have the right area; None where no object is both
        cut in one run and uncut in two others.
    """
    cut, uncut = _cut(phases), _compare(phases, lambda run, found: not run.touches_shared(found))
    both = [(cut[key].asked, uncut[key]) for key in cut if key in uncut]
    weight = sum(count for count, _ in both)
    if not weight:
        return None
    once = sum(count * score.once / score.asked for count, score in both)
    right = sum(count * score.right / score.asked for count, score in both)
    return once / weight, right / weight


def _cut(phases: Sequence[Phase]) -> dict[tuple[int, int], SeamScore]:
    """What became of each reference where borders cut it."""
    return _compare(phases, lambda run, found: run.borders(found) > 0)


def _compare(
    phases: Sequence[Phase], counts: Callable[[Phase, WholeObject], bool]
) -> dict[tuple[int, int], SeamScore]:
    """What became of each reference in the other runs, by the places of its run and of itself.

    Args:
        phases: the runs.
        counts: of a run and a reference, whether that is looked for in it.
    """
    scores: dict[tuple[int, int], SeamScore] = {}
    boxes = [[box_of(found) for found in run.objects] for run in phases]
    for place, here in enumerate(phases):
        for n, found in enumerate(here.objects):
            if found.cut or here.touches_shared(found) or not _first(found, here, phases):
                continue
            for there, its in zip(phases, boxes, strict=True):
                if here is not there and there.shows(found) and counts(there, found):
                    score = _score(found, there.objects, its)
                    scores[place, n] = scores.get((place, n), SeamScore()) + score
    return scores


def box_of(found: WholeObject) -> Box:
    """An object's box."""
    return Box(
        Interval(found.first_line, found.line_count),
        Interval(found.first_column, found.column_count),
    )


def _first(found: WholeObject, here: Phase, phases: Sequence[Phase]) -> bool:
    """Whether no earlier run has the same object uncut: each is a reference once."""
    for earlier in phases:
        if earlier is here:
            return True
        if not earlier.touches_shared(found) and any(
            box_of(found).iou(box_of(other)) >= SAME for other in _near(found, earlier.objects)
        ):
            return False
    return True


def _near(found: WholeObject, objects: Sequence[WholeObject]) -> Iterator[WholeObject]:
    end = found.first_line + found.line_count
    for other in objects:
        if other.first_line < end and other.first_line + other.line_count > found.first_line:
            yield other


def _score(found: WholeObject, objects: Sequence[WholeObject], boxes: Sequence[Box]) -> SeamScore:
    mine = box_of(found)
    same = [
        other
        for other, box in zip(objects, boxes, strict=True)
        if mine.intersection(box).area >= PART * min(box.area, mine.area)
    ]
    if len(same) != 1 or mine.iou(box_of(same[0])) < SAME:
        return SeamScore(asked=1)
    deviation = same[0].area_px / found.area_px - 1
    return SeamScore(1, 1, int(abs(deviation) <= AREA), (deviation,))
