"""The place of a height map on an image, improved from a place nearby by the exact regression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from linescan.training.features import height_features, high_pass, standardise
from linescan.training.similarity import Map, RegistrationError, Similarity, lay, shape_of


@dataclass(frozen=True, slots=True)
class Found:
    """A refined place, its mutual information in nats, and its R²."""

    similarity: Similarity
    information: float
    explained: float


def refine(
    image: NDArray[np.generic], height: Map, start: Similarity, pixels: int, steps: int
) -> Found:
    """The place of the largest mutual information nearby, ``pixels`` along the longer side."""
    shrink = min(1.0, pixels / max(image.shape))
    shape = (max(8, round(image.shape[0] * shrink)), max(8, round(image.shape[1] * shrink)))
    small = resized(image, shape)
    picture = standardise(high_pass(small))
    side = max(image.shape)
    # One unit of each is a shift of about a pixel of the reduced image at its border.
    unit = np.array([2 / (side * shrink), np.rad2deg(2 / (side * shrink)), 1 / shrink, 1 / shrink])

    def place(x: NDArray[np.float64]) -> Similarity:
        grow, turn, across, along = x * unit
        return Similarity(
            start.scale * float(np.exp(grow)),
            start.rotation + float(turn),
            start.across + float(across),
            start.along + float(along),
        )

    def cost(x: NDArray[np.float64]) -> float:
        n, explained = _explained(picture, height, place(x), shrink)
        return 0.5 * n * float(np.log1p(-min(explained, 0.999999)))

    simplex = np.vstack((np.zeros(4), 2.0 * np.eye(4)))
    best = optimize.minimize(
        cost,
        np.zeros(4),
        method="Nelder-Mead",
        options={"xatol": 0.02, "fatol": 1e-3, "maxfev": steps, "initial_simplex": simplex},
    )
    found = place(best.x)
    return Found(found, -float(best.fun), _explained(picture, height, found, shrink)[1])


def _explained(
    picture: Map, height: Map, similarity: Similarity, shrink: float
) -> tuple[int, float]:
    """Pixels of the overlap, and the share of the picture's variance that is explained there."""
    small = replace(
        similarity,
        scale=similarity.scale * shrink,
        across=similarity.across * shrink,
        along=similarity.along * shrink,
    )
    try:
        maps = height_features(lay(height, small, shape_of(picture)))
    except RegistrationError:
        return 1, 0.0
    known = maps.known > 0
    count = int(known.sum())
    if count < 64:
        return 1, 0.0
    values = picture[known].astype(np.float64)
    values -= values.mean()
    features = maps.features[:, known].astype(np.float64)
    features -= features.mean(axis=1, keepdims=True)
    gram, shared = features @ features.T, features @ values
    solved = np.linalg.solve(gram + 1e-3 * count * np.eye(len(gram)), shared)
    return count, float(solved @ shared / (values @ values))


def resized(image: NDArray[np.generic], shape: tuple[int, int]) -> Map:
    """An image reduced by area to (lines, columns)."""
    values = image.astype(np.float32)
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
