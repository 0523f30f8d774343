"""Messages, and sockets that send them."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest
import zmq

from linescan.client import Subscriber
from linescan.protocol import (
    Buffer,
    Kind,
    Message,
    Stamp,
    encode,
    encode_end,
    encode_welcome,
)
from linescan.publishing import Publish
from tests.protocol.samples import as_received, inspection
from tests.waiting import PATIENCE_MS, PATIENCE_S

TOTALS = {
    "captured": 0, "published": 0, "lost": {}, "unaccounted": 0, "phantom": 0, "estimated": 0,
}  # fmt: skip


class Raw:
    """A socket that sends whatever it is given."""

    def __init__(self, mark: int = 1000) -> None:
        self.context: zmq.Context[Any] = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.SNDHWM, mark)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"

    def wait_for_events(self, cameras: int = 1) -> None:
        """Wait until a subscriber is there for the events of so many cameras."""
        while cameras:
            cameras -= self.socket.recv().endswith(b"/event/")

    def greet(self, results: Subscriber, *cameras: str) -> None:
        """Greet a subscriber that names no camera, and wait until it has joined all of these."""
        while not self.socket.recv().endswith(b"/welcome/"):
            pass
        self.send(encode_welcome("e", cameras, "raw"))
        assert results._connection.socket.poll(PATIENCE_MS)
        wait, results.timeout_s = results.timeout_s, 0.01
        with pytest.raises(TimeoutError):
            next(results)
        results.timeout_s = wait
        self.wait_for_events(len(cameras))

    def send(self, *frames: Buffer) -> None:
        self.socket.send_multipart(frames)


def subscribe(stage: Publish, *kinds: str, **options: Any) -> Subscriber:
    options = {"camera": "web-1", "timeout_s": PATIENCE_S, **options}
    return Subscriber(stage.publisher.endpoint, kinds or ("inspection",), **options)


def publish(stage: Publish, *numbers: int) -> None:
    for n in numbers:
        list(stage.process(inspection(n * 64)))


def message(
    seq: int, kind: Kind = Kind.INSPECTION, epoch: str = "e", camera: str = "web-1"
) -> list[Buffer]:
    frames = encode(inspection(seq * 64), kind, Stamp(camera, epoch, seq, 1))
    assert frames is not None
    return as_received(frames)


def end_message(seq: int, last_seq: int, camera: str = "web-1") -> list[Buffer]:
    stamp = Stamp(camera, "e", seq, 1)
    return encode_end(stamp, totals=TOTALS, last_seq=last_seq, reason="finished")


def seqs(messages: list[Message]) -> list[int]:
    return [m.seq for m in messages]


class Reading(threading.Thread):
    """Reads in a thread of its own: ZeroMQ subscribes again only while somebody reads."""

    def __init__(self, results: Subscriber) -> None:
        super().__init__(daemon=True)
        self.results = results
        self.messages: queue.Queue[Message] = queue.Queue()
        self.start()

    def run(self) -> None:
        for received in self.results:
            self.messages.put(received)

    def take(self, count: int) -> list[Message]:
        return [self.messages.get(timeout=PATIENCE_S) for _ in range(count)]
