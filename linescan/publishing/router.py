"""The control socket, for use in one thread: it waits for nobody."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, Final

import zmq

from linescan.protocol import Buffer
from linescan.protocol.control import MAX_REQUEST_BYTES
from linescan.publishing.budget import Holdings
from linescan.publishing.endpoint import HANDSHAKE_MS, bind

HEARTBEAT_MS: Final = 1000
GONE_MS: Final = 30_000
QUEUE: Final = 128
"""Requests, and replies, that wait for each peer, at most."""
CUT_BYTES: Final = 16 * MAX_REQUEST_BYTES
"""Whoever sends a longer frame is cut off before it is taken in."""
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
        self._held = Holdings()

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
            zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: GONE_MS,
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
        return self._held.refresh()

    def receive(self) -> list[bytes] | None:
        """The frames of a request, the first of which names the peer; None where none waits."""
        try:
            frames: list[bytes] = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        return frames

    def send(
        self, envelope: Sequence[bytes], frames: Sequence[Buffer]
    ) -> tuple[Outcome, list[zmq.MessageTracker]]:
        """Hand a reply to ZeroMQ, which sends large frames from where they lie.

        Returns:
            What became of it, and what tells when ZeroMQ has let go of the frames.
        """
        tracked = [zmq.Frame(frame, track=True, copy=False) for frame in frames]
        parts: list[bytes | zmq.Frame] = [*envelope, *tracked]
        try:
            for part in parts[:-1]:
                self.socket.send(part, zmq.SNDMORE | zmq.NOBLOCK, copy=False)
            self.socket.send(parts[-1], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return Outcome.FULL, []
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return Outcome.GONE, []
        trackers = [frame.tracker for frame in tracked]
        size = size_of(frames)
        if size > SMALL:
            self._held.hold(size, trackers)
        return Outcome.SENT, trackers

    def send_if_room(self, envelope: Sequence[bytes], frames: Sequence[Buffer]) -> Outcome:
        """As ``send``, where the budget has room for it."""
        size = size_of(frames)
        if size > SMALL:
            held = self.held_bytes
            if held and held + size > self.limit_bytes:
                return Outcome.FULL
        return self.send(envelope, frames)[0]


def size_of(frames: Sequence[Buffer]) -> int:
    """Bytes of some frames."""
    return sum(memoryview(frame).nbytes for frame in frames)
