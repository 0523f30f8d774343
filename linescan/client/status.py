"""The subscriber's end of the status socket."""

from __future__ import annotations

from typing import Any, Final

import zmq

from linescan.client.sockets import connect, new_socket
from linescan.protocol import Buffer
from linescan.protocol.control import status_topic
from linescan.protocol.topics import ROOT

MARK: Final = 16


class StatusSocket:
    """Receives status messages; there is no socket until an endpoint is known.

    Args:
        context: for the socket.
        camera: the only camera, or None for all.
        endpoint: where it is not to be taken from the greeting.

    Raises:
        SubscribeError: it is no endpoint.
    """

    def __init__(self, context: zmq.Context[Any], camera: str | None, endpoint: str | None) -> None:
        self.socket: zmq.Socket[Any] | None = None
        self._context = context
        self._topic: str | bytes = ROOT if camera is None else status_topic(camera)
        self._given = endpoint is not None
        self._endpoint: str | None = None
        if endpoint is not None:
            self._connect(endpoint)

    def offer(self, endpoint: str) -> None:
        """What the publisher's greeting names."""
        if not self._given and endpoint != self._endpoint:
            self._connect(endpoint)

    def read(self) -> list[Buffer] | None:
        """The frames of a message that waits, if one does."""
        if self.socket is None:
            return None
        try:
            return [part.buffer for part in self.socket.recv_multipart(zmq.NOBLOCK, copy=False)]
        except zmq.Again:
            return None

    def close(self) -> None:
        """Leave."""
        if self.socket is not None:
            self.socket.close(linger=0)
            self.socket = None

    def _connect(self, endpoint: str) -> None:
        self.close()
        sock = new_socket(self._context, zmq.SUB, mark=MARK)
        sock.subscribe(self._topic)
        connect(sock, endpoint, to="watch the status socket", example="tcp://127.0.0.1:5562")
        self.socket, self._endpoint = sock, endpoint
