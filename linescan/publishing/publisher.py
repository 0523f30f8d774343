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
from typing import Any, Final

import zmq

from linescan.errors import PublishError
from linescan.protocol import Kind, encode_welcome, topic
from linescan.publishing.budget import MemoryBudget
from linescan.publishing.curve import Gate
from linescan.publishing.desk import CLERK_S, Desk
from linescan.publishing.journalling import Journalling
from linescan.publishing.outgoing import Outgoing, Sender
from linescan.publishing.outlet import Outlet
from linescan.publishing.published import Published
from linescan.publishing.store import Journal
from linescan.publishing.subscriptions import Subscriptions
from linescan.version import __version__

log = logging.getLogger(__name__)

SOFTWARE: Final = f"linescan {__version__}"
QUEUE: Final = 4
"""Results that wait for the socket, at most."""
MESSAGE_BYTES: Final = 8 << 20
"""Size of a message where none is given: a frame of 2048 lines of 4096 pixels."""
REPLAY_SHARE: Final = 4
"""With a journal, one part in so many of the memory is for replays: a subscriber that asks for one
and does not read cannot hold up what is published."""
SYNC_S: Final = 0.1
SYNC_PATIENCE_S: Final = 30.0
END_S: Final = 2 * CLERK_S + SYNC_PATIENCE_S
"""Beside the linger time, the publisher ends within so many seconds, whatever the disk does."""
LINGER_POLL_MS: Final = 20
SETTLE_S: Final = 0.05
"""After a reconnection, a peer's subscriptions may come in any order: wait for the rest."""


class Publisher:
    """Sends messages of some cameras to whoever subscribes.

    Args:
        endpoint: where subscribers connect; ``tcp://127.0.0.1:*`` takes a free port.
        cameras: names of the cameras whose messages are sent.
        memory_mb: most memory for messages that subscribers have not fetched.
        linger_s: at the end, how long to wait for subscribers to fetch what was sent.
        message_bytes: size of an inspection; subscribers' queues are sized by it.
        image_bytes: size of an image, where that is larger.
        control: where subscribers ask; None for no such socket.
        status: where subscribers learn how the publisher does; None for no such socket.
        journal: keeps inspections and events; closed at the end.
        sync_s: shortest time between two syncs of the journal.
        gate: lets in only those whose keys are allowed; without it, everybody.

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
        control: str | None = None,
        status: str | None = None,
        journal: Journal | None = None,
        sync_s: float = SYNC_S,
        gate: Gate | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.epoch = str(uuid.uuid4())
        self._cameras = tuple(cameras)
        replay_bytes = (memory_mb << 20) // REPLAY_SHARE if journal is not None else 0
        self._journalling = None if journal is None else Journalling(journal, sync_s)
        self._published = Published(self.epoch, time.time_ns(), cameras, self._journalling)
        self._gate = gate
        self._new_context: Callable[[], zmq.Context[Any]] = (
            zmq.Context if gate is None else gate.new_context
        )
        self._desk = Desk(
            control,
            status,
            self._published,
            replay_bytes,
            self._figures,
            self._wake,
            self._new_context,
        )
        self._events = [topic(camera, Kind.EVENT) for camera in cameras]
        self._subscriptions = Subscriptions(topic(c, kind) for c in cameras for kind in Kind)
        self._budget = MemoryBudget(memory_mb << 20, message_bytes, image_bytes, replay_bytes)
        self._sender = Sender(self._published, self._budget)
        self._linger_ms = round(linger_s * 1000)
        self._changed = threading.Condition()
        self._queue: deque[Outgoing] = deque()
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
        return self._sender.no_room

    def start(self) -> None:
        """Open the journal, bind and begin.

        Raises:
            PublishError: an endpoint cannot be had.
            JournalError: the journal cannot be written.
        """
        outlet = self._open()
        self._bell, bell_end = socket.socketpair()
        for end in (self._bell, bell_end):
            end.setblocking(False)
        self._thread = threading.Thread(
            target=self._run, args=(outlet, bell_end), name="publisher", daemon=True
        )
        self._thread.start()
        log.info("publishing at %s", self.endpoint)

    def _open(self) -> Outlet:
        with contextlib.ExitStack() as undo:
            if self._journalling is not None:
                self._journalling.open()
                undo.callback(self._journalling.journal.close)
            self._desk.open()
            undo.callback(self._desk.close, 0)
            outlet = Outlet(
                self.endpoint,
                encode_welcome(self.epoch, self._cameras, SOFTWARE, **self._desk.endpoints),
                self._subscriptions,
                self._events[0],
                self._budget,
                self._new_context,
            )
            outlet.open()
            undo.pop_all()
        self.endpoint = outlet.endpoint
        self._desk.describe(software=SOFTWARE, endpoints=self.endpoints)
        if self._journalling is not None:
            self._journalling.start()
        return outlet

    @property
    def endpoints(self) -> dict[str, str | None]:
        """Where subscribers really connect, by name of the socket."""
        return {"data": self.endpoint, **self._desk.endpoints}

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
            self._thread.join(self._linger_ms / 1000 + END_S)
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
        deadline = time.monotonic()
        try:
            deadline = self._loop(outlet, bell)
        except Exception as error:
            log.exception("publishing at %s failed", self.endpoint)
            self._fail(error)
        finally:
            bell.close()
            outlet.close(_left_ms(deadline))
            self._desk.close(_left_ms(deadline))
            if self._journalling is not None:
                self._journalling.close(SYNC_PATIENCE_S)

    def _loop(self, outlet: Outlet, bell: socket.socket) -> float:
        """Serve until all is sent and nobody fetches any more; gives the end of the linger time."""
        poller = _poller(outlet, bell, self._desk)
        deadline = None
        while True:
            timeout_ms = self._desk.timeout_ms() if deadline is None else LINGER_POLL_MS
            if self._queue:
                timeout_ms = 0
            ready = dict(poller.poll(timeout_ms))
            if outlet.socket in ready:
                outlet.read_subscriptions()
            if bell.fileno() in ready:
                bell.recv(4096)
            before = outlet.socket
            self._send_queued(outlet)
            if outlet.socket is not before:
                poller = _poller(outlet, bell, self._desk)
            self._desk.serve()
            with self._changed:
                self._changed.notify_all()
                ending = self._closing and not self._queue
            if ending and deadline is None:
                deadline = time.monotonic() + self._linger_ms / 1000
                self._desk.report()
            if deadline is not None and (time.monotonic() >= deadline or not self._desk.wanted()):
                return deadline

    def _send_queued(self, outlet: Outlet) -> None:
        """Send what waits; whoever keeps the queue full does not keep requests from answers."""
        for _ in range(QUEUE):
            outgoing = self._next()
            if outgoing is None:
                return
            self._sender.send(outlet, outgoing)
        with self._changed:
            self._sending = False
            self._changed.notify_all()

    def _figures(self) -> dict[str, int]:
        return {
            "held_bytes": self._budget.refresh() + self._desk.held_bytes,
            "no_room": self._sender.no_room,
            "refused": 0 if self._gate is None else self._gate.refused,
        }

    def _next(self) -> Outgoing | None:
        with self._changed:
            self._sending = bool(self._queue)
            self._changed.notify_all()
            return self._queue.popleft() if self._queue else None

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            left, self._queue = list(self._queue), deque()
            self._changed.notify_all()
        for outgoing in left:
            outgoing.on_failed()


def _poller(outlet: Outlet, bell: socket.socket, desk: Desk) -> zmq.Poller:
    poller = zmq.Poller()
    poller.register(outlet.socket, zmq.POLLIN)
    poller.register(bell, zmq.POLLIN)
    desk.register(poller)
    return poller


def _left_ms(deadline: float) -> int:
    return max(0, round((deadline - time.monotonic()) * 1000))
