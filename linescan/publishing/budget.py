"""The memory that messages may hold while slow subscribers have not fetched them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from zmq import MessageTracker

LEAST_MARK: Final = 16
"""Fewer messages for each subscriber would drop some in a burst even when nobody is behind."""
MOST_MARK: Final = 1000


class MemoryBudget:
    """Turns a limit in bytes into a high-water mark, and counts what libzmq still holds.

    ZeroMQ counts messages for each subscriber, not bytes. One subscriber may hold half of the
    budget, so that one alone does not exhaust it. Subscribers that are behind by the same messages
    share their memory; only those that stopped at different times can exhaust it together.

    Args:
        limit_bytes: most memory for messages sent and not yet fetched; more only where it has no
            room for ``2 * LEAST_MARK`` messages.
        message_bytes: size of the largest messages, as far as it is known beforehand.
    """

    def __init__(self, limit_bytes: int, message_bytes: int) -> None:
        self.wanted_bytes = limit_bytes
        self.mark = max(LEAST_MARK, min(MOST_MARK, limit_bytes // 2 // message_bytes))
        """High-water mark for one subscriber."""
        self._largest = 0
        self._sent: list[tuple[int, Sequence[MessageTracker]]] = []
        self._held = 0

    @property
    def limit_bytes(self) -> int:
        """The limit that holds for messages of the size seen so far."""
        return max(self.wanted_bytes, 2 * LEAST_MARK * self._largest)

    @property
    def held_bytes(self) -> int:
        """Bytes that libzmq may still hold, as of the last message."""
        return self._held

    def is_exhausted_by(self, size: int) -> bool:
        """Whether a message of ``size`` bytes has no room."""
        self._largest = max(self._largest, size)
        self._sent = [entry for entry in self._sent if not _is_done(entry)]
        self._held = sum(held for held, _ in self._sent)
        return self._held + size > self.limit_bytes

    def hold(self, size: int, trackers: Sequence[MessageTracker]) -> None:
        """Count a message until libzmq has let go of all its parts."""
        self._sent.append((size, trackers))
        self._held += size


def _is_done(entry: tuple[int, Sequence[MessageTracker]]) -> bool:
    return all(tracker.done for tracker in entry[1])
