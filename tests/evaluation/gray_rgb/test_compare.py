"""One picture on engines whose depth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.evaluation.gray_rgb.colour import ColourPicture, Skipped, luma
from linescan.evaluation.gray_rgb.compare import Round, Shown, compare, difference
from linescan.evaluation.gray_rgb.engines import EnginePair
from tests.evaluation.gray_rgb.handmade import LUMA, SIZE, colour_noise, open_sums, picture


def compared(engines: EnginePair, given: ColourPicture | None = None, rounds: int = 1) -> Shown:
    result = compare(given or picture(), engines, rounds)
    assert isinstance(result, Shown)
    return result


def test_a_model_that_sees_luma_alone_loses_nothing(tmp_path: Path) -> None:
    """What remains is luma rounded to 8 bits."""
    result = compared(open_sums(tmp_path, LUMA))
    assert result.score.gray.deviation < 0.03
    assert result.score.gray.rank_correlation > 0.999
    assert result.score.gray.same_sign
    assert result.score.colour > 30
    np.testing.assert_allclose(result.gray_depth, result.rgb_depth, atol=1.5)


def test_a_model_that_sees_red_alone_loses_what_the_correlation_says(tmp_path: Path) -> None:
    result = compared(open_sums(tmp_path, (1.0, 0.0, 0.0)))
    r = np.corrcoef(result.rgb[:, :, 0].ravel(), result.gray.ravel())[0, 1]
    assert result.score.gray.deviation == pytest.approx(np.sqrt(1 - r * r), rel=1e-4)
    assert result.score.gray.deviation > 0.5 > result.score.jpeg.deviation
    assert result.score.noise.deviation < 0.1


def test_a_lost_sign_is_told_and_costs_no_deviation(tmp_path: Path) -> None:
    result = compared(open_sums(tmp_path, LUMA, gray=-1.0))
    assert not result.score.gray.same_sign
    assert result.score.gray.rank_correlation < -0.999
    assert result.score.gray.deviation < 0.03
    assert result.score.noise.same_sign


def test_noise_is_worth_its_size(tmp_path: Path) -> None:
    """Red alone: the control's deviation is that of its noise, 2 gray levels."""
    result = compared(open_sums(tmp_path, (1.0, 0.0, 0.0)))
    expected = 2.0 / result.rgb[:, :, 0].std()
    assert result.score.noise.deviation == pytest.approx(expected, rel=0.1)


def test_a_picture_without_depth_is_skipped(tmp_path: Path) -> None:
    even = np.full((50, 50, 3), (200, 30, 90), np.uint8)
    result = compare(ColourPicture("even.png", even), open_sums(tmp_path, LUMA), 1)
    assert isinstance(result, Skipped)
    assert "same depth everywhere" in result.reason


def test_the_true_height_is_a_yardstick_for_both(tmp_path: Path) -> None:
    pixels = colour_noise(4, SIZE)
    height = luma(pixels).astype(np.float32)
    given = ColourPicture("true.png", pixels, height)
    truth = compared(open_sums(tmp_path, (1.0, 0.0, 0.0)), given).score.truth
    assert truth is not None
    assert truth.gray < 1e-5
    assert truth.rgb > 0.5
    flat = ColourPicture("flat.png", pixels, np.zeros_like(height))
    assert compared(open_sums(tmp_path, LUMA), flat).score.truth is None


def test_each_round_is_timed(tmp_path: Path) -> None:
    rounds = compared(open_sums(tmp_path, LUMA), rounds=4).score.rounds
    assert len(rounds) == 4
    assert all(min(r.gray_prepare, r.gray_engine, r.rgb_prepare, r.rgb_engine) > 0 for r in rounds)


def test_ratios_are_gray_over_rgb() -> None:
    one = Round(gray_prepare=1.0, gray_engine=4.0, rgb_prepare=2.0, rgb_engine=8.0)
    assert one.engine_ratio == 0.5
    assert one.ratio == 0.5
    assert Round(0.0, 8.0, 2.0, 8.0).ratio == 0.8


def test_a_variant_without_depth_is_as_good_as_a_constant() -> None:
    depth = colour_noise()[:, :, 0].astype(np.float32)
    none = difference(np.zeros_like(depth), depth)
    assert none.deviation == pytest.approx(1.0)
    assert none.rank_correlation == 0.0
    assert not none.same_sign
