"""The subscriber through restarts, stops, silence and interrupts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from linescan.client import Subscriber, SubscribeTimeoutError
from linescan.config import PublishSection
from linescan.errors import LinescanError
from linescan.ledger import Ledger
from linescan.protocol import (
    EndEvent,
    StartEvent,
)
from linescan.publishing import Publish
from tests.client.helpers import Raw, Reading, end_message, message, publish, seqs, subscribe
from tests.client.sources import source
from tests.ports import free_port
from tests.waiting import PATIENCE_S


def test_learns_the_camera_from_the_greeting() -> None:
    with (
        source(camera="cam.7_b") as pipeline,
        Subscriber(pipeline.endpoint, timeout_s=PATIENCE_S) as results,
    ):
        reading = Reading(results)
        pipeline.tell("wait", "frame")
        assert reading.take(1)[0].camera == "cam.7_b"
        pipeline.tell("end")
        reading.join()


def test_a_restarted_publisher_is_a_new_epoch_and_no_gap() -> None:
    kinds = ("inspection", "event")
    with source() as first, Subscriber(first.endpoint, kinds, timeout_s=PATIENCE_S) as results:
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
    with Subscriber(raw.endpoint, timeout_s=PATIENCE_S) as results:
        raw.greet(results, "web-1", "web-2")
        raw.send(*message(0, epoch="d"))
        raw.send(*message(0, camera="web-2"))
        raw.send(*end_message(0, 0, camera="web-2"))
        assert [(m.camera, m.epoch) for m in results] == [("web-1", "d"), ("web-2", "e")]


def test_it_may_stay_for_the_next_run(raw: Raw) -> None:
    with Subscriber(raw.endpoint, camera="web-1", timeout_s=PATIENCE_S, follow=True) as results:
        raw.wait_for_events()
        raw.send(*message(0))
        raw.send(*end_message(0, 0))
        raw.send(*message(0, epoch="f"))
        assert [next(results).epoch, next(results).epoch] == ["e", "f"]
        assert isinstance(results.end, EndEvent)


def test_two_cameras_end_when_both_have_ended(raw: Raw) -> None:
    with Subscriber(raw.endpoint, timeout_s=PATIENCE_S) as results:
        raw.greet(results, "web-1", "web-2")
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
        results.timeout_s = 0.2
        with pytest.raises(SubscribeTimeoutError, match="nothing comes from"):
            next(results)
        os.kill(pipeline.process.pid, signal.SIGCONT)
        results.timeout_s = PATIENCE_S
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
    # At most 8 here, 5 there, and one or two on the way; the rest was dropped, newest first.
    assert 0 < len(got) < 20


def test_interrupted_it_leaves_at_once() -> None:
    code = (
        "from linescan import Subscriber\n"
        "with Subscriber('tcp://127.0.0.1:9') as results:\n"
        "    try:\n"
        "        print('waiting', flush=True)\n"
        "        next(results)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)  # most often it waits in the poller by now
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE_S)[0] == "interrupted\n"
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
with linescan.Subscriber(sys.argv[1], ("inspection", "event"), timeout_s=45) as results:
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
        stage.publisher.wait_for_subscribers(1, PATIENCE_S)
        publish(stage, 0, 1)
        list(stage.finish())
        assert process.communicate(timeout=PATIENCE_S)[1] == ""
        assert process.returncode == 0


def test_start_is_kept() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port(3)}"
    section = PublishSection(data=endpoint, wait_for_subscribers=1)
    with Subscriber(endpoint, camera="web-1", timeout_s=PATIENCE_S) as results:
        reading = Reading(results)
        stage = Publish(section, "web-1", Ledger())
        stage.setup()
        list(stage.finish())
        stage.teardown()
        reading.join()
        assert reading.messages.empty()
        assert isinstance(results.start, StartEvent)
        assert isinstance(results.end, EndEvent)
