"""Messages on their way to the disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from linescan.journal.keys import Key
from linescan.journal.layout import Part
from linescan.journal.spool import Place, Spool

MOST_WAITING: Final = 65536
"""Messages that wait, at most."""
BATCH_BYTES: Final = 8 << 20
BATCH: Final = 4096
"""So much is written together."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is not written yet.

    Attributes:
        key: which.
        published_ns: when, host time.
        parts: of the message.
        size: of all parts.
        place: where it waits; None in memory that ends with the process.
    """

    key: Key
    published_ns: int
    parts: Sequence[Part]
    size: int
    place: Place | None = None


@dataclass(slots=True)
class Batch:
    """What is written next.

    Attributes:
        items: messages, in order.
        marks: to be set once they are written.
    """

    items: list[Waiting] = field(default_factory=list)
    marks: list[threading.Event] = field(default_factory=list)


class Backlog:
    """A bounded queue. Callers hold its lock, but not while they write.

    Args:
        most_bytes: of messages that wait or are being written.
        spool: where they wait.

    Attributes:
        lock: guards it; its condition says that something has changed.
    """

    def __init__(self, most_bytes: int, spool: Spool) -> None:
        self.lock = threading.Condition()
        self._most_bytes = most_bytes
        self._spool = spool
        self._items: deque[Waiting] = deque()
        self._marks: deque[tuple[int, threading.Event]] = deque()
        self._bytes = 0
        self._added = self._taken = 0
        self._patient = True
        self._closed = False

    def has_room(self, item: Waiting, patience_s: float) -> bool:
        """Whether one more may wait; where none may, waits for that once, until half has gone."""
        if not self._fits(item) and self._patient:
            self._patient = self.lock.wait_for(lambda: self._fits(item), patience_s)
        return self._fits(item)

    def reserve(self, item: Waiting) -> Place | None:
        """A place for a message that is about to be added; None where it must do without."""
        return self._spool.take(item.key, item.parts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits that was not taken yet."""
        return not self._items

    def add(self, item: Waiting) -> None:
        """Have a message written."""
        self._items.append(item)
        self._bytes += item.size
        self._added += 1
        self.lock.notify_all()

    def mark(self) -> threading.Event:
        """Is set when all that waits now is written, and gap records for what is missing."""
        event = threading.Event()
        self._marks.append((self._added, event))
        self.lock.notify_all()
        return event

    def take(self) -> Batch | None:
        """Wait for what is to be written next; None at the end."""
        self.lock.wait_for(lambda: self._items or self._marks or self._closed)
        if not (self._items or self._marks):
            return None
        batch, size = Batch(), 0
        while self._items and size < BATCH_BYTES and len(batch.items) < BATCH:
            item = self._items.popleft()
            batch.items.append(item)
            size += item.size
        self._taken += len(batch.items)
        while self._marks and self._marks[0][0] <= self._taken:
            batch.marks.append(self._marks.popleft()[1])
        return batch

    def done(self, batch: Batch) -> None:
        """It is written, or missing."""
        for item in batch.items:
            self._bytes -= item.size
            if item.place is not None:
                self._spool.give_back(item.place)
        self._patient = self._patient or 2 * self._bytes <= self._most_bytes
        for mark in batch.marks:
            mark.set()
        self.lock.notify_all()

    def close(self) -> None:
        """``take`` gives what waits, and then None."""
        self._closed = True
        self.lock.notify_all()

    def _fits(self, item: Waiting) -> bool:
        if len(self._items) >= MOST_WAITING:
            return False
        fits = not self._bytes or self._bytes + item.size <= self._most_bytes
        return fits and self._spool.fits(item.key, item.parts)
