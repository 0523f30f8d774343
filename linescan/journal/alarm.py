"""Whether the journal takes what it is given; for logs and alarms."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from linescan.journal.keys import Stream

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalState:
    """Whether the journal takes what it is given.

    Attributes:
        ok: it does.
        since_ns: since when it does not; None while it does.
        reason: why it does not, in one sentence; empty while it does.
        missing: messages since the start that could not be stored.
    """

    ok: bool
    since_ns: int | None
    reason: str
    missing: int


class Alarm:
    """Remembers what could not be stored; over when as much can be stored again, and synced."""

    def __init__(self) -> None:
        self._failing: dict[Stream, int] = {}
        self._unsynced = False
        self._since_ns: int | None = None
        self._reason = ""

    def raise_(self, stream: Stream, size: int, problem: str) -> None:
        """A message of so many bytes could not be stored."""
        self._begin(problem)
        self._failing[stream] = size

    def stored(self, stream: Stream, size: int, missing: int) -> None:
        """There is room again for this stream, and for others whose messages are no larger."""
        if self._failing:
            failing = self._failing.items()
            self._failing = {s: n for s, n in failing if s != stream and n > size}
            self._end(missing)

    def fail_sync(self, problem: str) -> None:
        """The disk lost what was written."""
        self._begin(problem)
        self._unsynced = True

    def synced(self, missing: int) -> None:
        """The disk keeps what is written."""
        if self._unsynced:
            self._unsynced = False
            self._end(missing)

    def state(self, missing: int) -> JournalState:
        """How things are now."""
        return JournalState(self._since_ns is None, self._since_ns, self._reason, missing)

    def _begin(self, problem: str) -> None:
        if self._since_ns is None:
            log.error("ALARM: the journal misses messages from now on: %s", problem)
            self._since_ns = time.time_ns()
        self._reason = problem

    def _end(self, missing: int) -> None:
        if not (self._failing or self._unsynced):
            log.warning("the journal stores messages again; %d are missing", missing)
            self._since_ns, self._reason = None, ""
