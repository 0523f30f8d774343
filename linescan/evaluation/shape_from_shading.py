"""Shape from shading by integration along the light: the classical way to height from one image.

A Lambertian surface's brightness tells its slope towards the light (B. K. P. Horn, "Obtaining shape
from shading information", 1975; A. Pentland, "Linear shape from shading", IJCV 1990). The slope is
summed up along each ray of light across the picture. Every ray has a constant of its own that
nothing in it tells: the web is taken to be flat nearly everywhere, and held to zero in the sense of
least absolute height, which also holds back the drift that noise and print bring.

The light's direction is given; the reflectance is taken to be the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from linescan.evaluation.metrics import rmse_over_sigma

Array = NDArray[np.float64]
Image = NDArray[np.generic]
Height = NDArray[np.float32]

REACHES_PX = (4.0, 16.0, 64.0, 256.0)
BLURS_PX = (0.0, 1.0, 2.0, 4.0)
"""What ``best_regularisation`` chooses from."""

PASSES = 3
"""The slope across the light, which darkens a little as well, is known from the second pass on."""

_REWEIGHTINGS = 4
_LEAST_HEIGHT = 0.05
"""Pixels: below it the absolute height is rounded off."""
_STEEPEST_ACROSS = 0.5


@dataclass(frozen=True, slots=True)
class LightDirection:
    """Where the light comes from.

    Attributes:
        azimuth_deg: seen from above; 0 is the side of the earlier lines (the top of the picture),
            positive turns towards the higher columns; within 60 degrees of 0.
        elevation_deg: above the web.
        ambient: share of the flat web's brightness that has no direction, 0 to below 1.
    """

    azimuth_deg: float
    elevation_deg: float
    ambient: float = 0.0

    def __post_init__(self) -> None:
        """Refuse light from the side: its rays do not cross the lines."""
        if abs(self.azimuth_deg) > 60:
            raise ValueError(f"the azimuth must lie in -60 to 60 degrees, got {self.azimuth_deg}")


@dataclass(frozen=True, slots=True)
class Regularisation:
    """How far the integration is trusted.

    Attributes:
        reach_px: length along the light, in pixels, over which slopes are summed up freely.
        blur_px: standard deviation of a Gaussian blur of the image beforehand; 0 for none.
    """

    reach_px: float = 256.0
    blur_px: float = 0.0


def slope_towards_light(image: Image, light: LightDirection, across: ArrayLike = 0.0) -> Array:
    """Return the rise over run towards the light of a matt, evenly coloured surface.

    With s the slope towards the light, t the slope across it, c the elevation's cotangent and R the
    direct light's brightness over that of the flat web, Lambert's law reads
    R sqrt(1 + s^2 + t^2) = 1 - c s: a quadratic equation in s.

    Args:
        image: (h, w) of any number type; its median is taken for the flat web.
        light: its direction.
        across: slope across the light, (h, w) or a number.

    Raises:
        ValueError: if the median is black.
    """
    values = np.asarray(image, dtype=np.float64)
    flat = float(np.median(values))
    if flat <= 0:
        raise ValueError("more than half of the image is black: there is no shading to read")
    c = 1 / np.tan(np.radians(light.elevation_deg))
    r2 = np.maximum((values / flat - light.ambient) / (1 - light.ambient), 0) ** 2
    rest = 1 - r2 * (1 + np.square(across))
    a = c * c - r2
    a = np.where(np.abs(a) < 1e-9, 1e-9, a)
    # The root that is 0 on the flat web, written so that it stays finite where a passes through 0.
    root = np.sqrt(np.maximum(c * c - a * rest, 0))
    return np.asarray(rest / (c + root), dtype=np.float64)


def integrate_along_light(slope: Array, azimuth_deg: float, reach_px: float) -> Array:
    """Return the height of given slope towards the light, ray by ray.

    Minimises, along each ray, the squared misfit of the height's differences plus a hold on the
    absolute height, which is weaker the longer the reach (iteratively reweighted least squares).

    Args:
        slope: (h, w), rise over run towards the light.
        azimuth_deg: of the light.
        reach_px: see ``Regularisation``.

    Returns:
        (h, w), pixels.
    """
    h, w = slope.shape
    tan = float(np.tan(np.radians(azimuth_deg)))
    extra = int(np.ceil(abs(tan) * h))
    # Sheared, so that a ray is a column.
    shear = np.array([[1, tan, 0.0 if tan > 0 else extra], [0, 1, 0]], dtype=np.float32)
    size = (w + extra, h)
    rays: Array = np.asarray(
        cv2.warpAffine(slope, shear, size, borderMode=cv2.BORDER_REPLICATE), dtype=np.float64
    )
    inside = cv2.warpAffine(np.ones((h, w), np.uint8), shear, size, flags=cv2.INTER_NEAREST) > 0
    step = 1 / float(np.cos(np.radians(azimuth_deg)))
    rise = -0.5 * step * (rays[1:] + rays[:-1])
    known = (inside[1:] & inside[:-1]).astype(np.float64)
    hold = np.full(rays.shape, 1 / reach_px**2)
    height = np.zeros(rays.shape)
    for _ in range(1 + _REWEIGHTINGS):
        height = _least_squares(rise, known, np.where(inside, hold, 1e-9))
        hold = 1 / (reach_px * np.sqrt(height**2 + _LEAST_HEIGHT**2)) / reach_px
    back = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(height, shear, (w, h), flags=back), dtype=np.float64)


def _least_squares(rise: Array, known: Array, hold: Array) -> Array:
    """Return the (n, k) columns z of least known (z[i+1] - z[i] - rise[i])^2 + hold z^2.

    The normal equations are tridiagonal; all columns are eliminated at once (Thomas' algorithm).
    """
    diagonal, right = hold.copy(), np.zeros_like(hold)
    diagonal[1:] += known
    diagonal[:-1] += known
    right[1:] += known * rise
    right[:-1] -= known * rise
    for i in range(1, len(diagonal)):
        factor = -known[i - 1] / diagonal[i - 1]
        diagonal[i] += factor * known[i - 1]
        right[i] -= factor * right[i - 1]
    z = np.empty_like(right)
    z[-1] = right[-1] / diagonal[-1]
    for i in range(len(z) - 2, -1, -1):
        z[i] = (right[i] + known[i] * z[i + 1]) / diagonal[i]
    return z


def shape_from_shading(
    image: Image, light: LightDirection, how: Regularisation | None = None
) -> Height:
    """Return the height of an image, in its pixels.

    Args:
        image: (h, w) of any number type.
        light: its direction.
        how: regularisation.

    Returns:
        (h, w) float32.
    """
    how = how or Regularisation()
    values = np.asarray(image, dtype=np.float64)
    if how.blur_px > 0:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), how.blur_px), dtype=np.float64)
    azimuth = np.radians(light.azimuth_deg)
    height, across = np.zeros(values.shape), np.zeros(values.shape)
    for _ in range(PASSES):
        slope = slope_towards_light(values, light, across)
        height = integrate_along_light(slope, light.azimuth_deg, how.reach_px)
        down, over = np.gradient(cv2.GaussianBlur(height, (0, 0), 1.0))
        across = over * np.cos(azimuth) + down * np.sin(azimuth)
        across = np.clip(across, -_STEEPEST_ACROSS, _STEEPEST_ACROSS)
    return height.astype(np.float32)


def best_regularisation(
    images: Sequence[Image],
    lights: Sequence[LightDirection],
    heights: Sequence[NDArray[np.float32]],
) -> tuple[Regularisation, list[float]]:
    """Choose the one regularisation that serves all frames best, with the truth in hand.

    Returns:
        The regularisation and, with it, RMSE over sigma of each frame after its own alignment.
    """
    scores = {
        how: [
            rmse_over_sigma(shape_from_shading(image, light, how), height)
            for image, light, height in zip(images, lights, heights, strict=True)
        ]
        for how in (Regularisation(r, b) for r, b in product(REACHES_PX, BLURS_PX))
    }
    best = min(scores, key=lambda how: float(np.mean(scores[how])))
    return best, scores[best]
