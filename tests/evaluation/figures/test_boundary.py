"""Edges in their place, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.figures.boundary import THRESHOLDS, boundary_f1

HIGH = np.ones((4, 8))
HIGH[:, 4:] = 2.0  # one edge, 4 pairs of a ratio of 2


def test_a_perfect_map_scores_one_whatever_its_scale() -> None:
    assert boundary_f1(HIGH, HIGH) == pytest.approx(1.0)
    assert boundary_f1(HIGH * 7.5, HIGH) == pytest.approx(1.0)


def test_a_missed_and_a_moved_edge_score_nothing() -> None:
    assert boundary_f1(np.ones((4, 8)), HIGH) == 0.0
    assert boundary_f1(np.roll(HIGH, 1, axis=1), HIGH) == 0.0


def test_an_edge_in_the_wrong_direction_is_wrong() -> None:
    assert boundary_f1(HIGH[:, ::-1], HIGH) == 0.0


def test_half_of_the_edge_is_recall_of_a_half() -> None:
    found = HIGH.copy()
    found[2:] = 1.0  # two of four pairs; below the cut, four false ones from row 1 to 2
    # contours found: 2 right, and 4 at rows 1|2; true: 4. F1 = 2 * 2 / (6 + 4)
    assert boundary_f1(found, HIGH) == pytest.approx(0.4)


def test_thresholds_are_weighted_and_those_without_true_edges_left_out() -> None:
    truth, found = np.ones((4, 8)), np.ones((4, 8))
    truth[:, 4:], found[:, 4:] = 1.15, 1.10
    true = [t for t in THRESHOLDS if t < 1.15]
    right = [t for t in true if t < 1.10]
    assert boundary_f1(found, truth) == pytest.approx(sum(right) / sum(true))


def test_without_a_true_edge_there_is_no_score() -> None:
    assert boundary_f1(HIGH, np.ones((4, 8))) is None


def test_unknown_pixels_are_neither_right_nor_wrong() -> None:
    truth = HIGH.copy()
    truth[0] = np.nan
    found = HIGH.copy()
    found[0] = np.linspace(1, 9, 8)
    assert boundary_f1(found, truth) == pytest.approx(1.0)
