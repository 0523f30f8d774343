"""What image and height map of a surface may have in common."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from linescan.training.similarity import Map, RegistrationError


@dataclass(frozen=True, slots=True)
class FeatureMaps:
    """Features (k, rows, columns), zero where unknown, and where they are known."""

    features: NDArray[np.float32]
    known: Map


def height_features(height: Map) -> FeatureMaps:
    """What an image may show of a height: itself, its two slopes and their size."""
    known = np.isfinite(height)
    if not known.any():
        raise RegistrationError("a height map has no known point")
    filled: Map = np.where(known, height, np.nanmedian(height)).astype(np.float32)
    inside = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    across = cv2.Sobel(filled, cv2.CV_32F, 1, 0, ksize=3)
    along = cv2.Sobel(filled, cv2.CV_32F, 0, 1, ksize=3)
    steep: Map = np.hypot(across, along).astype(np.float32)
    stack = [high_pass(filled), across, along, high_pass(steep)]
    found = [
        np.where(inside, standardise(np.asarray(each, np.float32), inside), 0) for each in stack
    ]
    return FeatureMaps(np.stack(found).astype(np.float32), inside.astype(np.float32))


def high_pass(values: Map) -> Map:
    """Without what is larger than a tenth of the picture: light falls off, plates are bent."""
    side = max(7, max(values.shape) // 10 | 1)
    out: Map = values - cv2.blur(values, (side, side))
    return out


def standardise(values: Map, known: NDArray[np.bool_] | None = None) -> Map:
    """Mean 0 and deviation 1, outliers cut: one spot must not decide."""
    seen = values if known is None else values[known]
    if seen.size < 16 or float(seen.std()) == 0:
        raise RegistrationError("image or height map are constant: there is nothing to register")
    middle = float(np.median(seen))
    spread = 1.4826 * float(np.median(np.abs(seen - middle))) or float(seen.std())
    cut = np.clip((values - middle) / spread, -4, 4)
    seen = cut if known is None else cut[known]
    out: Map = ((cut - seen.mean()) / seen.std()).astype(np.float32)
    return out
