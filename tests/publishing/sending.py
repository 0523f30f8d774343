"""Publishers, and messages that they send, small and quick."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from linescan.protocol import Kind, Stamp, encode_start
from linescan.publishing import Outgoing, Publisher
from tests.waiting import PATIENCE_S

FREE = "tcp://127.0.0.1:*"


@contextlib.contextmanager
def publishing(endpoint: str = FREE, **options: Any) -> Iterator[Publisher]:
    """A publisher with its three sockets, whose end waits for nobody."""
    options = {"cameras": ["web-1"], "linger_s": 0, "control": FREE, "status": FREE, **options}
    publisher = Publisher(endpoint, sync_s=0.01, **options)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close()


def publish(
    publisher: Publisher, count: int, first: int = 0, size: int = 0, camera: str = "web-1"
) -> list[list[bytes]]:
    """Events of about so many bytes; gives them as they are published."""
    messages = []
    for seq in range(first, first + count):
        stamp = Stamp(camera, publisher.epoch, seq, 1000 + seq)
        message = encode_start(
            stamp, software="s", settings={"n": seq, "text": "x" * size}, settings_sha256=""
        )
        publisher.send(Outgoing([message], stamp=stamp, kind=Kind.EVENT))
        messages.append([bytes(frame) for frame in message])
    publisher.flush(PATIENCE_S)
    return messages
