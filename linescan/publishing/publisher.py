"""The publisher: one thread owns the sockets, a bounded queue feeds it.

ZeroMQ sockets are not thread-safe, so nothing but that thread ever touches them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Final

import zmq

from linescan.errors import PublishError
from linescan.protocol import Kind, encode_welcome, topic
from linescan.publishing.budget import MemoryBudget
from linescan.publishing.curve import Gate
from linescan.publishing.desk import CLERK_S, Desk
from linescan.publishing.handover import QUEUE, Handover
from linescan.publishing.journalling import Journalling
from linescan.publishing.outgoing import Outgoing, Sender
from linescan.publishing.outlet import Outlet
from linescan.publishing.published import Published
from linescan.publishing.store import Journal
from linescan.publishing.subscriptions import Subscriptions
from linescan.version import __version__

log = logging.getLogger(__name__)

SOFTWARE: Final = f"linescan {__version__}"
MESSAGE_BYTES: Final = 8 << 20
"""Size of a message where none is given: a frame of 2048 lines of 4096 pixels."""
REPLAY_SHARE: Final = 4
"""With a journal, one part in so many of the memory is for replays: a subscriber that asks for one
and does not read cannot hold up what is published."""
REPLY_SHARE: Final = 8
"""Without a journal, one part in so many is for replies."""
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
        self._gate = gate
        self._journalling = None if journal is None else Journalling(journal, sync_s)
        self._published = Published(self.epoch, time.time_ns(), cameras, self._journalling)
        self._handover = Handover(endpoint)
        reply_bytes = _reply_bytes(memory_mb << 20, control, journal)
        self._desk = Desk(
            control,
            status,
            self._published,
            reply_bytes,
            self._figures,
            self._handover.wake,
            gate,
        )
        self._events = [topic(camera, Kind.EVENT) for camera in cameras]
        self._subscriptions = Subscriptions(topic(c, kind) for c in cameras for kind in Kind)
        self._budget = MemoryBudget(memory_mb << 20, message_bytes, image_bytes, reply_bytes)
        self._sender = Sender(self._published, self._budget)
        self._linger_s = linger_s
        self._thread: threading.Thread | None = None

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
        self._handover.open()
        self._thread = threading.Thread(
            target=self._run, args=(outlet,), name="publisher", daemon=True
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
                self._gate,
            )
            outlet.open()
            undo.pop_all()
        self.endpoint = self._handover.endpoint = outlet.endpoint
        self._desk.describe(software=SOFTWARE, endpoints=self.endpoints)
        self._desk.guard(self.endpoints.values())
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
        if self._handover.wait_for(lambda: self._peers() >= count, timeout_s):
            self._handover.wait_for(lambda: False, SETTLE_S)
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
        self._handover.send(outgoing)

    def flush(self, timeout_s: float) -> None:
        """Wait until the socket took everything that was handed over.

        Raises:
            PublishError: it did not in time, or the publisher has failed.
        """
        self._handover.flush(timeout_s)

    def close(self) -> None:
        """Send what was handed over, wait for slow subscribers within the linger time, release."""
        self._handover.close()
        if self._thread is not None:
            self._thread.join(self._linger_s + END_S)
            if self._thread.is_alive():
                log.error("the publisher at %s does not end", self.endpoint)
                return
        self._handover.release()

    def _peers(self) -> int:
        return max(self._subscriptions.peers(name) for name in self._events)

    def _run(self, outlet: Outlet) -> None:
        deadline = time.monotonic()
        try:
            deadline = self._loop(outlet)
        except Exception as error:
            log.exception("publishing at %s failed", self.endpoint)
            self._handover.fail(error)
        finally:
            self._handover.bell.close()
            outlet.close(_left_ms(deadline))
            self._desk.close(_left_ms(deadline))
            if self._journalling is not None:
                self._journalling.close(SYNC_PATIENCE_S)

    def _loop(self, outlet: Outlet) -> float:
        """Serve until all is sent and nobody fetches any more; gives the end of the linger time."""
        poller = self._poller(outlet)
        ended: float | None = None
        while ended is None or self._lingers(ended):
            timeout_ms = self._desk.timeout_ms() if ended is None else LINGER_POLL_MS
            ready = dict(poller.poll(0 if self._handover.waits else timeout_ms))
            if outlet.socket in ready:
                outlet.read_subscriptions()
            if self._handover.bell.fileno() in ready:
                self._handover.answer_bell()
            before = outlet.socket
            self._send_queued(outlet)
            if outlet.socket is not before:
                poller = self._poller(outlet)
            self._desk.serve()
            if self._handover.turn() and ended is None:
                ended = time.monotonic()
                self._desk.report()
        return ended + self._linger_s

    def _lingers(self, ended: float) -> bool:
        """Whether anybody may still fetch something: what was sent, or what the journal has."""
        if time.monotonic() >= ended + self._linger_s:
            return False
        return self._budget.refresh() > 0 or self._desk.wanted(ended)

    def _poller(self, outlet: Outlet) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(outlet.socket, zmq.POLLIN)
        poller.register(self._handover.bell, zmq.POLLIN)
        self._desk.register(poller)
        return poller

    def _send_queued(self, outlet: Outlet) -> None:
        """Send what waits; whoever keeps the queue full does not keep requests from answers."""
        for _ in range(QUEUE):
            outgoing = self._handover.take()
            if outgoing is None:
                return
            self._sender.send(outlet, outgoing)
        self._handover.taken()

    def _figures(self) -> dict[str, int]:
        return {
            "held_bytes": self._budget.refresh() + self._desk.held_bytes,
            "no_room": self._sender.no_room,
            "refused": 0 if self._gate is None else self._gate.refused,
        }


def _reply_bytes(limit_bytes: int, control: str | None, journal: Journal | None) -> int:
    """How much of the memory is for what the control socket sends."""
    if control is None:
        return 0
    return limit_bytes // (REPLY_SHARE if journal is None else REPLAY_SHARE)


def _left_ms(deadline: float) -> int:
    return max(0, round((deadline - time.monotonic()) * 1000))
