"""The thread that writes: batches of messages into segments, with gap records in their places."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable

from linescan.journal.account import Account
from linescan.journal.backlog import Backlog, Batch, Waiting
from linescan.journal.folder import Folder
from linescan.journal.keys import Key, Stream
from linescan.journal.layout import Record
from linescan.journal.problems import is_full, write_error
from linescan.journal.segment import Segment
from linescan.records import Interval

log = logging.getLogger(__name__)

Gap = tuple[Stream, Interval]


class Storing:
    """Writes what waits, until the backlog is closed.

    Args:
        folder: the journal.
        full: size at which a segment is full.
        backlog: what waits; its lock guards ``segments`` and the account as well.
        account: hears of what could not be written.
        segments: to go on with.
        following: number of the next segment.

    Attributes:
        segments: those that are open, oldest first; the last one is written to.
    """

    def __init__(
        self,
        folder: Folder,
        full: int,
        backlog: Backlog,
        account: Account,
        segments: Iterable[Segment],
        following: int,
    ) -> None:
        self.segments = list(segments)
        self.following = following
        self._folder = folder
        self._full = full
        self._backlog = backlog
        self._account = account
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal-disk", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Records that wait for a sync."""
        return sum(len(segment.pending) for segment in self.segments)

    def give_up(self, segment: Segment, error: OSError) -> None:
        """After a failed sync nobody knows what of a file is on the disk: it counts as missing."""
        problem = str(write_error(self._folder.path, error))
        with self._writing, self._backlog.lock:
            self._account.give_up(segment.cut(), problem)

    def release(self) -> bool:
        """Close files that are full and synced; whether there were any."""
        done = [segment for segment in self.segments[:-1] if not segment.pending]
        for segment in done:
            self.segments.remove(segment)
            segment.close()
        return bool(done)

    def close(self) -> None:
        """Close all files, once the backlog is closed and written."""
        self._thread.join()
        for segment in self.segments:
            with contextlib.suppress(OSError):
                segment.finish()
            segment.close()
        self.segments = []

    def _run(self) -> None:
        while True:
            with self._backlog.lock:
                batch = self._backlog.take()
            if batch is None:
                return
            with self._writing:
                self._store(batch)
            with self._backlog.lock:
                self._backlog.done(batch)

    def _store(self, batch: Batch) -> None:
        left = deque(batch.items)
        try:
            with contextlib.suppress(OSError):
                self._write(left)
            while left:  # one of them found no room; others may be smaller
                self._write_one(left[0])
                left.popleft()
            self._write_gaps()
        except Exception as error:
            log.exception("the journal cannot be written")
            for item in left:
                self._fail(item, str(error))

    def _write(self, left: deque[Waiting]) -> None:
        """Write messages; those that are written are taken out."""
        while left:
            segment = self._segment(left[0].size)
            for _ in range(self._write_some(segment, left)):
                left.popleft()

    def _write_one(self, item: Waiting) -> None:
        try:
            self._write(deque([item]))
        except OSError as error:
            self._fail(item, str(write_error(self._folder.path, error)))
            if not is_full(error) and self.segments:
                self.segments[-1].broken = True

    def _fail(self, item: Waiting, problem: str) -> None:
        with self._backlog.lock:
            self._account.fail(item.key, item.size, problem)

    def _write_some(self, segment: Segment, items: Iterable[Waiting]) -> int:
        """Write what has room in a segment, each after the gaps before it; how many these are."""
        count, written, gaps = 0, [], self._gaps()
        try:
            for item in items:
                if count and not segment.has_room(item.size, self._full):
                    break
                before = [gap for gap in gaps if _is_before(gap, item.key)]
                for gap in before:
                    _stage_gap(segment, gap)
                    gaps.remove(gap)
                segment.stage(item.key, item.published_ns, item.parts)
                written += before
                count += 1
            self._accept(segment, segment.flush(), written)
        except BaseException:
            segment.revert()
            raise
        return count

    def _write_gaps(self) -> None:
        """Gap records also where no message follows; not before one that still waits."""
        with self._backlog.lock:
            gaps = self._account.gaps() if self._backlog.is_empty else []
        if not gaps:
            return
        try:
            segment = self._segment(0)
            try:
                for gap in gaps:
                    _stage_gap(segment, gap)
                self._accept(segment, segment.flush(), gaps)
            except BaseException:
                segment.revert()
                raise
        except OSError as error:
            log.debug("no room for gap records: %s", error)

    def _gaps(self) -> list[Gap]:
        with self._backlog.lock:
            return self._account.gaps()

    def _accept(self, segment: Segment, records: list[Record], gaps: Iterable[Gap]) -> None:
        with self._backlog.lock:
            segment.accept(records)
            self._account.write(records, gaps)

    def _segment(self, size: int) -> Segment:
        """Where so many bytes belong: the last segment, or a new one."""
        with self._backlog.lock:
            active = self.segments[-1] if self.segments else None
        if active is not None:
            if active.has_room(size, self._full):
                return active
            with contextlib.suppress(OSError):
                active.finish()
        segment = Segment.create(self._folder, self.following)
        self.following += 1
        with self._backlog.lock:
            self.segments.append(segment)
        return segment


def _is_before(gap: Gap, key: Key) -> bool:
    """Whether all that was taken before the missing messages is written before this one."""
    stream, run = gap
    return stream == key.stream and run.first < key.seq


def _stage_gap(segment: Segment, gap: Gap) -> None:
    stream, run = gap
    segment.stage(Key(*stream, run.first), time.time_ns(), (), missing=run.count)
