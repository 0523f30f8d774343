"""The status socket: once a second, what was published, kept and reported."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import zmq

from linescan.protocol.control import KEPT, status_topic
from linescan.protocol.topics import SCHEMA, VERSION
from linescan.publishing.endpoint import HANDSHAKE_MS, bind
from linescan.publishing.outlet import MAX_SUBSCRIPTION_BYTES
from linescan.publishing.published import Published
from linescan.publishing.reports import Reports
from linescan.publishing.store import Stream

PERIOD_S: Final = 1.0
QUEUE: Final = 16


class Status:
    """A PUB socket; for use in the publisher's thread.

    Args:
        endpoint: where subscribers connect.
        published: what was published.
        reports: what subscribers said.
    """

    def __init__(self, endpoint: str, published: Published, reports: Reports) -> None:
        self.endpoint = endpoint
        self.oldest: Mapping[Stream, int] = {}
        """Oldest number of each stream that can be fetched."""
        self._published = published
        self._reports = reports

    def open(self, context: zmq.Context[Any]) -> None:
        """Bind.

        Raises:
            PublishError: the endpoint cannot be had.
        """
        self._socket = context.socket(zmq.PUB)
        options = {
            zmq.SNDHWM: QUEUE,
            zmq.LINGER: 0,
            zmq.IPV6: 1,
            zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
            zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        self.endpoint = bind(self._socket, self.endpoint)

    def close(self, linger_ms: int) -> None:
        """Release the endpoint."""
        self._socket.close(linger=linger_ms)

    def send(self, **more: Any) -> None:
        """One message for each camera."""
        for camera in self._published.cameras:
            fields = {
                "schema": SCHEMA,
                "version": VERSION,
                "type": "status",
                "camera": camera,
                "epoch": self._published.epoch,
                "time_ns": str(time.time_ns()),
                **{str(kind): self._stream(camera, kind) for kind in KEPT},
                "subscribers": self._reports.to_json(),
                **more,
            }
            text = json.dumps(fields, separators=(",", ":")).encode()
            self._socket.send_multipart([status_topic(camera), text])

    def _stream(self, camera: str, kind: Any) -> dict[str, int | None]:
        stream = Stream(self._published.epoch, camera, kind)
        return {
            "last": self._published.last.get(stream),
            "durable": self._published.durable(stream),
            "oldest": self.oldest.get(stream),
        }
