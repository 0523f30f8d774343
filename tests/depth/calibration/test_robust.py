"""A line through points of which some are wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from linescan.depth.calibration.robust import fit_affine
from linescan.errors import CalibrationError

Floats = npt.NDArray[np.float64]
SCALE, SHIFT, NOISE = 412.0, -37.0, 2.0


def points(
    count: int, wrong: float, seed: int, *, structured: float = 1.0
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Predictions, truth and which truths are right; the wrong ones all lie above the line.

    Only the share ``structured`` of the points differs from 0 by more than noise.
    """
    rng = np.random.default_rng(seed)
    predicted = rng.normal(0.0, 0.004, count)
    raised = rng.random(count) < structured
    predicted[raised] += rng.uniform(-0.2, 1.0, int(raised.sum()))
    truth = SCALE * predicted + SHIFT + rng.normal(0.0, NOISE, count)
    right = rng.random(count) >= wrong
    truth[~right] += rng.uniform(50.0, 600.0, int((~right).sum()))
    return predicted, truth, right


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("seed", range(5))
def test_one_sided_outliers_do_not_pull_the_line(wrong: float, seed: int) -> None:
    predicted, truth, right = points(2048, wrong, seed)
    fit = fit_affine(predicted, truth)
    best = np.polyfit(predicted[right], truth[right], 1)
    assert fit.scale == pytest.approx(best[0], abs=4 * NOISE / np.sqrt(right.sum()) / 0.3)
    assert fit.shift == pytest.approx(best[1], abs=4 * NOISE / np.sqrt(right.sum()))
    assert fit.residual_sigma == pytest.approx(NOISE, rel=0.1)
    assert (fit.inliers[~right]).mean() < 0.01 if wrong else fit.inliers.mean() > 0.98


def test_least_squares_on_all_points_would_be_far_off() -> None:
    predicted, truth, _ = points(2048, 0.3, 0)
    naive = np.polyfit(predicted, truth, 1)
    fit = fit_affine(predicted, truth)
    assert abs(naive[1] - SHIFT) > 100 * abs(fit.shift - SHIFT)


@pytest.mark.parametrize("seed", range(5))
def test_structure_on_one_point_in_forty_is_enough(seed: int) -> None:
    predicted, truth, _ = points(4000, 0.2, seed, structured=0.025)
    fit = fit_affine(predicted, truth)
    assert fit.scale == pytest.approx(SCALE, rel=0.02)
    assert fit.shift == pytest.approx(SHIFT, abs=0.3)


def test_the_covariance_is_that_of_repeated_measurements() -> None:
    fits = [fit_affine(*points(400, 0.2, seed)[:2], seed=seed) for seed in range(60)]
    errors = np.array([(fit.scale - SCALE, fit.shift - SHIFT) for fit in fits])
    said = np.mean([np.sqrt(np.diag(fit.covariance)) for fit in fits], axis=0)
    np.testing.assert_allclose(errors.std(axis=0), said, rtol=0.35)


def test_what_is_not_finite_is_left_out_and_the_rest_gives_the_same_line_again() -> None:
    predicted, truth, _ = points(500, 0.2, 3)
    predicted[::7], truth[::11] = np.nan, np.inf
    fit = fit_affine(predicted, truth)
    assert not fit.inliers[::7].any()
    assert not fit.inliers[::11].any()
    again = fit_affine(predicted, truth)
    assert (again.scale, again.shift) == (fit.scale, fit.shift)
    np.testing.assert_allclose(fit([[0.0, 1.0]]), [[fit.shift, fit.shift + fit.scale]])


def test_two_levels_are_enough_and_depth_may_fall_with_height() -> None:
    rng = np.random.default_rng(5)
    truth = np.repeat([0.0, 200.0], 40)
    fit = fit_affine(3.0 - 0.01 * truth + rng.normal(0, 0.02, 80), truth)
    assert fit.scale == pytest.approx(-100.0, rel=0.02)


def test_exact_points_give_the_exact_line() -> None:
    x = np.linspace(-1, 1, 50)
    fit = fit_affine(x, 2 * x + 1)
    assert (fit.scale, fit.shift) == pytest.approx((2.0, 1.0))
    assert fit.inliers.all()


@pytest.mark.parametrize(
    ("predicted", "truth", "text"),
    [
        (np.arange(15.0), np.arange(15.0), "15 points .* at least 16"),
        (np.full(50, 0.25), np.arange(50.0), "predictions are the same at all 50 points"),
        (np.arange(50.0), np.full(50, 12.5), "truth is the same at all 50 points .12.5"),
        (np.arange(4.0), np.arange(5.0), "do not go together"),
    ],
)
def test_too_little_and_too_flat_is_refused(predicted: Floats, truth: Floats, text: str) -> None:
    with pytest.raises(CalibrationError, match=text):
        fit_affine(predicted, truth)


def test_noise_alone_is_refused() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(CalibrationError, match="no slope"):
        fit_affine(rng.normal(size=400), rng.normal(size=400))
