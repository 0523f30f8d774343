"""Subscribers in mode complete, and what they are made to miss."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import zmq

from linescan.client import Subscriber
from linescan.client.complete import Complete
from linescan.protocol import Message
from tests.client.journalled import Journalled
from tests.waiting import PATIENCE_MS, PATIENCE_S

INSPECTIONS = ["inspection"]
INSPECTION = b"linescan/1/web-1/inspection/"


def complete(line: Journalled, kinds: list[str] | None = None, **options: Any) -> Subscriber:
    options = {"name": "qc-1", "camera": "web-1", "timeout_s": PATIENCE_S, **options}
    return Subscriber(line.order.data, kinds, mode="complete", **options)


def take(results: Subscriber, count: int) -> list[Message]:
    return list(itertools.islice(results, count))


def begin(line: Journalled, results: Subscriber) -> None:
    """Wait until a subscriber is there and knows what was published, where that can be known."""
    line.tell("wait")
    feed = results._feed
    assert isinstance(feed, Complete)
    results.timeout_s = 0.05
    while feed._plan.journal is None:
        with pytest.raises(TimeoutError):
            next(results)
    results.timeout_s = PATIENCE_S


def miss(line: Journalled, results: Subscriber, count: int) -> None:
    """Have so many inspections published that do not come over the live stream."""
    results._connection.socket.unsubscribe(INSPECTION)
    line.tell("unwanted", f"frame {count}")
    results._connection.socket.subscribe(INSPECTION)
    line.tell("wanted")


def subscribers(line: Journalled) -> dict[str, Any]:
    """What the next status message says of each."""
    assert line.order.status is not None
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = context.socket(zmq.SUB)
        socket.rcvtimeo = PATIENCE_MS
        socket.subscribe(b"")
        socket.connect(line.order.status)
        status = json.loads(socket.recv_multipart()[1])
        return {entry["name"]: entry for entry in status["subscribers"]}
    finally:
        context.destroy(linger=0)


def gaps_told_by(line: Journalled, results: Subscriber) -> dict[str, int]:
    """Gaps that a subscriber to which nothing comes any more has reported by now."""
    with pytest.raises(TimeoutError):
        next(results)
    entries = subscribers(line).values()
    return next((entry["gaps"] for entry in entries), {"inspection": 0, "event": 0})
