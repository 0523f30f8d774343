"""Bumps where there are none: what is left of flat regions after their own plane is taken off.

Errors of height hardly notice small bumps on a smooth surface (S. Wu et al., "How to Evaluate
Monocular Depth Estimation?", arXiv 2510.19814), and an inspection of surfaces is about nothing
else. Flat regions are the flattest quarter of the truth's tiles, so no threshold has to be chosen;
what is left of the truth itself in them tells how flat they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Heights = npt.NDArray[np.floating]

TILE: Final = 16
"""Side of a tile in pixels of the depth map."""
FLATTEST: Final = 0.25
"""Share of the tiles that count as flat regions."""


@dataclass(frozen=True, slots=True)
class PlaneResidual:
    """RMS about the plane of each flat tile, over all of them, in the unit of the heights."""

    predicted: float
    truth: float


def plane_residual(predicted: Heights, truth: Heights) -> PlaneResidual | None:
    """RMS of what the planes of flat tiles leave over.

    Args:
        predicted: (h, w), NaN where unknown.
        truth: (h, w), NaN where unknown.

    Returns:
        Of both, in the same tiles; None where no tile is known throughout.
    """
    tiles, true_tiles = _tiles(predicted), _tiles(truth)
    known = np.isfinite(tiles).all(axis=1) & np.isfinite(true_tiles).all(axis=1)
    if not known.any():
        return None
    left, true_left = (_mean_squares(each[known]) for each in (tiles, true_tiles))
    count = max(1, round(FLATTEST * len(true_left)))
    flat = np.argsort(true_left, kind="stable")[:count]
    return PlaneResidual(float(np.sqrt(left[flat].mean())), float(np.sqrt(true_left[flat].mean())))


def _tiles(values: Heights) -> npt.NDArray[np.float64]:
    """(tiles, TILE * TILE) whole tiles; what remains at the lower and right edge is left out."""
    rows, columns = (side // TILE for side in values.shape)
    cut = np.asarray(values[: rows * TILE, : columns * TILE], np.float64)
    return cut.reshape(rows, TILE, columns, TILE).swapaxes(1, 2).reshape(-1, TILE * TILE)


def _mean_squares(tiles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean square of each tile about its plane of least squares, (tiles,).

    On a square grid offset and both slopes are orthogonal: each is a sum of products.
    """
    place = np.arange(TILE) - (TILE - 1) / 2
    down, over = np.repeat(place, TILE), np.tile(place, TILE)
    rest = tiles - tiles.mean(axis=1, keepdims=True)
    for direction in (down, over):
        slope = rest @ direction / float(direction @ direction)
        rest = rest - slope[:, None] * direction
    return np.asarray((rest * rest).mean(axis=1))
