"""What a running publisher says on all three sockets is what the JSON Schema says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zmq
from jsonschema import Draft202012Validator

from linescan.protocol import WELCOME, Kind, Stamp, encode
from linescan.protocol.control import status_topic
from linescan.protocol.schema import schema
from linescan.publishing import Outgoing, Publisher
from tests.protocol.samples import inspection
from tests.publishing.asking import Asking
from tests.waiting import PATIENCE_MS, PATIENCE_S

SCHEMA = Draft202012Validator(schema())


@pytest.fixture(autouse=True)
def _three_inspections(publisher: Publisher) -> None:
    for seq in range(3):
        stamp = Stamp("web-1", publisher.epoch, seq, 1000 + seq)
        message = encode(inspection(seq), Kind.INSPECTION, stamp)
        assert message is not None
        publisher.send(Outgoing([message], stamp=stamp))
    publisher.flush(PATIENCE_S)


def test_each_reply_fits(publisher: Publisher, ask: Asking) -> None:
    stream: dict[str, Any] = {"camera": "web-1", "kind": "inspection"}
    own = stream | {"epoch": publisher.epoch}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("ping", {}),
        ("describe", {}),
        ("ack", {"name": "qc", **own, "seq": 1}),
        ("gaps", {"name": "qc", **own, "runs": [[0, 1]]}),
        ("positions", {"name": "qc"}),
        ("latest", stream),
        ("cancel", {}),
    ]
    for name, fields in asked:
        reply, _ = ask.ask(name, **fields)
        assert reply["ok"], name
        SCHEMA.validate(reply)


def test_each_refusal_fits(ask: Asking) -> None:
    for name, fields in (
        ("latest", {"camera": "web-9", "kind": "inspection"}),
        ("no-such-thing", {}),
        ("ack", {"name": "../x"}),
        ("\ud800", {}),
    ):
        reply, _ = ask.ask(name, **fields)
        assert not reply["ok"]
        SCHEMA.validate(reply)


def test_a_replay_fits(publisher: Publisher, ask: Asking) -> None:
    own = {"camera": "web-1", "kind": "inspection", "epoch": publisher.epoch}
    ask.send("replay", **own, first=0, last=5, credit=8)
    for more in (True, True, True, False):
        reply, _ = ask.receive()
        assert reply["more"] is more
        SCHEMA.validate(reply)


def test_the_schema_itself_is_a_reply(ask: Asking) -> None:
    reply, (text,) = ask.ask("schema")
    SCHEMA.validate(reply)
    assert json.loads(text) == schema()


def test_status_and_greeting_fit(publisher: Publisher, ask: Asking) -> None:
    stream = {"camera": "web-1", "kind": "inspection", "epoch": publisher.epoch}
    ask.ask("ack", name="qc", **stream, seq=1)
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.rcvtimeo = PATIENCE_MS
        socket.subscribe(b"")
        socket.connect(publisher.endpoints["status"] or "")
        topic, text = socket.recv_multipart()
        assert topic == status_topic("web-1")
        status = json.loads(text)
        SCHEMA.validate(status)
        assert (status["type"], status["inspection"]["last"]) == ("status", 2)
        assert status["subscribers"][0]["acknowledged"] == [stream | {"seq": 1}]
        socket.connect(publisher.endpoint)
        greeting = socket.recv()
        while not greeting.startswith(WELCOME):
            greeting = socket.recv()
        SCHEMA.validate(json.loads(greeting.removeprefix(WELCOME)))


def test_requests_that_the_publisher_takes_are_those_of_the_schema(ask: Asking) -> None:
    definition = schema()["$defs"]["request"]["allOf"]
    named = {part["if"]["properties"]["request"]["const"] for part in definition if "if" in part}
    known = set(ask.ask("describe")[0]["requests"])
    assert named <= known
    assert known - named == {"ping", "describe", "schema"}  # they take nothing
