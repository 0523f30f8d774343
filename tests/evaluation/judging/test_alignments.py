"""How outputs become heights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linescan.errors import LinescanError
from linescan.evaluation.judging.alignments import ScaleShift, Unaligned, facing, pixel_size
from linescan.evaluation.judging.calibrated import Calibrated, FromFile, fitted_on
from linescan.records import Convention, DepthMap, FloatArray, WebMap

WEB = WebMap(0.0, 2.0, 0.0, 2.0, 0.1, 0.1)  # 0.2 mm a pixel of the depth map
TRUTH = np.random.default_rng(0).normal(0.5, 0.2, (40, 40)).astype(np.float32)


def depth(values: FloatArray, web: WebMap = WEB, **other: Any) -> DepthMap:
    made = DepthMap(
        values.astype(np.float32),
        Convention.HEIGHT,
        "relative",
        1.0,
        0.0,
        None,
        np.ones(len(values), np.bool_),
        web,
    )
    return replace(made, **other)


def test_depth_that_grows_away_from_the_camera_is_turned_round() -> None:
    values = np.ones((2, 2), np.float32)
    assert (facing(depth(values, convention=Convention.DEPTH)) == -1).all()
    assert (facing(depth(values, convention=Convention.DISPARITY)) == 1).all()


def test_the_size_of_a_pixel_is_in_the_unit_of_height() -> None:
    assert pixel_size(WEB, "mm") == pytest.approx(0.2)
    assert pixel_size(WEB, "um") == pytest.approx(200.0)
    assert pixel_size(replace(WEB, mm_per_line=0.4), "mm") == pytest.approx(0.4)
    assert pixel_size(replace(WEB, mm_per_line=None), "mm") is None


@pytest.mark.parametrize(
    ("given", "unit", "factor"),
    [("mm", "mm", 1.0), ("um", "mm", 1e-3), ("mm", "um", 1e3), ("px", "mm", 0.2)],
)
def test_without_alignment_only_units_change(given: str, unit: str, factor: float) -> None:
    aligned = Unaligned(unit).align(depth(TRUTH, unit=given), TRUTH)  # type: ignore[arg-type]
    assert aligned.comparable
    np.testing.assert_allclose(aligned.values, TRUTH * factor, rtol=1e-6)
    assert aligned.scale == pytest.approx(factor)


def test_relative_depth_without_alignment_cannot_be_compared() -> None:
    aligned = Unaligned("mm").align(depth(TRUTH), TRUTH)
    assert not aligned.comparable
    np.testing.assert_array_equal(aligned.values, TRUTH)


def test_scale_and_shift_fit_each_frame() -> None:
    aligned = ScaleShift().align(depth(3.0 - 5.0 * TRUTH), TRUTH)
    np.testing.assert_allclose(aligned.values, TRUTH, atol=1e-5)
    assert aligned.scale == pytest.approx(-0.2, rel=1e-4)


def test_one_calibration_holds_for_webs_of_any_pitch() -> None:
    alignment = Calibrated("mm", continuous=False)
    for pitch in (0.1, 0.3):
        web = replace(WEB, mm_per_line=pitch, mm_per_column=pitch)
        # The model sees heights in its own pixels; a fifth of the truth is wrong.
        values = (TRUTH / (2 * pitch) - 4.0) / 2.5
        wrong = TRUTH.copy()
        wrong[:8] += 3.0
        alignment.observe(depth(values, web), wrong)
    alignment.settle()
    coarse = replace(WEB, mm_per_line=1.0, mm_per_column=1.0)
    aligned = alignment.align(depth((TRUTH / 2.0 - 4.0) / 2.5, coarse), TRUTH)
    np.testing.assert_allclose(aligned.values, TRUTH, atol=1e-3)
    assert aligned.scale == pytest.approx(5.0, rel=1e-3)
    said = alignment.statement()
    assert (said["mode"], said["unit"], said["frames"]) == ("calibrated", "px", 2)
    assert (said["scale"], said["shift"]) == (pytest.approx(2.5), pytest.approx(4.0))
    assert "every 5th" in said["text"]


def test_without_a_pitch_a_calibration_is_in_the_unit_of_the_truth() -> None:
    bare = replace(WEB, mm_per_line=None)
    alignment = Calibrated("um", continuous=True)
    alignment.observe(depth(TRUTH * 2, bare), TRUTH)
    with pytest.raises(LinescanError, match="known of some frames only"):
        alignment.observe(depth(TRUTH * 2), TRUTH)
    alignment.settle()
    assert alignment.statement()["unit"] == "um"
    assert "the first 5th" in alignment.statement()["text"]
    np.testing.assert_allclose(alignment.align(depth(TRUTH * 2, bare), TRUTH).values, TRUTH, 1e-4)


def test_nothing_to_fit_is_refused() -> None:
    alignment = Calibrated("mm", continuous=False)
    alignment.observe(depth(TRUTH), np.full_like(TRUTH, np.nan))
    with pytest.raises(LinescanError, match="none has known height"):
        alignment.settle()


def test_an_output_that_tells_nothing_is_a_level_at_the_mean() -> None:
    alignment = Calibrated("mm", continuous=False)
    alignment.observe(depth(np.zeros_like(TRUTH)), TRUTH)
    alignment.settle()
    aligned = alignment.align(depth(np.ones_like(TRUTH)), TRUTH)
    np.testing.assert_allclose(aligned.values, TRUTH.mean(), atol=0.02)
    assert aligned.scale == 0.0
    assert "the predictions are the same" in alignment.statement()["text"]
    assert "scale" not in alignment.statement()


def test_heights_of_a_calibration_file_are_taken_as_they_are() -> None:
    alignment = FromFile(Path("line.json"), "um")
    aligned = alignment.align(depth(TRUTH, unit="mm"), TRUTH)
    np.testing.assert_allclose(aligned.values, TRUTH * 1000, rtol=1e-6)
    assert (aligned.scale, alignment.statement()["mode"]) == (1000.0, "calibrated")
    assert "line.json" in alignment.statement()["text"]
    with pytest.raises(LinescanError, match="does not apply to what gives relative depth"):
        alignment.align(depth(TRUTH), TRUTH)


def test_which_frames_are_fitted_on() -> None:
    apart = [n for n in range(12) if fitted_on(n, 12, continuous=False)]
    assert apart == [0, 5, 10]
    assert [n for n in range(12) if fitted_on(n, 12, continuous=True)] == [0, 1, 2]
    assert [n for n in range(2) if fitted_on(n, 2, continuous=True)] == [0]
