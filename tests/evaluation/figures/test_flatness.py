"""Bumps on flat regions, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.figures.flatness import TILE, plane_residual

ROWS, COLUMNS = np.mgrid[: 4 * TILE, : 4 * TILE].astype(np.float64)
TILTED = 3.0 + 0.5 * ROWS - 0.25 * COLUMNS


def test_a_plane_leaves_nothing_however_it_is_tilted() -> None:
    found = plane_residual(TILTED, -TILTED)
    assert found is not None
    assert found.predicted == pytest.approx(0.0, abs=1e-9)
    assert found.truth == pytest.approx(0.0, abs=1e-9)


def test_a_checkerboard_leaves_its_amplitude() -> None:
    bumps = np.where((ROWS + COLUMNS) % 2 == 0, 0.2, -0.2)
    found = plane_residual(TILTED + bumps, TILTED)
    assert found is not None
    assert found.predicted == pytest.approx(0.2, rel=1e-9)


def test_only_the_flattest_quarter_of_the_truth_is_looked_at() -> None:
    truth = np.where((ROWS + COLUMNS) % 2 == 0, 1.0, -1.0)
    truth[:TILE] *= 0.1  # four of sixteen tiles
    found = plane_residual(np.where(ROWS < TILE, 0.0, 50 * truth), truth)
    assert found is not None
    assert found.predicted == pytest.approx(0.0, abs=1e-9)
    assert found.truth == pytest.approx(0.1)


def test_tiles_with_unknown_pixels_are_left_out() -> None:
    truth = TILTED.copy()
    truth[:, : 3 * TILE : 5] = np.nan
    assert plane_residual(TILTED, truth) is not None
    assert plane_residual(np.full_like(truth, np.nan), truth) is None
    assert plane_residual(TILTED[: TILE - 1], truth[: TILE - 1]) is None
