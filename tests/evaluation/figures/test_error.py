"""Errors of height, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.figures.error import Reference, abs_rel, delta1, rmse

TRUTH = np.array([0.0, 0.0, 1.0, 1.0])
REFERENCE = Reference(low=0.0, span=1.0)  # distances of the truth: 1, 1, 2, 2


def test_rmse_is_that_of_the_definition() -> None:
    assert rmse(TRUTH + np.array([0.0, 2.0, 0.0, 0.0]), TRUTH) == pytest.approx(1.0)
    assert rmse(TRUTH, TRUTH) == 0.0


def test_abs_rel_divides_by_the_distance_from_the_plane_below() -> None:
    # 0.5 of a distance of 1, and 0.5 of a distance of 2: (0.5 + 0.25) / 4
    found = TRUTH + np.array([0.5, 0.0, 0.5, 0.0])
    assert abs_rel(found, TRUTH, REFERENCE) == pytest.approx(0.1875)
    assert abs_rel(TRUTH, TRUTH, REFERENCE) == 0.0


def test_delta1_counts_pixels_right_within_a_quarter() -> None:
    # Distances found: 1.24 (right), 1.26 (wrong), 1.61 (right: 2 / 1.61 < 1.25), 1.59 (wrong).
    found = np.array([0.24, 0.26, 0.61, 0.59])
    assert delta1(found, TRUTH, REFERENCE) == 0.5
    assert delta1(TRUTH - 5, TRUTH, REFERENCE) == 0.0


def test_the_reference_leaves_out_spikes_and_follows_unit_and_offset() -> None:
    heights = np.concatenate([np.linspace(10.0, 20.0, 100_001), [1e6]])
    reference = Reference.of(heights)
    assert reference.low == pytest.approx(10.01, abs=1e-3)
    assert reference.span == pytest.approx(9.98, abs=1e-3)
    thousand = Reference.of(heights * 1000 - 7)
    truth, found = heights[:50], heights[:50] + 0.3
    assert abs_rel(found, truth, reference) == pytest.approx(
        abs_rel(found * 1000 - 7, truth * 1000 - 7, thousand)
    )


def test_a_true_height_far_below_the_plane_does_not_divide_by_nothing() -> None:
    truth = np.array([-1.0, 0.0, 1.0])  # the first distance would be 0
    assert abs_rel(truth + 0.1, truth, REFERENCE) == pytest.approx((1.0 + 0.1 + 0.05) / 3)
