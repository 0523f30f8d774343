"""What comes from the control and status sockets is checked before it is used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linescan.client.lanes import Stream
from linescan.client.replies import (
    MAX_REPLY_BYTES,
    Positions,
    Status,
    decode_positions,
    decode_reply,
    decode_runs,
    decode_status,
    encode_request,
)
from linescan.errors import ProtocolError
from linescan.protocol import Buffer, Kind

COMMON = {"schema": "linescan", "version": 1, "reply": "positions", "id": "1-1", "ok": True}
STREAM = {"camera": "web-1", "kind": "inspection", "oldest": 3, "last": 9, "durable": 8}
EPOCH = {"epoch": "e", "started_ns": "1", "current": True, "streams": [STREAM]}
STATUS = {"schema": "linescan", "version": 1, "camera": "web-1", "epoch": "e"}
TOPIC = b"linescan/1/web-1/status/"


def frame(**fields: Any) -> bytes:
    return json.dumps({**COMMON, **fields}).encode()


def positions(**fields: Any) -> Positions:
    return decode_positions(decode_reply([frame(**fields)]).fields)


def test_a_reply_with_the_frames_of_a_message() -> None:
    reply = decode_reply([b"", frame(reply="replay", seq=4), b"topic", b"header"])
    assert (reply.name, reply.id, reply.error) == ("replay", "1-1", None)
    assert list(reply.frames) == [b"topic", b"header"]


def test_a_refusal() -> None:
    refusal = frame(ok=False, error={"code": "busy", "message": "later"}, id=None)
    reply = decode_reply([refusal])
    assert (reply.id, reply.error, reply.text) == ("", "busy", "later")


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([], "without frames"),
        ([b""], "without frames"),
        ([b"\xff"], "not strict JSON"),
        ([b"[]"], "expected an object"),
        ([b" " * (MAX_REPLY_BYTES + 1)], "at most 4194304 are allowed"),
        ([frame(schema="other")], "reply.schema"),
        ([frame(version=2)], "reply.version"),
        ([frame(ok=1)], "reply.ok"),
        ([frame(ok=False)], "reply.error"),
        ([frame(id=7)], "reply.id"),
    ],
)
def test_no_replies(frames: list[Buffer], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode_reply(frames)


def test_positions() -> None:
    done = {"epoch": "d", "camera": "web-1", "kind": "event", "seq": 2}
    none = {**STREAM, "kind": "event", "oldest": None, "last": None}
    newer = {**STREAM, "kind": "hologram"}
    found = positions(epochs=[{**EPOCH, "streams": [STREAM, none, newer]}], acknowledged=[done])
    assert found.epochs[0].streams == {("web-1", Kind.INSPECTION): (3, 9)}
    assert found.acknowledged == {Stream("d", "web-1", Kind.EVENT): 2}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "epochs"),
        ({"epochs": [{**EPOCH, "current": None}]}, "current"),
        ({"epochs": [EPOCH, EPOCH]}, "an epoch twice"),
        ({"epochs": [{**EPOCH, "streams": [{**STREAM, "last": 2.5}]}]}, "last"),
        ({"epochs": [{**EPOCH, "streams": [{**STREAM, "camera": "a/b"}]}]}, "camera name"),
        ({"epochs": [], "acknowledged": [{"kind": "event"}]}, "epoch"),
    ],
)
def test_positions_that_are_none(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        positions(**fields)


def test_positions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linescan.client.replies.MAX_STREAMS", 3)
    with pytest.raises(ProtocolError, match="positions name 3 streams"):
        positions(epochs=[{**EPOCH, "streams": [STREAM] * 3}])


def test_runs_lie_within_what_was_asked_for() -> None:
    fields = decode_reply([frame(expired=[[3, 2], [7, 1]])]).fields
    assert decode_runs(fields, "expired", 3, 7) == [(3, 5), (7, 8)]
    assert decode_runs(fields, "missing", 3, 7) == []
    for first, last in ((4, 7), (3, 6)):
        with pytest.raises(ProtocolError, match="sorted, disjoint"):
            decode_runs(fields, "expired", first, last)


def test_status() -> None:
    last = {"inspection": {"last": 4, "durable": 4, "oldest": 0}, "event": {"last": None}}
    found = decode_status([TOPIC, json.dumps({**STATUS, **last}).encode()])
    assert found == Status("e", "web-1", {Kind.INSPECTION: 4, Kind.EVENT: -1})


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([TOPIC], "status of 1 frames"),
        ([TOPIC, b"{}"], "status.schema"),
        ([TOPIC.replace(b"1/w", b"1/v"), json.dumps(STATUS).encode()], "of the topic"),
        ([TOPIC, json.dumps({**STATUS, "event": {"last": "4"}}).encode()], "last"),
    ],
)
def test_no_status(frames: list[Buffer], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode_status(frames)


def test_requests_are_one_frame_of_json() -> None:
    assert json.loads(encode_request("ack", "1-2", seq=4)) == {
        "schema": "linescan", "version": 1, "request": "ack", "id": "1-2", "seq": 4,
    }  # fmt: skip
