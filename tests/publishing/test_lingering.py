"""The end of a publisher: who still fetches something is served, within the linger time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from linescan.publishing import Publisher
from linescan.publishing.reports import MOST_NAMES, Unnamed
from tests.publishing.asking import Asking, asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish, publishing
from tests.waiting import PATIENCE_S, wait_until

MB = 1 << 20


@contextlib.contextmanager
def closing(publisher: Publisher) -> Iterator[Callable[[], bool]]:
    """The publisher closes meanwhile; gives whether it has."""
    thread = threading.Thread(target=publisher.close)
    thread.start()
    try:
        yield lambda: not thread.is_alive()
    finally:
        thread.join(2 * PATIENCE_S)
    assert not thread.is_alive()


@pytest.fixture
def stuck() -> Iterator[Callable[[Publisher], zmq.Socket[Any]]]:
    """Connects a subscriber that does not read."""
    context: zmq.Context[Any] = zmq.Context()
    peers = []

    def connect(publisher: Publisher) -> zmq.Socket[Any]:
        peer = context.socket(zmq.SUB)
        peer.setsockopt(zmq.RCVHWM, 1)
        peer.setsockopt(zmq.RCVBUF, 4096)
        peer.subscribe(b"linescan/1/web-1/")
        peer.connect(publisher.endpoint)
        publisher.wait_for_subscribers(1, PATIENCE_S)
        peers.append(peer)
        return peer

    yield connect
    context.destroy(linger=0)


def whole(publisher: Publisher, last: int) -> dict[str, Any]:
    stream = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
    return {**stream, "first": 0, "last": last, "credit": 1}


def take(ask: Asking, publisher: Publisher, last: int) -> int:
    """A replay to its end; how many messages came."""
    id_ = ask.send("replay", **whole(publisher, last))
    count = 0
    while ask.receive()[0]["more"]:
        count += 1
        ask.send("credit", id=id_, n=1)
    return count


@pytest.mark.parametrize("kept", [False, True])
def test_requests_are_answered_while_data_waits_to_be_fetched(
    journal: MemoryJournal, stuck: Callable[[Publisher], zmq.Socket[Any]], kept: bool
) -> None:
    """With a journal or without: it is the data that lingers."""
    options: dict[str, Any] = {"journal": journal} if kept else {}
    with publishing(linger_s=2 * PATIENCE_S, message_bytes=2 * MB, **options) as publisher:
        peer = stuck(publisher)
        with asking(publisher.endpoints["control"]) as ask:
            publish(publisher, 8, size=2 * MB)
            with closing(publisher) as closed:
                wait_until(lambda: publisher._handover._closing)
                for _ in range(20):
                    assert ask.ask("latest", camera="web-1", kind="event")[0]["seq"] == 7
                    time.sleep(0.01)
                if kept:
                    assert take(ask, publisher, 7) == 8
                assert not closed()
                while not closed():  # once the peer has read all, nobody keeps the publisher
                    if peer.poll(100):
                        peer.recv_multipart()


def test_whoever_has_no_name_is_waited_for_while_it_fetches(journal: MemoryJournal) -> None:
    with publishing(journal=journal, linger_s=2 * PATIENCE_S) as publisher:
        publish(publisher, 20)
        with asking(publisher.endpoints["control"]) as ask:
            assert ask.ask("positions")[0]["ok"]
            with closing(publisher) as closed:
                wait_until(lambda: publisher._handover._closing)
                assert take(ask, publisher, 19) == 20
                assert ask.ask("ping")[0]["ok"]
                wait_until(closed, "the end after the last request")


def test_whoever_asks_for_ever_is_waited_for_within_the_linger_time(
    journal: MemoryJournal,
) -> None:
    with publishing(journal=journal, linger_s=0.5) as publisher:
        publish(publisher, 3)
        with asking(publisher.endpoints["control"]) as ask, closing(publisher) as closed:
            while not closed():
                ask.send("positions")
                time.sleep(0.02)


def test_without_anybody_it_ends_at_once(journal: MemoryJournal) -> None:
    with publishing(journal=journal, linger_s=600) as publisher:
        publish(publisher, 3)
        with closing(publisher) as closed:
            wait_until(closed)


def test_those_without_a_name_are_remembered_within_bounds() -> None:
    unnamed = Unnamed()
    assert not unnamed.waits(time.monotonic())
    for number in range(3 * MOST_NAMES):
        unnamed.came(str(number).encode())
        unnamed.goes_on(b"never came")
    assert len(unnamed) == MOST_NAMES
    assert unnamed.waits(time.monotonic())
    unnamed._seen = dict.fromkeys(unnamed._seen, 0.0)  # type: ignore[assignment]
    assert not unnamed.waits(0.0)
