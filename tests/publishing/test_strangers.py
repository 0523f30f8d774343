"""What connects and is no subscriber: any bytes, half a greeting, many connections at once."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from linescan.publishing import Publisher, outlet, router, status
from tests.keyring import Keyring
from tests.publishing.asking import asking
from tests.publishing.sending import publish, publishing

MANY = 300
HANDSHAKE_MS = 300
SIGNATURE = b"\xff" + bytes(7) + b"\x01\x7f"
GREETING = SIGNATURE + b"\x03\x01NULL" + bytes(16) + bytes(32)
"""ZMTP 3.1's, 64 bytes."""
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"
SOCKETS = ("data", "control", "status")


@pytest.fixture(params=["clear", "keys"])
def publisher(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    for module in (outlet, router, status):
        monkeypatch.setattr(module, "HANDSHAKE_MS", HANDSHAKE_MS)
    gate = Keyring(tmp_path).gate() if request.param == "keys" else None
    with publishing(gate=gate) as publisher:
        yield publisher


def connect(publisher: Publisher, name: str) -> socket.socket:
    endpoint = publisher.endpoints[name]
    assert endpoint is not None
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    plain.settimeout(20)
    return plain


def is_cut(plain: socket.socket) -> bool:
    """Whether the publisher ends the connection."""
    try:
        while plain.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def is_well(publisher: Publisher) -> None:
    publish(publisher, 1)
    if publisher._gate is None:
        with asking(publisher.endpoints["control"]) as ask:
            assert ask.ask("ping")[0]["ok"] is True


@pytest.mark.parametrize("name", SOCKETS)
def test_any_bytes(publisher: Publisher, name: str) -> None:
    rng = random.Random(name)
    for number in range(200):
        beginning = (b"", SIGNATURE, GREETING, GREETING + READY)[number % 4]
        with connect(publisher, name) as plain, contextlib.suppress(ConnectionError):
            plain.sendall(beginning + rng.randbytes(rng.randrange(1, 2000)))
    is_well(publisher)


@pytest.mark.parametrize("name", SOCKETS)
@pytest.mark.parametrize("beginning", [b"", SIGNATURE[:3], SIGNATURE, GREETING[:40], GREETING])
def test_half_a_handshake_is_cut_off(publisher: Publisher, name: str, beginning: bytes) -> None:
    with connect(publisher, name) as plain:
        plain.sendall(beginning)
        assert is_cut(plain)
    is_well(publisher)


@pytest.mark.parametrize("name", SOCKETS)
@pytest.mark.parametrize("publisher", ["clear"], indirect=True)
def test_a_frame_that_is_too_long_is_cut_off_before_it_comes(
    publisher: Publisher, name: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with connect(publisher, name) as plain:
        kind = b"\x06DEALER" if name == "control" else b"\x03SUB"
        ready = b"\x05READY\x0bSocket-Type\x00\x00\x00" + kind
        plain.sendall(GREETING + b"\x04" + bytes([len(ready)]) + ready)
        plain.sendall(b"\x02" + struct.pack(">Q", 1 << 40))
        assert is_cut(plain)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    is_well(publisher)


@pytest.mark.parametrize("name", SOCKETS)
def test_many_connections_at_once(publisher: Publisher, name: str) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(MANY):
            plain = stack.enter_context(connect(publisher, name))
            plain.sendall((b"", SIGNATURE, GREETING)[number % 3])
        is_well(publisher)
    is_well(publisher)
