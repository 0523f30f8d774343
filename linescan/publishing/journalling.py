"""Append, publish, sync: the journal never delays publishing, and its failure never stops it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from linescan.errors import LinescanError
from linescan.protocol import Buffer
from linescan.publishing.store import Journal, Stream

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
"""After a sync that failed, wait so long before the next."""
IDLE_S: Final = 10.0
"""Sync as often where nothing is published: retention by age goes on."""

FAILURES: Final = (LinescanError, OSError)


class Journalling:
    """Keeps what is published, as far as the journal can.

    Args:
        journal: where to.
        sync_s: shortest time between two syncs; what is appended meanwhile is synced together.
    """

    def __init__(self, journal: Journal, sync_s: float) -> None:
        self.journal = journal
        self._sync_s = sync_s
        self._durable: Mapping[Stream, int] = {}
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
        """Have a message kept; whether the journal takes it. What it does not take, it counts."""
        try:
            self.journal.append(stream, seq, published_ns, frames)
        except FAILURES as error:
            log.debug(
                "%s %d of %s is not in the journal: %s", stream.kind, seq, stream.camera, error
            )
            return False
        finally:
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
        health = self.journal.health()
        well = health.since_ns is None
        return {
            "state": "ok" if well else "failing",
            "since_ns": None if well else str(health.since_ns),
            "message": None if well else health.reason,
            "missing": health.missing,
        }

    def _run(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait(IDLE_S)
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
        except Exception as error:
            known = isinstance(error, FAILURES)
            log.error("what is in the journal is not durable: %s", error, exc_info=not known)
            self._dirty.set()
            return False
        return True
