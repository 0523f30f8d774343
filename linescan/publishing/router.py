"""The control socket, for use in one thread: it waits for nobody."""

from __future__ import annotations

import contextlib
import enum
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import zmq

from linescan.protocol import Buffer
from linescan.protocol.control import MAX_REQUEST_BYTES
from linescan.protocol.keepalive import KEEPALIVE
from linescan.publishing.budget import Holdings
from linescan.publishing.connections import Connection
from linescan.publishing.endpoint import HANDSHAKE_MS, bind

log = logging.getLogger(__name__)

QUEUE: Final = 128
"""Requests, and replies, that wait for each peer, at most."""
CUT_BYTES: Final = 16 * MAX_REQUEST_BYTES
"""Whoever sends a longer frame is cut off before it is taken in."""
STUCK_S: Final = 10.0
"""Whoever has taken no whole reply for so long is cut off where there is no room for others."""
MOST_PEERS: Final = 4096
"""Connections that are remembered, to be cut off."""
USER_ID: Final = "User-Id"
"""The property of a message in which ZeroMQ hands on what ``Gate`` answered for its sender."""
SMALL: Final = 16 << 10
"""Replies up to this size need no room in the budget: the queue's length bounds them."""


class Outcome(enum.Enum):
    """What became of a reply."""

    SENT = enum.auto()
    FULL = enum.auto()
    """The peer does not read, or the budget has no room."""
    GONE = enum.auto()
    """The peer is not connected any more."""


class Router:
    """A ROUTER socket whose memory is bounded.

    Args:
        endpoint: where subscribers ask.
        limit_bytes: most memory for replies that peers have not fetched; where it is less than one
            message, a single message.
    """

    def __init__(self, endpoint: str, limit_bytes: int) -> None:
        self.endpoint = endpoint
        self.limit_bytes = limit_bytes
        self.heard: Callable[[int], None] = _nothing
        """Told the handle of the connection from which a request has come."""
        self._held: dict[bytes, Holdings] = {}
        """What each peer has not fetched."""
        self._connections: dict[bytes, Connection] = {}
        """Those that asked last."""
        self._turned_away = False

    def open(self, context: zmq.Context[Any]) -> None:
        """Bind.

        Raises:
            PublishError: the endpoint cannot be had.
        """
        self.socket = context.socket(zmq.ROUTER)
        options = {
            zmq.ROUTER_MANDATORY: 1,  # tells of peers that are gone or do not read
            zmq.ROUTER_HANDOVER: 1,  # a peer with a name of its own may come back at once
            zmq.MAXMSGSIZE: CUT_BYTES,
            zmq.SNDHWM: QUEUE,
            zmq.RCVHWM: QUEUE,
            zmq.LINGER: 0,
            zmq.IPV6: 1,
            zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
            **KEEPALIVE,
        }
        for option, value in options.items():
            self.socket.setsockopt(option, value)
        self.endpoint = bind(self.socket, self.endpoint)

    def close(self, linger_ms: int) -> None:
        """Release the endpoint."""
        self.socket.close(linger=linger_ms)

    @property
    def held_bytes(self) -> int:
        """Bytes of large replies that peers have not fetched."""
        self._held = {peer: held for peer, held in self._held.items() if held.refresh()}
        return sum(held.bytes for held in self._held.values())

    def receive(self) -> tuple[list[bytes], str | None] | None:
        """A request, if one waits: its frames, the first of which names the peer; and its key."""
        try:
            frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        with contextlib.suppress(zmq.ZMQError, OSError):
            handle = int(frames[-1].get(zmq.SRCFD))
            self.heard(handle)
            self._note(frames[0].bytes, Connection.at(handle))
        try:
            key = frames[-1].get(USER_ID)
        except zmq.ZMQError:  # the socket wants no keys
            key = None
        return [frame.bytes for frame in frames], key

    def send(self, envelope: Sequence[bytes], frames: Sequence[Buffer]) -> Outcome:
        """Hand a reply to ZeroMQ, which sends large frames from where they lie."""
        tracked = [zmq.Frame(frame, track=True, copy=False) for frame in frames]
        parts: list[bytes | zmq.Frame] = [*envelope, *tracked]
        try:
            for part in parts[:-1]:
                self.socket.send(part, zmq.SNDMORE | zmq.NOBLOCK, copy=False)
            self.socket.send(parts[-1], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return Outcome.FULL
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return Outcome.GONE
        size = size_of(frames)
        if size > SMALL:
            held = self._held.setdefault(envelope[0], Holdings())
            held.hold(size, [frame.tracker for frame in tracked])
        return Outcome.SENT

    def send_if_room(self, envelope: Sequence[bytes], frames: Sequence[Buffer]) -> Outcome:
        """As ``send``, where the budget has room for it."""
        size = size_of(frames)
        if size > SMALL and not self.has_room(envelope[0], size, {}):
            return Outcome.FULL
        return self.send(envelope, frames)

    def has_room(self, peer: bytes, size: int, reserved: Mapping[bytes, int]) -> bool:
        """Whether so much more may wait for a peer.

        One half of the memory is for peers for which something waits already, and each leaves room
        there for another one. The other half is for those that have fetched everything, so that
        peers that do not read hold up none that does: each takes a single message of it. And
        whatever the size, one message may be on its way.

        Args:
            peer: for whom.
            size: bytes.
            reserved: what is about to be sent, by peer.
        """
        total = self.held_bytes + sum(reserved.values())
        mine = reserved.get(peer, 0) + (self._held[peer].bytes if peer in self._held else 0)
        if not mine:
            fits = not total or total + size <= self.limit_bytes
            self._turned_away = self._turned_away or not fits
            return fits
        share = self.limit_bytes // (len({peer, *self._held, *reserved}) + 1)
        return mine + size <= share and total + size <= self.limit_bytes // 2

    def make_room(self) -> None:
        """Cut off who takes nothing while there is no room for others; call it once a second."""
        turned_away, self._turned_away = self._turned_away, False
        since = time.monotonic() - STUCK_S
        if not turned_away or not self.held_bytes:
            return
        for peer, held in self._held.items():
            if held.moved_s < since and peer in self._connections:
                log.warning(
                    "a peer has not read its replies of %d MB for %g s, while there is no room for"
                    " those of others (publish.memory_mb): it is cut off",
                    held.bytes >> 20,
                    STUCK_S,
                )
                self._connections[peer].cut()

    def _note(self, peer: bytes, connection: Connection) -> None:
        self._connections.pop(peer, None)
        self._connections[peer] = connection
        if len(self._connections) > MOST_PEERS:
            del self._connections[next(iter(self._connections))]


def _nothing(_: int) -> None:
    pass


def size_of(frames: Sequence[Buffer]) -> int:
    """Bytes of some frames."""
    return sum(memoryview(frame).nbytes for frame in frames)
