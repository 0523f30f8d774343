"""The last stage: numbers, messages and the fate of lines."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from linescan.client import Subscriber
from linescan.config import PublishSection
from linescan.errors import LinescanError, ProtocolError, PublishError
from linescan.ledger import Ledger
from linescan.protocol import (
    DERIVED,
    CompletedEvent,
    EndEvent,
    InspectionMessage,
    Kind,
    LossEvent,
    Message,
    StartEvent,
)
from linescan.publishing import Deliver, Numbers, Outgoing, Publish
from linescan.records import Cause, Completed, Inspection, Interval, Loss
from linescan.whole import WholeObject
from tests.protocol.samples import inspection
from tests.publishing.runs import Items, Run, bare, runs
from tests.waiting import PATIENCE_S

FREE = PublishSection(data="tcp://127.0.0.1:*", linger_s=1)


def feed(stage: Publish | Deliver, items: Items) -> list[Any]:
    """Run items through as the pipeline does: what fails becomes a loss."""
    given: list[Any] = []
    for item in items:
        try:
            given += stage.skip(item) if isinstance(item, Loss) else stage.process(item)
        except LinescanError:
            for lines in item.lines():
                given += stage.skip(Loss(lines.first, lines.count, stage.failure))
    given += stage.finish()
    return given


def check(run: Run, ledger: Ledger) -> None:
    published, lost = run.fates()
    totals = ledger.totals()
    assert totals.balanced
    assert totals.published == published
    assert totals.lost == lost


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def stage(ledger: Ledger) -> Iterator[Publish]:
    stage = Publish(FREE, "web-1", ledger, {"frame": {"lines": 64}})
    stage.setup()
    stage.publisher.flush(PATIENCE_S)
    yield stage
    stage.teardown()


def received(
    stage: Publish, items: Items, kinds: Iterable[str] = ("inspection", "event")
) -> list[Message]:
    """What a subscriber gets that was there from the first item on."""
    stage.publisher.flush(PATIENCE_S)  # with ``start``, what is missing of the first would be known
    with Subscriber(
        stage.publisher.endpoint, kinds, camera="web-1", timeout_s=PATIENCE_S
    ) as results:
        stage.publisher.wait_for_subscribers(1, PATIENCE_S)
        feed(stage, items)
        messages = list(results)
        assert not results.missed
        assert not results.malformed
        return messages


@hypothesis_settings(deadline=None)
@given(runs())
def test_deliver_gives_each_line_its_fate(run: Run) -> None:
    ledger = run.ledger()
    assert feed(Deliver(ledger), run.items) == list(run.items)
    check(run, ledger)


@hypothesis_settings(deadline=None)
@given(runs())
def test_publish_gives_each_line_its_fate(run: Run) -> None:
    ledger = run.ledger()
    stage = Publish(FREE.model_copy(update={"linger_s": 0.0}), "web-1", ledger)
    stage.setup()
    try:
        assert feed(stage, run.items) == list(run.items)
    finally:
        stage.teardown()
    check(run, ledger)


def test_what_a_stage_ate_is_found(stage: Publish, ledger: Ledger) -> None:
    ledger.capture([Interval(0, 192)])
    messages = received(stage, [inspection(0), inspection(128)])
    end = messages[-1]
    assert isinstance(end, EndEvent)
    assert not end.totals.balanced
    assert end.totals.unaccounted == 64
    assert list(ledger.open_lines()) == [Interval(64, 64)]


def test_messages_of_a_run(ledger: Ledger, tmp_path: Path) -> None:
    section = FREE.model_copy(update={"wait_for_subscribers": 1, "data": f"ipc://{tmp_path}/s"})
    settings = {"frame": {"lines": 64}}
    stage = Publish(section, "web-1", ledger, settings)
    stage.end_reason = lambda: "stopped by SIGTERM"
    ledger.capture([Interval(0, 202)])
    items: list[Inspection | Loss] = [
        inspection(0),
        inspection(56, overlap=8),
        Loss(120, 10, Cause.CAMERA_GAP, estimated=True),
        Loss(130, 0, Cause.SHUTDOWN),
        inspection(130, rows=72),
    ]
    with Subscriber(
        section.data, ("inspection", "event"), camera="web-1", timeout_s=PATIENCE_S
    ) as results:
        stage.setup()
        feed(stage, items)
        stage.teardown()
        start, first, second, loss, third, end = list(results)
    assert isinstance(start, StartEvent)
    assert start.settings == settings
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    assert start.settings_sha256 == digest
    assert start.software.startswith("linescan ")
    assert isinstance(second, InspectionMessage)
    assert second.overlap == 8
    assert [m.seq for m in (first, second, third)] == [0, 1, 2]
    assert [m.seq for m in (start, loss, end)] == [0, 1, 2]
    assert isinstance(loss, LossEvent)
    assert (loss.lines(), loss.cause) == (items[2].lines(), "camera_gap")
    assert isinstance(end, EndEvent)
    assert (end.reason, end.last_seq) == ("stopped by SIGTERM", 2)
    totals = end.totals
    assert (totals.captured, totals.published, totals.lost) == (202, 192, {"camera_gap": 10})
    assert totals.estimated == 10
    assert totals.balanced


def test_a_run_without_frames_has_a_start_and_an_end(stage: Publish) -> None:
    messages = received(stage, [])
    assert len(messages) == 1  # the start was before
    assert isinstance(messages[0], EndEvent)
    assert messages[0].last_seq is None


def test_derived_kinds_are_made_while_somebody_subscribes(
    stage: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[bytes]] = []
    send = stage.publisher.send

    def spy(outgoing: Outgoing) -> None:
        made.append([bytes(message[0]) for message in outgoing.messages])
        send(outgoing)

    monkeypatch.setattr(stage.publisher, "send", spy)
    feed(stage, [inspection(0)])
    assert [len(topics) for topics in made] == [1, 1]
    made.clear()
    kinds = [str(kind) for kind in DERIVED]
    messages = received(stage, [inspection(64)], kinds)
    assert {m.kind for m in messages} == set(kinds)
    assert {m.seq for m in messages} == {1}
    assert [len(topics) for topics in made] == [1 + len(DERIVED), 1]


WITHOUT_DEPTH = {"inspection", "inspection.blosc", "image"}


def completes(first: int, track: int) -> Inspection:
    item = inspection(first)
    assert item.segmentation is not None
    found = WholeObject(track, first, 1, 0, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    return dataclasses.replace(
        item, segmentation=dataclasses.replace(item.segmentation, completed=(found,))
    )


def tracks(messages: Iterable[Message]) -> list[int]:
    """Of what is complete, in the order of arrival."""
    return [
        found.track
        for message in messages
        if isinstance(message, InspectionMessage | CompletedEvent)
        for found in message.completed
    ]


def test_objects_that_complete_without_a_frame_come_before_the_end(stage: Publish) -> None:
    last = completes(64, 2).segmentation
    assert last is not None
    with Subscriber(
        stage.publisher.endpoint, ["inspection", "event"], camera="web-1", timeout_s=10
    ) as results:
        stage.publisher.wait_for_subscribers(1, 10)
        list(stage.process(completes(0, 1)))
        left = Completed(last.completed, "relative")
        assert list(stage.hand_on(left)) == [left]
        list(stage.finish())
        messages = list(results)
    assert tracks(messages) == [1, 2]
    event = messages[-2]
    assert isinstance(event, CompletedEvent)
    assert (event.unit, event.seq, event.kind) == ("relative", 1, Kind.EVENT)
    assert isinstance(messages[-1], EndEvent)


def test_objects_of_an_inspection_that_has_no_room_follow_by_an_event(ledger: Ledger) -> None:
    """Its lines are lost; what it completed, which no other message will say again, is not."""
    large = completes(0, 1)
    assert large.depth is not None
    assert large.segmentation is not None
    size = (1500, 1000)  # 9 MB with labels, and memory for 8
    large = dataclasses.replace(
        large,
        depth=dataclasses.replace(
            large.depth, values=np.zeros(size, np.float32), valid=np.ones(size[0], np.bool_)
        ),
        segmentation=dataclasses.replace(large.segmentation, labels=np.zeros(size, np.uint16)),
    )
    section = PublishSection(data="tcp://127.0.0.1:*", linger_s=1, memory_mb=8)
    stage = Publish(section, "web-1", ledger, message_bytes=1 << 16)
    stage.setup()
    try:
        ledger.capture(large.lines())
        messages = received(stage, [large, completes(64, 2)])
    finally:
        stage.teardown()
    assert sorted(tracks(messages)) == [1, 2]
    assert [m.type for m in messages if isinstance(m, CompletedEvent)] == ["completed"]


@pytest.mark.parametrize(
    ("item", "kinds"),
    [
        (inspection(with_depth=False), WITHOUT_DEPTH),
        (inspection(with_labels=False), WITHOUT_DEPTH | {"depth.f32", "depth.u16"}),
    ],
)
def test_what_is_switched_off_is_not_sent(
    stage: Publish, item: Inspection, kinds: set[str]
) -> None:
    messages = received(stage, [item], set(Kind) - {Kind.EVENT})
    assert {str(m.kind) for m in messages} == kinds


def test_a_frame_that_cannot_be_written_down_is_lost_alone(stage: Publish, ledger: Ledger) -> None:
    good = inspection(0)
    bad = Inspection(inspection(64).frame, None, None, good.segmentation)
    ledger.capture([Interval(0, 192)])
    with pytest.raises(ProtocolError):
        list(stage.process(bad))
    messages = received(stage, [good, bad, inspection(128)])
    assert [(m.kind, m.seq) for m in messages] == [
        (Kind.INSPECTION, 0),
        (Kind.EVENT, 1),
        (Kind.INSPECTION, 1),
        (Kind.EVENT, 2),
    ]
    end = messages[-1]
    assert isinstance(end, EndEvent)
    assert end.totals.lost == {"publishing_failure": 64}
    assert end.totals.balanced


def test_a_derived_kind_that_cannot_be_written_down_is_missed_alone(
    stage: Publish, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    good = inspection(0)
    frame = dataclasses.replace(good.frame, pixels=good.frame.pixels[:-1])
    bad = dataclasses.replace(good, frame=frame)
    ledger.capture([Interval(0, 64)])
    messages = received(stage, [bad], ["inspection", "image", "mask"])
    assert {m.kind for m in messages} == {"inspection", "mask"}
    assert ledger.totals().published == 64
    assert ledger.totals().balanced
    assert stage.partial_failures == {"image": 1}
    assert "inspection 0 is published without its image: the frame has 63 rows" in caplog.text


def test_a_frame_counts_as_published_once_its_inspection_is_sent(
    stage: Publish, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the socket fails at what is derived from it."""
    unsendable: Any = ["text is not bytes"]
    encode = stage._encode
    monkeypatch.setattr(stage, "_encode", lambda *given: [*encode(*given), unsendable])
    ledger.capture([Interval(0, 64)])
    list(stage.process(inspection(0)))
    with pytest.raises(PublishError):
        stage.publisher.flush(PATIENCE_S)
    assert ledger.totals().published == 64
    assert ledger.totals().balanced


def test_encoding_and_sending_are_timed(stage: Publish) -> None:
    feed(stage, [inspection(0), inspection(64)])
    steps = {name: latency.summary() for name, latency in stage.steps.items()}
    assert list(steps) == ["encode", "send"]
    assert steps["encode"]["count"] == 2
    assert steps["send"]["count"] == 2
    assert all(0 < row["p50_ms"] <= row["max_ms"] for row in steps.values())


def test_a_failed_publisher_loses_what_comes_and_hangs_nobody(
    stage: Publish, ledger: Ledger
) -> None:
    ledger.capture([Interval(0, 128)])
    unsendable: Any = ["text is not bytes"]
    stage.publisher.send(Outgoing([unsendable]))
    with pytest.raises(PublishError):
        stage.publisher.flush(PATIENCE_S)
    for item in (inspection(0), inspection(64)):
        with pytest.raises(PublishError):
            list(stage.process(item))
        with pytest.raises(PublishError):
            list(stage.skip(Loss(item.frame.first_line, 64, stage.failure)))
    with pytest.raises(PublishError):
        list(stage.finish())
    stage.teardown()
    assert ledger.totals().lost == {Cause.PUBLISHING_FAILURE: 128}
    assert ledger.totals().balanced


def test_set_up_fails_cleanly_where_the_port_is_taken(stage: Publish, ledger: Ledger) -> None:
    taken = PublishSection(data=stage.publisher.endpoint)
    with pytest.raises(PublishError, match="taken"):
        Publish(taken, "web-2", ledger).setup()


def test_set_up_fails_cleanly_where_nobody_comes(ledger: Ledger) -> None:
    section = FREE.model_copy(update={"wait_for_subscribers": 1, "wait_s": 0.1})
    stage = Publish(section, "web-1", ledger)
    with pytest.raises(PublishError, match="0 of 1 subscribers"):
        stage.setup()
    again = Publish(PublishSection(data=stage.publisher.endpoint), "web-1", ledger)
    again.setup()
    again.teardown()


def test_settings_must_be_plain_data(ledger: Ledger) -> None:
    with pytest.raises(PublishError, match="plain data"):
        Publish(FREE, "web-1", ledger, {"a": object()}).setup()


def test_numbers_go_on_after_a_snapshot(stage: Publish) -> None:
    feed(stage, [inspection(0), Loss(64, 1, Cause.CAMERA_GAP)])
    state = stage.snapshot()
    assert state == Numbers(inspection=1, event=3)
    feed(stage, [inspection(64)])
    assert state == Numbers(inspection=1, event=3)
    stage.restore(state)
    assert [(m.kind, m.seq) for m in received(stage, [inspection(128)])] == [
        (Kind.INSPECTION, 1),
        (Kind.EVENT, 3),
    ]


def test_rows_that_are_not_image_are_not_published(stage: Publish, ledger: Ledger) -> None:
    ledger.capture([Interval(10, 2)])
    messages = received(stage, [bare(10, [True, True, False, False])])
    assert isinstance(messages[0], InspectionMessage)
    assert messages[0].lines() == (Interval(10, 2),)
    assert ledger.totals().published == 2
    assert ledger.totals().balanced
