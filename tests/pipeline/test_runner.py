"""The runner accounts for every line, in order."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from linescan.config import OverloadSection
from linescan.latency import Latency
from linescan.ledger import Ledger
from linescan.pipeline.runner import Pipeline
from linescan.records import Cause, Frame, Loss
from linescan.stages import Stage
from linescan.stitching import Stitch
from tests.pipeline.helpers import Lines, Settle, Through
from tests.pipeline.running import pipeline, run


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


def test_drop_oldest_counts_what_a_slow_stage_could_not_take() -> None:
    def act(frame: Frame) -> Iterable[Frame]:
        time.sleep(0.002)
        return (frame,)

    outcome = pipeline(Lines(20_000), act, policy="drop_oldest", queue=2).run()
    assert outcome.totals.lost[Cause.QUEUE_OVERFLOW] > 0
    assert outcome.totals.balanced


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
