"""The control socket with real sockets: requests, replies, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linescan.protocol import Kind
from linescan.publishing import Publisher, Stream
from linescan.publishing.clerk import MOST_JOBS
from linescan.publishing.router import CUT_BYTES
from tests.publishing.asking import Asking, asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish, publishing
from tests.waiting import PATIENCE_MS, wait_until


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


@pytest.mark.parametrize("wrong", [{"camera": "c" * 64}, {"camera": "../x"}, {"epoch": "e" * 65}])
def test_names_that_cannot_be_are_not_kept(ask: Asking, wrong: dict[str, str]) -> None:
    """They would stand in each status message."""
    asked = {"name": "qc", "camera": "web-1", "kind": "event", "epoch": "e", "seq": 1, **wrong}
    assert ask.refused("ack", **asked) == "bad_request"


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
            assert ask.ask("ping")[0]["ok"]  # and no message before it
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


def test_acknowledgements_without_a_journal_are_remembered() -> None:
    with publishing() as publisher, asking(publisher.endpoints["control"]) as ask:
        mine = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
        publish(publisher, 6)
        assert ask.ask("ack", name="qc", **mine, seq=5)[0]["ok"]
        assert ask.ask("ack", name="qc", **mine, seq=3)[0]["ok"]
        reply, _ = ask.ask("positions", name="qc")
        assert reply["acknowledged"] == [{**mine, "seq": 5}]
        (stream,) = reply["epochs"][0]["streams"]
        assert (stream["oldest"], stream["last"]) == (None, 5)
        assert ask.ask("describe")[0]["journal"] is False
        assert ask.refused("replay", **mine, first=0, last=0, credit=1) == "no_journal"


def test_a_req_socket_is_answered(publisher: Publisher) -> None:
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.rcvtimeo = PATIENCE_MS
    socket.connect(publisher.endpoints["control"] or "")
    for _ in range(3):
        socket.send_json({"schema": "linescan", "version": 1, "request": "ping"})
        reply = socket.recv_json()
        assert isinstance(reply, dict)
        assert (reply["ok"], reply["id"]) == (True, None)
    context.destroy(linger=0)


GOOD = {"schema": "linescan", "version": 1, "request": "ping", "id": "a"}
STREAM = {"camera": "web-1", "kind": "event", "epoch": "e"}
REPLAY = {**STREAM, "first": 0, "last": 9, "credit": 4}


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b""], "bad_request"),
        ([b"{}"], "bad_request"),
        ([b"[]"], "bad_request"),
        ([b"nonsense"], "bad_request"),
        ([b"\xff\xfe"], "bad_request"),
        ([b"[" * 50_000], "bad_request"),
        ([b'{"a": NaN}'], "bad_request"),
        ([json.dumps(GOOD).encode(), b"more"], "bad_request"),
        ([b"", b"", json.dumps(GOOD).encode()], "bad_request"),
        ([b"{" + b" " * 70_000 + b"}"], "too_large"),
    ],
)
def test_bytes_that_are_no_request(ask: Asking, frames: list[bytes], code: str) -> None:
    ask.socket.send_multipart(frames)
    reply, more = ask.receive()
    assert (reply["ok"], reply["reply"], reply["id"]) == (False, "error", None)
    assert reply["error"]["code"] == code
    assert not more
    assert ask.ask("ping")[0]["ok"]


@pytest.mark.parametrize(
    ("request_", "fields", "code"),
    [
        ("ping", {"schema": "other"}, "bad_request"),
        ("ping", {"version": 2}, "bad_request"),
        ("fetch", {}, "unknown_request"),
        ("ack", {**STREAM, "name": "a/b", "seq": 1}, "bad_request"),
        ("ack", {**STREAM, "name": "qc"}, "bad_request"),
        ("ack", {**STREAM, "name": "qc", "seq": -1}, "bad_request"),
        ("ack", {**STREAM, "name": "..", "seq": 1}, "bad_request"),
        ("gaps", {**STREAM, "name": "qc", "runs": [[3, 2], [4, 1]]}, "bad_request"),
        ("gaps", {**STREAM, "name": "qc", "runs": [[0, 0]]}, "bad_request"),
        (
            "gaps",
            {**STREAM, "name": "qc", "runs": [[2 * i, 1] for i in range(1025)]},
            "bad_request",
        ),
        ("replay", {**REPLAY, "kind": "mask"}, "bad_request"),
        ("replay", {**REPLAY, "last": -1}, "bad_request"),
        ("replay", {**REPLAY, "first": 5, "last": 4}, "bad_request"),
        ("replay", {**REPLAY, "last": 2**60}, "bad_request"),
        ("replay", {**REPLAY, "credit": 0}, "bad_request"),
        ("replay", {**REPLAY, "credit": 17}, "bad_request"),
        ("replay", {**REPLAY, "epoch": 7}, "bad_request"),
        ("credit", {"n": 0}, "bad_request"),
        ("positions", {"name": ""}, "bad_request"),
    ],
)
def test_requests_that_are_wrong(
    ask: Asking, request_: str, fields: dict[str, Any], code: str
) -> None:
    assert ask.refused(request_, **fields) == code
    assert ask.ask("ping")[0]["ok"]


def test_a_replay_needs_an_id_of_its_own(publisher: Publisher, ask: Asking) -> None:
    publish(publisher, 3)
    stream = {**REPLAY, "epoch": publisher.epoch, "last": 2, "credit": 1}
    anonymous = {"schema": "linescan", "version": 1, "request": "replay", **stream}
    ask.socket.send_json(anonymous)
    assert ask.receive()[0]["error"]["code"] == "bad_request"
    ask.send("replay", **stream, id="a")
    assert ask.receive()[0]["seq"] == 0
    ask.send("replay", **stream, id="a")
    assert ask.receive()[0]["error"]["code"] == "bad_request"


def test_an_id_that_cannot_be_repeated_is_left_out(ask: Asking) -> None:
    for id_ in ("x" * 65, 7, "\ud800"):
        ask.socket.send(json.dumps({**GOOD, "id": id_}).encode())
        reply, _ = ask.receive()
        assert reply["error"]["code"] == "bad_request"


def test_a_frame_beyond_all_limits_costs_the_connection_alone(
    publisher: Publisher, ask: Asking
) -> None:
    with asking(publisher.endpoints["control"]) as rude:
        monitor = rude.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        rude.socket.send(bytes(CUT_BYTES + 1))
        assert monitor.poll(PATIENCE_MS)
        assert rude.quiet()
    assert ask.ask("ping")[0]["ok"]


def test_jobs_for_the_journal_are_bounded(
    publisher: Publisher, journal: MemoryJournal, ask: Asking
) -> None:
    publish(publisher, 1)
    journal.slow.clear()
    ask.send("replay", **{**REPLAY, "epoch": publisher.epoch})
    for _ in range(2 * MOST_JOBS):
        ask.send("positions")
    for _ in range(MOST_JOBS + 1):
        assert ask.receive()[0]["error"]["code"] == "busy"
    assert ask.ask("ping")[0]["ok"]
    journal.slow.set()
    wait_until(lambda: publisher._desk._clerk.under_way <= 1)  # the status looks now and then
    ask.send("ping", id="last")
    answered = 0
    while (reply := ask.receive()[0])["id"] != "last":
        answered += reply["reply"] == "positions"
    assert MOST_JOBS - 2 <= answered < MOST_JOBS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
KNOWN = {
    **REPLAY,
    "name": "qc",
    "seq": 3,
    "n": 2,
    "runs": [[0, 2]],
    "id": "x",
    "schema": "linescan",
    "version": 1,
}
NAMES = ("ping", "describe", "latest", "positions", "ack", "gaps", "replay", "credit", "cancel")


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A request whose fields are right but for some."""
    request: dict[str, Any] = {**KNOWN, "request": draw(st.sampled_from(NAMES))}
    for key in draw(st.lists(st.sampled_from(sorted(request)), max_size=3)):
        if draw(st.booleans()):
            request[key] = draw(JSON)
        else:
            request.pop(key, None)
    return json.dumps(request).encode()


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(mutations() | st.binary(max_size=40), min_size=1, max_size=4))
def test_any_bytes_leave_it_alive(publisher: Publisher, ask: Asking, frames: list[bytes]) -> None:
    with asking(publisher.endpoints["control"]) as rude:
        rude.socket.send_multipart(frames)
        for frame in frames:
            rude.socket.send(frame)
        rude.send("ping", id="end")
        while True:  # every reply is JSON; at last comes that to the ping
            reply, _ = rude.receive()
            assert isinstance(reply["ok"], bool)
            if (reply["reply"], reply["id"]) == ("ping", "end"):
                break
