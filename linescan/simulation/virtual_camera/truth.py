"""What really became of the camera's lines, by the camera's own journal."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from linescan.records import Interval


class JournalKind(enum.IntEnum):
    """What an entry of the journal tells."""

    START = 1
    """A stream began; ``first`` is its first line."""
    DELIVERED = 2
    """A block was filled."""
    INCOMPLETE = 3
    """A block was filled in part and marked incomplete."""
    DROPPED = 4
    """A block never arrived."""
    UNDER_RUN = 5
    """A block found no buffer."""
    STOP = 6
    """A stream ended in order; a process that dies writes none."""


class Fate(enum.StrEnum):
    """What became of a line that the sensor exposed."""

    DELIVERED = "delivered"
    """In a complete block that the client fetched."""
    INCOMPLETE = "incomplete"
    """In an incomplete block that the client fetched."""
    DROPPED = "dropped"
    """In a block that never arrived."""
    UNDER_RUN = "under_run"
    """In a block for which no buffer was queued."""
    UNFETCHED = "unfetched"
    """In a block that the client had not fetched when its stream ended."""
    MISSED = "missed"
    """Exposed between two streams, while nobody acquired."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry: ``rows`` lines from ``first`` on, in block ``block_id``, at ``at_ns``."""

    kind: JournalKind
    first: int
    rows: int
    block_id: int
    fetched: bool
    at_ns: int
    pid: int


@dataclass(frozen=True, slots=True)
class Truth:
    """The fate of every line from the first stream's first to the last block's last.

    Attributes:
        fates: disjoint intervals of lines in ascending order, by fate.
        streams: for each stream its lines from the first block to the last, fetched or not.
    """

    fates: Mapping[Fate, tuple[Interval, ...]]
    streams: tuple[Interval, ...]

    def lines(self, *fates: Fate) -> int:
        """How many lines had one of these fates; any fate where none is named."""
        return sum(run.count for fate in fates or Fate for run in self.fates[fate])

    def captured(self) -> Interval:
        """The lines that a client can know of: from the first to the last that it fetched.

        Lines behind the last fetched block are still under way, or were lost with its stream.
        """
        fetched = [
            *self.fates[Fate.DELIVERED],
            *self.fates[Fate.INCOMPLETE],
        ]
        if not fetched:
            return Interval(0, 0)
        first = min(run.first for run in fetched)
        return Interval(first, max(run.end for run in fetched) - first)

    def within(self, span: Interval) -> dict[Fate, int]:
        """Lines of a span by fate."""
        return {
            fate: sum(max(0, min(run.end, span.end) - max(run.first, span.first)) for run in runs)
            for fate, runs in self.fates.items()
        }


_FETCHED = {
    JournalKind.DELIVERED: Fate.DELIVERED,
    JournalKind.INCOMPLETE: Fate.INCOMPLETE,
    JournalKind.DROPPED: Fate.DROPPED,
    JournalKind.UNDER_RUN: Fate.UNDER_RUN,
}


def truth_of(entries: Iterable[JournalEntry]) -> Truth:
    """The fates that a journal tells.

    Args:
        entries: from the first stream's start on, in order.
    """
    runs: dict[Fate, list[Interval]] = {fate: [] for fate in Fate}
    streams: list[Interval] = []
    end: int | None = None
    for entry in entries:
        if entry.kind is JournalKind.STOP:
            continue
        if entry.kind is JournalKind.START:
            if end is not None and entry.first > end:
                _add(runs[Fate.MISSED], Interval(end, entry.first - end))
            streams.append(Interval(entry.first, 0))
            end = entry.first
            continue
        block = Interval(entry.first, entry.rows)
        arrived = entry.kind in (JournalKind.DELIVERED, JournalKind.INCOMPLETE)
        fate = Fate.UNFETCHED if arrived and not entry.fetched else _FETCHED[entry.kind]
        _add(runs[fate], block)
        if streams:
            streams[-1] = Interval(streams[-1].first, block.end - streams[-1].first)
        end = block.end
    return Truth({fate: tuple(found) for fate, found in runs.items()}, tuple(streams))


def _add(runs: list[Interval], more: Interval) -> None:
    """Add lines, joined to the last run where they follow it."""
    if runs and runs[-1].end == more.first:
        runs[-1] = Interval(runs[-1].first, runs[-1].count + more.count)
    elif more.count:
        runs.append(more)
