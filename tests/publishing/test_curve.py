"""CURVE on the three sockets: who gets in, who does not, and what is told of it."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from linescan.errors import PublishError
from linescan.keys import KeyPair, new_pair
from linescan.publishing import Gate, Publisher
from linescan.publishing.allowed import MOST_KEYS, Allowed
from linescan.publishing.outlet import Outlet
from tests.keyring import Keyring
from tests.publishing.asking import Asking
from tests.publishing.sending import FREE, publish, publishing
from tests.waiting import PATIENCE_MS, wait_until

REFUSED_MS = 700
PING = b'{"schema":"linescan","version":1,"request":"ping","id":"1"}'


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@pytest.fixture
def publisher(keyring: Keyring) -> Iterator[Publisher]:
    with publishing(gate=keyring.gate()) as publisher:
        yield publisher


class Client:
    """A plain client of the three sockets, with keys or without."""

    def __init__(self, publisher: Publisher, keyring: Keyring, own: KeyPair | None) -> None:
        self.context: zmq.Context[Any] = zmq.Context()
        if own is not None:
            keyring.equip(self.context, own)
        self.sockets: dict[str, zmq.Socket[Any]] = {}
        for name, kind in (("data", zmq.SUB), ("control", zmq.DEALER), ("status", zmq.SUB)):
            self.sockets[name] = sock = self.context.socket(kind)
            endpoint = publisher.endpoints[name]
            assert endpoint is not None
            if kind == zmq.SUB:
                sock.subscribe(b"")
            sock.connect(endpoint)
            if kind == zmq.DEALER:
                sock.send(PING)

    def hears(self, timeout_ms: int) -> set[str]:
        """The sockets that something comes from."""
        heard: set[str] = set()
        deadline = time.monotonic() + timeout_ms / 1000
        while len(heard) < len(self.sockets) and time.monotonic() < deadline:
            heard |= {name for name, sock in self.sockets.items() if sock.poll(20)}
        return heard


@pytest.fixture
def connect(publisher: Publisher, keyring: Keyring) -> Iterator[Callable[[KeyPair | None], Client]]:
    clients: list[Client] = []

    def make(own: KeyPair | None) -> Client:
        clients.append(Client(publisher, keyring, own))
        return clients[-1]

    yield make
    for client in clients:
        client.context.destroy(linger=0)


Connect = Callable[[KeyPair | None], Client]
ALL = {"data", "control", "status"}


def test_an_allowed_key_is_served_on_all_sockets(keyring: Keyring, connect: Connect) -> None:
    own = new_pair()
    keyring.allow("qc-1", own.public)
    assert connect(own).hears(PATIENCE_MS) == ALL


def test_a_key_acknowledges_under_its_own_names_alone(
    publisher: Publisher, keyring: Keyring, connect: Connect
) -> None:
    own, other = new_pair(), new_pair()
    keyring.allow("qc-1", own.public)
    keyring.allow("spare", own.public)
    keyring.allow("qc-2", other.public)
    publish(publisher, 3)
    mine: dict[str, Any] = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
    client = connect(own)
    assert client.hears(PATIENCE_MS) == ALL
    control = client.sockets["control"]
    control.recv()
    ask = Asking(control)
    for name in ("qc-1", "spare"):
        assert ask.ask("ack", name=name, **mine, seq=1)[0]["ok"]
        assert ask.ask("gaps", name=name, **mine, runs=[[0, 1]])[0]["ok"]
    reply, _ = ask.ask("ack", name="qc-2", **mine, seq=2)
    assert reply["error"]["code"] == "not_allowed"
    assert "but for qc-1, spare" in reply["error"]["message"]
    assert ask.refused("gaps", name="qc-2", **mine, runs=[[0, 1]]) == "not_allowed"
    assert ask.refused("positions", name="qc-2") == "not_allowed"
    assert ask.ask("positions")[0]["ok"]
    assert ask.ask("positions", name="qc-1")[0]["acknowledged"] == [{**mine, "seq": 1}]
    names = {entry["name"] for entry in publisher._desk._reports.to_json()}
    assert names == {"qc-1", "spare"}


def test_without_keys_nothing_is_to_be_had(connect: Connect) -> None:
    assert connect(None).hears(REFUSED_MS) == set()


def test_an_unknown_key_is_refused_counted_and_told(
    publisher: Publisher, keyring: Keyring, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    own, watcher = new_pair(), new_pair()
    assert connect(own).hears(REFUSED_MS) == set()
    wait_until(lambda: publisher._gate is not None and publisher._gate.refused == 3)
    assert f"keys allow --folder {keyring.allowed} --name NAME -- '{own.public.decode()}'" in (
        caplog.text
    )
    assert caplog.text.count(own.public.decode()) == 1, "told once, for three sockets"
    assert "a client from 127.0.0.1 is refused" in caplog.text
    for secret in (own.secret, keyring.server.secret):
        assert secret.decode() not in caplog.text
    keyring.allow("watcher", watcher.public)
    status = connect(watcher).sockets["status"]
    status.rcvtimeo = PATIENCE_MS
    assert json.loads(status.recv_multipart()[1])["refused"] == 3


def test_a_key_allowed_later_works_without_a_restart(keyring: Keyring, connect: Connect) -> None:
    own = new_pair()
    assert connect(own).hears(REFUSED_MS) == set()
    keyring.allow("qc-1", own.public)
    assert connect(own).hears(PATIENCE_MS) == ALL


def test_a_removed_key_lives_on_until_its_connection_ends(
    keyring: Keyring, connect: Connect
) -> None:
    own = new_pair()
    keyring.allow("qc-1", own.public)
    first = connect(own)
    assert first.hears(PATIENCE_MS) == ALL
    (keyring.allowed / "qc-1.key").unlink()
    assert connect(own).hears(REFUSED_MS) == set()
    control = first.sockets["control"]
    control.recv()
    control.send(PING)
    assert control.poll(PATIENCE_MS)


def test_after_all_were_cut_off_keys_are_wanted_as_before(
    publisher: Publisher, keyring: Keyring, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data socket is then a new one."""
    cut: list[bool] = []
    room = Outlet._has_room

    def has_room(outlet: Outlet, size: int) -> bool:
        if not cut:
            cut.append(True)
            outlet._cut_off()
        return room(outlet, size)

    monkeypatch.setattr(Outlet, "_has_room", has_room)
    publish(publisher, 1)
    assert cut
    own = new_pair()
    keyring.allow("qc-1", own.public)
    assert connect(None).hears(REFUSED_MS) == set()
    assert connect(own).hears(PATIENCE_MS) == ALL


def test_a_key_that_was_exchanged_in_its_file(keyring: Keyring) -> None:
    allowed = Allowed(keyring.allowed)
    old, new = new_pair().public, new_pair().public
    keyring.allow("qc-1", old)
    assert set(allowed.names_of(old)) == {"qc-1"}
    path = keyring.allowed / "qc-1.key"
    path.write_text(path.read_text().replace(old.decode(), new.decode()))
    assert not allowed.names_of(old)
    assert set(allowed.names_of(new)) == {"qc-1"}


def test_what_cannot_be_read_allows_nobody(
    keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    allowed = Allowed(keyring.allowed)
    good = new_pair().public
    keyring.allow("good", good)
    (keyring.allowed / "bad.key").write_text("nonsense")
    (keyring.allowed / "secret.key").write_bytes(keyring.server_secret.read_bytes())
    assert set(allowed.names_of(good)) == {"good"}
    assert not allowed.names_of(keyring.server.public)
    assert "bad.key: no key file" in caplog.text
    shutil.rmtree(keyring.allowed)
    assert not allowed.names_of(good)
    assert not allowed.names_of(good)
    assert caplog.text.count("nobody is allowed") == 1


def test_the_allow_list_is_bounded(keyring: Keyring, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(MOST_KEYS):
        (keyring.allowed / f"a{number:05}.key").touch()
    last = new_pair().public
    keyring.allow("z", last)
    allowed = Allowed(keyring.allowed)
    assert not allowed.names_of(last)
    assert f"{MOST_KEYS + 1} keys: only the first {MOST_KEYS}" in caplog.text
    (keyring.allowed / "a00000.key").unlink()
    assert set(allowed.names_of(last)) == {"z"}


def test_refusals_are_not_told_for_ever(keyring: Keyring, caplog: pytest.LogCaptureFixture) -> None:
    from linescan.publishing.curve import REMEMBERED

    gate = keyring.gate()
    caplog.clear()
    for number in range(10 * REMEMBERED):
        key = number.to_bytes(32, "big")
        assert not gate._admit([b"1.0", b"1", b"linescan", b"1.2.3.4", b"", b"CURVE", key])
    assert gate.refused == 10 * REMEMBERED
    assert len(gate._by_key) <= REMEMBERED
    assert REMEMBERED <= len(caplog.records) < 1.2 * REMEMBERED


@pytest.mark.parametrize(
    "request_",
    [
        [],
        [b"1.0", b"1"],
        [b"2.0", b"1", b"linescan", b"a", b"", b"CURVE", bytes(32)],
        [b"1.0", b"1", b"linescan", b"a", b"", b"NULL", bytes(32)],
        [b"1.0", b"1", b"linescan", b"a", b"", b"CURVE", bytes(31)],
    ],
)
def test_questions_of_another_kind_are_answered_with_no(
    keyring: Keyring, request_: list[bytes]
) -> None:
    assert keyring.gate()._admit(request_) == b""


def test_a_port_that_is_taken_is_named_and_nothing_stays_behind(
    publisher: Publisher, keyring: Keyring
) -> None:
    running = threading.active_count()
    with pytest.raises(PublishError, match="it is taken by another program"):
        Publisher(publisher.endpoint, ["web-1"], control=FREE, gate=keyring.gate()).start()
    wait_until(lambda: threading.active_count() == running, "the end of all threads")


def test_files_that_are_missing_or_wrong(keyring: Keyring, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"server_key: .*no such key file.*keys new"):
        Gate(tmp_path / "none", keyring.allowed)
    with pytest.raises(PublishError, match=r"server_key: .*holds a public key only"):
        Gate(keyring.server_public, keyring.allowed)
    with pytest.raises(PublishError, match=r"allow: .*cannot read this folder"):
        Gate(keyring.server_secret, tmp_path / "none")


def test_loose_folders_and_empty_ones_are_told(
    keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    keyring.allowed.chmod(0o777)
    keyring.gate()
    assert "others on this machine may add keys" in caplog.text
    assert "nobody can connect" in caplog.text
