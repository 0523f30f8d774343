"""Whatever is sent, to a publisher or to a subscriber: no crash, no hang, no leak.

At least half of it are wrong messages that still parse as JSON. ``make test-long``: most campaigns
send ``LINESCAN_FUZZ`` messages, or 40000 for each of ``LINESCAN_LONG`` minutes (a quarter of one
where that is not set). With 70000 they are more than two hundred thousand together.
``--log-cli-level INFO`` shows the figures.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from linescan.client.replies import decode_positions, decode_reply, decode_status
from linescan.errors import ProtocolError
from linescan.protocol import Kind, decode, decode_welcome, topic
from linescan.protocol.control import status_topic
from tests.client.journalled import Order, journalled
from tests.lengths import MINUTES
from tests.protocol.fuzz import Mutator
from tests.protocol.vectors import DATA, VECTORS, Loaded, load
from tests.publishing.asking import Asking, asking

log = logging.getLogger(__name__)

COUNT = int(os.environ.get("LINESCAN_FUZZ", MINUTES * 40_000))
SETTLED = 0.3
"""Share of a campaign after which memory may not grow any more."""
SLACK_MB = 24.0
PATIENCE_S = 15.0

pytestmark = [pytest.mark.long, pytest.mark.timeout(COUNT / 50 + 120)]

REQUESTS = [v for v in VECTORS if v.name.startswith("request-")]
KEPT = {"inspection": "inspection", "event": "loss"}
"""The vector that stands for all messages of a kind."""
REPLIES = [v for v in VECTORS if v.name.startswith("reply-")]


def json_at(vector: Loaded) -> int:
    """Which frame is JSON."""
    return next(i for i, frame in enumerate(vector.frames) if frame.rstrip().endswith(b"}"))


def wrong(mutator: Mutator, vectors: list[Loaded], epoch: str | None = None) -> list[bytes]:
    """A wrong message; of the running epoch, where that is given."""
    vector: Loaded = mutator.choose(vectors)
    frames = vector.frames
    if epoch is not None:
        ours = vector.truth["json"].get("epoch", "-").encode()
        frames = [frame.replace(ours, epoch.encode()) for frame in frames]
    return mutator.message(frames, json_at(vector))


def check(mutator: Mutator, count: int) -> None:
    """The campaign was what it says."""
    assert mutator.made >= count
    assert mutator.parsing > mutator.made / 2
    log.info("%d wrong messages, %d of them JSON", mutator.made, mutator.parsing)


class Memory:
    """Watches what a process takes."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.settled_mb: float | None = None

    def look(self, share: float) -> None:
        """Once the campaign has settled, nothing may grow."""
        mb = self._process.memory_info().rss / 2**20
        if self.settled_mb is None and share >= SETTLED:
            self.settled_mb = mb
        if self.settled_mb is not None:
            assert mb < self.settled_mb + SLACK_MB, f"{self.settled_mb:.0f} MB became {mb:.0f}"
        if share >= 1:
            log.info("memory %.1f, at the end %.1f MB", self.settled_mb, mb)


def test_decoders_complain_and_nothing_else() -> None:
    mutator, memory = Mutator(1), Memory(os.getpid())
    refused = 0
    for n in range(COUNT):
        vector: Loaded = mutator.choose(VECTORS)
        frames = mutator.message(vector.frames, json_at(vector))
        for decoder in (decode, decode_welcome, decode_reply, decode_status, _positions):
            try:
                decoder(frames)
            except ProtocolError:
                refused += 1
        if n % 500 == 0:
            memory.look(n / COUNT)
    memory.look(1)
    check(mutator, COUNT)
    assert refused > COUNT


def _positions(frames: list[bytes]) -> None:
    decode_positions(decode_reply(frames).fields)


@contextlib.contextmanager
def rude(endpoint: str, kind: int) -> Iterator[zmq.Socket[Any]]:
    """A socket that sends what it likes, and does not mind being cut off."""
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.linger = 0
        socket.sndtimeo = int(PATIENCE_S * 1000)
        socket.connect(endpoint)
        yield socket


def drain(socket: zmq.Socket[Any]) -> int:
    """Read what waits."""
    count = 0
    with contextlib.suppress(zmq.Again):
        while True:
            socket.recv_multipart(zmq.NOBLOCK)
            count += 1
    return count


def test_a_publisher_goes_on(tmp_path: Path) -> None:
    mutator, replies = Mutator(2), 0
    with contextlib.ExitStack() as stack:
        order = Order(folder=str(tmp_path / "journal"), memory_mb=16)
        publisher = stack.enter_context(journalled(order))
        publisher.tell("frame 50")
        memory = Memory(publisher.process.pid)
        control = publisher.order.control or ""
        ask = stack.enter_context(asking(control, rcvtimeo=int(PATIENCE_S * 1000)))
        epoch = ask.ask("ping")[0]["epoch"]
        dealer = stack.enter_context(rude(control, zmq.DEALER))
        xsub = stack.enter_context(rude(publisher.order.data, zmq.XSUB))
        for n in range(COUNT):
            dealer.send_multipart(wrong(mutator, REQUESTS, epoch) or [b""])
            replies += drain(dealer)
            if n % 10 == 0:
                xsub.send_multipart(wrong(mutator, DATA) or [b""])
                drain(xsub)
            if n % 500 == 0:
                _knock(control, mutator)
                _is_well(ask, epoch)
                publisher.tell("frame 1")
                memory.look(n / COUNT)
        _is_well(ask, epoch)
        publisher.tell("frame 1", "end")
        memory.look(1)
        status = ask.ask("positions")[0]["epochs"][-1]["streams"]
        (position,) = (entry for entry in status if entry["kind"] == "inspection")
        assert position["last"] == 50 + len(range(0, COUNT, 500))
    check(mutator, COUNT)
    assert replies > COUNT / 2


def _is_well(ask: Asking, epoch: str) -> None:
    reply, _ = ask.ask("ping")
    assert reply["epoch"] == epoch


def _knock(endpoint: str, mutator: Mutator) -> None:
    """Bytes that are not even ZeroMQ's."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    with contextlib.suppress(OSError), sockets.create_connection((host, int(port)), 5) as plain:
        plain.sendall(b"".join(wrong(mutator, REQUESTS)))


class Feed:
    """All three sockets of a publisher, which send anything."""

    def __init__(self, context: zmq.Context[Any]) -> None:
        self.data, self.control, self.status = (
            context.socket(kind) for kind in (zmq.XPUB, zmq.ROUTER, zmq.XPUB)
        )
        for socket in self.sockets:
            socket.linger = 0
            socket.rcvtimeo = socket.sndtimeo = int(PATIENCE_S * 1000)
        self.control.setsockopt(zmq.ROUTER_MANDATORY, 1)  # wait for room, tell who is gone
        for socket in (self.data, self.status):
            socket.setsockopt(zmq.XPUB_NODROP, 1)  # it is to get all of it
        self.endpoints = [
            f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}"
            for socket in self.sockets
        ]

    @property
    def sockets(self) -> tuple[zmq.Socket[Any], ...]:
        return self.data, self.control, self.status

    def wait(self) -> None:
        """Until the subscriber is there; its subscription to events comes last."""
        while self.data.recv() != b"\x01" + topic("web-1", Kind.EVENT):
            pass


class Fuzzed:
    """The subscriber's process."""

    def __init__(self, mode: str, endpoints: list[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.client.fuzzed", mode, *endpoints],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.memory = Memory(self.process.pid)

    def figures(self) -> dict[str, Any]:
        """The next line it prints; it prints one each second."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the subscriber has ended: {self.process.wait()}"
        figures: dict[str, Any] = json.loads(line)
        return figures


@contextlib.contextmanager
def fuzzed(mode: str) -> Iterator[tuple[Feed, Fuzzed]]:
    context: zmq.Context[Any] = zmq.Context()
    feed = Feed(context)
    subscriber = Fuzzed(mode, feed.endpoints)
    try:
        feed.wait()
        yield feed, subscriber
    finally:
        subscriber.process.kill()
        subscriber.process.communicate()
        context.destroy(linger=0)


def sentinel() -> list[bytes]:
    """A valid end of a run that nothing else sends."""
    frames = load("end").frames
    return [frames[0], frames[1].replace(b'"finished"', b'"sentinel"')]


@pytest.mark.parametrize("mode", ["stream", "live"])
def test_a_subscriber_goes_on(mode: str) -> None:
    mutator = Mutator(3)
    with fuzzed(mode) as (feed, subscriber):
        for n in range(COUNT // 2):
            # In between, right ones: most wrong ones are refused.
            vector = mutator.choose([*DATA, load("welcome")])
            frames = wrong(mutator, [vector]) if n % 20 else vector.frames
            feed.data.send_multipart(frames or [b""])
            if n % 500 == 0:
                subscriber.memory.look(2 * n / COUNT)
        subscriber.memory.look(1)
        figures = subscriber.figures()
        while figures["end"] != "sentinel":
            feed.data.send_multipart(sentinel())
            figures = subscriber.figures()
        assert figures["taken"] > 0
        assert figures["malformed"] > COUNT / 10
        assert subscriber.process.wait(PATIENCE_S) == 0
    check(mutator, COUNT // 2 * 19 // 20 - 1)


def test_a_complete_subscriber_goes_on_whatever_is_replied() -> None:
    """It connects anew after each reply that is none, so fewer are sent."""
    mutator, count = Mutator(4), COUNT // 20
    with fuzzed("complete") as (feed, subscriber):
        desk, seen = Desk(feed.control, mutator), 0
        while desk.wrong < count:
            waits = time.monotonic() + PATIENCE_S
            while not feed.control.poll(20):
                assert time.monotonic() < waits, subscriber.figures()
                feed.status.send_multipart(_status(mutator))
                feed.data.send_multipart(wrong(mutator, DATA) or [b""])
            desk.answer()
            if desk.wrong >= seen + 50:
                seen = desk.wrong
                subscriber.figures()
                subscriber.memory.look(seen / count)
        subscriber.memory.look(1)
        figures = subscriber.figures()
        log.info("%d wrong replies; %s", desk.wrong, figures)
        assert figures["taken"] > 0
    check(mutator, count)


class Desk:
    """Answers as a publisher with a journal would, but not always.

    Attributes:
        wrong: how many replies were wrong.
    """

    def __init__(self, control: zmq.Socket[Any], mutator: Mutator) -> None:
        self.wrong = 0
        self._control = control
        self._mutator = mutator
        self._replays: dict[tuple[bytes, str], tuple[dict[str, Any], int]] = {}

    def answer(self) -> None:
        """Answer the request that waits."""
        peer, text = self._control.recv_multipart()
        request = json.loads(text)
        name, id_ = request["request"], request["id"]
        if name == "replay":
            self._replays.clear()
            self._go_on(peer, id_, request, 0, request["credit"])
        elif name == "credit":
            if (peer, id_) in self._replays:
                self._go_on(peer, id_, *self._replays[peer, id_], request["n"])
        elif name != "cancel":
            vector = next((v for v in REPLIES if v.name == f"reply-{name}"), load("reply-ack"))
            self._send(peer, [_with(vector.frames[0], reply=name, id=id_), *vector.frames[1:]])

    def _go_on(self, peer: bytes, id_: str, asked: dict[str, Any], n: int, count: int) -> None:
        """The next messages of a replay, and its end."""
        for seq in range(asked["first"] + n, min(asked["first"] + n + count, asked["last"] + 1)):
            topic_, header, *parts = load(KEPT[asked["kind"]]).frames
            message = [topic_, _with(header, epoch=asked["epoch"], seq=seq), *parts]
            reply = load("reply-replay-message").frames[0]
            self._send(peer, [_with(reply, id=id_, seq=seq), *message])
        self._replays[peer, id_] = asked, n + count
        if asked["first"] + n + count > asked["last"]:
            end = load("reply-replay-end").frames[0]
            self._send(peer, [_with(end, id=id_, expired=[])])

    def _send(self, peer: bytes, frames: list[bytes]) -> None:
        if self._mutator.chance(0.1):
            frames = self._mutator.choose(REPLIES).frames
        if self._mutator.chance(0.4):
            frames = self._mutator.message(frames, 0)
            self.wrong += 1
        try:
            self._control.send_multipart([peer, *frames])
        except zmq.ZMQError as error:  # it may have connected anew
            if error.errno != zmq.EHOSTUNREACH:
                raise


def _with(text: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(text) | fields).encode()


def _status(mutator: Mutator) -> list[bytes]:
    frames = wrong(mutator, [load("status")])
    return [status_topic("web-1"), *frames[1:]] if mutator.chance(0.9) else frames or [b""]
