"""A message of endlessly many frames: who sends one is cut off, before memory runs out."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest

from linescan.publishing import Publisher, connections
from linescan.publishing.connections import LEAK_BYTES, UNFINISHED_BYTES, Flood
from tests.publishing.asking import asking
from tests.publishing.sending import publish, publishing
from tests.publishing.test_strangers import GREETING, connect
from tests.waiting import wait_until

KINDS = {"data": b"SUB", "control": b"DEALER", "status": b"SUB"}
MB = 1 << 20


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as publisher:
        yield publisher


def command(kind: bytes) -> bytes:
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    return b"\x04" + bytes([len(ready)]) + ready


def shake_hands(publisher: Publisher, name: str) -> socket.socket:
    """A peer that speaks ZMTP by hand, and is let in."""
    plain = connect(publisher, name)
    plain.sendall(GREETING + command(KINDS[name]))
    got = b""
    while b"Socket-Type" not in got:
        got += plain.recv(4096)
    return plain


class Endless:
    """Sends the same bytes again and again, as far as it may."""

    def __init__(self, plain: socket.socket, chunk: bytes) -> None:
        self._plain, self._chunk = plain, chunk
        self._left = b""
        plain.setblocking(False)

    def is_cut(self) -> bool:
        try:
            self._left = self._left or self._chunk
            self._left = self._left[self._plain.send(self._left) :]
        except BlockingIOError:
            pass
        except ConnectionError:
            return True
        try:
            return not self._plain.recv(65536)  # a message of status, or the end
        except BlockingIOError:
            return False
        except ConnectionError:
            return True


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [1, 60_000])
def test_frame_after_frame_is_cut_off(publisher: Publisher, name: str, size: int) -> None:
    """The rest goes on meanwhile."""
    header = b"\x01" + bytes([size]) if size < 256 else b"\x03" + struct.pack(">Q", size)
    chunk = (header + bytes(size)) * max(1, 60_000 // size)
    with shake_hands(publisher, name) as plain, asking(publisher.endpoints["control"]) as ask:
        wait_until(Endless(plain, chunk).is_cut)
        assert ask.ask("ping")[0]["ok"]
    publish(publisher, 1)


def test_who_ends_its_messages_may_send_for_ever(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNFINISHED_BYTES", MB)
    flood = publisher._desk._flood
    assert flood is not None
    with asking(publisher.endpoints["control"]) as ask:
        looked = flood._looked_s
        for _ in range(60):
            ask.send("ping", filler="x" * 70_000)
            assert ask.receive()[0]["error"]["code"] == "too_large"
        wait_until(lambda: flood._looked_s > looked)
        assert ask.ask("ping")[0]["ok"], "on the same connection"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection to a port of this process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()
    with here, there:
        yield here, there


def send(here: socket.socket, there: socket.socket, count: int) -> None:
    while count:
        sent = here.send(bytes(min(count, 30_000)))
        count -= sent
        while sent:
            sent -= len(there.recv(sent))


def is_open(here: socket.socket) -> bool:
    here.setblocking(False)
    try:
        return bool(here.recv(1))
    except BlockingIOError:
        return True
    finally:
        here.setblocking(True)


def test_how_much_may_come_without_an_end() -> None:
    clock = Clock()
    with pair() as (here, there):
        flood = Flood({there.getsockname()[1]}, clock)
        send(here, there, UNFINISHED_BYTES)
        flood.look()
        assert is_open(here)
        flood.hear(there.fileno())
        flood.look()  # all of that was whole
        send(here, there, UNFINISHED_BYTES)
        flood.look()
        assert is_open(here)
        clock.now = 10.0
        send(here, there, 10 * LEAK_BYTES)
        flood.look()
        assert is_open(here)
        send(here, there, 1)
        flood.look()
        assert not is_open(here)


def test_connections_to_other_ports_are_left_alone() -> None:
    with pair() as (here, there):
        flood = Flood({1})
        send(here, there, 2 * UNFINISHED_BYTES)
        flood.look()
        assert is_open(here)


def test_a_handle_that_was_used_again_is_another_connection() -> None:
    with pair() as (here, there):
        handle = there.fileno()
        connection = connections.Connection(handle, -1)
        connection.cut()
        assert is_open(here)
        ((found, received, who),) = connections.connections({there.getsockname()[1]})
        assert (found.handle, received) == (handle, 0)
        assert who == f"127.0.0.1:{here.getsockname()[1]}"
        found.cut()
        assert not is_open(here)
