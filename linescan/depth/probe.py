"""A picture to try models on: deterministic, and with the structure of a lit surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

MAX_SIDE = 1024
"""Most rows and columns that are computed: a larger picture has its pixels repeated."""
GRAIN = 0.02
"""Standard deviation of a picture's noise, as a share of full scale."""


def probe_image(rows: int, columns: int) -> Image:
    """A shaded surface with bumps, a groove, uneven light and grain, (rows, columns) uint8.

    Lambertian shading of an analytic height field, lit along the columns; the same on every run.
    Beyond ``MAX_SIDE`` pixels are repeated, so that memory beside the picture itself is bounded.
    """
    return enlarged(_surface, rows, columns)


def enlarged(make: Callable[[int, int], Image], rows: int, columns: int) -> Image:
    """What ``make`` gives for at most ``MAX_SIDE`` rows and columns, its pixels repeated."""
    down, across = -(-rows // MAX_SIDE), -(-columns // MAX_SIDE)
    image = make(-(-rows // down), -(-columns // across))
    if down > 1:
        image = np.repeat(image, down, axis=0)[:rows]
    if across > 1:
        image = np.repeat(image, across, axis=1)[:, :columns]
    return np.ascontiguousarray(image)


def _surface(rows: int, columns: int) -> Image:
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    y, x = y / rows, x / columns
    height = np.zeros_like(x)
    bumps = ((0.3, 0.25, 0.08, 1.0), (0.65, 0.6, 0.15, 1.6), (0.2, 0.75, 0.05, -0.7))
    for row, column, radius, tall in bumps:
        distance = ((y - row) ** 2 + (x - column) ** 2) / radius**2
        height += tall * radius * np.exp(-distance)
    height -= 0.02 * np.exp(-(((x + 0.2 * y - 0.45) / 0.02) ** 2))
    slope = np.gradient(height, 1.0 / max(rows, 1), axis=0)
    light = 0.55 + 0.25 * x - 0.3 * slope
    light += 0.03 * np.sin(40 * x) * np.sin(33 * y)
    light += np.random.default_rng(7).normal(0.0, GRAIN, light.shape)
    return np.asarray(np.clip(np.rint(light * 255), 0, 255), np.uint8)
