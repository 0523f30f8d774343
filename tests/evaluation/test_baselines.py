"""What a depth model has to beat."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.baselines import BLURS_PX, best_blur, blurred_intensity, constant
from linescan.evaluation.metrics import rmse_over_sigma


def test_the_flat_web_scores_one() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (30, 40), dtype=np.uint8)
    flat = constant(image)
    assert flat.shape == image.shape
    assert flat.dtype == np.dtype(np.float32)
    assert rmse_over_sigma(flat, rng.standard_normal((30, 40))) == pytest.approx(1.0)


def test_a_blur_keeps_the_mean_and_takes_the_noise() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(100, 150, (200, 200), dtype=np.uint8)
    np.testing.assert_array_equal(blurred_intensity(image, 0.0), image)
    blurred = blurred_intensity(image, 3.0)
    assert blurred.mean() == pytest.approx(image.mean(), rel=0.01)
    assert blurred.std() < 0.2 * image.std()


def test_the_best_blur_is_found_where_brightness_is_height() -> None:
    """Height seen as brightness under noise: some blur is better than none, and than much."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:120, 0:120]
    height = (np.sin(x / 9) * np.sin(y / 9)).astype(np.float32)
    images = [
        np.clip(128 + 20 * height + 20 * rng.standard_normal(height.shape), 0, 255).astype(np.uint8)
        for _ in range(2)
    ]
    blur, scores = best_blur(images, [height, height])
    assert BLURS_PX[0] < blur < BLURS_PX[-1]
    assert len(scores) == 2
    assert max(scores) < 0.5
