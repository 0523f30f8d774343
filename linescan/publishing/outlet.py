"""The data socket, for use in one thread: subscriptions come in, messages go out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

import zmq

from linescan.protocol import Buffer
from linescan.protocol.keepalive import KEEPALIVE
from linescan.publishing.budget import MemoryBudget
from linescan.publishing.curve import Gate, new_context
from linescan.publishing.endpoint import HANDSHAKE_MS, bind, rebind
from linescan.publishing.subscriptions import Subscriptions

log = logging.getLogger(__name__)

MAX_SUBSCRIPTION_BYTES: Final = 64 << 10
"""Nothing but subscriptions come in: whoever sends a longer frame is cut off."""
REBIND_S: Final = 5.0
PATIENCE_S: Final = 0.2
"""So long those that do read have to fetch what is on its way, before all are cut off."""
RELEASE_S: Final = 5.0
"""ZeroMQ lets go of what waited for cut-off peers within milliseconds."""
RETURN_S: Final = 0.5
"""After peers were cut off, those that are alive are back within so many seconds."""


class Outlet:
    """An XPUB socket whose memory is bounded.

    A subscriber whose queue is full loses messages, and sees that from the sequence numbers; nobody
    waits for it. Only where the whole budget is used up, sending takes a moment. The high-water
    mark is set once, before binding: libzmq 4.3.5 may crash when it is changed while a peer leaves,
    and a lowered one starves peers that are not behind.

    Args:
        endpoint: where subscribers connect.
        welcome: the message that greets each connection.
        subscriptions: the count of subscribed peers, kept up to date.
        presence: the topic that tells peers apart: whoever subscribes to it is there.
        budget: the memory for messages that subscribers have not fetched.
        gate: lets in only those whose keys are allowed; without it, everybody.
    """

    def __init__(
        self,
        endpoint: str,
        welcome: bytes,
        subscriptions: Subscriptions,
        presence: bytes,
        budget: MemoryBudget,
        gate: Gate | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._welcome = welcome
        self._subscriptions = subscriptions
        self._presence = presence
        self._budget = budget
        self._gate = gate

    def open(self) -> None:
        """Bind.

        Raises:
            PublishError: the endpoint cannot be had.
        """
        self._context = new_context(self._gate)
        try:
            self.socket = self._new_socket()
            self.endpoint = bind(self.socket, self.endpoint)
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def close(self, linger_ms: int) -> None:
        """Release the endpoint once subscribers have what was sent, or the linger time is over."""
        self.socket.close(linger=linger_ms)
        self._context.term()

    def read_subscriptions(self) -> None:
        """Take note of all subscriptions that have arrived."""
        try:
            while True:
                self._subscriptions.note(self.socket.recv(zmq.NOBLOCK))
        except zmq.Again:
            pass

    def send(self, message: Sequence[Buffer]) -> bool:
        """Hand a message to ZeroMQ, which sends arrays from where they lie.

        Returns:
            Whether it was sent; False where the budget has no room for it: it is dropped.
        """
        size = sum(memoryview(part).nbytes for part in message)
        if not self._has_room(size):
            return False
        # Only a frame tells when libzmq has let go of it: send_multipart tracks just the last one.
        # Small ones too: pyzmq would copy them, and count the copies as let go of at once.
        parts = [zmq.Frame(part, track=True, copy=False) for part in message]
        for part in parts[:-1]:
            self.socket.send(part, zmq.SNDMORE, copy=False)
        self.socket.send(parts[-1], copy=False)
        self._budget.hold(size, [part.tracker for part in parts])
        return True

    def _has_room(self, size: int) -> bool:
        """Make room for a message: those that read get a moment, then all are cut off."""
        if size > self._budget.limit_bytes:
            return False
        if self._comes_free(size, PATIENCE_S):
            return True
        self._cut_off()
        return self._comes_free(size, RELEASE_S)

    def _comes_free(self, size: int, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self._budget.is_exhausted_by(size):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True

    def _new_socket(self) -> zmq.Socket[Any]:
        sock: zmq.Socket[Any] = self._context.socket(zmq.XPUB)
        options = {
            zmq.XPUB_VERBOSER: 1,
            zmq.SNDHWM: self._budget.mark,
            zmq.LINGER: 0,
            zmq.IPV6: 1,
            zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
            zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
            **KEEPALIVE,
        }
        for option, value in options.items():
            sock.setsockopt(option, value)
        sock.setsockopt(zmq.XPUB_WELCOME_MSG, self._welcome)
        return sock

    def _cut_off(self) -> None:
        """Drop all connections and what waits for them; whoever is alive comes back at once.

        ZeroMQ cannot drop a single peer. Those that hang stay away until they read again.
        """
        peers = self._subscriptions.peers(self._presence)
        log.warning(
            "subscribers have left %d MB unfetched (publish.memory_mb): all %d are cut off, those"
            " that are alive reconnect",
            self._budget.held_bytes >> 20,
            peers,
        )
        self.socket.close(linger=0)
        self._subscriptions.clear()
        self.socket = self._new_socket()
        rebind(self.socket, self.endpoint, REBIND_S)
        deadline = time.monotonic() + RETURN_S
        while self._subscriptions.peers(self._presence) < peers:
            left = deadline - time.monotonic()
            if left <= 0 or not self.socket.poll(round(left * 1000)):
                break
            self.read_subscriptions()
