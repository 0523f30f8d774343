"""The memory that messages may hold while slow subscribers have not fetched them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

from zmq import MessageTracker

log = logging.getLogger(__name__)

LEAST_MARK: Final = 16
"""Fewer messages for each subscriber would drop some in a burst even when nobody is behind."""
MOST_MARK: Final = 1000
PRESSED_MARK: Final = 2
"""When memory is used up: whoever is behind gets nothing more, whoever keeps up still does."""


class MemoryBudget:
    """Gives the high-water mark for the next message from what libzmq still holds.

    ZeroMQ counts messages for each subscriber, not bytes. So the mark follows the size of the
    messages, and where several slow subscribers together hold the whole budget, it falls so low
    that only those that keep up are served. Beyond the budget, at most ``PRESSED_MARK`` messages
    for each subscriber can be held.

    Args:
        limit_bytes: most memory for messages sent and not yet fetched.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._largest = 1
        self._sent: deque[tuple[int, Sequence[MessageTracker]]] = deque()
        self._held = 0
        self._pressed = False

    @property
    def held_bytes(self) -> int:
        """Bytes that libzmq may still hold, as of the last message."""
        return self._held

    def mark(self, size: int) -> int:
        """The high-water mark to set before a message of ``size`` bytes is sent."""
        self._largest = max(self._largest, size)
        self._drop_done_in_order()
        if self._held + size > self._limit:
            self._drop_done()
        self._set_pressed(self._held + size > self._limit)
        if self._pressed:
            return PRESSED_MARK
        return max(LEAST_MARK, min(MOST_MARK, self._limit // self._largest))

    def hold(self, size: int, trackers: Sequence[MessageTracker]) -> None:
        """Count a message until libzmq has let go of all its parts."""
        if not all(tracker.done for tracker in trackers):
            self._sent.append((size, trackers))
            self._held += size

    def _drop_done_in_order(self) -> None:
        while self._sent and all(tracker.done for tracker in self._sent[0][1]):
            self._held -= self._sent.popleft()[0]

    def _drop_done(self) -> None:
        kept = [entry for entry in self._sent if not all(tracker.done for tracker in entry[1])]
        self._sent = deque(kept)
        self._held = sum(size for size, _ in kept)

    def _set_pressed(self, pressed: bool) -> None:
        if pressed and not self._pressed:
            log.warning(
                "subscribers have not fetched %d MB: those behind lose messages until they catch"
                " up (publish.memory_mb)",
                self._held >> 20,
            )
        self._pressed = pressed
