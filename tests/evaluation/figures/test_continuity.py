"""Seams, flicker and drift, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.figures.continuity import SeamStep, Spread, drift, flicker
from linescan.records import WebMap


def ramp(first_line: float, rows: int = 10, step: float = 2.0) -> tuple[np.ndarray, WebMap]:
    """A web that rises by 1 from row to row."""
    lines = first_line + np.arange(rows) * step
    return np.repeat(lines[:, None] / step, 4, axis=1), WebMap(first_line, step, 0.0, 1.0)


def fed(*frames: tuple[int, np.ndarray, WebMap]) -> SeamStep:
    seam = SeamStep()
    for number, values, web in frames:
        seam.add(number, values, web)
    seam.finish()
    return seam


@pytest.mark.parametrize("second", [20.0, 16.0, 15.0, 14.5], ids=["abut", "overlap", "odd", "frac"])
def test_a_continuous_web_has_no_seam_wherever_it_is_cut(second: float) -> None:
    seam = fed((0, *ramp(0.0)), (0, *ramp(second)))
    assert seam.borders
    assert seam.ratio == pytest.approx(1.0)


def test_a_step_at_the_border_is_told_in_steps_inside() -> None:
    values, web = ramp(16.0)
    seam = fed((0, *ramp(0.0)), (0, values + 2.0, web))  # 1 as usual, and 2 more
    assert seam.ratio == pytest.approx(3.0)


def test_frames_of_other_webs_or_beyond_a_gap_have_no_border() -> None:
    assert not fed((0, *ramp(0.0)), (1, *ramp(16.0))).borders
    gap = fed((0, *ramp(0.0)), (0, *ramp(40.0)))
    assert not gap.borders
    assert gap.ratio is None


def test_unknown_rows_do_not_count() -> None:
    values, web = ramp(16.0)
    values[0, :2] = np.nan
    values[5] = np.nan
    assert fed((0, *ramp(0.0)), (0, values, web)).ratio == pytest.approx(1.0)


def test_a_level_web_has_no_ratio() -> None:
    level = np.zeros((10, 4))
    web = ramp(18.0)[1]
    assert fed((0, level, ramp(0.0)[1]), (0, level, web)).ratio is None


def test_flicker_is_the_mean_change_over_the_noise() -> None:
    assert flicker([0.0, 0.3, 0.1, 0.1], 0.5) == pytest.approx((0.3 + 0.2) / 3 / 0.5)
    assert flicker([0.0], 0.5) is None
    assert flicker([0.0, 1.0], 0.0) is None


def test_drift_is_the_rise_of_the_line_through_the_errors() -> None:
    assert drift([0.0, 0.1, 0.2, 0.3], 3.0) == pytest.approx(0.1)
    assert drift([0.0, 1.0, -1.0, 0.0], 3.0) == pytest.approx(0.6 / 3)  # slope -0.2, three steps
    assert drift([0.0, 0.1], 3.0) is None
    assert drift([0.0, 0.1, 0.2], 0.0) is None


def test_spread_is_that_of_all_values_together() -> None:
    values = np.random.default_rng(0).normal(1e4, 0.01, 1000)
    spread = Spread()
    for part in np.split(values, [10, 11, 500]):
        spread.add(part)
    spread.add(np.empty(0))
    assert spread.count == 1000
    assert spread.mean == pytest.approx(values.mean())
    assert spread.sigma == pytest.approx(values.std(), rel=1e-6)
    assert Spread().sigma == 0.0
