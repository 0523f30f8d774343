"""Replies have memory of their own, with a journal and without, and none takes all of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from linescan.publishing import router as router_module
from linescan.publishing.publisher import REPLY_SHARE
from linescan.publishing.router import Outcome, Router
from tests.publishing.asking import asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import FREE, publish, publishing
from tests.waiting import PATIENCE_MS, wait_until

MB = 1 << 20
MEMORY_MB = 128
SHARE = MEMORY_MB * MB // REPLY_SHARE


Peer = tuple[bytes, zmq.Socket[Any]]


class Served:
    """A router, and peers of it in another context."""

    def __init__(self, limit: int) -> None:
        self.router = Router(FREE, limit)
        self._here: zmq.Context[Any] = zmq.Context()
        self._there: zmq.Context[Any] = zmq.Context()
        self.router.open(self._here)

    def connect(self, **options: int) -> Peer:
        peer = self._there.socket(zmq.DEALER)
        peer.rcvtimeo = PATIENCE_MS
        for name, value in options.items():
            setattr(peer, name, value)
        peer.connect(self.router.endpoint)
        peer.send(b"request")
        assert self.router.socket.poll(PATIENCE_MS)
        received = self.router.receive()
        assert received is not None
        return received[0][0], peer

    def send(self, peer: Peer, size: int) -> Outcome:
        return self.router.send_if_room([peer[0]], [bytes(size)])

    def press(self, peers: list[Peer], size: int) -> None:
        """Send them what they may get, none of which they read."""
        for peer in peers:
            while self.send(peer, size) is Outcome.SENT:
                pass

    def close(self) -> None:
        self.router.close(0)
        self._here.destroy(linger=0)
        self._there.destroy(linger=0)


@contextlib.contextmanager
def serving(limit: int) -> Iterator[Served]:
    served = Served(limit)
    try:
        yield served
    finally:
        served.close()


def test_peers_that_do_not_read_hold_up_none_that_does() -> None:
    """One of them fills its half of the memory; of the rest each takes a single message."""
    with serving(64 * MB) as served:
        stopped = [served.connect(rcvhwm=1, rcvbuf=64 << 10) for _ in range(6)]
        reader = served.connect()

        def is_served() -> bool:
            served.press(stopped, MB)
            return served.send(reader, MB) is Outcome.SENT

        for _ in range(100):  # the kernel takes some of it, after a while
            wait_until(is_served)
            assert reader[1].recv() == bytes(MB)
            assert 20 * MB < served.router.held_bytes <= 64 * MB


def fill(served: Served, peers: list[Peer]) -> None:
    """They take all memory, and the kernel takes no more of it."""

    def is_full() -> bool:
        served.press(peers, 6 * MB)
        held = served.router._held.values()
        settled = all(time.monotonic() - entry.moved_s > 0.5 for entry in held)
        return settled and served.router.held_bytes == len(peers) * 6 * MB

    wait_until(is_full)


def test_those_that_take_all_memory_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_module, "STUCK_S", 0.2)
    with serving(16 * MB) as served:
        stopped = [served.connect(rcvhwm=1) for _ in range(2)]
        reader = served.connect()

        def is_served() -> bool:
            served.press(stopped, 6 * MB)
            served.router.make_room()
            return served.send(reader, 6 * MB) is Outcome.SENT

        fill(served, stopped)
        wait_until(is_served)
        assert reader[1].recv() == bytes(6 * MB)
        wait_until(lambda: all(served.send(peer, 1) is Outcome.GONE for peer in stopped))


def test_without_need_nobody_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_module, "STUCK_S", 0.0)
    with serving(16 * MB) as served:
        stopped = served.connect(rcvhwm=1)
        fill(served, [stopped])
        assert served.send(stopped, 6 * MB) is Outcome.FULL, "it alone has no room"
        served.router.make_room()
        assert stopped[1].recv() == bytes(6 * MB)  # it comes back, and finds its connection
        assert served.send(stopped, 1) is Outcome.SENT


@pytest.mark.parametrize("kept", [False, True])
def test_a_peer_that_does_not_read_its_replies_holds_up_nobody_else(kept: bool) -> None:
    options: dict[str, Any] = {"journal": MemoryJournal()} if kept else {}
    with (
        publishing(memory_mb=MEMORY_MB, message_bytes=MB, **options) as publisher,
        asking(publisher.endpoints["control"], rcvhwm=1, rcvbuf=4096) as stopped,
        asking(publisher.endpoints["control"]) as ask,
    ):
        (message,) = publish(publisher, 1, size=2 * MB)
        for _ in range(100):
            stopped.send("latest", camera="web-1", kind="event")
        wait_until(lambda: publisher._desk.held_bytes >= 2 * MB)
        for _ in range(20):  # what was read may count for a moment longer
            wait_until(lambda: ask.ask("latest", camera="web-1", kind="event")[1] == message)
            wait_until(lambda: ask.ask("schema")[0]["ok"])
        assert publisher._desk.held_bytes <= MEMORY_MB * MB // 4
        if not kept:
            assert publisher._desk.held_bytes <= SHARE


def test_the_memory_of_replies_is_part_of_the_whole() -> None:
    with publishing(memory_mb=MEMORY_MB, message_bytes=MB) as publisher:
        assert publisher._budget.limit_bytes + SHARE == MEMORY_MB * MB
    with publishing(memory_mb=MEMORY_MB, message_bytes=MB, control=None) as publisher:
        assert publisher._budget.limit_bytes == MEMORY_MB * MB
