"""The height field and its labels, strip by strip; and how any feature is painted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.features import Feature, FeatureField
from linescan.simulation.noise import CELL_PX, Grid, LatticeNoise
from linescan.simulation.scene import Scene
from linescan.simulation.shapes import profile

HALF_HEIGHT = 0.5
"""An object's footprint is where its own height is at least half its peak."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A feature rendered on part of the web.

    Attributes:
        rows: lines, counted from the first line of the strip (or of the feature's own cell).
        columns: columns of the web.
        values: (rows, columns) float32, 0 to 1.
    """

    rows: slice
    columns: slice
    values: NDArray[np.float32]


def render_patch(feature: Feature, grid: Grid, first: int, count: int) -> Patch | None:
    """Render ``feature`` on ``count`` lines.

    Args:
        feature: what to render.
        grid: cells and strips of the web.
        first: first line, counted from the first line of the feature's own cell. All coordinates
            start there, so that every strip computes the very same numbers, and line 10^9 is as
            exact as line 0.
        count: number of lines.

    Returns:
        The patch, its rows counted from ``first``; None where the feature does not reach.
    """
    down, over = grid.cell_lines / CELL_PX, grid.scale
    reach_y, reach_x = feature.shape.extent * down, feature.shape.extent_across * over
    top = max(int(np.floor(feature.y * down - reach_y)) - first, 0)
    bottom = min(int(np.ceil(feature.y * down + reach_y)) - first, count)
    left = max(int(np.floor(feature.x * over - reach_x)), 0)
    right = min(int(np.ceil(feature.x * over + reach_x)), grid.width)
    if top >= bottom or left >= right:
        return None
    y = (np.arange(first + top, first + bottom) + 0.5) / down - feature.y
    x = (np.arange(left, right) + 0.5) / over - feature.x
    values = profile(feature.shape, x.astype(np.float32)[None], y.astype(np.float32)[:, None])
    return Patch(slice(top, bottom), slice(left, right), values)


def patches(
    grid: Grid, strip: int, of_cell: dict[int, tuple[Feature, ...]]
) -> Iterator[tuple[Feature, Patch]]:
    """Yield the features that reach into ``strip``, rendered there, in a fixed order."""
    for cell in sorted(of_cell):
        first = grid.first_line(strip) - cell * grid.cell_lines
        for feature in of_cell[cell]:
            patch = render_patch(feature, grid, first, grid.strip_lines)
            if patch is not None:
                yield feature, patch


@dataclass(frozen=True, slots=True)
class ReliefStrip:
    """Height and labels of one strip.

    Attributes:
        height: (strip_lines, width) float32, reference pixels.
        labels: (strip_lines, width) uint16, 0 where there is no object.
    """

    height: NDArray[np.float32]
    labels: NDArray[np.uint16]


class ReliefField:
    """Roughness, waves and features of a web."""

    def __init__(self, scene: Scene, grid: Grid, features: FeatureField) -> None:
        """Prepare the relief of ``scene``."""
        self._scene, self._grid, self._features = scene, grid, features
        self._fine = LatticeNoise(scene.seed, "rough-fine", grid, 2, 2)
        self._coarse = LatticeNoise(scene.seed, "rough-coarse", grid, 8, 8)
        self._waves = LatticeNoise(scene.seed, "waves", grid, 64, 64)

    def strip(self, strip: int) -> ReliefStrip:
        """Render one strip."""
        height = self._texture(strip)
        labels = np.zeros(height.shape, dtype=np.uint16)
        cell = self._grid.cell_of(strip)
        near = {c: self._features.relief(c) for c in (cell - 1, cell, cell + 1)}
        for feature, patch in patches(self._grid, strip, near):
            height[patch.rows, patch.columns] += np.float32(feature.peak) * patch.values
            if self._features.is_object(feature):
                inside = patch.values >= HALF_HEIGHT
                labels[patch.rows, patch.columns][inside] = feature.label
        return ReliefStrip(height, labels)

    def _texture(self, strip: int) -> NDArray[np.float32]:
        scene = self._scene
        fine = scene.roughness * np.sqrt(1 - scene.roughness_coarse)
        coarse = scene.roughness * np.sqrt(scene.roughness_coarse)
        height = self._fine.strip(strip) * np.float32(fine)
        height += self._coarse.strip(strip) * np.float32(coarse)
        height += self._waves.strip(strip) * np.float32(scene.waviness)
        return height
