"""Calibrations from points: what is fitted, what is refused, how sure it is said to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from linescan.depth import read_card
from linescan.depth.calibration.height import HeightCalibration
from linescan.depth.calibration.make import Findings, make_height_calibration
from linescan.depth.calibration.points import Points
from linescan.errors import CalibrationError
from tests.depth.calibration.places import WIDTH, places

CARD = read_card("surface-tiny")


def make(
    points: Points, *, spline: bool = False, across: bool = False
) -> tuple[HeightCalibration, Findings]:
    return make_height_calibration(
        points, CARD, "um", WIDTH, (2.0, 2.0), spline=spline, across=across
    )


def error(made: HeightCalibration, points: Points) -> float:
    """Root mean square error on points that are all right."""
    return float(
        np.sqrt(np.mean((made.heights(points.predicted, points.column) - points.truth) ** 2))
    )


def test_a_line_is_found_and_its_errors_are_said() -> None:
    made, findings = make(places())
    assert findings.problems == ()
    assert findings.warnings == ()
    assert made.curve.scale == pytest.approx(400, rel=0.01)
    assert made.uncertainty["residual_sigma"] == pytest.approx(4.0, rel=0.1)
    assert made.range == pytest.approx((-30, 370), abs=15)
    assert [name for name, _ in findings.summary][:3] == ["points", "heights", "curve"]
    # The standard errors are those of calibrations by other points.
    others = [make(places(seed=seed))[0] for seed in range(1, 25)]
    middle = np.array([0.5])
    spread = np.std([other.heights(middle, middle)[0] for other in others])
    assert made.uncertainty["height_error"]["middle"] == pytest.approx(spread, rel=0.6)


def test_a_curve_is_taken_only_where_points_left_out_agree() -> None:
    straight, _ = make(places(), spline=True, across=True)
    assert len(straight.curve.knots) == 0
    assert straight.across is None
    assert set(straight.about["left_out_error"]) == {
        "line",
        "across",
        "spline",
        "spline and across",
    }
    bent, _ = make(places(bend=0.15), spline=True)
    line, _ = make(places(bend=0.15))
    right = places(seed=9, wrong=0.0, bend=0.15)
    assert len(bent.curve.knots) >= 4
    assert error(bent, right) < 0.8 * error(line, right)
    heights = bent.heights(np.linspace(-1, 2, 400), np.zeros(400))
    assert (np.diff(heights) > 0).all()


def test_light_that_falls_off_is_corrected_across_the_web() -> None:
    uneven, findings = make(places(fall_off=0.25, wrong=0.1), across=True)
    plain, warned = make(places(fall_off=0.25, wrong=0.1))
    right = places(seed=9, wrong=0.0, fall_off=0.25)
    assert uneven.across is not None
    assert error(uneven, right) < 0.5 * error(plain, right)
    assert error(uneven, right) < 8.0
    assert findings.problems == ()
    assert any("third" in text and "--across" in text for text in warned.warnings)


def test_depth_that_falls_with_height_works_and_is_mentioned() -> None:
    points = places()
    turned = replace(points, predicted=-points.predicted)
    made, findings = make(turned, spline=True)
    assert made.curve.scale < 0
    assert any("fall with height" in text for text in findings.warnings)


@pytest.mark.parametrize(
    ("points", "text"),
    [
        (places(noise=200.0, wrong=0.0, count=3000), "too flat"),
        (places(wrong=0.5), ""),
    ],
)
def test_data_that_tell_no_height_are_a_problem(points: Points, text: str) -> None:
    made, findings = make(points)
    assert any(text in problem for problem in findings.problems), findings.problems
    assert made.sha256 == CARD.sha256


def test_too_few_and_flat_points_are_refused() -> None:
    with pytest.raises(CalibrationError, match=r"150 measured places .* at least 200"):
        make(places(count=150))
    flat = places()
    with pytest.raises(CalibrationError, match="truth is the same"):
        make(replace(flat, truth=np.full(len(flat), 3.0)))


def test_a_part_of_the_web_without_points_is_named() -> None:
    points = places()
    _, found = make(points.at(points.column > WIDTH / 3))
    named = [text for text in found.warnings if "hardly a point" in text]
    assert len(named) == 3
    assert all(text.startswith("left third") for text in named)
