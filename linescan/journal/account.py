"""What was taken, what is missing, what is durable. Not safe from several threads by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from linescan.errors import JournalError
from linescan.journal import missing
from linescan.journal.alarm import Alarm, JournalState
from linescan.journal.keys import Key, Stream
from linescan.journal.layout import Record
from linescan.journal.missing import Missing
from linescan.records import Interval

NOTHING: Final = -1


class Account:
    """The writer's account of each stream, and the alarm that follows from it."""

    def __init__(self) -> None:
        self._last: dict[Stream, int] = {}
        self._synced: dict[Stream, int] = {}
        self._durable: dict[Stream, int] = {}
        self._missing = Missing()
        self._holes: deque[tuple[Stream, Interval]] = deque(maxlen=missing.MOST_RUNS)
        """Given up, and no durable gap record says so yet."""
        self._alarm = Alarm()

    def begin(self, lasts: Mapping[Stream, int]) -> None:
        """Go on behind what the disk holds."""
        for known in (self._last, self._synced, self._durable):
            known.clear()
            known.update(lasts)

    @property
    def durable(self) -> dict[Stream, int]:
        """The last number of each stream up to which all is on the disk, as messages or gaps."""
        return dict(self._durable)

    @property
    def state(self) -> JournalState:
        """Whether all is well."""
        return self._alarm.state(self._missing.total)

    def last(self, stream: Stream) -> int:
        """The last number of a stream that is known; ``NOTHING`` where there is none."""
        return self._last.get(stream, NOTHING)

    def check(self, key: Key) -> None:
        """Make sure that a number comes for the first time.

        Raises:
            JournalError: it does not.
        """
        last = self._last.get(key.stream, NOTHING)
        if key.seq <= last:
            raise JournalError(f"{key} comes after {last}")

    def take(self, key: Key) -> None:
        """A message waits for the disk."""
        self._last[key.stream] = max(key.seq, self._last.get(key.stream, NOTHING))

    def miss(self, key: Key) -> None:
        """A message will not be there."""
        self.take(key)
        self._missing.add(key.stream, key.seq, 1)

    def fail(self, key: Key, size: int, problem: str) -> None:
        """A message of so many bytes cannot be stored."""
        self.miss(key)
        self._alarm.raise_(key.stream, size, problem)

    def give_up(self, records: Iterable[Record], problem: str) -> None:
        """Records were written, and the disk does not keep them."""
        for record in records:
            stream, count = record.key.stream, max(record.missing, 1)
            self._missing.add(stream, record.key.seq, count, known=bool(record.missing))
            self._holes.append((stream, Interval(record.key.seq, count)))
        self._alarm.fail_sync(problem)

    def gaps(self) -> list[tuple[Stream, Interval]]:
        """What is missing, and no gap record was written for."""
        return self._missing.waiting()

    def write(self, records: Iterable[Record], gaps: Iterable[tuple[Stream, Interval]]) -> None:
        """Records were written, gap records among them."""
        for gap in gaps:
            self._missing.written(*gap)
        for record in records:
            if not record.missing:
                self._alarm.stored(record.key.stream, record.body_bytes, self._missing.total)

    def sync(self, records: Sequence[Record], *, calm: bool) -> None:
        """Records are on the disk now; where that is ``calm``, nothing failed beside them."""
        if calm and records:
            self._alarm.synced(self._missing.total)
        for record in records:
            stream = record.key.stream
            self._synced[stream] = max(record.last_seq, self._synced.get(stream, NOTHING))
            if record.missing:
                self._fill(record)
        holes: dict[Stream, int] = {}
        for stream, run in self._holes:
            holes[stream] = min(run.first, holes.get(stream, run.first))
        for stream, last in self._synced.items():
            durable = min(last, holes.get(stream, last + 1) - 1)
            if durable > self._durable.get(stream, NOTHING):
                self._durable[stream] = durable

    def _fill(self, gap: Record) -> None:
        for hole in list(self._holes):
            stream, run = hole
            if (
                stream == gap.key.stream
                and gap.key.seq <= run.first
                and run.end <= gap.last_seq + 1
            ):
                self._holes.remove(hole)
