"""The control socket with real sockets: requests, replies, errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linescan.protocol import Kind, Stamp, encode_start
from linescan.publishing import Outgoing, Publisher
from linescan.publishing.store import Stream
from tests.publishing.asking import Asking, asking
from tests.publishing.journals import MemoryJournal

FREE = "tcp://127.0.0.1:*"


def publish(publisher: Publisher, count: int, first: int = 0) -> list[list[bytes]]:
    """Events, small and quick; gives them as they are published."""
    messages = []
    for seq in range(first, first + count):
        stamp = Stamp("web-1", publisher.epoch, seq, 1000 + seq)
        message = encode_start(stamp, software="s", settings={"n": seq}, settings_sha256="")
        publisher.send(Outgoing([message], stamp=stamp, kind=Kind.EVENT))
        messages.append([bytes(frame) for frame in message])
    publisher.flush(10)
    return messages


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def publisher(journal: MemoryJournal) -> Iterator[Publisher]:
    publisher = Publisher(
        FREE, ["web-1"], linger_s=0, control=FREE, status=FREE, journal=journal, sync_s=0.01
    )
    publisher.start()
    yield publisher
    publisher.close()


@pytest.fixture
def ask(publisher: Publisher) -> Iterator[Asking]:
    with asking(publisher.endpoints["control"]) as client:
        yield client


def test_ping(publisher: Publisher, ask: Asking) -> None:
    reply, frames = ask.ask("ping")
    assert reply["ok"] is True
    assert reply["epoch"] == publisher.epoch
    assert int(reply["time_ns"]) > 0
    assert not frames


def test_describe(publisher: Publisher, ask: Asking) -> None:
    reply, _ = ask.ask("describe")
    assert reply["epoch"] == publisher.epoch
    assert reply["cameras"] == ["web-1"]
    assert reply["kinds"] == [str(kind) for kind in Kind]
    assert reply["endpoints"] == publisher.endpoints
    assert reply["software"].startswith("linescan ")
    assert reply["journal"] is True
    assert reply["limits"]["credit"] == 16


def test_latest(publisher: Publisher, ask: Asking) -> None:
    assert ask.refused("latest", camera="web-1", kind="event") == "nothing_yet"
    messages = publish(publisher, 3)
    reply, frames = ask.ask("latest", camera="web-1", kind="event")
    assert (reply["ok"], reply["seq"], reply["epoch"]) == (True, 2, publisher.epoch)
    assert frames == messages[2]
    assert ask.refused("latest", camera="web-2", kind="event") == "unknown_stream"
    assert ask.refused("latest", camera="web-1", kind="mask") == "bad_request"


def test_replay_with_credit(publisher: Publisher, ask: Asking) -> None:
    messages = publish(publisher, 10)
    stream = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
    id_ = ask.send("replay", **stream, first=2, last=12, credit=2)
    got = []
    for seq in range(2, 10):
        reply, frames = ask.receive()
        assert (reply["reply"], reply["id"]) == ("replay", id_)
        assert (reply["ok"], reply["more"], reply["seq"]) == (True, True, seq)
        got.append(frames)
        if seq % 2:
            assert ask.quiet()
            ask.send("credit", id=id_, n=2)
    assert got == messages[2:]
    reply, frames = ask.receive()
    assert (reply["ok"], reply["more"], reply["expired"]) == (True, False, [[10, 3]])
    assert not frames


def test_positions(publisher: Publisher, journal: MemoryJournal, ask: Asking) -> None:
    journal.append(Stream("old", "web-1", Kind.EVENT), 7, 5, [b"x"])
    publish(publisher, 3)
    mine = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
    assert ask.ask("ack", name="qc", **mine, seq=1)[0]["ok"]
    reply, _ = ask.ask("positions", name="qc")
    old, current = reply["epochs"]
    assert (old["epoch"], old["started_ns"], old["current"]) == ("old", "5", False)
    event = {"camera": "web-1", "kind": "event"}
    assert old["streams"] == [{**event, "oldest": 7, "last": 7, "durable": 7}]
    assert (current["epoch"], current["current"]) == (publisher.epoch, True)
    (position,) = current["streams"]
    assert (position["oldest"], position["last"]) == (0, 2)
    assert reply["acknowledged"] == [{**mine, "seq": 1}]
    assert ask.ask("positions")[0]["acknowledged"] == []
