"""Stages and sources that fail: what is lost, kept, and said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from linescan.config import OverloadSection
from linescan.errors import ModelError, PublishError
from linescan.ledger import Ledger
from linescan.pipeline.runner import Pipeline
from linescan.records import Cause, Frame, LineBlock, Loss
from linescan.stages import Stage
from linescan.stitching import Stitch
from tests.pipeline.helpers import Lines, Settle, Through
from tests.pipeline.running import pipeline, run


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
