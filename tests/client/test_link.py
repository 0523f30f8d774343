"""The subscriber's end of the control socket, with a publisher that lies, dawdles or is silent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from linescan.client import Gap, Subscriber
from linescan.client.control import REPLY_S, Control
from linescan.client.lanes import Stream
from linescan.client.replies import decode_reply
from linescan.client.reporting import MOST_GAPS, Reporting
from linescan.protocol import Buffer, Kind
from linescan.protocol.control import MAX_RUNS
from tests.client.helpers import message
from tests.waiting import PATIENCE_MS, PATIENCE_S

Answer = Callable[[dict[str, Any], int], list[list[Buffer]]]
"""Replies to a request, the so manieth of its name."""
LAST = 5


class Clock:
    """Stands in for the module ``time``: it goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def perf_counter_ns(self) -> int:
        return round(self.now * 1e9)


class Desk(threading.Thread):
    """A control socket that answers as it is told."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(daemon=True)
        self.context: zmq.Context[Any] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.is_set():
            if not self.socket.poll(20):
                continue
            peer, data = self.socket.recv_multipart()
            request = json.loads(data)
            self.requests.append(request)
            count = sum(r["request"] == request["request"] for r in self.requests)
            for frames in self.answer(request, count):
                self.socket.send_multipart([peer, *frames])
        self.context.destroy(linger=0)


def reply(request: dict[str, Any], **fields: Any) -> list[Buffer]:
    common = {"schema": "linescan", "version": 1, "reply": request["request"], "ok": True}
    return [json.dumps({**common, "id": request["id"], **fields}).encode()]


def replayed(request: dict[str, Any], seq: int, frames: list[Buffer]) -> list[Buffer]:
    return [*reply(request, seq=seq, more=True), *frames]


def honest(request: dict[str, Any], count: int) -> list[list[Buffer]]:
    match request["request"]:
        case "positions":
            stream = {"camera": "web-1", "kind": "inspection", "oldest": 0, "last": LAST}
            epoch = {"epoch": "e", "current": True, "streams": [stream]}
            return [reply(request, epochs=[epoch], acknowledged=[])]
        case "replay":
            numbers = range(request["first"], request["last"] + 1)
            sent = [replayed(request, seq, message(seq)) for seq in numbers]
            return [*sent[:4], reply(request, more=False, expired=[])]
        case "ack" | "gaps":
            return [reply(request)]
    return []


@pytest.fixture
def desk() -> Iterator[Callable[[Answer], Desk]]:
    desks: list[Desk] = []

    def start(answer: Answer) -> Desk:
        desks.append(Desk(answer))
        return desks[-1]

    yield start
    for each in desks:
        each.over.set()
        each.join()


def lies(once: Callable[[dict[str, Any]], list[list[Buffer]]]) -> Answer:
    """The first replay is answered wrongly, all else well."""

    def answer(request: dict[str, Any], count: int) -> list[list[Buffer]]:
        return (
            once(request)
            if request["request"] == "replay" and count == 1
            else honest(request, count)
        )

    return answer


LIES: dict[str, Callable[[dict[str, Any]], list[list[Buffer]]]] = {
    "no JSON": lambda request: [[b"\xff\xfe"]],
    "another number": lambda request: [replayed(request, 0, message(1))],
    "another epoch": lambda request: [replayed(request, 0, message(0, epoch="f"))],
    "beyond what was asked for": lambda request: [replayed(request, 99, message(99))],
    "one number twice": lambda request: [replayed(request, 0, message(0))] * 2,
    "more than the credit": lambda request: [replayed(request, n, message(n)) for n in range(6)],
    "expired beyond what was asked for": lambda request: [
        reply(request, more=False, expired=[[0, 1000]])
    ],
    "an end without a word": lambda request: [reply(request, more=False)],
    "busy": lambda request: [reply(request, ok=False, error={"code": "busy", "message": "later"})],
    "nothing": lambda request: [],
}


@pytest.mark.parametrize("name", LIES)
def test_after_a_wrong_answer_it_begins_anew_and_gets_everything(
    name: str, desk: Callable[[Answer], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linescan.client.control.REPLY_S", 0.5)
    server = desk(lies(LIES[name]))
    options: dict[str, Any] = {"mode": "complete", "name": "a", "timeout_s": PATIENCE_S}
    with Subscriber("tcp://127.0.0.1:9", control=server.endpoint, **options) as results:
        given = [next(results).seq for _ in range(LAST + 1)]
        assert given == list(range(LAST + 1))
        assert not results.expired


def test_a_damaged_message_is_reported_and_passed_over(desk: Callable[[Answer], Desk]) -> None:
    def damaged(request: dict[str, Any]) -> list[list[Buffer]]:
        good = message(0)
        bad = [*good[:2], bytes(len(good[2])), good[3]]
        return [replayed(request, 0, bad), reply(request, more=False, expired=[])]

    expired: list[Gap] = []
    server = desk(lies(damaged))
    options: dict[str, Any] = {"mode": "complete", "name": "a", "timeout_s": PATIENCE_S}
    with Subscriber(
        "tcp://127.0.0.1:9", control=server.endpoint, on_expired=expired.append, **options
    ) as results:
        assert [next(results).seq for _ in range(LAST)] == list(range(1, LAST + 1))
        assert results.malformed == 1
    assert expired == [Gap("web-1", Kind.INSPECTION, "e", 0, 1)]


def test_who_waits_for_its_application_is_not_taken_for_dead(
    desk: Callable[[Answer], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All credit is used up: it is for the subscriber to go on, and nothing is asked for again."""
    clock = Clock()
    monkeypatch.setattr("linescan.client.complete.time", clock)
    monkeypatch.setattr("linescan.client.plan.FIRST_CREDIT", 1)  # nothing else is on its way
    sent: dict[str, int] = {}

    def by_credit(request: dict[str, Any], count: int) -> list[list[Buffer]]:
        if request["request"] not in ("replay", "credit"):
            return honest(request, count)
        first = sent.get(request["id"], 0)
        granted = request["credit"] if request["request"] == "replay" else request["n"]
        sent[request["id"]] = upto = min(first + granted, LAST + 1)
        replay = {**request, "request": "replay"}
        replies = [replayed(replay, seq, message(seq)) for seq in range(first, upto)]
        return [*replies, reply(replay, more=False, expired=[])] if upto > LAST else replies

    server = desk(by_credit)
    options: dict[str, Any] = {"mode": "complete", "since": "oldest", "timeout_s": PATIENCE_S}
    with Subscriber("tcp://127.0.0.1:9", control=server.endpoint, **options) as results:
        given = []
        for _ in range(LAST + 1):
            given.append(next(results).seq)
            clock.now += 10 * REPLY_S
        assert given == list(range(LAST + 1))
    names = [request["request"] for request in server.requests]
    assert (names.count("replay"), names.count("credit")) == (1, LAST)


def test_gaps_that_wait_to_be_reported_are_bounded(desk: Callable[[Answer], Desk]) -> None:
    context: zmq.Context[Any] = zmq.Context()
    server = desk(honest)
    try:
        control = Control(context)
        reporting = Reporting(control, "a")
        for n in range(2 * MOST_GAPS):
            reporting.gap(Gap("web-1", Kind.INSPECTION, "e", 2 * n, 1))
        control.connect(server.endpoint)
        acks = {Stream("e", "web-1", Kind.EVENT): 3}
        while reporting.busy or acks:
            reporting.pump(0.0, acks)
            assert control.socket is not None
            assert control.socket.poll(PATIENCE_MS)
            answer = control.read(0.0)
            assert answer is not None
            assert reporting.answered(answer, 0.0, acks)
    finally:
        context.destroy(linger=0)
    reports = [request["runs"] for request in server.requests if request["request"] == "gaps"]
    assert [len(runs) for runs in reports] == [MAX_RUNS] * (MOST_GAPS // MAX_RUNS)
    assert reports[0][0] == [2 * MOST_GAPS, 1]  # the older half was dropped


def test_a_reply_to_nothing_asked_is_left_alone() -> None:
    context: zmq.Context[Any] = zmq.Context()
    try:
        reporting = Reporting(Control(context), "a")
        stray = decode_reply(reply({"request": "ack", "id": "9-9"}))
        assert not reporting.answered(stray, 0.0, {})
    finally:
        context.destroy(linger=0)
