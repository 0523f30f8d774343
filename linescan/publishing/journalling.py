"""Append, publish, sync: the journal never delays publishing, and its failure never stops it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from linescan.errors import LinescanError
from linescan.protocol import Buffer
from linescan.publishing.store import Journal, Stream

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
"""After a sync that failed, wait so long before the next."""
EACH: Final = 1000
"""A journal that goes on failing is logged once in so many messages."""

FAILURES: Final = (LinescanError, OSError)


class Journalling:
    """Keeps what is published, as far as the journal can.

    Args:
        journal: where to.
        sync_s: shortest time between two syncs; what is appended meanwhile is synced together.
    """

    def __init__(self, journal: Journal, sync_s: float) -> None:
        self.journal = journal
        self.missing = 0
        """Messages that could not be kept."""
        self._sync_s = sync_s
        self._durable: Mapping[Stream, int] = {}
        self._failing: dict[Stream, tuple[int, str]] = {}
        self._unsynced: tuple[int, str] | None = None
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher-sync", daemon=True)

    @property
    def durable(self) -> Mapping[Stream, int]:
        """Up to which number each stream would survive a loss of power. Safe from any thread."""
        return self._durable

    def open(self) -> None:
        """Open the journal.

        Raises:
            LinescanError: it cannot be written.
        """
        self.journal.open()

    def start(self) -> None:
        """Begin to sync."""
        self._thread.start()

    def append(self, stream: Stream, seq: int, published_ns: int, frames: Sequence[Buffer]) -> bool:
        """Keep a message; whether that could be done."""
        try:
            self.journal.append(stream, seq, published_ns, frames)
        except FAILURES as error:
            self._fail(stream, seq, error)
            return False
        # Small events that find room do not end the alarm of large inspections that do not.
        if self._failing.pop(stream, None) and not self._failing:
            log.warning("the journal takes messages again; %d are missing in it", self.missing)
        self._dirty.set()
        return True

    def close(self, timeout_s: float) -> None:
        """Sync once more and release; gives up on a disk that does not answer in time."""
        self._closing.set()
        self._dirty.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("the journal's disk does not answer; the newest messages may not be durable")

    def state(self) -> dict[str, Any]:
        """How the journal does, for the status message."""
        trouble = next(iter(self._failing.values()), self._unsynced)
        return {
            "state": "failing" if trouble else "ok",
            "since_ns": str(trouble[0]) if trouble else None,
            "message": trouble[1] if trouble else None,
            "missing": self.missing,
        }

    def _fail(self, stream: Stream, seq: int, error: Exception) -> None:
        self.missing += 1
        if stream not in self._failing or self.missing % EACH == 0:
            log.error(
                "ALARM: %s %d of %s is published but not in the journal: %s (%d so far)",
                stream.kind,
                seq,
                stream.camera,
                error,
                self.missing,
            )
        since, _ = self._failing.get(stream, (time.time_ns(), ""))
        self._failing[stream] = since, str(error)
        try:
            self.journal.note_missing(stream, seq)
        except FAILURES as again:
            log.debug("the journal cannot note what is missing: %s", again)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._closing.wait(self._sync_s if self._sync() else AGAIN_S)
        self._sync()
        try:
            self.journal.close()
        except FAILURES as error:
            log.error("ALARM: the journal could not be closed: %s", error)

    def _sync(self) -> bool:
        self._dirty.clear()
        try:
            self._durable = dict(self.journal.sync())
        except FAILURES as error:
            self._cannot_sync(error)
            return False
        except Exception as error:
            log.exception("syncing the journal failed")
            self._cannot_sync(error)
            return False
        self._unsynced = None
        return True

    def _cannot_sync(self, error: Exception) -> None:
        if self._unsynced is None:
            log.error("ALARM: what is in the journal is not durable: %s", error)
            self._unsynced = time.time_ns(), str(error)
        self._dirty.set()
