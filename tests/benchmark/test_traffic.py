"""Bytes that stages move, and their rate beside the machine's copy."""

from __future__ import annotations

import pytest

from linescan.benchmark.traffic import moved_per_frame, relate_to_copy
from tests.benchmark.samples import stage

FRAME, IMAGE = (2048, 4096), (518, 1036)
MESSAGE = 518 * 1036 * 6


def test_bytes_are_those_read_plus_those_written() -> None:
    assert moved_per_frame(FRAME, IMAGE, MESSAGE) == {
        "stitch": 2 * 2048 * 4096,
        "resize": 2048 * 4096 + 518 * 1036,
        "encode": MESSAGE,
        "receive": MESSAGE,
        "delivery": 6 * MESSAGE,
    }


def test_a_model_that_resizes_leaves_the_resize_stage_nothing_to_move() -> None:
    assert "resize" not in moved_per_frame(FRAME, FRAME, MESSAGE)


def test_without_checksums_nobody_reads_the_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linescan.benchmark.traffic.crc32c", lambda _: None)
    moved = moved_per_frame(FRAME, IMAGE, MESSAGE)
    assert set(moved) == {"stitch", "resize", "delivery"}
    assert moved["delivery"] == 4 * MESSAGE


def test_the_rate_is_of_the_whole_time_of_a_stage_over_its_frames() -> None:
    stages = {
        "stitch": {**stage(1.0), "ms_per_frame": 8.0},
        "infer": stage(100.0),
        "correct": None,
        "encode": stage(0.0),
    }
    relate_to_copy(stages, {"stitch": 16_000_000, "encode": 7, "correct": 1}, 20.0)
    found = {
        name: (row["bytes_per_frame"], row["gb_s"], row["share_of_copy"])
        for name, row in stages.items()
        if row is not None
    }
    assert found == {
        "stitch": (16_000_000, 2.0, 0.1),
        "infer": (None, None, None),
        "encode": (7, None, None),
    }


def test_without_a_measured_copy_there_is_no_share() -> None:
    stages = {"stitch": stage(8.0)}
    relate_to_copy(stages, {"stitch": 16_000_000}, None)
    assert (stages["stitch"]["gb_s"], stages["stitch"]["share_of_copy"]) == (2.0, None)
