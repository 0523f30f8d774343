"""A channel joins two stages: a queue of fixed length with a stated overflow policy.

``block`` makes the sender wait; ``drop_oldest`` turns the oldest item that waits into losses, in
its place, so that order is kept; objects that it completes are kept. Losses and completed objects
on their own are never dropped; neighbouring ones merge.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, Generic, Literal, TypeVar

from linescan.records import Cause, Completed, Loss, remains
from linescan.stages import Item

MAX_LOSSES: Final = 1024
"""Losses and completed objects on their own that wait in a channel at most; a sender waits beyond
it, whatever the policy."""
MOST_OBJECTS: Final = 1024
"""Completed objects that are put together at most."""

T = TypeVar("T", bound=Item)


class ChannelClosed(Exception):  # noqa: N818 - a state, not a failure
    """The other end is gone."""


class Channel(Generic[T]):
    """Items and losses in order, between one sending and one receiving thread.

    Args:
        capacity: items that wait at most.
        policy: what a full channel does with one more.
    """

    def __init__(self, capacity: int, policy: Literal["block", "drop_oldest"]) -> None:
        self._capacity = capacity
        self._policy = policy
        self._entries: deque[T | Loss | Completed] = deque()
        self._items = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._items

    def put(self, entry: T | Loss | Completed) -> None:
        """Add an item, a loss or completed objects; waits where the policy says so.

        Raises:
            ChannelClosed: the channel was closed.
        """
        with self._changed:
            if isinstance(entry, Loss | Completed):
                self._changed.wait_for(lambda: self._closed or self._losses() < MAX_LOSSES)
                self._check_open()
                self._append(self._entries, entry)
            else:
                if self._policy == "drop_oldest" and self._items >= self._capacity:
                    self._drop_oldest()
                self._changed.wait_for(lambda: self._closed or self._has_room())
                self._check_open()
                self._entries.append(entry)
                self._items += 1
            self._changed.notify_all()

    def get(self) -> T | Loss | Completed:
        """Take the next entry; waits for it.

        Raises:
            ChannelClosed: nothing is left and nothing will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._closed)
            if not self._entries:
                raise ChannelClosed
            entry = self._entries.popleft()
            self._items -= not isinstance(entry, Loss | Completed)
            self._changed.notify_all()
            return entry

    def close(self) -> None:
        """Nothing more will be sent; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _losses(self) -> int:
        return len(self._entries) - self._items

    def _has_room(self) -> bool:
        return self._items < self._capacity and self._losses() < MAX_LOSSES

    def _check_open(self) -> None:
        if self._closed:
            raise ChannelClosed

    def _drop_oldest(self) -> None:
        """Replace the oldest waiting item by losses of its lines, and what is left of it."""
        kept: deque[T | Loss | Completed] = deque()
        dropped = False
        for entry in self._entries:
            if isinstance(entry, Loss | Completed):
                self._append(kept, entry)
            elif dropped:
                kept.append(entry)
            else:
                dropped = True
                self._items -= 1
                for lines in entry.lines():
                    lost = Loss(lines.first, lines.count, Cause.QUEUE_OVERFLOW)
                    self._append(kept, lost)
                if (rest := remains(entry)) is not None:
                    self._append(kept, rest)
        self._entries = kept

    @staticmethod
    def _append(entries: deque[T | Loss | Completed], entry: Loss | Completed) -> None:
        for back in range(1, len(entries) + 1):
            last = entries[-back]
            if isinstance(last, Loss | Completed) and (merged := _merge(last, entry)):
                entries[-back] = merged
                return
            if not (isinstance(last, Completed) and isinstance(entry, Loss)):
                break  # a loss passes completed objects; nothing else passes anything
        entries.append(entry)


def _merge(one: Loss | Completed, other: Loss | Completed) -> Loss | Completed | None:
    """Both as one, where they are of a kind; None where they stay apart."""
    if isinstance(one, Loss) and isinstance(other, Loss):
        return _merge_losses(one, other)
    if isinstance(one, Completed) and isinstance(other, Completed):
        fits = one.unit == other.unit and len(one.objects) + len(other.objects) <= MOST_OBJECTS
        return Completed((*one.objects, *other.objects), one.unit) if fits else None
    return None


def _merge_losses(one: Loss, other: Loss) -> Loss | None:
    """Both losses as one, where they touch or overlap and agree in everything else."""
    if (one.cause, one.estimated) != (other.cause, other.estimated):
        return None
    first = min(one.first_line, other.first_line)
    end = max(one.first_line + one.count, other.first_line + other.count)
    if end - first > one.count + other.count:
        return None
    return Loss(first, end - first, one.cause, one.estimated)
