"""How a run ends: drained or discarded within its deadline, and torn down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

import cv2
import pytest

from linescan.config import OverloadSection
from linescan.errors import ModelError
from linescan.ledger import Ledger
from linescan.pipeline.runner import Pipeline
from linescan.records import Cause, Frame
from linescan.stages import Stage
from linescan.stitching import Stitch
from tests.pipeline.helpers import Lines, Settle, Through
from tests.pipeline.running import pipeline, run


def test_stop_drains_what_was_captured() -> None:
    seen = threading.Event()
    run_ = pipeline(Lines(None), on_result=lambda _: seen.set())

    def stop() -> None:
        seen.wait(5)
        run_.stop("asked to")

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = run_.run()
    stopper.join()
    assert outcome.reason == "asked to"
    assert outcome.totals.balanced
    assert outcome.totals.published == outcome.totals.captured > 0


def test_a_deadline_of_zero_discards_what_is_under_way_and_counts_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()
    entered = threading.Event()

    def act(frame: Frame) -> Iterable[Frame]:
        entered.set()
        release.wait(5)
        return (frame,)

    run_ = pipeline(Lines(None), act, drain_s=0, queue=2)

    def stop() -> None:
        entered.wait(5)
        time.sleep(0.1)
        run_.stop("now")
        time.sleep(0.3)
        release.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = run_.run()
    stopper.join()
    assert outcome.totals.balanced
    assert outcome.totals.lost[Cause.SHUTDOWN] > 0
    assert "not drained within 0 s: the rest is discarded" in caplog.messages


def test_a_second_stop_discards_at_once(caplog: pytest.LogCaptureFixture) -> None:
    entered, release = threading.Event(), threading.Event()

    def act(frame: Frame) -> Iterable[Frame]:
        entered.set()
        release.wait(0.05)
        return (frame,)

    run_ = pipeline(Lines(None), act, drain_s=600, queue=8)

    def stop() -> None:
        entered.wait(5)
        time.sleep(0.2)
        run_.stop("once")
        run_.stop("twice")

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = run_.run()
    stopper.join()
    assert outcome.reason == "once"
    assert outcome.totals.balanced
    assert outcome.totals.lost[Cause.SHUTDOWN] > 0
    assert "not drained" not in caplog.text


def test_a_hung_stage_does_not_hang_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linescan.pipeline.runner.GRACE_S", 0.2)
    hang = threading.Event()
    entered = threading.Event()

    def act(frame: Frame) -> Iterable[Frame]:
        entered.set()
        hang.wait(30)
        return (frame,)

    run_ = pipeline(Lines(None), act, drain_s=0.1, queue=1)

    def stop() -> None:
        entered.wait(5)
        run_.stop("now")

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = run_.run()
    hang.set()
    stopper.join()
    assert not outcome.totals.balanced, "what the hung stage holds has no fate"


def test_only_the_hung_stage_is_named_and_a_second_stop_does_not_wait_for_the_deadline(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("linescan.pipeline.runner.GRACE_S", 0.2)
    hang, entered = threading.Event(), threading.Event()

    def act(frame: Frame) -> Iterable[Frame]:
        entered.set()
        hang.wait(30)
        return (frame,)

    run_ = pipeline(Lines(None), act, drain_s=600, queue=1)

    def stop() -> None:
        entered.wait(5)
        run_.stop("once")
        run_.stop("twice")

    stopper = threading.Thread(target=stop)
    stopper.start()
    run_.run()
    hang.set()
    stopper.join()
    assert "stages that do not end: through" in caplog.messages
    assert "asked to end at once: the rest is discarded" in caplog.messages
    assert "not drained" not in caplog.text


def test_a_time_limit_ends_the_run() -> None:
    ledger = Ledger()
    source = Lines(None)
    source.open(ledger.capture)
    outcome = Pipeline(
        source, [Stitch(20, 4), Settle(ledger)], ledger, OverloadSection(), limit_s=0.2
    ).run()
    assert outcome.reason == "the set duration is over"
    assert outcome.totals.balanced


def test_stages_are_torn_down_in_reverse_when_a_later_setup_fails() -> None:
    class Broken(Settle):
        def setup(self) -> None:
            raise ModelError("no such file")

    ledger = Ledger()
    source, through = Lines(10), Through(lambda f: (f,))
    source.open(ledger.capture)
    stages: list[Stage[Any, Any]] = [Stitch(20, 4), through, Broken(ledger)]
    with pytest.raises(ModelError):
        Pipeline(source, stages, ledger, OverloadSection()).run()
    assert through.log == ["setup", "teardown"]
    assert source.closed


def test_where_one_teardown_fails_the_others_still_happen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Clumsy(Through):
        def teardown(self) -> None:
            super().teardown()
            raise OSError("it is stuck")

    ledger, source = Ledger(), Lines(40)
    source.open(ledger.capture)
    first, second = Through(lambda f: (f,)), Clumsy(lambda f: (f,))
    stages: list[Stage[Any, Any]] = [Stitch(20, 4), first, second, Settle(ledger)]
    assert Pipeline(source, stages, ledger, OverloadSection()).run().totals.balanced
    assert first.log == second.log == ["setup", "teardown"]
    assert source.closed
    assert "it is stuck" in caplog.text


@pytest.mark.parametrize("fails", [False, True])
def test_opencv_keeps_to_one_thread_while_a_pipeline_runs(fails: bool) -> None:
    seen: set[int] = set()

    def act(frame: Frame) -> Iterable[Frame]:
        seen.add(cv2.getNumThreads())
        return (frame,)

    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        run(Lines(100, fails=fails), act)
        assert seen == {1}
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
