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
    """Remembers what could not be stored; over when as much can be stored again."""

    def __init__(self) -> None:
        self._failing: dict[Stream, int] = {}
        self._since_ns: int | None = None
        self._reason = ""

    def raise_(self, stream: Stream, size: int, problem: str) -> None:
        """A message of so many bytes could not be stored."""
        if not self._failing:
            log.error("the journal misses messages from now on: %s", problem)
            self._since_ns = time.time_ns()
        self._failing[stream] = size
        self._reason = problem

    def stored(self, stream: Stream, size: int, missing: int) -> None:
        """There is room again for this stream, and for others whose messages are no larger."""
        if not self._failing:
            return
        failing = self._failing.items()
        self._failing = {s: n for s, n in failing if s != stream and n > size}
        if not self._failing:
            log.warning("the journal stores messages again; %d are missing", missing)
            self._since_ns, self._reason = None, ""

    def state(self, missing: int) -> JournalState:
        """How things are now."""
        return JournalState(not self._failing, self._since_ns, self._reason, missing)
