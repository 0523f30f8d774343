"""The height field and its labels, strip by strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.features import FeatureField
from linescan.simulation.material import MaterialField
from linescan.simulation.noise import Grid, LatticeNoise
from linescan.simulation.painting import patches
from linescan.simulation.scene import Scene
from linescan.simulation.specks import DustField

HALF_HEIGHT = 0.5
"""An object's footprint is where its own height is at least half its peak."""


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

    def __init__(
        self,
        scene: Scene,
        grid: Grid,
        features: FeatureField,
        material: MaterialField,
        dust: DustField,
    ) -> None:
        """Prepare the relief of ``scene``."""
        self._scene, self._grid, self._features = scene, grid, features
        self._material, self._dust = material, dust
        self._fine = LatticeNoise(scene.seed, "rough-fine", grid, 2, 2)
        self._coarse = LatticeNoise(scene.seed, "rough-coarse", grid, 8, 8)
        self._waves = LatticeNoise(scene.seed, "waves", grid, 64, 64)

    def strip(self, strip: int) -> ReliefStrip:
        """Render one strip."""
        height = self._texture(strip)
        labels = np.zeros(height.shape, dtype=np.uint16)
        cell = self._grid.cell_of(strip)
        near = {c: self._features.with_height(c) for c in (cell - 1, cell, cell + 1)}
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
        if self._material.present and scene.material.relief > 0:
            height += self._material.strip(strip) * np.float32(scene.material.relief)
        if self._dust.present and scene.dust.height > 0:
            self._dust.paint(height, strip, scene.dust.height)
        return height
