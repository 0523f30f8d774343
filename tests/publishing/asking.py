"""A subscriber's end of the control socket, in a few lines."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

import zmq

from tests.waiting import PATIENCE_MS

Reply = dict[str, Any]


class Asking:
    """A DEALER that sends requests and reads replies."""

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self.socket = socket
        self._ids = itertools.count()

    def send(self, request: str, **fields: Any) -> str:
        id_ = f"r{next(self._ids)}"
        common = {"schema": "linescan", "version": 1, "request": request, "id": id_}
        self.socket.send(json.dumps({**common, **fields}).encode())
        return str(fields.get("id", id_))

    def receive(self) -> tuple[Reply, list[bytes]]:
        reply, *frames = self.socket.recv_multipart()
        if not reply:  # the delimiter that was sent comes back
            reply, *frames = frames
        return json.loads(reply), frames

    def ask(self, request: str, **fields: Any) -> tuple[Reply, list[bytes]]:
        id_ = self.send(request, **fields)
        reply, frames = self.receive()
        assert (reply["reply"], reply["id"]) == (request, id_)
        return reply, frames

    def refused(self, request: str, **fields: Any) -> str:
        """The code of the error that a request meets."""
        reply, frames = self.ask(request, **fields)
        assert reply["ok"] is False
        assert reply["error"]["message"]
        assert not frames
        return str(reply["error"]["code"])

    def quiet(self, timeout_ms: int = 100) -> bool:
        """Whether nothing comes."""
        return not self.socket.poll(timeout_ms)


@contextlib.contextmanager
def asking(endpoint: str | None, **options: int) -> Iterator[Asking]:
    """A connection to a control socket."""
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = context.socket(zmq.DEALER)
        socket.rcvtimeo = PATIENCE_MS
        for name, value in options.items():
            setattr(socket, name, value)
        assert endpoint is not None
        socket.connect(endpoint)
        yield Asking(socket)
    finally:
        context.destroy(linger=0)
