"""The DEALER socket to the publisher's control socket: requests go out, replies come in."""

from __future__ import annotations

import logging
from typing import Any, Final

import zmq

from linescan.client.replies import Reply, decode_reply, encode_request
from linescan.client.sockets import connect, new_socket
from linescan.errors import ProtocolError
from linescan.protocol import Buffer
from linescan.protocol.control import MAX_CREDIT

log = logging.getLogger(__name__)

REPLY_S: Final = 5.0
"""Without a reply for so long, the connection is made anew."""
PAUSE_S: Final = 0.5
"""After a refusal, the next try comes so much later."""


class Control:
    """Asks, and makes the connection anew where no reply comes.

    A new connection has no requests under way: whoever asked asks again.

    Args:
        context: for the socket.

    Attributes:
        endpoint: where the publisher's control socket is; None while that is not known.
        generation: counts connections.
    """

    def __init__(self, context: zmq.Context[Any]) -> None:
        self.endpoint: str | None = None
        self.generation = 0
        self.silent = 0
        self._context = context
        self._socket: zmq.Socket[Any] | None = None
        self._deadlines: dict[str, float] = {}
        self._count = 0

    @property
    def socket(self) -> zmq.Socket[Any] | None:
        """The socket, where there is one."""
        return self._socket

    def connect(self, endpoint: str) -> None:
        """Connect anew; all requests under way are forgotten.

        Raises:
            SubscribeError: it is no endpoint.
        """
        self.close()
        sock = new_socket(self._context, zmq.DEALER, mark=4 * MAX_CREDIT)
        connect(sock, endpoint, to="reach the control socket", example="tcp://127.0.0.1:5561")
        self.endpoint, self._socket = endpoint, sock
        self.generation += 1

    def close(self) -> None:
        """Drop the connection."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None
        self._deadlines.clear()

    def ask(self, request: str, now: float, **fields: Any) -> str:
        """Send a request that will be answered; its id."""
        self._count += 1
        id_ = f"{self.generation}-{self._count}"
        self.expect(id_, now)
        self.tell(request, id_, **fields)
        return id_

    def tell(self, request: str, id_: str, **fields: Any) -> None:
        """Send a request that has no reply of its own."""
        if self._socket is None:
            return
        try:
            self._socket.send(encode_request(request, id_, **fields), zmq.NOBLOCK)
        except zmq.Again:  # nobody is there: the missing reply will tell
            log.debug("%s takes no requests", self.endpoint)

    def read(self, now: float) -> Reply | None:
        """A reply that has come, if any.

        Raises:
            ProtocolError: what came is none.
        """
        if self._socket is None:
            return None
        try:
            parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        frames: list[Buffer] = [part.buffer for part in parts]
        reply = decode_reply(frames)
        self.silent = 0
        if reply.id in self._deadlines:
            self.expect(reply.id, now)
        return reply

    def expect(self, id_: str, now: float) -> None:
        """A request will be answered soon."""
        self._deadlines[id_] = now + REPLY_S

    def settle(self, id_: str) -> None:
        """No reply to a request is due."""
        self._deadlines.pop(id_, None)

    def renew(self, now: float) -> bool:
        """Connect anew if a reply is overdue; whether it was."""
        if self.endpoint is None or all(now < at for at in self._deadlines.values()):
            return False
        self.silent += 1
        if self.silent in (1, 10) or self.silent % 100 == 0:
            log.warning("%s does not answer (%d times): trying again", self.endpoint, self.silent)
        self.connect(self.endpoint)
        return True

    def answer_badly(self, error: ProtocolError) -> None:
        """What came is no reply of this protocol: begin anew."""
        log.warning("%s: reply ignored: %s", self.endpoint, error)
        if self.endpoint is not None:
            self.connect(self.endpoint)
