"""From a camera to frames, through the whole pipeline with depth off."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import genicam
import numpy as np
import pytest

from linescan.config import parse
from linescan.pipeline.factory import build_pipeline
from linescan.records import Frame, Inspection, Loss
from tests.compilers import needs_compiler

ROOT = Path(__file__).resolve().parents[3]
VIKY = next(Path(str(genicam.__file__)).parent.rglob("*.cti"))
FRAMES = """
frame: {lines: 256, overlap: 32, last: drop}
depth: {enabled: false}
publish: {enabled: false}
overload: {policy: block}
"""


def frames(source: str, lines: int, *, slow_s: float = 0.0) -> tuple[list[Frame], list[Loss], Any]:
    """Frames and losses of a source, and the account; the first result takes ``slow_s``."""
    results: list[Any] = []

    def note(result: Any) -> None:
        if not results:
            time.sleep(slow_s)
        results.append(result)

    config = parse(source + FRAMES, "test.yaml", folder=ROOT)
    pipeline, _ = build_pipeline(config, lines=lines, on_result=note)
    outcome = pipeline.run()
    assert outcome.error is None
    given = [result.frame for result in results if isinstance(result, Inspection)]
    return given, [r for r in results if isinstance(r, Loss)], outcome.totals


def test_any_producer_gives_frames() -> None:
    source = f"source: {{type: genicam, producer: {VIKY}, width: 320, block_lines: 120}}"
    given, _, totals = frames(source, 1000)
    assert totals.balanced, totals.explain()
    assert totals.captured == 1000
    assert [frame.first_line for frame in given] == [0, 224, 448, 672]
    assert all(frame.pixels.shape == (256, 320) for frame in given)


@needs_compiler
def test_a_recording_gives_the_same_frames_by_replay_and_by_camera() -> None:
    replayed, _, _ = frames("source: {type: recording, path: sim_data/parts}", 2000)
    camera = (
        "source: {type: genicam, producer: build/linescan-virtual.cti, block_lines: 100, "
        "line_rate_hz: 4000, buffers: 256, virtual: {recording: sim_data/parts}}"
    )
    acquired, losses, totals = frames(camera, 2000)
    assert totals.balanced
    assert not [loss for loss in losses if loss.cause != "partial_frame"]
    assert len(acquired) == len(replayed) > 5
    for one, other in zip(acquired, replayed, strict=True):
        assert one.first_line == other.first_line
        assert np.array_equal(one.valid, other.valid)
        assert np.array_equal(one.pixels, other.pixels)


@needs_compiler
def test_a_consumer_that_stands_still_costs_lines_but_no_account() -> None:
    camera = (
        "source: {type: genicam, producer: build/linescan-virtual.cti, block_lines: 50, "
        "line_rate_hz: 50000, buffers: 8, ring_blocks: 4, supervision: {hang_s: 1.0}, "
        "virtual: {width: 64, lines: 500}}"
    )
    given, losses, totals = frames(camera, 200_000, slow_s=3.0)
    assert totals.balanced, totals.explain()
    assert totals.captured == 200_000
    assert given
    causes = {str(loss.cause) for loss in losses}
    assert "ring_overflow" in causes
    assert causes <= {"ring_overflow", "under_run", "camera_gap", "partial_frame"}, "no reconnect"


@needs_compiler
@pytest.mark.parametrize("encoder", ["ends", "lines"])
def test_rows_as_long_as_lines_are_the_lines_themselves(encoder: str) -> None:
    camera = (
        "source: {type: genicam, producer: build/linescan-virtual.cti, block_lines: 100, "
        "line_rate_hz: 4000, buffers: 256, virtual: {recording: sim_data/parts}, "
        f"chunks: {{encoder: {encoder}}}}}\n"
    )
    # The virtual camera's encoder gives 4 ticks a line.
    resampling = "correction: {encoder_resampling: {enabled: true, mm_per_tick: 0.1, row_mm: 0.4}}"
    rows, losses, totals = frames(camera + resampling, 1000)
    assert totals.balanced, totals.explain()
    assert not [loss for loss in losses if loss.cause != "partial_frame"]
    replayed, _, _ = frames("source: {type: recording, path: sim_data/parts}", 1000)
    assert len(rows) == len(replayed) == 4
    for one, other in zip(rows, replayed, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert one.camera_lines == other.lines()
        assert one.encoder == (4 * one.first_line, 4 * (one.first_line + 255))
