"""Acknowledgements: of what was published, by whoever may; runs known by these alone."""

from __future__ import annotations

from typing import Any

import pytest

from linescan.protocol import Kind
from linescan.publishing import Publisher, Stream
from tests.publishing.asking import Asking, asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish, publishing

OLD = Stream("old", "web-1", Kind.EVENT)
PRUNED = Stream("older", "web-1", Kind.EVENT)


def stream(epoch: str, **wrong: str) -> dict[str, Any]:
    return {"camera": "web-1", "kind": "event", "epoch": epoch, **wrong}


def acknowledged(ask: Asking) -> list[dict[str, Any]]:
    reply, _ = ask.ask("positions", name="qc")
    return list(reply["acknowledged"])


@pytest.fixture(autouse=True)
def _earlier_runs(journal: MemoryJournal) -> None:
    """One of which the journal has the numbers 3 to 7, and one of which nothing is left."""
    for seq in range(3, 8):
        journal.append(OLD, seq, 5, [b"x"])
    journal.gone[PRUNED] = 9


def test_what_was_not_published_is_not_acknowledged(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    mine = stream(publisher.epoch)
    assert ask.refused("ack", name="qc", **mine, seq=0) == "bad_request"
    publish(publisher, 5)
    assert ask.refused("ack", name="qc", **mine, seq=5) == "bad_request"
    inspections = stream(publisher.epoch, kind="inspection")
    assert ask.refused("ack", name="qc", **inspections, seq=0) == "bad_request"
    elsewhere = stream(publisher.epoch, camera="web-2")
    assert ask.refused("ack", name="qc", **elsewhere, seq=0) == "unknown_stream"
    assert acknowledged(ask) == []
    assert not journal.acknowledged("qc")
    assert ask.ask("ack", name="qc", **mine, seq=4)[0]["ok"]
    assert acknowledged(ask) == [{**mine, "seq": 4}]


def test_runs_that_nobody_knows_are_not_acknowledged(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    assert ask.refused("ack", name="qc", **stream("none"), seq=0) == "unknown_stream"
    elsewhere = stream("old", camera="web-2")
    assert ask.refused("ack", name="qc", **elsewhere, seq=0) == "unknown_stream"
    assert not journal.acknowledged("qc")


def test_earlier_runs_are_acknowledged_as_far_as_they_are_known(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    """A crash may have cost the journal what a subscriber got."""
    assert ask.ask("ack", name="qc", **stream("old"), seq=5)[0]["ok"]
    assert journal.acknowledged("qc") == {OLD: 5}
    assert ask.ask("ack", name="qc", **stream("old"), seq=10**9)[0]["ok"]
    assert ask.ask("ack", name="qc", **stream("older"), seq=10**9)[0]["ok"]
    assert journal.acknowledged("qc") == {OLD: 7, PRUNED: 9}


def test_without_a_journal_earlier_runs_are_not_acknowledged() -> None:
    with publishing() as publisher, asking(publisher.endpoints["control"]) as ask:
        publish(publisher, 3)
        mine = stream(publisher.epoch)
        assert ask.refused("ack", name="qc", **mine, seq=3) == "bad_request"
        assert ask.refused("ack", name="qc", **stream("old"), seq=0) == "unknown_stream"
        assert acknowledged(ask) == []


def test_runs_of_which_nothing_is_left_are_named_before_the_others(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    half = Stream("old", "web-1", Kind.INSPECTION)
    journal.gone[half] = 4
    epochs = ask.ask("positions")[0]["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == ["older", "old", publisher.epoch]
    event = {"camera": "web-1", "kind": "event"}
    older, old, _ = epochs
    assert older["started_ns"] == "0"
    assert older["streams"] == [{**event, "oldest": None, "last": 9, "durable": 9}]
    assert old["streams"] == [
        {**event, "oldest": 3, "last": 7, "durable": 7},
        {"camera": "web-1", "kind": "inspection", "oldest": None, "last": 4, "durable": 4},
    ]
