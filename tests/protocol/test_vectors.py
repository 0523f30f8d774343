"""The conformance vectors: made anew they are the same bytes, and they mean what is said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from linescan.client.replies import decode_positions, decode_reply, decode_runs, decode_status
from linescan.protocol import (
    WELCOME,
    CompletedEvent,
    DepthMessage,
    EventMessage,
    FrameMessage,
    ImageMessage,
    InspectionMessage,
    Kind,
    MaskMessage,
    Message,
    ObjectsMessage,
    decode,
    decode_welcome,
    parse_topic,
)
from linescan.protocol.schema import schema
from linescan.publishing.requests import Caller, check, parse, split
from linescan.records import WebObject
from linescan.whole import WholeObject
from scripts.make_protocol_vectors import vectors
from tests.protocol.vectors import DATA, FOLDER, VECTORS, Loaded, load

MADE = vectors()
SCHEMA = Draft202012Validator(schema())


def of(socket: str, prefix: str = "") -> list[Loaded]:
    return [v for v in VECTORS if v.truth["socket"] == socket and v.name.startswith(prefix)]


def test_are_small_and_complete() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
    assert {vector.name for vector in VECTORS} == set(MADE)
    assert {path.suffix for path in FOLDER.iterdir()} == {".frames", ".json"}
    assert {parse_topic(vector.frames[0])[1] for vector in DATA} == set(Kind)


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_made_anew_they_are_the_same(vector: Loaded) -> None:
    again = MADE[vector.name]
    assert [bytes(frame) for frame in again.frames] == vector.frames
    assert again.truth() == (FOLDER / f"{vector.name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_the_json_is_that_of_the_frames_and_fits_the_schema(vector: Loaded) -> None:
    assert vector.truth["frame_bytes"] == [len(frame) for frame in vector.frames]
    SCHEMA.validate(vector.truth["json"])


def arrays_of(message: Message) -> dict[str, Any]:
    if isinstance(message, InspectionMessage):
        arrays = {"depth": message.depth, "labels": message.labels}
        return {name: array for name, array in arrays.items() if array is not None}
    if isinstance(message, DepthMessage):
        return {"depth": message.depth}
    if isinstance(message, MaskMessage):
        return {"mask": message.mask}
    return {"image": message.image} if isinstance(message, ImageMessage) else {}


@pytest.mark.parametrize("vector", DATA, ids=str)
def test_messages_decode_to_the_truth(vector: Loaded) -> None:
    message = decode(vector.frames)
    truth = vector.truth["json"]
    assert message.header == truth
    assert (message.seq, message.epoch, message.camera) == tuple(
        truth[key] for key in ("seq", "epoch", "camera")
    )
    assert str(message.published_ns) == truth["published_ns"]
    arrays = arrays_of(message)
    assert set(arrays) == set(vector.truth["arrays"])
    for name, rows in vector.truth["arrays"].items():
        expected = np.array([[math.nan if v is None else v for v in row] for row in rows])
        np.testing.assert_array_equal(arrays[name], expected.astype(arrays[name].dtype))
    if isinstance(message, FrameMessage):
        check_frame(message, truth)
    else:
        assert isinstance(message, EventMessage)
        known = truth["type"] if truth["type"] != "newer" else None
        assert message.type == known
    if isinstance(message, CompletedEvent):
        assert message.unit == truth["unit"]
        assert [plain(found) for found in message.completed] == truth["completed"]


def check_frame(message: FrameMessage, truth: dict[str, Any]) -> None:
    assert [[run.first, run.count] for run in message.valid] == truth["valid"]
    assert [str(tick) for tick in message.encoder or ()] == truth["encoder"]
    assert {name: str(ns) for name, ns in message.stamps.items()} == truth["stamps"]
    if isinstance(message, InspectionMessage | ObjectsMessage):
        assert [plain(found) for found in message.objects] == [
            {"track": 0} | {key: value for key, value in found.items() if key != "newer"}
            for found in truth["objects"]
        ]
        assert [plain(found) for found in message.completed] == truth.get("completed", [])


def plain(found: WebObject | WholeObject) -> dict[str, Any]:
    values = {name: getattr(found, name) for name in type(found).__slots__}
    if isinstance(found, WholeObject):
        values |= {"cut": found.cut.names(), "merged": list(found.merged)}
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in values.items()
    }


def test_the_greeting() -> None:
    vector = load("welcome")
    welcome = decode_welcome(vector.frames)
    assert vector.frames[0].startswith(WELCOME)
    truth = vector.truth["json"]
    assert (welcome.epoch, list(welcome.cameras), welcome.software) == (
        truth["epoch"],
        truth["cameras"],
        truth["software"],
    )
    assert (welcome.control, welcome.status) == (truth["control"], truth["status"])


@pytest.mark.parametrize("vector", of("control", "request-"), ids=str)
def test_the_publisher_takes_the_requests(vector: Loaded) -> None:
    caller, frames = split([b"peer", *vector.frames], None)
    assert caller == Caller((b"peer", b"") if len(vector.frames) > 1 else (b"peer",))
    caller, fields = parse(caller, frames)
    check(fields)
    assert (caller.request, caller.id) == tuple(vector.truth["json"][k] for k in ("request", "id"))


@pytest.mark.parametrize("vector", of("control", "reply-"), ids=str)
def test_the_client_takes_the_replies(vector: Loaded) -> None:
    reply = decode_reply(vector.frames)
    truth = vector.truth["json"]
    assert (reply.name, reply.id) == (truth["reply"], truth["id"] or "")
    assert reply.error == truth.get("error", {}).get("code")
    follows = vector.truth["message"]
    assert list(reply.frames) == ([] if follows is None else load(follows).frames)
    if reply.name == "positions":
        positions = decode_positions(reply.fields)
        assert [entry.epoch for entry in positions.epochs] == [
            entry["epoch"] for entry in truth["epochs"]
        ]
        assert list(positions.acknowledged.values()) == [5]
    if "expired" in truth:
        assert decode_runs(reply.fields, "expired", 0, 9) == [(1, 3), (7, 10)]


def test_the_client_takes_the_status() -> None:
    vector = load("status")
    status = decode_status(vector.frames)
    assert (status.epoch, status.camera) == (vector.truth["json"]["epoch"], "web-1")
    assert status.last == {Kind.INSPECTION: 6, Kind.EVENT: -1}
