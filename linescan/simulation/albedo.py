"""Reflectance of the web: texture and print, both blind to the height."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.features import FeatureField
from linescan.simulation.noise import Grid, LatticeNoise
from linescan.simulation.relief import patches
from linescan.simulation.scene import Scene

LEAST_ALBEDO = 0.08
"""Black ink still reflects a little, relative to the bare web."""


class AlbedoField:
    """Relative reflectance, 1 on the average bare web."""

    def __init__(self, scene: Scene, grid: Grid, features: FeatureField) -> None:
        """Prepare the albedo of ``scene``."""
        self._grid, self._features = grid, features
        layers = (
            (scene.albedo.blotches, "blotches", 32, 32),
            (scene.albedo.mottle, "mottle", 4, 4),
            (scene.albedo.streaks, "streaks", 64, 2),
        )
        self._layers = [
            (np.float32(amount), LatticeNoise(scene.seed, name, grid, along, across))
            for amount, name, along, across in layers
            if amount > 0
        ]

    def strip(self, strip: int) -> NDArray[np.float32]:
        """Return (strip_lines, width) float32."""
        albedo = np.ones((self._grid.strip_lines, self._grid.width), dtype=np.float32)
        for amount, noise in self._layers:
            albedo += amount * noise.strip(strip)
        cell = self._grid.cell_of(strip)
        near = {c: self._features.print(c) for c in (cell - 1, cell, cell + 1)}
        for feature, patch in patches(self._grid, strip, near):
            albedo[patch.rows, patch.columns] *= 1 + np.float32(feature.peak) * patch.values
        return np.maximum(albedo, np.float32(LEAST_ALBEDO), out=albedo)
