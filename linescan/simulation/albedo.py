"""Reflectance of the web: texture and print, both blind to the height."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.features import FeatureField
from linescan.simulation.material import MaterialField
from linescan.simulation.noise import Grid, LatticeNoise
from linescan.simulation.painting import patches
from linescan.simulation.scene import Scene
from linescan.simulation.specks import DustField

LEAST_ALBEDO = 0.08
"""Black ink still reflects a little, relative to the bare web."""


class AlbedoField:
    """Relative reflectance, 1 on the average bare web."""

    def __init__(
        self,
        scene: Scene,
        grid: Grid,
        features: FeatureField,
        material: MaterialField,
        dust: DustField,
    ) -> None:
        """Prepare the albedo of ``scene``."""
        self._scene, self._grid, self._features = scene, grid, features
        self._material, self._dust = material, dust
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
        if self._material.present:
            albedo += np.float32(self._scene.material.contrast) * self._material.strip(strip)
        cell = self._grid.cell_of(strip)
        near = {c: self._features.print(c) for c in (cell - 1, cell, cell + 1)}
        for feature, patch in patches(self._grid, strip, near):
            albedo[patch.rows, patch.columns] *= 1 + np.float32(feature.peak) * patch.values
        if self._dust.present:
            self._dust.paint(albedo, strip, self._scene.dust.contrast)
        np.maximum(albedo, np.float32(LEAST_ALBEDO), out=albedo)
        self._cut_out(albedo, strip)
        return albedo

    def _cut_out(self, albedo: NDArray[np.float32], strip: int) -> None:
        """Let what lies below the web be seen through its holes."""
        cell = self._grid.cell_of(strip)
        near = {c: self._features.cut_outs(c) for c in (cell - 1, cell, cell + 1)}
        for _, patch in patches(self._grid, strip, near):
            place = albedo[patch.rows, patch.columns]
            below = np.float32(self._scene.cut_outs.reflectance)
            place += patch.values * (below - place)
