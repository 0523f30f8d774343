"""The publisher: one thread owns the data socket, a bounded queue feeds it.

ZeroMQ sockets are not thread-safe, so nothing but that thread ever touches the socket.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import zmq

from linescan.errors import PublishError
from linescan.latency import Latency
from linescan.protocol import Buffer, Kind, encode_welcome, topic
from linescan.publishing.budget import MemoryBudget
from linescan.publishing.outlet import Outlet
from linescan.publishing.subscriptions import Subscriptions
from linescan.version import __version__

log = logging.getLogger(__name__)

SOFTWARE: Final = f"linescan {__version__}"
QUEUE: Final = 4
"""Results that wait for the socket, at most."""
MESSAGE_BYTES: Final = 8 << 20
"""Size of a message where none is given: a frame of 2048 lines of 4096 pixels."""
SETTLE_S: Final = 0.05
"""After a reconnection, a peer's subscriptions may come in any order: wait for the rest."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Messages that belong together, and what to do once the socket took the first of them.

    The first one matters; the others are derived from it. Both callbacks are called in the
    publisher's thread; exactly one of them is, once: ``on_failed`` also where the memory budget has
    no room for the first one. ``sending`` is told how long handing the
    messages to ZeroMQ took.
    """

    messages: Sequence[Sequence[Buffer]]
    on_sent: Callable[[], None] = _nothing
    on_failed: Callable[[], None] = _nothing
    sending: Latency = field(default_factory=Latency)


class Publisher:
    """Sends messages of some cameras to whoever subscribes.

    Args:
        endpoint: where subscribers connect; ``tcp://127.0.0.1:*`` takes a free port.
        cameras: names of the cameras whose messages are sent.
        memory_mb: most memory for messages that subscribers have not fetched.
        linger_s: at the end, how long to wait for subscribers to fetch what was sent.
        message_bytes: size of an inspection; subscribers' queues are sized by it.
        image_bytes: size of an image, where that is larger.

    Raises:
        PublishError: the memory has no room for one inspection.
    """

    def __init__(
        self,
        endpoint: str,
        cameras: Sequence[str],
        *,
        memory_mb: int = 512,
        linger_s: float = 5.0,
        message_bytes: int = MESSAGE_BYTES,
        image_bytes: int = 0,
    ) -> None:
        self.endpoint = endpoint
        self.epoch = str(uuid.uuid4())
        self._welcome = encode_welcome(self.epoch, cameras, SOFTWARE)
        self._events = [topic(camera, Kind.EVENT) for camera in cameras]
        self._subscriptions = Subscriptions(topic(c, kind) for c in cameras for kind in Kind)
        self._budget = MemoryBudget(memory_mb << 20, message_bytes, image_bytes)
        self._linger_ms = round(linger_s * 1000)
        self._changed = threading.Condition()
        self._queue: deque[Outgoing] = deque()
        self._no_room = 0
        self._sending = False
        self._closing = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._bell: socket.socket | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of messages that slow subscribers have not fetched, as of the last message."""
        return self._budget.held_bytes

    @property
    def no_room(self) -> int:
        """Messages dropped for everybody because the memory budget had no room for them."""
        return self._no_room

    def start(self) -> None:
        """Bind and begin.

        Raises:
            PublishError: the endpoint cannot be had.
        """
        outlet = Outlet(
            self.endpoint,
            self._welcome,
            self._subscriptions,
            self._events[0],
            self._budget,
            self._linger_ms,
        )
        outlet.open()
        self.endpoint = outlet.endpoint
        self._bell, bell_end = socket.socketpair()
        for end in (self._bell, bell_end):
            end.setblocking(False)
        self._thread = threading.Thread(
            target=self._run, args=(outlet, bell_end), name="publisher", daemon=True
        )
        self._thread.start()
        log.info("publishing at %s", self.endpoint)

    def wait_for_subscribers(self, count: int, timeout_s: float) -> None:
        """Wait until so many peers have subscribed to the events of a camera.

        Raises:
            PublishError: they did not come in time, or the publisher was closed meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over() or self._peers() >= count, timeout_s)
            if not self._over() and self._peers() >= count:
                self._changed.wait_for(self._over, SETTLE_S)
            self._check()
            if self._peers() < count:
                raise PublishError(
                    f"{self._peers()} of {count} subscribers came to {self.endpoint} within"
                    f" {timeout_s:g} s; start them, or lower publish.wait_for_subscribers"
                )

    def wants(self, name: bytes) -> bool:
        """Whether anybody subscribes to a topic. Safe from any thread."""
        return self._subscriptions.peers(name) > 0

    def send(self, outgoing: Outgoing) -> None:
        """Hand over messages; waits while ``QUEUE`` others wait. Safe from any thread.

        Raises:
            PublishError: the publisher is closed or has failed; no callback will be called.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over() or len(self._queue) < QUEUE)
            self._check()
            self._queue.append(outgoing)
        self._wake()

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

    def close(self) -> None:
        """Send what was handed over, wait for slow subscribers within the linger time, release."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._wake()
            self._thread.join(self._linger_ms / 1000 + 5)
            if self._thread.is_alive():
                log.error("the publisher at %s does not end", self.endpoint)
                return
        if self._bell is not None:
            self._bell.close()

    def _peers(self) -> int:
        return max(self._subscriptions.peers(name) for name in self._events)

    def _over(self) -> bool:
        return self._closing or self._error is not None

    def _check(self) -> None:
        if self._error is not None:
            raise PublishError(f"publishing at {self.endpoint} failed: {self._error}")
        if self._thread is None or self._closing:
            raise PublishError(f"the publisher at {self.endpoint} is not running")

    def _wake(self) -> None:
        if self._bell is not None:
            # Where it cannot be rung, it rings already or the thread is gone.
            with contextlib.suppress(OSError):
                self._bell.send(b"\0")

    def _run(self, outlet: Outlet, bell: socket.socket) -> None:
        try:
            self._loop(outlet, bell)
        except Exception as error:
            log.exception("publishing at %s failed", self.endpoint)
            self._fail(error)
        finally:
            bell.close()
            outlet.close()

    def _loop(self, outlet: Outlet, bell: socket.socket) -> None:
        while True:
            poller = zmq.Poller()
            poller.register(outlet.socket, zmq.POLLIN)
            poller.register(bell, zmq.POLLIN)
            ready = dict(poller.poll())
            if outlet.socket in ready:
                outlet.read_subscriptions()
            if bell.fileno() in ready:
                bell.recv(4096)
            while (outgoing := self._next()) is not None:
                self._send(outlet, outgoing)
            with self._changed:
                self._changed.notify_all()
                if self._closing and not self._queue:
                    return

    def _next(self) -> Outgoing | None:
        with self._changed:
            self._sending = bool(self._queue)
            self._changed.notify_all()
            return self._queue.popleft() if self._queue else None

    def _send(self, outlet: Outlet, outgoing: Outgoing) -> None:
        began = time.perf_counter_ns()
        try:
            sent = all(self._send_one(outlet, message) for message in outgoing.messages[:1])
        except BaseException:
            outgoing.on_failed()
            raise
        (outgoing.on_sent if sent else outgoing.on_failed)()
        for message in outgoing.messages[1:]:
            self._send_one(outlet, message)
        outgoing.sending.add(time.perf_counter_ns() - began)

    def _send_one(self, outlet: Outlet, message: Sequence[Buffer]) -> bool:
        if outlet.send(message):
            return True
        self._no_room += 1
        if self._no_room == 1 or self._no_room % 100 == 0:
            log.error(
                "%s: a message of %d MB has no room in publish.memory_mb: %d and is dropped; set it"
                " higher (%d so far)",
                bytes(message[0]).decode(),
                sum(memoryview(part).nbytes for part in message) >> 20,
                self._budget.limit_bytes >> 20,
                self._no_room,
            )
        return False

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            left, self._queue = list(self._queue), deque()
            self._changed.notify_all()
        for outgoing in left:
            outgoing.on_failed()
