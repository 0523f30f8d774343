"""The audit: proves whole runs, and finds every way in which one is not whole."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.client import StreamAudit, verify
from linescan.client.verify import AuditResult
from linescan.ledger import Ledger
from linescan.protocol import (
    Buffer,
    InspectionMessage,
    Kind,
    Message,
    Stamp,
    decode,
    encode,
    encode_end,
    encode_loss,
    encode_start,
)
from linescan.publishing import Deliver
from linescan.records import Cause, Inspection, Interval, Loss
from tests.publishing.runs import Items, Run, bare, runs


def wire(items: Items, ledger: Ledger, epoch: str = "e") -> list[list[Buffer]]:
    """The messages of a run, from a ledger that knows what was captured."""
    deliver = Deliver(ledger)
    numbers = {Kind.INSPECTION: 0, Kind.EVENT: 0}

    def stamp(kind: Kind) -> Stamp:
        numbers[kind] += 1
        return Stamp("web-1", epoch, numbers[kind] - 1, 1)

    start = encode_start(stamp(Kind.EVENT), software="s", settings={}, settings_sha256="")
    messages = [start]
    for item in items:
        if isinstance(item, Loss):
            list(deliver.skip(item))
            messages.append(encode_loss(item, stamp(Kind.EVENT)))
        else:
            list(deliver.process(item))
            message = encode(item, Kind.INSPECTION, stamp(Kind.INSPECTION))
            assert message is not None
            messages.append(message)
    last = numbers[Kind.INSPECTION] - 1
    end = encode_end(
        stamp(Kind.EVENT),
        totals=ledger.totals().to_json(),
        last_seq=last if last >= 0 else None,
        reason="finished",
    )
    return [*messages, end]


def audit(messages: list[list[Buffer]]) -> AuditResult:
    auditor = StreamAudit()
    for message in messages:
        auditor.feed(decode(message))
    return auditor.result()


def three_frames() -> Run:
    items: list[Inspection | Loss] = [
        bare(0, [True] * 10),
        Loss(10, 5, Cause.CAMERA_GAP),
        bare(15, [True] * 10),
        bare(21, [True] * 10, overlap=4),
    ]
    return Run((Interval(0, 31),), items)


@given(runs())
def test_a_whole_run_is_proven(run: Run) -> None:
    result = audit(wire(run.items, run.ledger()))
    published, lost = run.fates()
    assert result.findings == ()
    assert result.ok
    assert (result.published, result.lost) == (published, lost)
    assert result.totals is not None
    assert result.totals.captured == published + lost.total()


@settings(max_examples=200)
@given(runs(), st.data())
def test_a_run_of_which_any_message_is_missing_is_not(run: Run, data: st.DataObject) -> None:
    messages = wire(run.items, run.ledger())
    del messages[data.draw(st.integers(0, len(messages) - 1))]
    result = audit(messages)
    assert not result.ok
    assert result.findings


@given(runs(), st.data())
def test_a_run_in_which_a_stage_ate_lines_is_not(run: Run, data: st.DataObject) -> None:
    """Nothing is missing on the way, but what a stage swallowed never reached the last one."""
    frames = [item for item in run.items if item.lines()]
    if not frames:
        return
    eaten = data.draw(st.sampled_from(frames))
    items = [item for item in run.items if item is not eaten]
    rest = Run(run.captured, items)
    unaccounted = sum(run.fates()[1].values()) + run.fates()[0]
    unaccounted -= sum(rest.fates()[1].values()) + rest.fates()[0]
    result = audit(wire(items, run.ledger()))
    assert result.ok == (unaccounted == 0)
    if unaccounted:
        assert f"{unaccounted} have no fate" in result.findings[0]


def test_names_the_lines_behind_a_gap() -> None:
    run = three_frames()
    messages = wire(run.items, run.ledger())
    del messages[3]
    result = audit(messages)
    assert result.findings == (
        "web-1/inspection: 1 missing, sequence numbers 1: lines 10 to 24 may stand there",
        "the end event counts 26 published lines, 20 stand in the inspections that arrived"
        " (up to line 30)",
    )
    assert result.explain().startswith("NOT proven: 31 lines captured, 20 published in 2 insp")


def test_names_the_lines_that_were_eaten() -> None:
    run = three_frames()
    result = audit(wire([*run.items[:2], *run.items[3:]], run.ledger()))
    assert result.findings == (
        "the publisher's account does not balance: 31 captured, but 20 published and 5 lost;"
        " 6 have no fate, 0 were never captured; neither published nor reported lost:"
        " lines 15 to 20",
    )


def test_a_loss_that_did_not_arrive() -> None:
    run = three_frames()
    messages = wire(run.items, run.ledger())
    del messages[2]
    result = audit(messages)
    assert result.findings == (
        "web-1/event: 1 missing, sequence numbers 1: losses after line 30 may be missing",
        "the end event counts 5 lines lost by camera_gap, loss events that arrived name 0",
    )


def test_joined_late_and_never_ended() -> None:
    run = three_frames()
    result = audit(wire(run.items, run.ledger())[3:-1])
    assert result.findings == (
        "the stream was joined late: lines before 15 cannot be proven",
        "no end event came: lines after 30 cannot be proven",
    )
    assert result.totals is None
    assert audit([]).findings == ("nothing was received",)


def test_a_restart_without_an_end() -> None:
    run = three_frames()
    messages = wire(run.items, run.ledger())[:-1] + wire(run.items, run.ledger(), "f")
    result = audit(messages)
    assert result.findings[0] == "the publisher was restarted without an end event, after line 30"
    assert result.inspections == 3


def test_the_next_run_does_not_count() -> None:
    run = three_frames()
    messages = wire(run.items, run.ledger())
    assert audit(messages + wire(run.items[:1], run.ledger(), "f")).ok


def test_frames_that_go_backwards() -> None:
    run = three_frames()
    items = [run.items[2], run.items[0]]
    result = audit(wire(items, run.ledger()))
    assert "inspection 1 begins at line 0, before inspection 0 at line 15" in result.findings


def test_a_cause_of_a_newer_publisher() -> None:
    run = three_frames()
    messages = wire(run.items, run.ledger())
    for i in (2, -1):
        text = bytes(messages[i][1]).replace(b"camera_gap", b"cosmic_ray")
        messages[i] = [messages[i][0], text]
    result = audit(messages)
    assert result.ok
    assert result.lost == {"cosmic_ray": 5}


def test_a_publisher_that_does_not_tell_the_truth() -> None:
    run = three_frames()
    messages = wire(run.items, run.ledger())
    header = json.loads(bytes(messages[-1][1]))
    header["totals"] |= {"published": 27, "captured": 32}
    messages[-1] = [messages[-1][0], json.dumps(header).encode()]
    result = audit(messages)
    assert result.findings == (
        "the end event counts 27 published lines, 26 stand in the inspections that arrived"
        " (up to line 30)",
    )


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames between which lines were never captured, gap after gap, for ever."""
    monkeypatch.setattr(verify, "MOST_INTERVALS", 64)
    template = decode(wire([bare(0, [True])], Ledger())[1])
    assert isinstance(template, InspectionMessage)
    auditor = StreamAudit()
    for n in range(1000):
        stamp = replace(template.stamp, seq=3 * n)  # and each one after a gap
        auditor.feed(_moved(template, stamp, n * 10))
    assert len(auditor._seen) <= 64
    assert auditor._ledger._intervals() <= 10
    findings = auditor.result().findings
    assert len(findings) == verify.MOST_FINDINGS + 3
    assert "and 899 more of this kind" in findings


def _moved(template: InspectionMessage, stamp: Stamp, line: int) -> Message:
    return replace(template, stamp=stamp, first_line=line, valid=(Interval(line, 1),))


def test_one_inspection_of_a_frame() -> None:
    item: Inspection = bare(0, [True, False, True])
    ledger = Ledger()
    ledger.capture([Interval(0, 1), Interval(2, 1)])
    assert audit(wire([item], ledger)).explain() == (
        "proven: 2 lines captured, 2 published in 1 inspections, lost: none"
    )
