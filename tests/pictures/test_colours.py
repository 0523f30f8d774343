"""Limits are robust, and a flat frame's noise does not fill them."""

import numpy as np
import pytest

from linescan.errors import LinescanError
from linescan.pictures import robust_limits
from linescan.pictures.colours import choose_limits, colourise, gray_levels, paint_hatch
from tests.pictures.maps import spread


def test_wild_pixels_do_not_move_the_limits() -> None:
    values = np.linspace(-1, 1, 90_000, dtype=np.float32).reshape(300, 300)
    values[5, 5], values[9, 9] = 1e6, -1e6
    low, high = robust_limits(values)
    assert (low, high) == pytest.approx((-1, 1), abs=0.01)


def test_noise_alone_spans_ten_sigma() -> None:
    values = np.random.default_rng(0).normal(50, 2, (300, 300)).astype(np.float32)
    low, high = robust_limits(values)
    assert high - low == pytest.approx(20, rel=0.05)
    assert (low + high) / 2 == pytest.approx(50, abs=0.5)


def test_relief_is_not_widened() -> None:
    values = np.linspace(0, 100, 90_000, dtype=np.float32).reshape(300, 300)
    low, high = robust_limits(values)
    assert low == pytest.approx(0, abs=0.5)
    assert high == pytest.approx(100, abs=0.5)


@pytest.mark.parametrize("value", [0.0, 7.0, -1e9, 1e30])
def test_one_value_alone_has_limits_around_it(value: float) -> None:
    low, high = robust_limits(np.full((20, 20), value, np.float32))
    assert low < value < high


def test_nothing_finite() -> None:
    assert robust_limits(np.full((4, 4), np.nan, np.float32)) == (0.0, 1.0)
    assert robust_limits(np.zeros((0, 4), np.float32)) == (0.0, 1.0)


def test_given_limits_must_ascend() -> None:
    assert choose_limits((1, 2), np.zeros((2, 2), np.float32)) == (1, 2)
    for wrong in ((2, 1), (1, 1), (float("nan"), 1)):
        with pytest.raises(LinescanError, match="the first must be lower"):
            choose_limits(wrong, np.zeros((2, 2), np.float32))


def test_levels_clip_and_turn_round() -> None:
    values = np.array([[-5, 0, 5, 10, 99]], np.float32)
    assert gray_levels(values, (0, 10)).tolist() == [[0, 0, 127, 255, 255]]
    assert gray_levels(values, (0, 10), reverse=True).tolist() == [[255, 255, 128, 0, 0]]


@pytest.mark.parametrize("name", ["inferno", "viridis"])
def test_perceptual_maps_get_lighter_upwards(name: str) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, :]
    colours = colourise(ramp, (0, 1), name, reverse=False)[0].astype(float)  # type: ignore[arg-type]
    luma = colours @ [0.114, 0.587, 0.299]
    assert (np.diff(luma) > -1).all()
    assert luma[-1] > luma[0] + 150


def test_turbo_is_cold_below_and_warm_above() -> None:
    colours = colourise(np.array([[0.1, 0.9]], np.float32), (0, 1), "turbo", reverse=False)[0]
    assert colours[0, 0] > colours[0, 2]
    assert colours[1, 2] > colours[1, 0]


def test_the_hatch_is_gray_and_stays_inside() -> None:
    picture = np.full((40, 40, 3), (10, 200, 30), np.uint8)
    unknown = np.zeros((40, 40), np.bool_)
    unknown[10:20] = True
    paint_hatch(picture, unknown, 5)
    assert (spread(picture[10:20]) == 0).all()
    assert len(np.unique(picture[10:20])) == 2
    assert (picture[~unknown] == (10, 200, 30)).all()
