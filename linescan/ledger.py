"""The account of every camera line: captured = published + lost by cause, to the line.

The source says which lines were captured; the last stage says which were published and which losses
arrived in band. Whatever a stage in between silently eats stays unaccounted for and is found.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from linescan.intervals import IntervalSet
from linescan.records import Cause, Interval, Loss

MAX_OPEN_INTERVALS = 4096
"""Most intervals that the ledger keeps open; beyond it the older half of the lines that have a fate
is settled for good, and lines among them that have none stay without one."""


LinesByCause = Mapping[Cause, int] | Mapping[str, int]
"""Numbers of lines by cause; a cause that this version does not know is its name."""


def name_losses(lost: LinesByCause) -> str:
    """Lines lost, by cause, in words."""
    return ", ".join(f"{count} {cause}" for cause, count in sorted(lost.items())) or "none"


def name_account(captured: int, published: int, lost: LinesByCause) -> str:
    """An account of camera lines in words; everything that tells one uses these."""
    return f"{captured} lines captured, {published} published, lost: {name_losses(lost)}"


@dataclass(frozen=True, slots=True)
class Totals:
    """The ledger in numbers of camera lines.

    ``open`` lines are captured and have no fate yet: on their way, or, once the stream has ended,
    silently eaten. ``phantom`` lines were published or reported lost without ever being captured.
    """

    captured: int
    published: int
    lost: Mapping[Cause, int]
    open: int
    phantom: int
    estimated: int

    @property
    def lost_total(self) -> int:
        """Lines lost, for whatever cause."""
        return sum(self.lost.values())

    @property
    def balanced(self) -> bool:
        """Every captured line has exactly one fate, and no other line has one."""
        return self.open == 0 and self.phantom == 0

    def to_json(self) -> dict[str, Any]:
        """As plain data, for summaries and ``end`` events."""
        return {
            "captured": self.captured,
            "published": self.published,
            "lost": {str(cause): count for cause, count in sorted(self.lost.items())},
            "unaccounted": self.open,
            "phantom": self.phantom,
            "estimated": self.estimated,
            "balanced": self.balanced,
        }

    def explain(self) -> str:
        """One sentence that says whether and how the account balances."""
        text = name_account(self.captured, self.published, self.lost)
        if self.balanced:
            return f"{text}: balanced"
        return f"{text}; {self.open} unaccounted for, {self.phantom} never captured: NOT balanced"


class Ledger:
    """Gives each captured line exactly one fate. Safe to use from several threads.

    A line that stands, valid, in any published frame is published, even if another frame that held
    it was lost. A line that was lost twice counts for the cause that struck first. Memory is
    bounded: lines below the settled mark are kept as counts, not as intervals.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._captured = IntervalSet()
        self._published = IntervalSet()
        self._lost: dict[Cause, IntervalSet] = {}
        self._estimated = IntervalSet()
        self._floor: int | None = None
        self._settled = dict.fromkeys(("captured", "published", "open", "phantom", "estimated"), 0)
        self._settled_lost: dict[Cause, int] = {}

    def capture(self, lines: Iterable[Interval]) -> None:
        """Note lines that the source has evidence of."""
        with self._lock:
            for interval in lines:
                self._captured.add(interval)

    def publish(self, lines: Iterable[Interval]) -> None:
        """Note lines that stand, valid, in a frame that was handed to the last stage."""
        with self._lock:
            for interval in self._unsettled(lines):
                self._published.add(interval)
            self._bound()

    def lose(self, loss: Loss) -> None:
        """Note lines that were reported lost."""
        with self._lock:
            fresh = self._unsettled(loss.lines())
            for earlier in self._lost.values():
                fresh = fresh.minus(earlier)
            mine = self._lost.setdefault(loss.cause, IntervalSet())
            for interval in fresh:
                mine.add(interval)
                if loss.estimated:
                    self._estimated.add(interval)
            self._bound()

    def settle(self, before: int) -> None:
        """Turn lines below ``before`` that have a fate into counts.

        Call it once no frame to come can hold those lines. Lines without a fate stay open, so that
        a late loss can still claim them.
        """
        with self._lock:
            self._settle(before, give_up=False)

    def totals(self) -> Totals:
        """The account as it stands."""
        with self._lock:
            captured, published = self._captured, self._published
            lost_all = self._lost_all()
            decided = published.union(lost_all)
            lost = dict(self._settled_lost)
            for cause, lines in self._lost.items():
                count = lines.minus(published).intersection(captured).count()
                lost[cause] = lost.get(cause, 0) + count
            return Totals(
                captured=self._settled["captured"] + captured.count(),
                published=self._settled["published"] + published.intersection(captured).count(),
                lost={cause: count for cause, count in lost.items() if count},
                open=self._settled["open"] + captured.minus(decided).count(),
                phantom=self._settled["phantom"] + decided.minus(captured).count(),
                estimated=self._settled["estimated"]
                + self._estimated.minus(published).intersection(captured).count(),
            )

    def open_lines(self) -> Iterator[Interval]:
        """Lines that were captured and have no fate yet (those still kept as intervals)."""
        with self._lock:
            yield from list(self._captured.minus(self._published.union(self._lost_all())))

    def _unsettled(self, lines: Iterable[Interval]) -> IntervalSet:
        """Leave out lines whose fate is settled: a second fate does not count."""
        given = IntervalSet(lines)
        if self._floor is None:
            return given
        late = given.below(self._floor).intersection(self._captured)
        return given.from_line(self._floor).union(late)

    def _lost_all(self) -> IntervalSet:
        lost = IntervalSet()
        for lines in self._lost.values():
            lost = lost.union(lines)
        return lost

    def _intervals(self) -> int:
        sets = (self._captured, self._published, self._estimated, *self._lost.values())
        return sum(len(s) for s in sets)

    def _bound(self) -> None:
        if self._intervals() > MAX_OPEN_INTERVALS:
            # Lines with a fate are older than those under way, which must not be given up.
            decided = self._published.union(self._lost_all())
            lines = decided if len(decided) else self._captured
            self._settle(lines.line_at(lines.count() // 2), give_up=True)

    def _settle(self, before: int, *, give_up: bool) -> None:
        self._floor = before if self._floor is None else max(before, self._floor)
        captured, published = self._captured.below(before), self._published.below(before)
        lost = {cause: lines.below(before) for cause, lines in self._lost.items()}
        decided = published
        for lines in lost.values():
            decided = decided.union(lines)
        done = captured if give_up else captured.intersection(decided)
        counts = self._settled
        counts["captured"] += done.count()
        counts["published"] += published.intersection(captured).count()
        counts["open"] += captured.minus(decided).count() if give_up else 0
        counts["phantom"] += decided.minus(captured).count()
        estimated = self._estimated.below(before).minus(published)
        counts["estimated"] += estimated.intersection(captured).count()
        for cause, lines in lost.items():
            fate = lines.minus(published).intersection(captured).count()
            self._settled_lost[cause] = self._settled_lost.get(cause, 0) + fate
        self._captured = self._captured.minus(done)
        self._published = self._published.from_line(before)
        self._lost = {cause: lines.from_line(before) for cause, lines in self._lost.items()}
        self._estimated = self._estimated.from_line(before)
