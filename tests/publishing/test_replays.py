"""Replays: credit, limits, subscribers that stop or leave, and the memory they may cost."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import pytest

from linescan.errors import JournalError
from linescan.protocol import Kind
from linescan.publishing import Publisher, Stream, desk, replays
from linescan.publishing.clerk import MOST_JOBS
from linescan.publishing.publisher import REPLAY_SHARE
from linescan.publishing.replays import MOST, MOST_EXPIRED, MOST_OF_A_PEER
from tests.publishing.asking import Asking, asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish, publishing
from tests.waiting import wait_until

MB = 1 << 20
MEMORY_MB = 64
SHARE = MEMORY_MB * MB // REPLAY_SHARE


@pytest.fixture
def publisher(journal: MemoryJournal) -> Iterator[Publisher]:
    with publishing(
        journal=journal, status=None, memory_mb=MEMORY_MB, message_bytes=MB
    ) as publisher:
        yield publisher


def running(publisher: Publisher) -> int:
    control = publisher._desk._control
    assert control is not None
    return control.replays_running


def whole(publisher: Publisher, last: int = 9, credit: int = 4) -> dict[str, Any]:
    stream = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
    return {**stream, "first": 0, "last": last, "credit": credit}


def take(ask: Asking, id_: str) -> tuple[dict[int, list[bytes]], list[list[int]]]:
    """A replay to its end, one credit for each message."""
    got: dict[int, list[bytes]] = {}
    while True:
        reply, frames = ask.receive()
        assert reply["ok"], reply
        assert reply["id"] == id_
        if not reply["more"]:
            return got, reply["expired"]
        got[reply["seq"]] = frames
        ask.send("credit", id=id_, n=1)


@pytest.mark.parametrize("size", [0, 100_000, 3 * MB])
def test_messages_come_as_they_were_published(publisher: Publisher, ask: Asking, size: int) -> None:
    messages = publish(publisher, 20, size=size)
    got, expired = take(ask, ask.send("replay", **whole(publisher, 19)))
    assert list(got.items()) == list(enumerate(messages))
    assert expired == []


def test_what_is_not_to_be_had_is_said(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    publish(publisher, 10)
    stream = next(iter(journal._kept))
    journal.drop(stream, range(3))
    journal.drop(stream, range(5, 7))
    got, expired = take(ask, ask.send("replay", **whole(publisher, 14)))
    assert list(got) == [3, 4, 7, 8, 9]
    assert expired == [[0, 3], [5, 2], [10, 5]]
    got, expired = take(ask, ask.send("replay", **{**whole(publisher), "epoch": "none"}))
    assert (got, expired) == ({}, [[0, 10]])


def test_runs_that_are_not_to_be_had_are_bounded(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    publish(publisher, 1)
    stream = Stream(publisher.epoch, "web-1", Kind.EVENT)
    last = 2 * MOST_EXPIRED + 9
    for seq in range(2, last + 1, 2):
        journal.append(stream, seq, 1, [b"t", b"{}"])
    got, expired = take(ask, ask.send("replay", **whole(publisher, last, credit=16)))
    assert list(got) == list(range(0, last + 1, 2))
    assert len(expired) == MOST_EXPIRED
    covered = {seq for first, count in expired for seq in range(first, first + count)}
    assert covered >= set(range(1, last + 1, 2))


def test_a_cancelled_replay_gives_back_what_it_held(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    publish(publisher, 10)
    id_ = ask.send("replay", **whole(publisher, credit=1))
    assert ask.receive()[0]["seq"] == 0
    assert ask.ask("cancel", id=id_)[0]["ok"]
    ask.send("credit", id=id_, n=5)
    assert ask.ask("ping")[0]["ok"]  # and nothing before it
    wait_until(lambda: journal.open_reads == 0)
    assert running(publisher) == 0


def test_a_replay_cancelled_while_it_is_read_ends(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    publish(publisher, 10)
    journal.slow.clear()
    id_ = ask.send("replay", **whole(publisher))
    wait_until(lambda: journal.open_reads == 1)
    assert ask.ask("cancel", id=id_)[0]["ok"]
    journal.slow.set()
    wait_until(lambda: journal.open_reads == 0)
    assert ask.ask("ping")[0]["ok"]  # and nothing before it


def test_cancelling_what_a_slow_journal_reads_leaves_no_endless_queue(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    publish(publisher, 10)
    journal.slow.clear()
    codes = []
    for _ in range(3 * MOST_JOBS):
        id_ = ask.send("replay", **whole(publisher))
        ask.send("cancel", id=id_)
        reply, _ = ask.receive()
        if reply["reply"] == "replay":
            codes.append(reply["error"]["code"])
            reply, _ = ask.receive()
        assert (reply["reply"], reply["id"]) == ("cancel", id_)
    assert set(codes) == {"busy"}
    assert publisher._desk._clerk.under_way <= MOST_JOBS + 1
    journal.slow.set()
    wait_until(lambda: publisher._desk._clerk.under_way == 0)
    assert (journal.open_reads, running(publisher)) == (0, 0)


def test_replays_are_bounded_for_each_connection(publisher: Publisher, ask: Asking) -> None:
    publish(publisher, 10)
    for _ in range(MOST_OF_A_PEER):
        ask.send("replay", **whole(publisher, credit=1))
        assert ask.receive()[0]["seq"] == 0
    assert ask.refused("replay", **whole(publisher)) == "busy"


def occupy(publisher: Publisher, stack: contextlib.ExitStack) -> list[Asking]:
    """As many replays as may run, each without credit; gives their connections."""
    clients = []
    for number in range(MOST):
        if number % MOST_OF_A_PEER == 0:
            clients.append(stack.enter_context(asking(publisher.endpoints["control"])))
        clients[-1].send("replay", **whole(publisher, credit=1))
        assert clients[-1].receive()[0]["seq"] == 0
    assert running(publisher) == MOST
    return clients


def test_replays_are_bounded_in_all(
    publisher: Publisher, ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "STALLED_S", math.inf)  # however long it takes to begin them
    publish(publisher, 10)
    with contextlib.ExitStack() as stack:
        occupy(publisher, stack)
        assert ask.refused("replay", **whole(publisher)) == "busy"
        assert running(publisher) == MOST


def test_whoever_waits_longest_without_credit_makes_room(
    publisher: Publisher,
    journal: MemoryJournal,
    ask: Asking,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replays, "STALLED_S", 0.0)
    messages = publish(publisher, 10)
    with contextlib.ExitStack() as stack:
        clients = occupy(publisher, stack)
        got, _ = take(ask, ask.send("replay", **whole(publisher)))
        assert list(got.values()) == messages
        assert clients[0].receive()[0]["error"]["code"] == "stalled"
        wait_until(lambda: journal.open_reads == MOST - 1)


def test_connections_that_vanished_do_not_leak(
    publisher: Publisher, journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "STALLED_S", 0.0)
    monkeypatch.setattr(desk, "PERIOD_S", 0.1)
    messages = publish(publisher, 10)
    for _ in range(2 * MOST):
        with asking(publisher.endpoints["control"]) as client:
            client.send("replay", **whole(publisher, credit=1))
            assert client.receive()[0]["seq"] == 0
    with asking(publisher.endpoints["control"]) as client:
        got, _ = take(client, client.send("replay", **whole(publisher)))
        assert list(got.values()) == messages
    monkeypatch.setattr(replays, "ABANDONED_S", 0.0)
    wait_until(lambda: running(publisher) == 0 and journal.open_reads == 0)


def test_a_subscriber_that_stops_costs_bounded_memory_and_holds_nobody_up(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    """It has credit and does not read: its share is used up, others and the data go on."""
    messages = publish(publisher, 60, size=2 * MB)
    with asking(publisher.endpoints["control"], rcvhwm=1, rcvbuf=4096) as stopped:
        for _ in range(MOST_OF_A_PEER):
            stopped.send("replay", **whole(publisher, 59, credit=16))
        wait_until(lambda: publisher._desk.held_bytes > SHARE // 4)
        got, _ = take(ask, ask.send("replay", **whole(publisher, 59, credit=2)))
        assert list(got.values()) == messages
        assert publisher._desk.held_bytes <= SHARE
        publish(publisher, 10, first=60, size=2 * MB)  # ends: nobody waits
        assert publisher.held_bytes + publisher._desk.held_bytes <= MEMORY_MB * MB
        assert journal.read_count < 60 + SHARE // (2 * MB) + MOST
    wait_until(lambda: publisher._desk.held_bytes == 0)


def test_replays_of_messages_larger_than_expected_leave_room_for_others(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    """Nobody knows the size of the first message of a replay before it is read."""
    messages = publish(publisher, 4, size=6 * MB)
    with asking(publisher.endpoints["control"], rcvhwm=1, rcvbuf=4096) as stopped:
        for _ in range(MOST_OF_A_PEER):
            stopped.send("replay", **whole(publisher, 3))
        wait_until(lambda: journal.read_count >= MOST_OF_A_PEER)
        got, _ = take(ask, ask.send("replay", **whole(publisher, 3, credit=1)))
        assert list(got.values()) == messages
        assert publisher._desk.held_bytes <= SHARE


def test_a_slow_journal_does_not_hold_up_what_is_published(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    messages = publish(publisher, 5)
    journal.slow.clear()
    id_ = ask.send("replay", **whole(publisher, 4))
    wait_until(lambda: journal.open_reads == 1)
    messages += publish(publisher, 5, first=5)
    assert ask.ask("latest", camera="web-1", kind="event")[1] == messages[-1]
    journal.slow.set()
    got, _ = take(ask, id_)
    assert list(got.values()) == messages[:5]


def test_a_journal_that_cannot_be_read_is_an_error_reply(
    publisher: Publisher,
    journal: MemoryJournal,
    ask: Asking,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(publisher, 5)

    def fail(*_: object) -> None:
        raise JournalError("the disk is broken")

    monkeypatch.setattr(journal, "read", fail)
    assert ask.refused("replay", **whole(publisher)) == "journal_failed"
    monkeypatch.setattr(journal, "epochs", fail)
    monkeypatch.setattr(journal, "acknowledge", fail)
    mine = {key: whole(publisher)[key] for key in ("camera", "kind", "epoch")}
    assert ask.ask("ping")[0]["ok"]
    assert ask.ask("gaps", name="qc", **mine, runs=[[0, 1]])[0]["ok"]
    assert running(publisher) == 0
