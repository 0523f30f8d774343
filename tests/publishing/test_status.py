"""The status socket, and what subscribers reported of themselves."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from linescan.protocol import Kind
from linescan.publishing import Publisher, Stream, desk, journalling
from linescan.publishing.reports import MOST_NAMES, MOST_STREAMS, Reports
from linescan.records import Interval
from tests.publishing.asking import asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish, publishing
from tests.waiting import PATIENCE_MS

EVENTS = Stream("e", "web-1", Kind.EVENT)


class Statuses:
    """What a subscriber to the status socket gets."""

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self._socket = socket

    def next(self) -> dict[str, Any]:
        topic, text = self._socket.recv_multipart()
        assert topic == b"linescan/1/web-1/status/"
        return dict(json.loads(text))

    def until(self, key: str, value: object) -> dict[str, Any]:
        """The first one in which a field is so; the test's time-out ends it."""
        while (status := self.next())[key] != value:
            pass
        return status


@contextlib.contextmanager
def statuses(publisher: Publisher) -> Iterator[Statuses]:
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.rcvtimeo = PATIENCE_MS
    socket.subscribe(b"linescan/1/web-1/status/")
    socket.connect(publisher.endpoints["status"] or "")
    yield Statuses(socket)
    context.destroy(linger=0)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PERIOD_S", 0.1)
    monkeypatch.setattr(journalling, "AGAIN_S", 0.1)


@pytest.fixture
def publisher(journal: MemoryJournal) -> Iterator[Publisher]:
    with publishing(journal=journal, linger_s=2) as publisher:
        yield publisher


def test_what_it_says(publisher: Publisher) -> None:
    with statuses(publisher) as status, asking(publisher.endpoints["control"]) as ask:
        mine = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
        publish(publisher, 5)
        ask.ask("ack", name="qc", **mine, seq=4)
        ask.ask("gaps", name="qc", **mine, runs=[[1, 2], [5, 1]])
        ask.ask("gaps", name="qc", **mine, runs=[[2, 2]])
        publish(publisher, 2, first=5)  # last: the status that tells of it tells of all
        found = status.until("event", {"last": 6, "durable": 6, "oldest": 0})
        assert (found["schema"], found["version"], found["type"]) == ("linescan", 1, "status")
        assert (found["epoch"], found["camera"]) == (publisher.epoch, "web-1")
        assert int(found["time_ns"]) > 0
        assert found["inspection"] == {"last": None, "durable": None, "oldest": None}
        (subscriber,) = found["subscribers"]
        assert subscriber["name"] == "qc"
        assert subscriber["acknowledged"] == [{**mine, "seq": 4}]
        assert subscriber["gaps"] == {"inspection": 0, "event": 4}
        assert int(subscriber["last_seen_ns"]) > 0
        assert found["journal"] == {"state": "ok", "since_ns": None, "message": None, "missing": 0}
        assert (found["held_bytes"], found["no_room"], found["replays"]) == (0, 0, 0)
        assert found["endpoints"]["control"] == publisher.endpoints["control"]


def test_a_full_disk_is_an_alarm_and_publishing_goes_on(
    publisher: Publisher, journal: MemoryJournal
) -> None:
    with statuses(publisher) as status, asking(publisher.endpoints["control"]) as ask:
        publish(publisher, 3)
        journal.full = True
        messages = publish(publisher, 4, first=3)
        assert ask.ask("latest", camera="web-1", kind="event")[1] == messages[-1]
        (stream,) = publisher._published.last
        assert journal.missing == [(stream, seq) for seq in range(3, 7)]
        found = status.until("event", {"last": 6, "durable": 2, "oldest": 0})
        assert found["journal"]["state"] == "failing"
        assert found["journal"]["message"] == "the disk is full"
        assert found["journal"]["missing"] == 4
        assert int(found["journal"]["since_ns"]) > 0
        journal.full = False
        publish(publisher, 1, first=7)
        found = status.until("event", {"last": 7, "durable": 7, "oldest": 0})
        assert (found["journal"]["state"], found["journal"]["missing"]) == ("ok", 4)


def test_a_disk_that_cannot_sync_is_an_alarm(publisher: Publisher, journal: MemoryJournal) -> None:
    with statuses(publisher) as status:
        publish(publisher, 2)
        status.until("event", {"last": 1, "durable": 1, "oldest": 0})
        journal.failing_sync = True
        publish(publisher, 2, first=2)
        found = status.until("event", {"last": 3, "durable": 1, "oldest": 0})
        while found["journal"]["state"] == "ok":
            found = status.next()
        assert found["journal"]["message"] == "input/output error"
        journal.failing_sync = False
        status.until("event", {"last": 3, "durable": 3, "oldest": 0})


def test_a_quiet_journal_is_synced_too(
    publisher: Publisher, journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention by age needs no messages."""
    monkeypatch.setattr(journalling, "IDLE_S", 0.01)
    publish(publisher, 1)  # its thread may be waiting for as long as before
    before = journal.synced
    deadline = time.monotonic() + 60
    while journal.synced < before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_journal_or_control_socket() -> None:
    with publishing(control=None) as publisher, statuses(publisher) as status:
        publish(publisher, 2)
        found = status.until("event", {"last": 1, "durable": None, "oldest": None})
        assert found["journal"] == {"state": "off"}
        assert found["endpoints"] == {"control": None, "status": publisher.endpoints["status"]}


def test_the_last_numbers_are_told_at_the_end(publisher: Publisher) -> None:
    with statuses(publisher) as status:
        status.next()
        publish(publisher, 5)
        publisher.close()
        while status.next()["event"]["last"] != 4:
            pass


def test_the_table_of_names_is_bounded() -> None:
    reports = Reports()
    for number in range(2 * MOST_NAMES):
        reports.seen(f"n{number}")
        reports.seen("n0")
    names = [entry["name"] for entry in reports.to_json()]
    assert len(names) == len(reports) == MOST_NAMES
    assert "n0" in names
    assert "n1" not in names


def test_what_is_remembered_of_a_name_is_bounded_and_still_counted() -> None:
    reports = Reports()
    for number in range(3 * MOST_STREAMS):
        stream = Stream(f"e{number}", "web-1", Kind.EVENT)
        reports.acknowledge("qc", stream, number)
        reports.miss("qc", stream, [Interval(3, 2)])
    for number in range(5000):
        reports.miss("qc", Stream("e", "web-1", Kind.INSPECTION), [Interval(2 * number, 1)])
    (entry,) = reports.to_json()
    assert len(entry["acknowledged"]) == MOST_STREAMS
    assert entry["gaps"] == {"inspection": 5000, "event": 2 * 3 * MOST_STREAMS}
    report = reports.seen("qc")
    assert len(report.missed) <= MOST_STREAMS
    assert sum(len(runs) for runs in report.missed.values()) < 2000


def test_whoever_has_not_acknowledged_the_last_is_behind() -> None:
    reports = Reports()
    last = {EVENTS: 5, Stream("e", "web-1", Kind.INSPECTION): 9}
    assert reports.behind(last, 60) == []
    reports.seen("new")
    reports.acknowledge("events", EVENTS, 5)
    reports.acknowledge("slow", EVENTS, 4)
    assert reports.behind(last, 60) == ["new", "slow"]
    assert reports.behind(last, -1) == []
