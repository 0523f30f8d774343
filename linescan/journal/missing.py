"""Messages that could not be stored, until a gap record says so."""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

from linescan.journal.keys import Stream
from linescan.records import Interval

log = logging.getLogger(__name__)

MOST_RUNS: Final = 1000
"""Runs of consecutive numbers that wait; what has no room is a gap all the same, without record."""


class Missing:
    """Counts what is missing, and remembers what no gap record names yet."""

    def __init__(self) -> None:
        self.total = 0
        self._waiting: deque[tuple[Stream, Interval]] = deque()

    def add(self, stream: Stream, first: int, count: int, *, known: bool = False) -> None:
        """Note missing messages; those that are ``known`` were counted before."""
        self.total += 0 if known else count
        for i, (other, run) in enumerate(self._waiting):
            if other == stream and run.first + run.count == first:
                self._waiting[i] = (stream, Interval(run.first, run.count + count))
                return
        self._waiting.append((stream, Interval(first, count)))
        if len(self._waiting) > MOST_RUNS:
            lost = self._waiting.popleft()
            log.error("no room to remember a gap: %s of %s", lost[1], lost[0])

    def waiting(self) -> list[tuple[Stream, Interval]]:
        """What no gap record names yet."""
        return list(self._waiting)

    def written(self, stream: Stream, run: Interval) -> None:
        """A gap record names these now; what was added to the run meanwhile still waits."""
        for i, (other, waiting) in enumerate(self._waiting):
            if other == stream and waiting.first == run.first:
                if rest := waiting.count - run.count:
                    self._waiting[i] = (stream, Interval(run.end, rest))
                else:
                    del self._waiting[i]
                return
