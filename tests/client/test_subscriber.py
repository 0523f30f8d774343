"""What the subscriber gives, counts and refuses."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import linescan
from linescan.client import Gap, Subscriber
from linescan.errors import SubscribeError
from linescan.ledger import Ledger
from linescan.protocol import (
    EndEvent,
    InspectionMessage,
    Kind,
    LossEvent,
    ObjectsMessage,
    Stamp,
    encode_loss,
    topic,
)
from linescan.publishing import Publish
from linescan.records import Cause, Interval, Loss
from tests.client.helpers import Raw, end_message, message, publish, seqs, subscribe
from tests.protocol.samples import header_of, inspection, with_header
from tests.waiting import PATIENCE_S


def test_is_a_public_name() -> None:
    assert linescan.Subscriber is Subscriber


def test_gives_inspections_until_the_end(stage: Publish, ledger: Ledger) -> None:
    ledger.capture([Interval(0, 131)])
    with subscribe(stage) as results:
        stage.publisher.wait_for_subscribers(1, PATIENCE_S)
        publish(stage, 0, 1)
        list(stage.skip(Loss(128, 3, Cause.CAMERA_GAP)))
        list(stage.finish())
        messages = list(results)
        assert seqs(messages) == [0, 1]
        assert all(isinstance(m, InspectionMessage) for m in messages)
        assert isinstance(results.end, EndEvent)
        assert results.end.totals.lost == {"camera_gap": 3}
        assert results.end.totals.balanced
        assert next(results, None) is None


def test_gives_events_where_they_are_asked_for(stage: Publish) -> None:
    with subscribe(stage, "event") as results:
        stage.publisher.wait_for_subscribers(1, PATIENCE_S)
        publish(stage, 0)
        list(stage.skip(Loss(64, 3, Cause.CAMERA_GAP)))
        list(stage.finish())
        loss, end = list(results)
        assert isinstance(loss, LossEvent)
        assert isinstance(end, EndEvent)


def test_who_comes_late_gets_the_rest_without_a_gap(stage: Publish) -> None:
    publish(stage, 0, 1)
    stage.publisher.flush(PATIENCE_S)
    with subscribe(stage) as results:
        stage.publisher.wait_for_subscribers(1, PATIENCE_S)
        publish(stage, 2, 3)
        list(stage.finish())
        assert seqs(list(results)) == [2, 3]
        assert not results.gaps
        assert results.start is None


def test_two_subscribers_with_different_kinds(stage: Publish) -> None:
    with subscribe(stage, "inspection") as a, subscribe(stage, "objects", "mask") as b:
        stage.publisher.wait_for_subscribers(2, PATIENCE_S)
        publish(stage, 0, 1)
        list(stage.finish())
        assert {m.kind for m in a} == {Kind.INSPECTION}
        got = list(b)
        assert sorted((m.kind, m.seq) for m in got) == [
            ("mask", 0), ("mask", 1), ("objects", 0), ("objects", 1),
        ]  # fmt: skip
        objects = [m for m in got if isinstance(m, ObjectsMessage)]
        segmentation = inspection(0).segmentation
        assert segmentation is not None
        assert list(objects[0].objects) == segmentation.objects


def test_reports_what_is_missing(raw: Raw, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Gap] = []
    with Subscriber(
        raw.endpoint, camera="web-1", timeout_s=PATIENCE_S, on_gap=heard.append
    ) as results:
        raw.wait_for_events()
        for seq in (4, 7, 8):
            raw.send(*message(seq))
        raw.send(*end_message(3, 9))
        assert seqs(list(results)) == [4, 7, 8]
        expected = [Gap("web-1", Kind.INSPECTION, "e", n, c) for n, c in ((5, 2), (9, 1))]
        assert list(results.gaps) == heard == expected
        assert results.missed == 3
    assert "2 missing, sequence numbers 5 to 6" in caplog.text


def test_gaps_are_kept_within_bounds(raw: Raw, caplog: pytest.LogCaptureFixture) -> None:
    with Subscriber(raw.endpoint, ["event"], camera="web-1", timeout_s=PATIENCE_S) as results:
        raw.wait_for_events()
        for n in range(1500):
            raw.send(*encode_loss(Loss(0, 1, Cause.SHUTDOWN), Stamp("web-1", "e", 2 * n, 1)))
            if n % 100 == 99:  # no faster than it is read
                for _ in range(100):
                    next(results)
        assert len(results.gaps) == 1000
        assert results.missed == 1499
    assert len(caplog.records) == 5 + 14


def test_malformed_messages_are_counted_and_skipped(
    raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    good = message(0)
    damaged = [*good[:2], bytes(len(good[2])), *good[3:]]
    short = [*good[:2], good[2][:-1], good[3]]
    liar = with_header(good, header_of(good) | {"line_count": "many"})
    junk = [topic("web-1", Kind.EVENT), b"\xff\x00"]
    with Subscriber(raw.endpoint, camera="web-1", timeout_s=PATIENCE_S) as results:
        raw.wait_for_events()
        for frames in (damaged, good, short, good[:1], junk, liar, message(1)):
            raw.send(*frames)
        raw.send(b"linescan/1/welcome/{nonsense")
        raw.send(*end_message(1, 1))
        assert seqs(list(results)) == [0, 1]
        assert results.malformed == 5
        assert not results.gaps
    assert "part 'depth' is damaged" in caplog.text
    assert "greeting ignored" in caplog.text


@pytest.mark.parametrize("damaged", [False, True])
def test_latest_skips_to_the_newest_but_never_over_events(
    raw: Raw, damaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DRAIN_S", "DRAIN_WAIT_S"):  # it reads on until the end
        monkeypatch.setattr(f"linescan.client.streaming.{name}", PATIENCE_S)
    kinds = ("inspection", "mask", "event")
    with Subscriber(
        raw.endpoint, kinds, camera="web-1", timeout_s=PATIENCE_S, mode="live"
    ) as results:
        raw.wait_for_events()
        for seq in range(20):
            raw.send(*message(seq))
            if seq != 11:
                raw.send(*message(seq, Kind.MASK))
            raw.send(*encode_loss(Loss(seq, 1, Cause.SHUTDOWN), Stamp("web-1", "e", seq, 1)))
        if damaged:
            frames = message(20)
            raw.send(*frames[:2], bytes(len(frames[2])), frames[3])
        raw.send(*end_message(20, 20 if damaged else 19))
        got = list(results)
        events = [m for m in got if m.kind is Kind.EVENT]
        assert seqs(events) == list(range(21))
        assert isinstance(events[-1], EndEvent)
        inspections = [m.seq for m in got if m.kind is Kind.INSPECTION]
        assert inspections == ([] if damaged else [19])
        assert results.malformed == damaged
        assert len(got) - len(events) + results.skipped + damaged == 39 + damaged
        assert [(gap.kind, gap.first_seq) for gap in results.gaps][:1] == [(Kind.MASK, 11)]


def test_the_newest_is_given_soon_where_messages_never_pause(
    raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a pause nor so many messages end the search: its time does."""
    monkeypatch.setattr("linescan.client.streaming.DRAIN", 1 << 60)
    monkeypatch.setattr("linescan.client.streaming.DRAIN_WAIT_S", PATIENCE_S)
    over = threading.Event()

    def send() -> None:
        seq = 0
        while not over.wait(0.0005):
            raw.send(*message(seq))
            seq += 1
        raw.send(*end_message(0, seq - 1))

    with Subscriber(raw.endpoint, camera="web-1", timeout_s=PATIENCE_S, mode="live") as results:
        raw.wait_for_events()
        sending = threading.Thread(target=send)
        sending.start()
        try:
            given = [next(results).seq for _ in range(5)]
        finally:
            over.set()
            sending.join()
    assert given == sorted(given)


@pytest.mark.parametrize(
    ("endpoint", "options", "complaint"),
    [
        ("nonsense", {}, "cannot subscribe to 'nonsense'"),
        ("tcp://127.0.0.1", {}, "for example tcp://127.0.0.1:5560"),
        ("tcp://127.0.0.1:5560", {"kinds": ["masks"]}, "unknown kind masks: choose from ins"),
        ("tcp://127.0.0.1:5560", {"kinds": []}, "no kinds"),
        ("tcp://127.0.0.1:5560", {"camera": "a/b"}, "camera name 'a/b'"),
    ],
)
def test_bad_input_says_what_to_do(endpoint: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SubscribeError, match=complaint):
        Subscriber(endpoint, **options)


def test_closed_is_the_end(stage: Publish) -> None:
    results = subscribe(stage)
    results.close()
    results.close()
    assert list(results) == []


def test_receiving_is_timed_for_what_was_asked_for(stage: Publish) -> None:
    with subscribe(stage) as results:
        stage.publisher.wait_for_subscribers(1, PATIENCE_S)
        publish(stage, 0, 1, 2)
        list(stage.finish())
        assert len(list(results)) == 3
        row = results.receiving.summary()
    assert row["count"] == 3
    assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["max_ms"]
