"""The subscriber against real publishers in this process and in others."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

import linescan
from linescan.client import Gap, Subscriber, SubscribeTimeoutError
from linescan.config import PublishSection
from linescan.errors import LinescanError, SubscribeError
from linescan.ledger import Ledger
from linescan.protocol import (
    Buffer,
    EndEvent,
    InspectionMessage,
    Kind,
    LossEvent,
    Message,
    ObjectsMessage,
    Stamp,
    StartEvent,
    encode,
    encode_end,
    encode_loss,
    encode_welcome,
    topic,
)
from linescan.publishing import Publish
from linescan.records import Cause, Interval, Loss
from tests.client.sources import source
from tests.protocol.samples import as_received, header_of, inspection, with_header

TOTALS = {
    "captured": 0, "published": 0, "lost": {}, "unaccounted": 0, "phantom": 0, "estimated": 0,
}  # fmt: skip


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def stage(ledger: Ledger) -> Iterator[Publish]:
    stage = Publish(PublishSection(data="tcp://127.0.0.1:*", linger_s=1), "web-1", ledger)
    stage.setup()
    stage.publisher.flush(10)
    yield stage
    stage.teardown()


class Raw:
    """A socket that sends whatever it is given."""

    def __init__(self, mark: int = 1000) -> None:
        self.context: zmq.Context[Any] = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.SNDHWM, mark)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"

    def wait_for_events(self, cameras: int = 1) -> None:
        """Wait until a subscriber is there for the events of so many cameras."""
        while cameras:
            cameras -= self.socket.recv().endswith(b"/event/")

    def greet(self, *cameras: str) -> None:
        while not self.socket.recv().endswith(b"/welcome/"):
            pass
        self.send(encode_welcome("e", cameras, "raw"))

    def send(self, *frames: Buffer) -> None:
        self.socket.send_multipart(frames)


@pytest.fixture
def raw(request: pytest.FixtureRequest) -> Iterator[Raw]:
    raw = Raw(*getattr(request, "param", ()))
    yield raw
    raw.context.destroy(linger=1000)


def subscribe(stage: Publish, *kinds: str, **options: Any) -> Subscriber:
    options = {"camera": "web-1", "timeout_s": 10, **options}
    return Subscriber(stage.publisher.endpoint, kinds or ("inspection",), **options)


def publish(stage: Publish, *numbers: int) -> None:
    for n in numbers:
        list(stage.process(inspection(n * 64)))


def message(
    seq: int, kind: Kind = Kind.INSPECTION, epoch: str = "e", camera: str = "web-1"
) -> list[Buffer]:
    frames = encode(inspection(seq * 64), kind, Stamp(camera, epoch, seq, 1))
    assert frames is not None
    return as_received(frames)


def end_message(seq: int, last_seq: int, camera: str = "web-1") -> list[Buffer]:
    stamp = Stamp(camera, "e", seq, 1)
    return encode_end(stamp, totals=TOTALS, last_seq=last_seq, reason="finished")


def seqs(messages: list[Message]) -> list[int]:
    return [m.seq for m in messages]


def test_is_a_public_name() -> None:
    assert linescan.Subscriber is Subscriber


def test_gives_inspections_until_the_end(stage: Publish, ledger: Ledger) -> None:
    ledger.capture([Interval(0, 131)])
    with subscribe(stage) as results:
        stage.publisher.wait_for_subscribers(1, 10)
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
        stage.publisher.wait_for_subscribers(1, 10)
        publish(stage, 0)
        list(stage.skip(Loss(64, 3, Cause.CAMERA_GAP)))
        list(stage.finish())
        loss, end = list(results)
        assert isinstance(loss, LossEvent)
        assert isinstance(end, EndEvent)


def test_learns_the_camera_from_the_greeting() -> None:
    with (
        source(camera="cam.7_b") as pipeline,
        Subscriber(pipeline.endpoint, timeout_s=10) as results,
    ):
        reading = Reading(results)
        pipeline.tell("wait", "frame")
        assert reading.take(1)[0].camera == "cam.7_b"
        pipeline.tell("end")
        reading.join()


def test_who_comes_late_gets_the_rest_without_a_gap(stage: Publish) -> None:
    publish(stage, 0, 1)
    stage.publisher.flush(10)
    with subscribe(stage) as results:
        stage.publisher.wait_for_subscribers(1, 10)
        publish(stage, 2, 3)
        list(stage.finish())
        assert seqs(list(results)) == [2, 3]
        assert not results.gaps
        assert results.start is None


def test_two_subscribers_with_different_kinds(stage: Publish) -> None:
    with subscribe(stage, "inspection") as a, subscribe(stage, "objects", "mask") as b:
        stage.publisher.wait_for_subscribers(2, 10)
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
    with Subscriber(raw.endpoint, camera="web-1", timeout_s=10, on_gap=heard.append) as results:
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
    with Subscriber(raw.endpoint, ["event"], camera="web-1", timeout_s=10) as results:
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
    with Subscriber(raw.endpoint, camera="web-1", timeout_s=10) as results:
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
def test_latest_skips_to_the_newest_but_never_over_events(raw: Raw, damaged: bool) -> None:
    kinds = ("inspection", "mask", "event")
    with Subscriber(raw.endpoint, kinds, camera="web-1", timeout_s=10, latest=True) as results:
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
        time.sleep(0.3)  # let them all arrive
        got = list(results)
        events = [m for m in got if m.kind is Kind.EVENT]
        assert seqs(events) == list(range(21))
        assert isinstance(events[-1], EndEvent)
        inspections = [m.seq for m in got if m.kind is Kind.INSPECTION]
        assert inspections == sorted(inspections)
        assert len(inspections) < 20
        assert inspections[-1:] == ([] if damaged else [19]) or damaged
        assert results.malformed == damaged
        assert len(got) - len(events) + results.skipped + damaged == 39 + damaged
        assert [(gap.kind, gap.first_seq) for gap in results.gaps][:1] == [(Kind.MASK, 11)]


class Reading(threading.Thread):
    """Reads in a thread of its own: ZeroMQ subscribes again only while somebody reads."""

    def __init__(self, results: Subscriber) -> None:
        super().__init__(daemon=True)
        self.results = results
        self.messages: queue.Queue[Message] = queue.Queue()
        self.start()

    def run(self) -> None:
        for received in self.results:
            self.messages.put(received)

    def take(self, count: int) -> list[Message]:
        return [self.messages.get(timeout=20) for _ in range(count)]


def test_a_restarted_publisher_is_a_new_epoch_and_no_gap() -> None:
    kinds = ("inspection", "event")
    with source() as first, Subscriber(first.endpoint, kinds, timeout_s=20) as results:
        reading = Reading(results)
        first.tell("wait", "frame", "frame")
        before = reading.take(2)
        first.process.kill()
        first.process.wait()
        with source(first.endpoint) as second:
            second.tell("wait", "frame", "end")
            after = reading.take(2)
        assert seqs(before) == [0, 1]
        assert seqs(after) == [0, 1]
        assert isinstance(after[1], EndEvent)
        assert before[0].epoch != after[0].epoch
        reading.join()
        assert results.restarts == 1
        assert not results.gaps


def test_a_run_that_ended_by_a_crash_does_not_keep_the_next_one_from_ending(raw: Raw) -> None:
    with Subscriber(raw.endpoint, timeout_s=10) as results:
        raw.greet("web-1", "web-2")
        with contextlib.suppress(TimeoutError):
            results._timeout_s = 0.2
            next(results)
        results._timeout_s = 10
        raw.wait_for_events(2)
        raw.send(*message(0, epoch="d"))
        raw.send(*message(0, camera="web-2"))
        raw.send(*end_message(0, 0, camera="web-2"))
        assert [(m.camera, m.epoch) for m in results] == [("web-1", "d"), ("web-2", "e")]


def test_it_may_stay_for_the_next_run(raw: Raw) -> None:
    with Subscriber(raw.endpoint, camera="web-1", timeout_s=10, follow=True) as results:
        raw.wait_for_events()
        raw.send(*message(0))
        raw.send(*end_message(0, 0))
        raw.send(*message(0, epoch="f"))
        assert [next(results).epoch, next(results).epoch] == ["e", "f"]
        assert isinstance(results.end, EndEvent)


def test_two_cameras_end_when_both_have_ended(raw: Raw) -> None:
    with Subscriber(raw.endpoint, timeout_s=10) as results:
        raw.greet("web-1", "web-2")
        with contextlib.suppress(TimeoutError):
            results._timeout_s = 0.2
            next(results)
        results._timeout_s = 10
        raw.wait_for_events(2)
        for camera in ("web-1", "web-2"):
            raw.send(*message(0, camera=camera))
        raw.send(*end_message(0, 0))
        raw.send(*message(1, camera="web-2"))
        raw.send(*end_message(0, 1, camera="web-2"))
        assert [(m.camera, m.seq) for m in results] == [("web-1", 0), ("web-2", 0), ("web-2", 1)]


def test_a_stopped_publisher_goes_on_where_it_was() -> None:
    with source() as pipeline, Subscriber(pipeline.endpoint, camera="web-1") as results:
        pipeline.tell("wait", "frame")
        assert next(results).seq == 0
        os.kill(pipeline.process.pid, signal.SIGSTOP)
        results._timeout_s = 0.2
        with pytest.raises(SubscribeTimeoutError, match="nothing comes from"):
            next(results)
        os.kill(pipeline.process.pid, signal.SIGCONT)
        results._timeout_s = 10
        pipeline.tell("frame")
        assert next(results).seq == 1


def test_nobody_answers() -> None:
    with Subscriber("tcp://127.0.0.1:9", timeout_s=0.1) as results:
        with pytest.raises(TimeoutError, match=r"no publisher answers at tcp://127.0.0.1:9") as e:
            next(results)
        assert isinstance(e.value, LinescanError)
        with pytest.raises(TimeoutError, match=r"waited 0.1 s"):
            next(results)


def test_the_publisher_has_another_camera(stage: Publish) -> None:
    with (
        subscribe(stage, camera="web-2", timeout_s=0.3) as results,
        pytest.raises(TimeoutError, match="has no camera web-2, but web-1"),
    ):
        next(results)


def test_the_camera_is_silent(stage: Publish) -> None:
    with (
        subscribe(stage, camera=None, timeout_s=0.3) as results,
        pytest.raises(TimeoutError, match=r"nothing comes from .* \(camera web-1\)"),
    ):
        next(results)


@pytest.mark.parametrize(
    ("endpoint", "options", "complaint"),
    [
        ("nonsense", {}, "cannot subscribe to 'nonsense'"),
        ("tcp://127.0.0.1", {}, "for example tcp://127.0.0.1:5560"),
        ("tcp://127.0.0.1:5560", {"kinds": ["masks"]}, "'masks'.*choose from inspection, depth"),
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


@pytest.mark.parametrize("raw", [(5,)], indirect=True)
def test_what_waits_to_be_read_is_bounded(raw: Raw) -> None:
    big = bytes(8 << 20)  # more than the kernel's buffers take
    with Subscriber(raw.endpoint, camera="web-1", timeout_s=0.5) as results:
        raw.wait_for_events()
        for seq in range(40):
            raw.send(*message(seq), big)
            time.sleep(0.01)
        got: list[int] = []
        with contextlib.suppress(TimeoutError):
            for received in results:
                got.append(received.seq)  # noqa: PERF401 - what came before the time-out counts
    # 8 here, 5 there, and one or two on the way; the rest was dropped, newest first.
    assert 8 <= len(got) < 20


def test_interrupted_it_leaves_at_once() -> None:
    code = (
        "from linescan import Subscriber\n"
        "with Subscriber('tcp://127.0.0.1:9') as results:\n"
        "    print('waiting', flush=True)\n"
        "    try:\n"
        "        next(results)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10)[0] == "interrupted\n"
        assert process.returncode == 0


BLOCKED = ("cv2", "onnxruntime", "openvino", "torch", "pydantic", "yaml", "scipy", "harvesters")


def test_needs_numpy_and_pyzmq_alone(stage: Publish) -> None:
    """Where nothing else can be imported, everything of the client works."""
    code = f"""
import sys
blocked = {BLOCKED}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import linescan
import linescan.client as client
audit = client.StreamAudit()
with linescan.Subscriber(sys.argv[1], ("inspection", "event"), timeout_s=20) as results:
    for message in results:
        audit.feed(message)
assert audit.result().inspections == 2
assert not set(blocked) & {{name.partition(".")[0] for name in sys.modules}}
ours = {{name for name in sys.modules if name.startswith("linescan.")}}
assert not any(name.startswith(("linescan.config", "linescan.stages")) for name in ours), ours
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, stage.publisher.endpoint], stderr=subprocess.PIPE, text=True
    ) as process:
        stage.publisher.wait_for_subscribers(1, 20)
        publish(stage, 0, 1)
        list(stage.finish())
        assert process.communicate(timeout=20)[1] == ""
        assert process.returncode == 0


def test_start_is_kept() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    section = PublishSection(data=endpoint, wait_for_subscribers=1)
    with Subscriber(endpoint, camera="web-1", timeout_s=10) as results:
        reading = Reading(results)
        stage = Publish(section, "web-1", Ledger())
        stage.setup()
        list(stage.finish())
        stage.teardown()
        reading.join()
        assert reading.messages.empty()
        assert isinstance(results.start, StartEvent)
        assert isinstance(results.end, EndEvent)
