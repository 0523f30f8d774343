"""Where a height map lies on an image of the same surface: shift, scale and rotation.

Image and height look nothing alike: light makes slopes of relief, material makes brightness of
nothing at all. What they share is linear to first order: the brightness of a matt surface in light
from one side is a + b·∂h/∂x + c·∂h/∂y (B. Horn, "Shape from shading", 1970, linearised), recesses
are often darker, and steep flanks are brighter or darker than their surroundings. So the measure
is how much of the image's variance a regression on these features of the height explains, R²,
with free coefficients: neither the light's direction nor the sign of anything has to be known. For
Gaussian data -n/2·log(1 - R²) is the mutual information of image and features over n pixels, which
weighs the overlap as it should.

The search runs over rotations and scales with all shifts at once (cross-correlations by FFT,
masked as in D. Padfield, "Masked object registration in the Fourier domain", 2012), and is refined
by the exact regression at growing resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from linescan.training.features import FeatureMaps, height_features, high_pass, standardise
from linescan.training.refinement import refine, resized
from linescan.training.similarity import Map, Similarity, lay, shape_of

COARSE = 144
"""Pixels along the longer side in the coarse search."""
MIDDLE, FINE = 224, 512
"""Likewise when the best places of the coarse search are refined, and the best of those again."""
CANDIDATES = 8
APART = 0.06
"""Corners of places that differ by less, in sides of the image, belong to one optimum."""
LEAST_OVERLAP = 0.5
"""Share of the smaller of the two that must lie on the other."""
LEAST_RATIO = 1.4
"""How far the best place must stand out from the best elsewhere, in mutual information. Unrelated
surfaces reach about 1.2, see docs/how-to/fine-tune.md."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A found place.

    Attributes:
        similarity: the place.
        explained: share of the image's variance that the height explains there, R².
        ratio: mutual information of the best place over that of the best elsewhere.
    """

    similarity: Similarity
    explained: float
    ratio: float

    @property
    def confident(self) -> bool:
        """Whether the place stands out from all others."""
        return self.ratio >= LEAST_RATIO


def register(
    image: NDArray[np.generic],
    height: Map,
    *,
    scale: float,
    scale_range: float = 1.15,
    rotation_range: float = 6.0,
) -> Registration:
    """Find the place of a height map on an image.

    Args:
        image: (h, w) gray, any depth.
        height: (rows, columns), NaN where unknown.
        scale: expected image pixels in a pixel of the height map.
        scale_range: factor by which the scale may be off, to either side.
        rotation_range: degrees, to either side.

    Raises:
        RegistrationError: image or height are constant.
    """
    shrink = COARSE / max(image.shape)
    picture, maps = _prepare(image, height, shrink, scale)
    steps = max(1, round(np.log(scale_range) / np.log(1.05)))
    turns = max(1, round(rotation_range / 2.0))
    peaks: list[tuple[float, Similarity]] = []
    for factor in np.exp(np.linspace(-1, 1, 2 * steps + 1) * np.log(scale_range)):
        for angle in np.linspace(-rotation_range, rotation_range, 2 * turns + 1):
            guess = Similarity(scale=float(factor), rotation=float(angle))
            peaks += _peaks(picture, maps, guess)
    full = [
        (
            value,
            replace(at, scale=at.scale * scale, across=at.across / shrink, along=at.along / shrink),
        )
        for value, at in peaks
    ]
    refined = [refine(image, height, place, MIDDLE, 70) for place in _distinct(full, height, image)]
    best = max(refined, key=lambda each: each.information)
    others = [
        each.information
        for each in refined
        if _distance(each.similarity, best.similarity, height, image) > APART
    ]
    final = refine(image, height, best.similarity, FINE, 120)
    ratio = best.information / max(max(others, default=0.0), 1e-9)
    return Registration(final.similarity, final.explained, float(min(ratio, 99.0)))


def _distance(one: Similarity, other: Similarity, height: Map, image: NDArray[np.generic]) -> float:
    """How far apart two places lay the corners, in sides of the image."""
    rows, columns = height.shape
    corners = np.array([[x, y, 1.0] for x in (0, columns - 1) for y in (0, rows - 1)])
    matrices = [each.matrix(shape_of(height), shape_of(image)) for each in (one, other)]
    apart = np.abs(corners @ (matrices[0] - matrices[1]).T).max()
    return float(apart) / max(image.shape)


def _distinct(
    peaks: list[tuple[float, Similarity]], height: Map, image: NDArray[np.generic]
) -> list[Similarity]:
    """The best places of the coarse search that are not neighbours of better ones."""
    chosen: list[Similarity] = []
    for _, place in sorted(peaks, key=lambda peak: -peak[0]):
        if all(_distance(place, each, height, image) > 0.5 * APART for each in chosen):
            chosen.append(place)
        if len(chosen) == CANDIDATES:
            break
    return chosen


def _prepare(
    image: NDArray[np.generic], height: Map, shrink: float, scale: float
) -> tuple[Map, FeatureMaps]:
    """Image and features at the resolution ``shrink`` of the image."""
    shape = (max(8, round(image.shape[0] * shrink)), max(8, round(image.shape[1] * shrink)))
    small = resized(image, shape)
    target = (
        max(8, round(height.shape[0] * scale * shrink)),
        max(8, round(height.shape[1] * scale * shrink)),
    )
    reduced = lay(height, Similarity(scale=scale * shrink), target)
    return standardise(high_pass(small)), height_features(reduced)


def _peaks(picture: Map, maps: FeatureMaps, guess: Similarity) -> list[tuple[float, Similarity]]:
    """Mutual information of the best shifts for one scale and rotation."""
    turned = _turn(maps, guess)
    shape = tuple(a + b - 1 for a, b in zip(picture.shape, turned.known.shape, strict=True))
    size = [fft.next_fast_len(n, real=True) for n in shape]

    def spectrum(values: NDArray[np.float32]) -> NDArray[np.complex64]:
        return np.asarray(fft.rfft2(values, size))

    def correlate(of: NDArray[np.complex64], under: NDArray[np.complex64]) -> Map:
        """Sum of ``of`` times ``under`` for each shift of ``under``; shift 0 in the corner."""
        return np.asarray(fft.irfft2(of * under.conj(), size), dtype=np.float32)

    whole, mask = spectrum(np.ones_like(picture)), spectrum(turned.known)
    overlap = np.maximum(correlate(whole, mask), 1.0)
    image, energy = spectrum(picture), correlate(spectrum(picture**2), mask)
    mean = correlate(image, mask) / overlap
    variance = np.maximum(energy - overlap * mean**2, 1e-3 * overlap)
    explained = np.zeros_like(overlap)
    for feature in turned.features:
        seen = spectrum(feature)
        average = correlate(whole, seen) / overlap
        own = correlate(whole, spectrum(feature**2)) - overlap * average**2
        shared = correlate(image, seen) - overlap * mean * average
        explained += shared**2 / (variance * np.maximum(own, 1e-3 * overlap))
    least = LEAST_OVERLAP * min(float(turned.known.sum()), picture.size)
    information = np.where(
        overlap >= least, -0.5 * overlap * np.log1p(-np.minimum(explained, 0.99)), 0
    )
    return [
        (value, _placed(guess, at, size, picture.shape, turned.known.shape))
        for value, at in _local_maxima(information)
    ]


def _turn(maps: FeatureMaps, guess: Similarity) -> FeatureMaps:
    """The features rotated and scaled about their middle; slopes turn with the map."""
    rows, columns = maps.known.shape
    angle = np.deg2rad(guess.rotation)
    extent = np.abs([[np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    width, height = np.ceil(guess.scale * extent @ np.array([columns, rows])).astype(int)
    matrix = guess.matrix((rows, columns), (int(height), int(width)))
    warped = [
        cv2.warpAffine(each, matrix, (int(width), int(height)), flags=cv2.INTER_LINEAR)
        for each in (*maps.features, maps.known)
    ]
    known = (warped.pop() > 0.9).astype(np.float32)
    return FeatureMaps(_decorrelated(np.stack(warped) * known, known > 0), known)


def _decorrelated(features: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Features whose shares of the variance add up: R² is then a sum of squared correlations.

    The regression's R² does not depend on how the slopes are turned into each other.
    """
    values = features[:, known].astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    eigenvalues, vectors = np.linalg.eigh(values @ values.T / max(values.shape[1], 1))
    white = (vectors / np.sqrt(np.maximum(eigenvalues, 1e-3))).T @ values
    out = np.zeros_like(features)
    out[:, known] = white
    return out


def _local_maxima(values: Map, count: int = 6) -> list[tuple[float, tuple[int, int]]]:
    """The largest values, each with its neighbourhood cleared before the next."""
    left = values.copy()
    radius = max(4, max(values.shape) // 40)
    found = []
    for _ in range(count):
        at = np.unravel_index(int(left.argmax()), left.shape)
        line, column = int(at[0]), int(at[1])
        found.append((float(left[line, column]), (line, column)))
        left[
            max(0, line - radius) : line + radius + 1, max(0, column - radius) : column + radius + 1
        ] = 0
    return found


def _placed(
    guess: Similarity,
    at: tuple[int, int],
    size: list[int],
    image: tuple[int, ...],
    feature: tuple[int, ...],
) -> Similarity:
    """The similarity of a place in a correlation: a shift past the middle is a negative one."""
    along, across = (
        place if place < n_image else place - n
        for place, n, n_image in zip(at, size, image, strict=True)
    )
    return replace(
        guess,
        along=along + (feature[0] - 1) / 2 - (image[0] - 1) / 2,
        across=across + (feature[1] - 1) / 2 - (image[1] - 1) / 2,
    )
