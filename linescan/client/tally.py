"""What a subscriber counts, logs and tells the application."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from linescan.client.sequences import Gap
from linescan.errors import ProtocolError
from linescan.latency import Latency
from linescan.protocol import EndEvent, StartEvent

log = logging.getLogger(__name__)

GAPS_KEPT: Final = 1000
"""Gaps that are kept one by one; all are counted."""
LOGGED: Final = 5
"""Troubles of one sort that are logged one by one; then every hundredth."""

OnGap = Callable[[Gap], None]
OnSlow = Callable[[str], None]


class Tally:
    """Counters and reports.

    Args:
        endpoint: where the publisher is, for the log.
        on_gap: called with each gap in the live stream.
        on_expired: called with each run of messages that can never be had.
        on_slow: called with the reason when the application does not keep up.

    Attributes:
        gaps: the last gaps in the live stream.
        missed: messages that were published and are not to be had.
        skipped: messages that mode ``live`` passed over.
        malformed: messages that do not follow the protocol.
        fetched: messages that came from the journal.
        expired: messages that mode ``complete`` could not get.
        slow: how often the application was told that it is too slow.
        restarts: how often the publisher was restarted in the meantime.
        receiving: how long it takes to parse and check a message.
        start: the last ``start`` event.
        end: the last ``end`` event.
    """

    def __init__(
        self,
        endpoint: str,
        on_gap: OnGap | None = None,
        on_expired: OnGap | None = None,
        on_slow: OnSlow | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.gaps: deque[Gap] = deque(maxlen=GAPS_KEPT)
        self.missed = 0
        self.skipped = 0
        self.malformed = 0
        self.fetched = 0
        self.expired = 0
        self.slow = 0
        self.restarts = 0
        self.receiving = Latency()
        self.start: StartEvent | None = None
        self.end: EndEvent | None = None
        self._on_gap = on_gap
        self._on_expired = on_expired
        self._on_slow = on_slow
        self._gaps_seen = 0
        self._expiries = 0

    def note_gap(self, gap: Gap) -> None:
        """A gap in the live stream."""
        self.gaps.append(gap)
        self._gaps_seen += 1
        if _is_worth_a_line(self._gaps_seen):
            log.warning("%s: %s", self.endpoint, gap)
        if self._on_gap is not None:
            self._on_gap(gap)

    def note_expired(self, gap: Gap) -> None:
        """Messages that can never be had."""
        self.expired += gap.count
        self.missed += gap.count
        self._expiries += 1
        if _is_worth_a_line(self._expiries):
            log.error("%s: %s, and not to be had from the journal", self.endpoint, gap)
        if self._on_expired is not None:
            self._on_expired(gap)

    def note_slow(self, reason: str) -> None:
        """The application does not keep up."""
        self.slow += 1
        log.warning("%s: this subscriber is too slow: %s", self.endpoint, reason)
        if self._on_slow is not None:
            self._on_slow(reason)

    def note_malformed(self, error: ProtocolError) -> None:
        """A message that does not follow the protocol."""
        self.malformed += 1
        if _is_worth_a_line(self.malformed):
            log.warning("%s: message %d skipped: %s", self.endpoint, self.malformed, error)

    def note_restart(self, camera: str) -> None:
        """Another epoch of a camera has begun."""
        self.restarts += 1
        log.warning("%s: camera %s was restarted", self.endpoint, camera)


def _is_worth_a_line(nth: int) -> bool:
    return nth <= LOGGED or nth % 100 == 0
