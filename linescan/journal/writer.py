"""The journal's one writer: append, group sync, retention."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from linescan.errors import JournalError
from linescan.journal.account import Account
from linescan.journal.acknowledgements import Acknowledgements
from linescan.journal.alarm import JournalState
from linescan.journal.backlog import Backlog, Waiting
from linescan.journal.folder import Folder, lock_folder, opened, sync_folder
from linescan.journal.indexing import Indexing
from linescan.journal.keys import Key, Stream
from linescan.journal.layout import Record, check
from linescan.journal.problems import write_error
from linescan.journal.pruning import prune
from linescan.journal.recovery import created_ns
from linescan.journal.rescue import rescue
from linescan.journal.retention import Choice, Limits
from linescan.journal.segment import Segment, prepare
from linescan.journal.spool import Spool, sweep
from linescan.journal.storing import Storing
from linescan.protocol import Buffer

if TYPE_CHECKING:
    from linescan.config.journal import JournalSection

log = logging.getLogger(__name__)

MOST_OPEN: Final = 16
"""Segments that wait for a sync; beyond, nothing is appended: who publishes must not wait."""
MOST_PENDING: Final = 65536
"""Messages that wait for a sync; beyond, nothing is appended."""
PATIENCE_S: Final = 0.2
"""So long a burst may wait for the disk, once; what does not keep up afterwards is left out."""
PRUNE_S: Final = 10.0


class JournalWriter:
    """Writes a journal. ``append`` and ``sync`` may be called from different threads.

    What is appended waits in memory, ``journal.buffer_mb`` at most, for a thread that writes it.

    Args:
        folder: where the journal lies; made where it is missing.
        section: the configuration: sizes and retention.
    """

    def __init__(self, folder: Path, section: JournalSection) -> None:
        self._folder = Folder(folder)
        self._section = section
        self._sync_lock = threading.Lock()  # one sync at a time; guards the index
        self._clear()
        self._account = Account()
        self._storing: Storing | None = None
        self._handle: int | None = None
        self._indexing = Indexing(self._folder)
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
            if self._indexing.index is not None:  # else nobody knows what is written already
                rescue(self._folder, self._account.last, self._write_now, self.note_missing)
                sweep()
                self._spool.open()
        except OSError as error:
            self.close()
            raise write_error(self._folder.path, error) from error
        except BaseException:
            self.close()
            raise

    def append(self, key: Key, published_ns: int, frames: Sequence[Buffer]) -> None:
        """Have one message written, soon; ``sync`` makes it durable.

        Afterwards it survives the death of the process, if there is shared memory for it. One
        thread appends; the frames must not change any more. What cannot be written later counts as
        missing, as what is refused here does: the alarm of ``state`` says so, and a gap record
        will.

        Raises:
            JournalError: it cannot be written down or its number came before; or the disk does not
                keep up. Nothing of it stays.
        """
        parts = prepare(frames)
        check(key, len(parts))
        item = Waiting(key, published_ns, parts, sum(view.nbytes for view, _ in parts))
        with self._backlog.lock:
            storing = self._opened()
            try:
                self._account.check(key)
            except JournalError as error:
                raise JournalError(f"{self._folder.path}: {error}") from error
            if not self._keeps_up(storing) or not self._backlog.has_room(item, PATIENCE_S):
                problem = (
                    f"{self._folder.path}: the disk does not keep up with what is written: messages"
                    " are left out of the journal until it does; use a faster disk, or publish less"
                )
                self._account.fail(key, item.size, problem)
                raise JournalError(problem)
            self._account.take(key)
            item = replace(item, place=self._backlog.reserve(item))
        try:
            item = self._copied(item)
        finally:  # by Ctrl-C, too: its number and its place are taken
            with self._backlog.lock:
                self._backlog.add(item)

    def note_missing(self, key: Key) -> None:
        """A message will not come: a gap record will say so, as soon as there is room.

        Raises:
            JournalError: it cannot be written down.
        """
        check(key, 0)
        with self._backlog.lock:
            self._opened()
            self._account.miss(key)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until all that was appended is written, so that readers find it, or missing.

        Raises:
            JournalError: the disk does not answer in time.
        """
        with self._backlog.lock:
            self._opened()
            written = self._backlog.mark()
        if not written.wait(timeout_s):
            raise JournalError(f"{self._folder.path}: the journal's disk does not answer")

    def sync(self) -> dict[Stream, int]:
        """Make durable what was appended; now and then, prune.

        Returns:
            The last durable number of each stream, as ``durable``.

        Raises:
            JournalError: the disk failed. What was appended since the last sync is given up and
                counts as missing.
        """
        with self._sync_lock:
            self.flush()
            with self._backlog.lock:
                storing = self._opened()
                batch = [(s, s.size, len(s.pending)) for s in storing.segments]
            errors: list[OSError] = []
            records: list[Record] = []
            for segment, size, count in batch:
                if count:
                    records += self._sync_segment(storing, segment, size, count, errors)
            self._indexing.enter(records, [segment for segment, _, _ in batch])
            with self._backlog.lock:
                rolled = storing.release()
            if errors:
                raise write_error(self._folder.path, errors[0]) from errors[0]
            if rolled or time.monotonic() >= self._next_prune:
                self._prune_quietly(storing)
            return self.durable

    def prune(self, now_ns: int | None = None) -> list[Choice]:
        """Remove what the limits no longer allow; ``sync`` does so by itself.

        Raises:
            JournalError: a file cannot be removed.
        """
        with self._sync_lock:
            with self._backlog.lock:
                storing = self._opened()
            return self._prune(storing, time.time_ns() if now_ns is None else now_ns)

    def close(self) -> None:
        """Sync, and let go of the folder; more calls do nothing."""
        if self._handle is None:
            return
        try:
            if self._storing is not None:
                self.sync()
        except JournalError as error:
            log.error("the journal's last messages may be lost: %s", error)
        with self._sync_lock:
            with self._backlog.lock:
                storing, self._storing = self._storing, None
                self._backlog.close()
            if storing is not None:
                storing.close()
            self._spool.close()
            self._indexing.close()
            os.close(self._handle)
            self._handle = None

    @property
    def durable(self) -> dict[Stream, int]:
        """The last number of each stream up to which all is on the disk, as messages or gaps."""
        with self._backlog.lock:
            return self._account.durable

    @property
    def state(self) -> JournalState:
        """Whether messages are being stored; for an alarm."""
        with self._backlog.lock:
            return self._account.state

    def _resume(self) -> None:
        """Go on with the last segment, or begin one."""
        numbers = self._folder.numbers()
        index = self._indexing.index
        lasts: dict[Stream, int] = {}
        for _, content in index.contents() if index else ():
            lasts[content.stream] = max(lasts.get(content.stream, -1), content.range.last)
        segments = []
        if numbers:
            with opened(self._folder.segment(numbers[-1])) as handle:
                size, created = os.fstat(handle).st_size, created_ns(handle, numbers[-1])
            if size < self._section.segment_bytes and created:
                segments.append(Segment.resume(self._folder, numbers[-1], size, created))
        self._account.begin(lasts)
        self._clear()
        following = (numbers[-1] if numbers else 0) + 1
        full = self._section.segment_bytes
        self._storing = Storing(
            self._folder, full, self._backlog, self._account, segments, following
        )

    def _clear(self) -> None:
        """Nothing waits."""
        most = min(self._section.buffer_bytes, MOST_OPEN * self._section.segment_bytes)
        self._spool = Spool(self._folder, most)
        # Its lock guards the account, the segments and the places in the spool.
        self._backlog = Backlog(most, self._spool)

    def _copied(self, item: Waiting) -> Waiting:
        """A message as it lies in its place; others need not wait for the copy."""
        if item.place is None:
            return item
        try:
            parts = self._spool.fill(item.place, item.key, item.published_ns, item.parts)
            return replace(item, parts=parts)
        except Exception:
            log.exception("%s cannot be written down", item.key)
            return item  # whoever writes it will fail, too, and count it as missing

    def _write_now(self, key: Key, published_ns: int, frames: Sequence[Buffer]) -> bool:
        """Write one message; whether there was room."""
        if not self._keeps_up(self._opened()):
            self.sync()
        missing = self.state.missing
        self.append(key, published_ns, frames)
        self.flush()
        return self.state.missing == missing

    def _sync_segment(
        self, storing: Storing, segment: Segment, size: int, count: int, errors: list[OSError]
    ) -> list[Record]:
        """Sync one file; the records that are now durable."""
        try:
            segment.sync(size)
        except OSError as error:
            errors.append(error)
            storing.give_up(segment, error)
            return []
        with self._backlog.lock:
            done = segment.pending[:count]
            del segment.pending[:count]
            self._account.sync(done, calm=not errors)
        return done

    def _prune_quietly(self, storing: Storing) -> None:
        """What cannot be removed must not stop the sync."""
        try:
            self._prune(storing, time.time_ns())
        except JournalError as error:
            log.error("retention: %s", error)

    def _prune(self, storing: Storing, now_ns: int) -> list[Choice]:
        self._next_prune = time.monotonic() + PRUNE_S
        self._spool.touch()
        with self._backlog.lock:
            open_bytes = sum(segment.size for segment in storing.segments)
            before = min((s.number for s in storing.segments), default=storing.following)
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

    def _keeps_up(self, storing: Storing) -> bool:
        return len(storing.segments) <= MOST_OPEN and storing.pending <= MOST_PENDING

    def _opened(self) -> Storing:
        if self._storing is None:
            raise JournalError(f"{self._folder.path}: the journal is not open")
        return self._storing
