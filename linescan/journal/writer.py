"""The journal's one writer: append, group sync, gaps, retention."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from linescan.errors import JournalError
from linescan.journal.acknowledgements import Acknowledgements
from linescan.journal.alarm import Alarm, JournalState
from linescan.journal.folder import Folder, lock_folder, opened, sync_folder
from linescan.journal.indexing import Indexing
from linescan.journal.keys import Key, Stream
from linescan.journal.layout import Record
from linescan.journal.missing import Missing
from linescan.journal.problems import is_full, write_error
from linescan.journal.pruning import prune
from linescan.journal.recovery import created_ns
from linescan.journal.retention import Choice, Limits
from linescan.journal.segment import Part, Segment, prepare
from linescan.protocol import Buffer

if TYPE_CHECKING:
    from linescan.config.journal import JournalSection

log = logging.getLogger(__name__)

MOST_OPEN: Final = 16
"""Segments that wait for a sync; beyond, nothing is appended: who publishes must not wait."""
MOST_PENDING: Final = 65536
"""Messages that wait for a sync; beyond, nothing is appended."""
PRUNE_S: Final = 10.0


class JournalWriter:
    """Writes a journal. ``append`` and ``sync`` may be called from different threads.

    Args:
        folder: where the journal lies; made where it is missing.
        section: the configuration: sizes and retention.
    """

    def __init__(self, folder: Path, section: JournalSection) -> None:
        self._folder = Folder(folder)
        self._section = section
        self._lock = threading.Lock()  # guards segments, numbers, gaps and state
        self._sync_lock = threading.Lock()  # one sync at a time; guards the index
        self._handle: int | None = None
        self._indexing = Indexing(self._folder)
        self._segments: list[Segment] = []
        self._last: dict[Stream, int] = {}
        self._durable: dict[Stream, int] = {}
        self._missing = Missing()
        self._alarm = Alarm()
        self._next_prune = 0.0
        self.acknowledgements = Acknowledgements(folder)

    def open(self) -> None:
        """Take the folder, and put right what a crash left: the torn tail goes, the index is whole.

        Raises:
            JournalError: another pipeline writes there, or the folder cannot be written.
        """
        try:
            self._folder.segments.mkdir(parents=True, exist_ok=True)
            self._folder.acknowledgements.mkdir(exist_ok=True)
            self._handle = lock_folder(self._folder)
            for path in (self._folder.segments, self._folder.path, self._folder.path.parent):
                sync_folder(path)
            self._indexing.open()
            self._resume()
        except OSError as error:
            self.close()
            raise write_error(self._folder.path, error) from error
        except BaseException:
            self.close()
            raise

    def append(self, key: Key, published_ns: int, frames: Sequence[Buffer]) -> None:
        """Write one message; ``sync`` makes it durable.

        Raises:
            JournalError: the disk is full or broken, too much waits for ``sync``, or the message is
                there already. Nothing of it stays; ``note_missing`` keeps account of it.
        """
        parts = prepare(frames)
        with self._lock:
            self._check_open()
            last = self._last.get(key.stream, -1)
            if key.seq <= last:
                raise JournalError(f"{self._folder.path}: {key} comes after {last}")
            size = sum(view.nbytes for view, _ in parts)
            self._check_sync(key, size)
            with self._noting_failure(key, size):
                self._write_missing()
                self._put(key, published_ns, parts)
            self._alarm.stored(key.stream, size, self._missing.total)

    def note_missing(self, key: Key) -> None:
        """A message could not be stored: a gap record will say so, as soon as there is room."""
        with self._lock:
            self._check_open()
            self._missing.add(key.stream, key.seq, 1)

    def sync(self) -> dict[Stream, int]:
        """Make durable what was appended; now and then, prune.

        Returns:
            The last durable number of each stream, as ``durable``.

        Raises:
            JournalError: the disk failed. What was appended since the last sync is given up and
                counts as missing.
        """
        with self._sync_lock:
            with self._lock:
                self._check_open()
                self._try_missing()
                batch = [
                    (segment, segment.size, len(segment.pending)) for segment in self._segments
                ]
            errors: list[OSError] = []
            records: list[Record] = []
            for segment, size, count in batch:
                if count:
                    records += self._sync_segment(segment, size, count, errors)
            self._indexing.enter(records, [segment for segment, _, _ in batch])
            rolled = self._release()
            if errors:
                raise write_error(self._folder.path, errors[0]) from errors[0]
            if rolled or time.monotonic() >= self._next_prune:
                self._prune_quietly()
        return self.durable

    def prune(self, now_ns: int | None = None) -> list[Choice]:
        """Remove what the limits no longer allow; ``sync`` does so by itself.

        Raises:
            JournalError: a file cannot be removed.
        """
        with self._sync_lock:
            with self._lock:
                self._check_open()
            return self._prune(time.time_ns() if now_ns is None else now_ns)

    def close(self) -> None:
        """Sync, and let go of the folder; more calls do nothing."""
        if self._handle is None:
            return
        try:
            if self._segments:
                self.sync()
        except JournalError as error:
            log.error("the journal's last messages may be lost: %s", error)
        with self._sync_lock, self._lock:
            for segment in self._segments:
                segment.close()
            self._segments = []
            self._indexing.close()
            os.close(self._handle)
            self._handle = None

    @property
    def durable(self) -> dict[Stream, int]:
        """The last number of each stream that is on the disk, as a message or as a gap."""
        with self._lock:
            return dict(self._durable)

    @property
    def state(self) -> JournalState:
        """Whether messages are being stored; for an alarm."""
        with self._lock:
            return self._alarm.state(self._missing.total)

    def _resume(self) -> None:
        """Go on with the last segment, or begin one."""
        numbers = self._folder.numbers()
        index = self._indexing.index
        for _, content in index.contents() if index else ():
            last = max(self._last.get(content.stream, -1), content.range.last)
            self._last[content.stream] = last
        self._durable = dict(self._last)
        if numbers:
            with opened(self._folder.segment(numbers[-1])) as handle:
                size, created = os.fstat(handle).st_size, created_ns(handle, numbers[-1])
            if size < self._section.segment_bytes and created:
                segment = Segment.resume(self._folder, numbers[-1], size, created)
                self._segments.append(segment)
        self._next_number = (numbers[-1] if numbers else 0) + 1

    def _put(self, key: Key, published_ns: int, parts: Sequence[Part], missing: int = 0) -> None:
        body = sum(view.nbytes for view, _ in parts)
        active = self._segments[-1] if self._segments else None
        full = self._section.segment_bytes
        if active is None or (not active.is_empty and active.size + body > full):
            active = Segment.create(self._folder, self._next_number)
            self._next_number += 1
            self._segments.append(active)
        record = active.append(key, published_ns, parts, missing)
        self._last[key.stream] = max(self._last.get(key.stream, -1), record.last_seq)

    def _write_missing(self) -> None:
        """Write a gap record for all that is missing so far, before anything that follows it."""
        for stream, run in self._missing.waiting():
            self._put(Key(*stream, run.first), time.time_ns(), (), missing=run.count)
            self._missing.written(stream, run)

    def _try_missing(self) -> None:
        try:
            self._write_missing()
        except OSError as error:
            log.debug("no room for gap records: %s", error)

    @contextlib.contextmanager
    def _noting_failure(self, key: Key, size: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = write_error(self._folder.path, error)
            self._alarm.raise_(key.stream, size, str(problem))
            if not is_full(error):
                self._set_aside()
            raise problem from error

    def _set_aside(self) -> None:
        """Write on in a new file where one can be made: this one cannot be relied on."""
        with contextlib.suppress(OSError):
            self._segments.append(Segment.create(self._folder, self._next_number))
            self._next_number += 1

    def _sync_segment(
        self, segment: Segment, size: int, count: int, errors: list[OSError]
    ) -> list[Record]:
        """Sync one file; the records that are now durable."""
        try:
            segment.sync(size)
        except OSError as error:
            errors.append(error)
            with self._lock:
                self._give_up(segment, error)
            return []
        with self._lock:
            done = segment.pending[:count]
            del segment.pending[:count]
            for record in done:
                stream = record.key.stream
                self._durable[stream] = max(self._durable.get(stream, -1), record.last_seq)
        return done

    def _give_up(self, segment: Segment, error: OSError) -> None:
        """After a failed sync nobody knows what of a file is on the disk: it counts as missing."""
        problem = str(write_error(self._folder.path, error))
        for record in segment.cut():
            self._missing.add(record.key.stream, record.key.seq, max(record.missing, 1))
            self._alarm.raise_(record.key.stream, record.body_bytes, problem)
        self._set_aside()

    def _release(self) -> bool:
        """Close files that are full and synced; whether there were any."""
        with self._lock:
            done = [segment for segment in self._segments[:-1] if not segment.pending]
            for segment in done:
                self._segments.remove(segment)
                segment.close()
        return bool(done)

    def _prune_quietly(self) -> None:
        """What cannot be removed must not stop the sync."""
        try:
            self._prune(time.time_ns())
        except JournalError as error:
            log.error("retention: %s", error)

    def _prune(self, now_ns: int) -> list[Choice]:
        self._next_prune = time.monotonic() + PRUNE_S
        with self._lock:
            open_bytes = sum(segment.size for segment in self._segments)
            before = min((s.number for s in self._segments), default=self._next_number)
        section = self._section
        limits = Limits(
            most_bytes=section.max_bytes - max(open_bytes, section.segment_bytes),
            oldest_ns=now_ns - int(section.max_age_h * 3600e9),
        )
        keep_for = {name: self.acknowledgements.get(name) for name in section.keep_for}
        try:
            return prune(self._folder, self._indexing.index, limits, keep_for, before)
        except OSError as error:
            raise write_error(self._folder.path, error) from error

    def _pending(self) -> int:
        return sum(len(segment.pending) for segment in self._segments)

    def _check_sync(self, key: Key, size: int) -> None:
        if len(self._segments) <= MOST_OPEN and self._pending() <= MOST_PENDING:
            return
        problem = JournalError(
            f"{self._folder.path}: the disk does not keep up with what is written: messages are"
            " left out of the journal until it does; use a faster disk, or publish less"
        )
        self._alarm.raise_(key.stream, size, str(problem))
        raise problem

    def _check_open(self) -> None:
        if self._handle is None:
            raise JournalError(f"{self._folder.path}: the journal is not open")
