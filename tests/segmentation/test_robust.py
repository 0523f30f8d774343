"""The robust estimates are what their formulas say, for any number of values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from linescan.segmentation.robust import (
    ENOUGH,
    MAD_TO_SIGMA,
    Floats,
    column_medians,
    finite,
    median,
    median_sigma,
    median_slope,
    thin,
    tukey_weights,
)

some_values = arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e6, 1e6))


@given(some_values)
def test_the_median_is_numpys_and_the_values_stay(values: Floats) -> None:
    before = values.copy()
    assert median(values) == np.median(before)
    assert np.array_equal(values, before)


@given(some_values)
def test_sigma_is_the_scaled_median_deviation(values: Floats) -> None:
    before = values.copy()
    centre, sigma = median_sigma(values)
    assert centre == np.median(before)
    assert sigma == MAD_TO_SIGMA * np.median(np.abs(before - centre))
    assert np.array_equal(values, before)


def test_of_no_values_there_is_no_spread() -> None:
    assert median_sigma(np.empty(0)) == (0.0, 0.0)


def test_finite_values_alone_are_left() -> None:
    values = np.array([[1.0, np.nan], [np.inf, 4.0]])
    assert finite(values).tolist() == [1.0, 4.0]
    assert finite(np.ones((2, 3))).shape == (6,)


@pytest.mark.parametrize("count", [0, 1, ENOUGH - 1, ENOUGH, ENOUGH + 1, 192 * 160, 10**6])
def test_thinned_values_are_bounded_and_reach_to_the_end(count: int) -> None:
    values = thin(np.arange(count), 210)
    assert values.size <= ENOUGH
    assert values.size >= min(count, ENOUGH) // 12
    assert not count or values[-1] >= 0.99 * (count - 1)


@pytest.mark.parametrize("width", [64, 126, 128, 160])
def test_thinned_pictures_show_every_column(width: int) -> None:
    columns = np.broadcast_to(np.arange(width), (192, width)).ravel()
    assert np.unique(thin(columns, width)).size == width


def test_tukeys_weights_fall_to_nothing() -> None:
    weights = tukey_weights(np.array([0.0, 2.0, -2.0, 4.685, 100.0, np.nan]), 1.0)
    expected = (1 - (2 / 4.685) ** 2) ** 2
    assert weights == pytest.approx([1.0, expected, expected, 0.0, 0.0, 0.0], abs=1e-12)


def test_column_medians_leave_out_what_is_unknown() -> None:
    values = np.array([[1.0, np.nan, 5.0], [2.0, np.nan, np.nan], [9.0, np.nan, 7.0]])
    medians, counts = column_medians(values)
    assert counts.tolist() == [3, 0, 2]
    assert medians[[0, 2]].tolist() == [2.0, 6.0]
    assert np.isnan(medians[1])


def test_the_slope_ignores_an_object() -> None:
    place = np.linspace(-0.5, 0.5, 80)
    values = np.repeat(3.0 * place[:, None], 90, axis=1)
    values[20:40, 10:60] += 50
    assert median_slope(values, place, 0) == pytest.approx(3.0)
    assert median_slope(values, np.linspace(0, 1, 90), 1) == pytest.approx(0.0)
