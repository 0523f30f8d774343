"""Grids and rounded matrices, on numbers whose result is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.depth.quantise.rounding import BLOCK, LEVELS, grids, round_matrix, steps


@given(st.integers(0, 1000), st.integers(1, 20))
def test_what_was_seen_is_rounded_by_half_a_step_at_most(seed: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-3, 2, channels)
    values = (rng.normal(0, 1, (30, channels)) + rng.normal(0, 5, channels)) * spread
    low, high = values.min(axis=0), values.max(axis=0)
    for grid in grids(low, high):
        half = grid.stretch * grid.step / 2
        size = np.maximum(np.abs(low), np.abs(high))
        assert (grid.error(values.astype(np.float32)) <= (half + 1e-5 * size) ** 2).all()
        assert (grid.offset <= low + half).all()
        assert (grid.offset + grid.stretch * grid.step * LEVELS >= high - half).all()


def test_what_lies_outside_is_cut() -> None:
    low, high = np.array([-1.0]), np.array([1.0])
    grid = grids(low, high)[0]
    assert grid.error(np.array([[3.0]], np.float32))[0] == pytest.approx(4.0, rel=0.02)


def test_a_channel_that_never_moves_is_no_problem() -> None:
    for grid in grids(np.array([2.0, -1.0]), np.array([2.0, 1.0])):
        assert np.isfinite(grid.offset).all()
        assert grid.step > 0
        assert grid.error(np.array([[2.0, 0.5]], np.float32))[0] < 1e-3


def test_following_rows_make_up_for_the_error_of_a_row() -> None:
    rng = np.random.default_rng(5)
    rows = BLOCK + 40  # more than one block
    mixing = rng.normal(size=(rows, 20))
    inputs = rng.normal(size=(4000, 20)) @ mixing.T + 0.1 * rng.normal(size=(4000, rows))
    weight = rng.normal(size=(rows, 24))
    covariance = np.cov(inputs.T)
    integers, step = round_matrix(weight, covariance)
    plain = np.rint(weight / steps(weight)) * steps(weight)
    centred = inputs - inputs.mean(axis=0)

    def error(matrix: np.ndarray) -> float:
        return float(np.square(centred @ (matrix - weight)).mean())

    assert error(integers * step) < 0.3 * error(plain)


def test_integers_fit_their_bytes_and_dead_inputs_are_rounded_plainly() -> None:
    weight = np.random.default_rng(6).normal(size=(30, 7))
    weight[:, 3] = 0.0
    integers, step = round_matrix(weight, np.zeros((30, 30)))
    assert integers.dtype == np.int8
    assert np.abs(integers.astype(int)).max() == 127
    assert (np.abs(integers * step - weight) < step / 2 + 1e-12).all()
    assert not integers[:, 3].any()
