"""Pictures of a few frames: the best, the worst, and some near the median.

Panels are kept as JPEG files in memory: at most ``MOST_KEPT`` frames of them, whatever comes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

ENDS = 2
"""Best and worst frames that are kept, each."""
MIDDLE = 2
"""Frames near the median that are shown."""
CANDIDATES = 10
"""Frames that those near the median are chosen from: a uniform sample of all."""
MOST_KEPT = 2 * ENDS + CANDIDATES


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a frame: its title and its JPEG file."""

    title: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """The pictures of one frame.

    Attributes:
        rank: ``best``, ``median`` or ``worst``.
        name: of the frame.
        score: what it was ranked by: its RMSE / σ; None where that is not known.
        panels: image, truth, prediction and so on.
    """

    rank: str
    name: str
    score: float | None
    panels: tuple[Panel, ...]


Draw = Callable[[], tuple[Panel, ...]]
_Entry = tuple[float, int, str, tuple[Panel, ...]]


class Gallery:
    """Takes every frame and keeps a few; draws only those that it keeps."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._best: list[_Entry] = []
        self._worst: list[_Entry] = []
        self._sample: list[_Entry] = []
        self._unranked: list[_Entry] = []
        self._scores: list[float] = []
        self._count = 0
        self._random = random.Random(0)

    def offer(self, name: str, score: float | None, draw: Draw) -> None:
        """Take a frame; ``draw`` is called where it is kept."""
        number, self._count = self._count, self._count + 1
        if score is None:
            if len(self._unranked) < ENDS + MIDDLE:
                self._unranked.append((0.0, number, name, draw()))
            return
        self._scores.append(score)
        entry: _Entry | None = None
        for kept, better in ((self._best, -1), (self._worst, 1)):
            if len(kept) < ENDS or better * score > better * kept[-1][0]:
                entry = entry or (score, number, name, draw())
                kept.append(entry)
                kept.sort(key=lambda e: (-better * e[0], e[1]))
                del kept[ENDS:]
        slot = self._random.randrange(len(self._scores))
        if len(self._sample) < CANDIDATES:
            self._sample.append(entry or (score, number, name, draw()))
        elif slot < CANDIDATES:
            self._sample[slot] = entry or (score, number, name, draw())

    def shown(self) -> list[Shown]:
        """What is shown: each frame once."""
        chosen: dict[int, Shown] = {}
        half = len(self._scores) // 2  # of few frames, no more than half are called the worst
        self._take(chosen, "best", self._best[: len(self._scores) - half])
        if self._scores:
            middle = sorted(self._scores)[len(self._scores) // 2]
            near = [e for e in self._sample if e not in self._best and e not in self._worst]
            near.sort(key=lambda e: abs(e[0] - middle))
            self._take(chosen, "median", near[:MIDDLE])
        self._take(chosen, "worst", self._worst[:half][::-1])
        for _, number, name, panels in self._unranked:
            chosen[number] = Shown("frame", name, None, panels)
        return list(chosen.values())

    @staticmethod
    def _take(chosen: dict[int, Shown], rank: str, entries: list[_Entry]) -> None:
        for score, number, name, panels in entries:
            chosen.setdefault(number, Shown(rank, name, score, panels))
