"""What a depth model has to beat: no relief at all, and the image taken for the relief."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.evaluation.metrics import rmse_over_sigma

BLURS_PX = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
"""Standard deviations of the Gaussian blur to choose from, in model pixels."""


def constant(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (h, w) float32 of zeros: the web is flat."""
    return np.zeros(image.shape, dtype=np.float32)


def blurred_intensity(image: NDArray[np.uint8], blur_px: float) -> NDArray[np.float32]:
    """Return the image as if brightness were height.

    Args:
        image: (h, w) uint8.
        blur_px: standard deviation of the Gaussian blur; 0 for none.

    Returns:
        (h, w) float32.
    """
    values = image.astype(np.float32)
    if blur_px > 0:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), blur_px), dtype=np.float32)
    return values


def best_blur(
    images: Sequence[NDArray[np.uint8]], heights: Sequence[NDArray[np.float32]]
) -> tuple[float, list[float]]:
    """Choose the one blur that serves all frames best, with the truth in hand.

    Returns:
        The blur in pixels and, at it, RMSE over sigma of each frame.
    """
    scores = {
        blur: [
            rmse_over_sigma(blurred_intensity(image, blur), height)
            for image, height in zip(images, heights, strict=True)
        ]
        for blur in BLURS_PX
    }
    best = min(scores, key=lambda blur: float(np.mean(scores[blur])))
    return best, scores[best]
