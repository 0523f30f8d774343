"""The runner ends cleanly, accounts for every line, and survives failing stages."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import pytest

from linescan.config import OverloadSection
from linescan.errors import ModelError, PublishError
from linescan.latency import Latency
from linescan.ledger import Ledger
from linescan.pipeline.limits import LimitedSource
from linescan.pipeline.runner import Outcome, Pipeline
from linescan.records import Cause, Frame, LineBlock, Loss
from linescan.sources.base import Source
from linescan.stages import Stage
from linescan.stitching import Stitch
from tests.pipeline.helpers import Lines, Settle, Through


def pipeline(
    source: Source,
    act: Callable[[Frame], Iterable[Frame]] = lambda f: (f,),
    on_result: Callable[[object], None] = lambda _: None,
    **overload: object,
) -> Pipeline:
    ledger = Ledger()
    source.open(ledger.capture)
    stages: list[Stage[Any, Any]] = [Stitch(20, 4), Through(act), Settle(ledger)]
    section = OverloadSection.model_validate({"drain_s": 5, **overload})
    return Pipeline(source, stages, ledger, section, on_result)


def run(source: Source, act: Callable[[Frame], Iterable[Frame]] = lambda f: (f,)) -> Outcome:
    return pipeline(source, act).run()


def test_every_line_is_published() -> None:
    outcome = run(Lines(1000))
    assert outcome.totals.to_json()["published"] == 1000
    assert outcome.totals.balanced
    assert outcome.reason == "finished"
    assert set(outcome.latencies) == {"acquire", "stitch", "through", "settle"}
    assert outcome.latencies["acquire"].count == 100


def test_losses_travel_to_the_ledger() -> None:
    outcome = run(Lines(1000, lost={200, 210, 500}))
    assert outcome.totals.published == 970
    assert outcome.totals.lost == {Cause.CAMERA_GAP: 30}
    assert outcome.totals.balanced


def test_a_stage_that_silently_eats_a_frame_is_found() -> None:
    outcome = run(Lines(200), lambda f: () if f.first_line == 64 else (f,))
    assert outcome.totals.open == 20 - 2 * 4
    assert not outcome.totals.balanced


def test_a_stage_that_fails_loses_the_frame_with_its_cause_and_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def act(frame: Frame) -> Iterable[Frame]:
        if frame.first_line == 64:
            raise ModelError("NaN in the output")
        return (frame,)

    outcome = run(Lines(200), act)
    assert outcome.totals.lost == {Cause.INFERENCE_FAILURE: 12}
    assert outcome.totals.balanced
    assert outcome.failures["through"] == 1
    assert "stage through failed on lines 64 to 83" in caplog.text


def test_frames_made_before_a_failure_in_the_same_step_are_kept() -> None:
    def act(frame: Frame) -> Iterable[Frame]:
        yield frame
        raise RuntimeError("afterwards")

    outcome = run(Lines(200), act)
    assert outcome.totals.published == 200
    assert outcome.totals.balanced


def test_many_failures_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def act(frame: Frame) -> Iterable[Frame]:
        raise RuntimeError("always")

    outcome = run(Lines(8000), act)
    assert outcome.totals.lost == {Cause.INFERENCE_FAILURE: 8000}
    assert len(caplog.records) < 12


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


def test_a_source_that_fails_before_its_first_item_ends_the_run() -> None:
    class Broken(Lines):
        def items(self) -> Iterator[LineBlock | Loss]:
            raise OSError("no such device")

    outcome = run(Broken(10))
    assert isinstance(outcome.error, OSError)


def test_when_nothing_can_be_published_the_run_ends_with_that_error() -> None:
    def act(frame: Frame) -> Iterable[Frame]:
        raise PublishError("the socket is gone")

    outcome = run(Lines(None), act)
    assert isinstance(outcome.error, PublishError)
    assert outcome.reason == "error: the socket is gone"
    assert outcome.totals.balanced


def test_a_stage_that_cannot_finish_is_the_runs_error() -> None:
    class Unfinished(Settle):
        def finish(self) -> Iterable[Frame]:
            raise RuntimeError("no end")

    ledger, source = Ledger(), Lines(100)
    source.open(ledger.capture)
    outcome = Pipeline(source, [Stitch(20, 4), Unfinished(ledger)], ledger, OverloadSection()).run()
    assert str(outcome.error) == "no end"
    assert outcome.totals.published == 100


def test_results_that_cannot_be_used_end_the_run(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: object) -> None:
        raise ValueError("cannot use it")

    outcome = pipeline(Lines(None), on_result=refuse).run()
    assert isinstance(outcome.error, ValueError)
    assert outcome.totals.balanced


def test_what_a_stage_gives_before_it_fails_on_a_loss_is_kept() -> None:
    class Late(Through):
        def skip(self, loss: Loss) -> Iterator[Frame | Loss]:
            if self.held:
                yield self.held.pop()
            raise RuntimeError("on a loss")

        def process(self, item: Frame) -> Iterable[Frame]:
            if item.first_line == 16:
                self.held = [item]
                return ()
            return (item,)

    ledger, source = Ledger(), Lines(100, lost={40})
    source.open(ledger.capture)
    stages: list[Stage[Any, Any]] = [Stitch(20, 4), Late(lambda f: (f,)), Settle(ledger)]
    outcome = Pipeline(source, stages, ledger, OverloadSection()).run()
    assert outcome.totals.balanced
    assert outcome.totals.lost == {Cause.CAMERA_GAP: 10}


def test_a_source_error_is_handed_over_after_what_came_before_is_published() -> None:
    outcome = run(Lines(100, fails=True))
    assert isinstance(outcome.error, OSError)
    assert outcome.totals.published == 100
    assert outcome.reason == "error: the cable was pulled"


def test_drop_oldest_counts_what_a_slow_stage_could_not_take() -> None:
    def act(frame: Frame) -> Iterable[Frame]:
        time.sleep(0.002)
        return (frame,)

    outcome = pipeline(Lines(20_000), act, policy="drop_oldest", queue=2).run()
    assert outcome.totals.lost[Cause.QUEUE_OVERFLOW] > 0
    assert outcome.totals.balanced


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


@pytest.mark.parametrize("limit", [1, 10, 15, 95, 1000])
def test_a_limited_source_gives_exactly_so_many_lines(limit: int) -> None:
    source = LimitedSource(Lines(100, lost={90}), limit)
    outcome = run(source)
    assert source.description.total_lines == min(limit, 100)
    assert outcome.totals.captured == min(limit, 100)
    assert outcome.totals.balanced


def test_a_limited_source_does_not_wait_for_what_comes_after() -> None:
    class Ends(Lines):
        def items(self) -> Iterator[LineBlock | Loss]:
            yield from itertools.islice(super().items(), 2)
            raise OSError("asked for more")

    outcome = run(LimitedSource(Ends(None), 20))
    assert outcome.error is None
    assert outcome.totals.published == 20


def test_each_stage_stamps_every_frame_the_last_one_too() -> None:
    frames: list[Frame] = []
    pipeline(
        Lines(40), on_result=lambda f: frames.append(f) if isinstance(f, Frame) else None
    ).run()
    assert len(frames) == 3
    assert all(list(f.stamps) == ["acquire", "stitch", "through", "settle"] for f in frames)


def test_losses_reach_the_result_callback_in_order() -> None:
    seen: list[object] = []
    pipeline(Lines(100, lost={40}), on_result=seen.append).run()
    assert Loss(40, 10, Cause.CAMERA_GAP) in seen


def test_steps_of_a_stage_stand_in_its_place_and_part_failures_beside_it() -> None:
    class Stepwise(Through):
        name = "stepwise"

        def __init__(self) -> None:
            super().__init__(self._step)
            self._first = Latency()

        def _step(self, frame: Frame) -> Iterable[Frame]:
            self._first.add(5)
            return (frame,)

        @property
        def steps(self) -> dict[str, Latency]:
            return {"first": self._first}

        @property
        def partial_failures(self) -> dict[str, int]:
            return {"picture": 3}

    ledger, source = Ledger(), Lines(100)
    source.open(ledger.capture)
    stages: list[Stage[Any, Any]] = [Stitch(20, 4), Stepwise(), Settle(ledger)]
    outcome = Pipeline(source, stages, ledger, OverloadSection()).run()
    assert list(outcome.latencies) == ["acquire", "stitch", "first", "settle"]
    assert outcome.latencies["first"].count == outcome.latencies["settle"].count
    assert outcome.failures == {"stitch": 0, "stepwise": 0, "stepwise.picture": 3, "settle": 0}


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
