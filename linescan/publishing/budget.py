"""The memory that messages may hold while slow subscribers have not fetched them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

from zmq import MessageTracker

from linescan.errors import PublishError

log = logging.getLogger(__name__)

LEAST_MARK: Final = 4
"""Fewer messages for each subscriber would drop some of those that go out together, an inspection
with what is derived from it and an event, even when nobody is behind."""
MOST_MARK: Final = 1000
IN_HAND: Final = 2
"""Beside its queue, a subscriber has one message that is on its way; and the next needs room."""


class Holdings:
    """Counts the bytes of messages until libzmq has let go of all their parts."""

    def __init__(self) -> None:
        self._sent: list[tuple[int, Sequence[MessageTracker]]] = []
        self.bytes = 0
        """As of the last message, or ``refresh``."""
        self.moved_s = time.monotonic()
        """When, as far as is known, a message was last let go of, or the first one came."""

    def hold(self, size: int, trackers: Sequence[MessageTracker]) -> None:
        """Count a message that was sent."""
        if not self._sent:
            self.moved_s = time.monotonic()
        self._sent.append((size, trackers))
        self.bytes += size

    def refresh(self) -> int:
        """Bytes that libzmq may still hold."""
        before = len(self._sent)
        self._sent = [entry for entry in self._sent if not _is_done(entry)]
        if len(self._sent) < before:
            self.moved_s = time.monotonic()
        self.bytes = sum(size for size, _ in self._sent)
        return self.bytes


class MemoryBudget:
    """Turns a limit in bytes into a high-water mark, and counts what libzmq still holds.

    ZeroMQ counts messages for each subscriber, not bytes. One subscriber may hold half of the
    budget, so that one alone does not exhaust it; where half is less than ``LEAST_MARK`` messages,
    as many of them as leave room for the next. Subscribers that are behind by the same messages
    share their memory; only those that stopped at different times can exhaust it together.

    Args:
        limit_bytes: most memory for messages sent and not yet fetched.
        message_bytes: size of an inspection, as far as it is known beforehand.
        image_bytes: size of an image, the largest message, as far as it is known. Half of the
            budget is counted in these where they are larger, so that a viewer that stands still
            does not exhaust it; at least ``LEAST_MARK`` inspections are queued all the same.
        reserved_bytes: what of the limit is kept for replays.

    Raises:
        PublishError: one inspection alone is larger than the limit.
    """

    def __init__(
        self, limit_bytes: int, message_bytes: int, image_bytes: int = 0, reserved_bytes: int = 0
    ) -> None:
        self.memory_mb = limit_bytes >> 20
        """The whole limit, as it stands in the configuration."""
        self.limit_bytes = limit_bytes - reserved_bytes
        fit = self.limit_bytes // message_bytes
        enough = _mb(2 * LEAST_MARK * message_bytes * limit_bytes // self.limit_bytes)
        if not fit:
            raise PublishError(
                f"publish.memory_mb: {limit_bytes >> 20} has no room for one message of "
                f"{_mb(message_bytes)} MB: set it to {enough} or more, or make frames smaller"
            )
        half = self.limit_bytes // 2 // message_bytes
        largest = self.limit_bytes // 2 // max(message_bytes, image_bytes)
        self.mark = max(1, largest, min(LEAST_MARK, fit - IN_HAND))
        """High-water mark for one subscriber."""
        self.mark = min(self.mark, MOST_MARK)
        if half < LEAST_MARK:
            log.warning(
                "publish.memory_mb: %d has little room for messages of %d MB: subscribers miss some"
                " as soon as they are %d behind; set it to %d or more",
                limit_bytes >> 20,
                _mb(message_bytes),
                self.mark + 1,
                enough,
            )
        self._holdings = Holdings()

    @property
    def held_bytes(self) -> int:
        """Bytes that libzmq may still hold, as of the last message."""
        return self._holdings.bytes

    def refresh(self) -> int:
        """Bytes that libzmq may still hold, as of now."""
        return self._holdings.refresh()

    def is_exhausted_by(self, size: int) -> bool:
        """Whether a message of ``size`` bytes has no room."""
        return self.refresh() + size > self.limit_bytes

    def hold(self, size: int, trackers: Sequence[MessageTracker]) -> None:
        """Count a message until libzmq has let go of all its parts."""
        self._holdings.hold(size, trackers)


def _is_done(entry: tuple[int, Sequence[MessageTracker]]) -> bool:
    return all(tracker.done for tracker in entry[1])


def _mb(size: int) -> int:
    """Rounded up to whole MB."""
    return -(-size >> 20)
