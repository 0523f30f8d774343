"""Angles between surfaces, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.figures.normals import normal_error, normals

ROWS, COLUMNS = np.mgrid[:40, :48].astype(np.float64)
PIXEL = (2.0, 2.0)


def test_the_normal_of_a_slope_of_one_stands_at_45_degrees() -> None:
    surface = normals(COLUMNS * 2.0, PIXEL)
    assert surface.shape == (38, 46, 3)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(surface[0, 0], [0.0, -half, half], atol=1e-12)


def test_a_tilt_of_the_whole_turns_normals_but_not_relative_ones() -> None:
    found = normal_error(ROWS * 2.0, np.zeros_like(ROWS), PIXEL)
    assert found is not None
    assert found.absolute == pytest.approx(45.0)
    assert found.relative == pytest.approx(0.0, abs=1e-9)


def test_pixels_that_are_not_square_are_taken_so() -> None:
    found = normal_error(ROWS * 2.0, np.zeros_like(ROWS), (2.0, 5.0))
    across = normal_error(COLUMNS * 2.0, np.zeros_like(ROWS), (2.0, 5.0))
    assert found is not None
    assert across is not None
    assert found.absolute == pytest.approx(45.0)
    assert across.absolute == pytest.approx(np.degrees(np.arctan(2 / 5)))


def test_a_roof_taken_for_a_plane_shows_in_relative_normals() -> None:
    roof = 2.0 * np.abs(COLUMNS - 23.5)
    found = normal_error(np.zeros_like(roof), roof, PIXEL)
    assert found is not None
    # 46 columns of normals: the slope is 1 at both sides, a half at the two beside the ridge.
    ridge = float(np.degrees(np.arctan(0.5)))
    angle = np.concatenate([np.full(22, 45.0), [ridge, -ridge], np.full(22, -45.0)])
    assert found.absolute == pytest.approx(np.abs(angle).mean())
    gaps = [np.abs(angle[d:] - angle[:-d]) for d in (3, 8, 16, 32)]
    along = sum((38 - d) * 46 for d in (3, 8, 16, 32))  # pairs along the roof: no angle
    over = sum(38 * gap.size for gap in gaps)
    expected = sum(38 * gap.sum() for gap in gaps) / (along + over)
    assert found.relative == pytest.approx(expected)


def test_what_is_unknown_is_left_out() -> None:
    truth = np.zeros_like(ROWS)
    truth[:, 10:] = np.nan
    found = normal_error(ROWS * 2.0, truth, PIXEL)
    assert found is not None
    assert found.absolute == pytest.approx(45.0)
    assert normal_error(ROWS, np.full_like(ROWS, np.nan), PIXEL) is None
