"""What subscribers say of themselves: what they have processed, and what they missed."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from linescan.intervals import IntervalSet
from linescan.protocol.control import KEPT, MAX_RUNS
from linescan.publishing.store import Stream
from linescan.records import Interval

MOST_NAMES: Final = 64
QUIET_S: Final = 1.0
"""At the end, whoever has no name has so long to ask for what it missed."""
MOST_STREAMS: Final = 32
"""Most streams remembered of one subscriber."""


@dataclass(slots=True)
class Report:
    """What one subscriber said."""

    last_seen_ns: int = 0
    acknowledged: OrderedDict[Stream, int] = field(default_factory=OrderedDict)
    missed: OrderedDict[Stream, IntervalSet] = field(default_factory=OrderedDict)
    missed_before: Counter[str] = field(default_factory=Counter)
    """Messages in runs that are not remembered one by one any more, by kind."""

    def gaps(self) -> dict[str, int]:
        """Messages missed, by kind; one that was reported twice counts once."""
        counts = Counter({str(kind): self.missed_before[kind] for kind in KEPT})
        for stream, runs in self.missed.items():
            counts[str(stream.kind)] += runs.count()
        return dict(counts)


class Reports:
    """A bounded table by subscriber name; whoever was not heard of for longest is forgotten."""

    def __init__(self) -> None:
        self._by_name: OrderedDict[str, Report] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_name)

    def seen(self, name: str) -> Report:
        """Note that a subscriber is there, and give its entry."""
        report = self._by_name.pop(name, None) or Report()
        self._by_name[name] = report
        report.last_seen_ns = time.time_ns()
        while len(self._by_name) > MOST_NAMES:
            self._by_name.popitem(last=False)
        return report

    def acknowledge(self, name: str, stream: Stream, seq: int) -> None:
        """A subscriber has processed all up to a number; it never goes back."""
        done = self.seen(name).acknowledged
        seq = max(seq, done.pop(stream, seq))
        done[stream] = seq
        if len(done) > MOST_STREAMS:
            done.popitem(last=False)

    def miss(self, name: str, stream: Stream, runs: Iterable[Interval]) -> None:
        """A subscriber missed messages."""
        report = self.seen(name)
        missed = report.missed.pop(stream, None) or IntervalSet()
        report.missed[stream] = missed
        for run in runs:
            missed.add(run)
        if len(missed) > MAX_RUNS or len(report.missed) > MOST_STREAMS:
            oldest = stream if len(missed) > MAX_RUNS else next(iter(report.missed))
            report.missed_before[str(oldest.kind)] += report.missed.pop(oldest).count()

    def behind(self, last: Mapping[Stream, int], within_s: float) -> list[str]:
        """Subscribers heard of lately that have not acknowledged the last of what they process."""
        since = time.time_ns() - round(within_s * 1e9)
        return [
            name
            for name, report in self._by_name.items()
            if report.last_seen_ns >= since and _is_behind(report, last)
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """The table for the status message."""
        return [
            {
                "name": name,
                "acknowledged": acknowledged_json(report.acknowledged),
                "gaps": report.gaps(),
                "last_seen_ns": str(report.last_seen_ns),
            }
            for name, report in self._by_name.items()
        ]


class Unnamed:
    """Subscribers without a name that lose nothing: they acknowledge nothing, but they fetch."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def came(self, peer: bytes) -> None:
        """A connection has asked what there is, and will ask for what it misses."""
        self._seen.pop(peer, None)
        self._seen[peer] = time.monotonic()
        while len(self._seen) > MOST_NAMES:
            self._seen.popitem(last=False)

    def goes_on(self, peer: bytes) -> None:
        """A connection fetches something."""
        if peer in self._seen:
            self.came(peer)

    def waits(self, since_s: float) -> bool:
        """Whether one of them may still ask, after the end of the run began at a time."""
        latest = max(self._seen.values(), default=-QUIET_S)
        return bool(self._seen) and time.monotonic() - max(since_s, latest) < QUIET_S


def acknowledged_json(done: Mapping[Stream, int]) -> list[dict[str, Any]]:
    """Acknowledgements as they stand in replies and in the status."""
    return [
        {"epoch": s.epoch, "camera": s.camera, "kind": str(s.kind), "seq": seq}
        for s, seq in done.items()
    ]


def _is_behind(report: Report, last: Mapping[Stream, int]) -> bool:
    mine = {stream: seq for stream, seq in report.acknowledged.items() if stream in last}
    return not mine or any(seq < last[stream] for stream, seq in mine.items())
