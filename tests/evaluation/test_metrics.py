"""Alignment, RMSE over sigma and the baselines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from linescan.evaluation.baselines import best_blur, blurred_intensity, constant
from linescan.evaluation.metrics import align, rank_correlation, rmse, rmse_over_sigma

RNG = np.random.default_rng(1)


@given(
    scale=st.floats(0.01, 100) | st.floats(-100, -0.01),
    shift=st.floats(-1e4, 1e4),
    seed=st.integers(0, 1000),
)
def test_alignment_undoes_any_affine_map(scale: float, shift: float, seed: int) -> None:
    truth = np.random.default_rng(seed).normal(size=(12, 9))
    predicted = (truth - shift) / scale
    found = align(predicted, truth)
    assert found.scale == pytest.approx(scale, rel=1e-5)
    np.testing.assert_allclose(found.apply(predicted), truth, atol=1e-4)
    assert rmse_over_sigma(predicted, truth) < 1e-4


def test_alignment_is_least_squares() -> None:
    predicted, truth = RNG.normal(size=200), RNG.normal(size=200)
    found = align(predicted, truth)
    slope, intercept = np.polyfit(predicted, truth, 1)
    assert (found.scale, found.shift) == pytest.approx((slope, intercept))
    best = rmse(found.apply(predicted), truth)
    for other in (slope + 0.05, slope - 0.05):
        assert rmse(other * predicted + intercept, truth) > best


def test_alignment_survives_a_large_offset_in_float32() -> None:
    truth = RNG.normal(size=5000).astype(np.float32)
    predicted = (1000 + 0.01 * truth).astype(np.float32)
    assert align(predicted, truth).scale == pytest.approx(100, rel=0.01)


def test_rmse_over_sigma_follows_from_the_correlation() -> None:
    truth = RNG.normal(size=(40, 40))
    predicted = truth + RNG.normal(size=(40, 40))
    r = np.corrcoef(predicted.ravel(), truth.ravel())[0, 1]
    assert rmse_over_sigma(predicted, truth) == pytest.approx(np.sqrt(1 - r * r))
    assert rmse_over_sigma(-predicted, truth) == pytest.approx(np.sqrt(1 - r * r))
    assert align(-predicted, truth).scale < 0


def test_a_constant_scores_one() -> None:
    truth = RNG.normal(size=(8, 8))
    assert align(np.full((8, 8), 3.0), truth).scale == 0
    assert rmse_over_sigma(np.full((8, 8), 0.1), truth) == pytest.approx(1.0)
    assert rmse_over_sigma(constant(np.zeros((8, 8), np.uint8)), truth) == pytest.approx(1.0)


def test_unknown_pixels_do_not_count() -> None:
    truth = RNG.normal(size=50)
    predicted = 2 * truth
    truth[3], predicted[7] = np.nan, np.inf
    assert rmse_over_sigma(predicted, truth) < 1e-6


def test_impossible_comparisons_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        align(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="no pixel is known"):
        align(np.full(3, np.nan), np.zeros(3))
    with pytest.raises(ValueError, match="flat"):
        rmse_over_sigma(np.arange(3.0), np.ones(3))


@given(seed=st.integers(0, 1000), steepness=st.floats(0.1, 5))
def test_ranks_are_blind_to_any_rising_map_and_see_a_falling_one(
    seed: int, steepness: float
) -> None:
    truth = np.random.default_rng(seed).normal(size=(9, 7))
    assert rank_correlation(np.exp(steepness * truth), truth) == pytest.approx(1.0)
    assert rank_correlation(-(truth**3), truth) == pytest.approx(-1.0)


@given(seed=st.integers(0, 1000), levels=st.integers(2, 6))
def test_rank_correlation_is_spearmans_ties_included(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate(([0, 1], rng.integers(0, levels, 60)))
    predicted = truth + rng.integers(0, 4, truth.size)
    found = rank_correlation(predicted, truth)
    assert found == pytest.approx(spearmanr(predicted, truth).statistic)
    assert found == pytest.approx(rank_correlation(truth, predicted))
    assert -1.0 <= found <= 1.0


def test_a_sample_of_the_ranks_is_enough_and_always_the_same() -> None:
    truth = RNG.normal(size=(400, 300))
    predicted = truth + RNG.normal(size=truth.shape)
    every = rank_correlation(predicted, truth, most=truth.size)
    sampled = rank_correlation(predicted, truth)
    assert sampled == pytest.approx(every, abs=0.02)
    assert sampled != every
    assert sampled == rank_correlation(predicted, truth)


def test_ranks_of_constants_and_of_unknown_pixels() -> None:
    truth = RNG.normal(size=50)
    predicted = 2 * truth
    predicted[7] = np.nan
    assert rank_correlation(predicted, truth) == pytest.approx(1.0)
    assert rank_correlation(np.full(50, 3.0), truth) == 0.0
    with pytest.raises(ValueError, match="flat"):
        rank_correlation(truth, np.ones(50))


def test_best_blur_finds_the_scale_at_which_brightness_is_height() -> None:
    heights, images = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        smooth = blurred_intensity(rng.integers(0, 255, (96, 96)).astype(np.uint8), 6.0)
        height = (smooth - smooth.mean()) / smooth.std()
        noisy = np.clip(128 + 12 * height + rng.normal(0, 60, height.shape), 0, 255)
        heights.append(height)
        images.append(noisy.astype(np.uint8))
    blur, scores = best_blur(images, heights)
    assert 3.0 <= blur <= 8.0
    unblurred = [rmse_over_sigma(i, h) for i, h in zip(images, heights, strict=True)]
    assert max(scores) < 0.6 < min(unblurred)
