"""What is handed to the publisher's thread: a bounded queue, and a bell that wakes it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from linescan.errors import PublishError
from linescan.publishing.outgoing import Outgoing

QUEUE: Final = 4
"""Results that wait for the socket, at most."""


class Handover:
    """Joins the thread that owns the sockets with all others.

    Args:
        endpoint: where subscribers connect, for errors.

    Attributes:
        bell: has something to read when the publisher's thread is to wake up.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._changed = threading.Condition()
        self._queue: deque[Outgoing] = deque()
        self._sending = False
        self._open = False
        self._closing = False
        self._error: BaseException | None = None

    def open(self) -> None:
        """Begin to take messages."""
        self._ring, self.bell = socket.socketpair()
        for end in (self._ring, self.bell):
            end.setblocking(False)
        self._open = True

    def send(self, outgoing: Outgoing) -> None:
        """Hand over messages; waits while ``QUEUE`` others wait. Safe from any thread.

        Raises:
            PublishError: the publisher is closed or has failed; no callback will be called.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over() or len(self._queue) < QUEUE)
            self._check()
            self._queue.append(outgoing)
        self.wake()

    def flush(self, timeout_s: float) -> None:
        """Wait until the socket took everything that was handed over.

        Raises:
            PublishError: it did not in time, or the publisher has failed.
        """
        with self._changed:
            idle = self._changed.wait_for(
                lambda: self._error is not None or not (self._queue or self._sending), timeout_s
            )
            self._check()
        if not idle:
            raise PublishError(f"{self.endpoint} did not take all messages in {timeout_s:g} s")

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is so that the publisher's thread brings about.

        Returns:
            Whether it is.

        Raises:
            PublishError: the publisher is closed or has failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over() or condition(), timeout_s)
            self._check()
            return condition()

    def wake(self) -> None:
        """Have the publisher's thread look what there is to do."""
        if self._open:
            # Where it cannot be rung, it rings already or the thread is gone.
            with contextlib.suppress(OSError):
                self._ring.send(b"\0")

    def close(self) -> None:
        """Take no more; what was handed over is still sent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.wake()

    def release(self) -> None:
        """The publisher's thread is gone."""
        if self._open:
            self._ring.close()

    def answer_bell(self) -> None:
        """In the publisher's thread: it has woken up."""
        self.bell.recv(4096)

    @property
    def waits(self) -> bool:
        """Whether messages wait to be sent."""
        return bool(self._queue)

    def take(self) -> Outgoing | None:
        """In the publisher's thread: the next messages; until none is left, they are being sent."""
        with self._changed:
            self._sending = bool(self._queue)
            self._changed.notify_all()
            return self._queue.popleft() if self._queue else None

    def taken(self) -> None:
        """In the publisher's thread: what was taken is sent."""
        with self._changed:
            self._sending = False
            self._changed.notify_all()

    def turn(self) -> bool:
        """In the publisher's thread: a turn is over; whether it was to be the last."""
        with self._changed:
            self._changed.notify_all()
            return self._closing and not self._queue

    def fail(self, error: BaseException) -> None:
        """In the publisher's thread: nothing can be sent any more."""
        with self._changed:
            self._error = error
            left, self._queue = list(self._queue), deque()
            self._changed.notify_all()
        for outgoing in left:
            outgoing.on_failed()

    def _over(self) -> bool:
        return self._closing or self._error is not None

    def _check(self) -> None:
        if self._error is not None:
            raise PublishError(f"publishing at {self.endpoint} failed: {self._error}")
        if not self._open or self._closing:
            raise PublishError(f"the publisher at {self.endpoint} is not running")
