"""Dust on the web and shadows over it: shapes that are no objects."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.cache import LruCache
from linescan.simulation.features import MAX_PER_CELL, Feature
from linescan.simulation.noise import CELL_PX, Grid, layer_rng
from linescan.simulation.painting import patches
from linescan.simulation.scene import REFERENCE_WIDTH, Scene
from linescan.simulation.shapes import Shape

Array = NDArray[np.float32]


class _Scatter(ABC):
    """Shapes of one kind at random places, by cell."""

    def __init__(self, scene: Scene, grid: Grid, layer: str, density: float) -> None:
        self._scene, self._grid = scene, grid
        self._layer, self._density = layer, density
        self._cells: LruCache[int, tuple[Feature, ...]] = LruCache(16)

    @property
    def present(self) -> bool:
        """Whether there are any."""
        return self._density > 0

    def paint(self, target: Array, strip: int, amount: float) -> None:
        """Add ``amount`` times peak times profile of every shape to (strip_lines, width)."""
        cell = self._grid.cell_of(strip)
        near = {c: self._cells.get(c, self._draw) for c in (cell - 1, cell, cell + 1)}
        for feature, patch in patches(self._grid, strip, near):
            target[patch.rows, patch.columns] += np.float32(amount * feature.peak) * patch.values

    def _draw(self, cell: int) -> tuple[Feature, ...]:
        rng = layer_rng(self._scene.seed, self._layer, cell)
        count = min(int(rng.poisson(self._density * CELL_PX / REFERENCE_WIDTH)), MAX_PER_CELL)
        return tuple(self._one(rng, cell, index) for index in range(count))

    def _one(self, rng: np.random.Generator, cell: int, index: int) -> Feature:
        x, y = float(rng.uniform(0, REFERENCE_WIDTH)), float(rng.uniform(0, CELL_PX))
        shape, peak = self._shape(rng)
        return Feature(cell, index, x, y, shape, peak, 0.0)

    @abstractmethod
    def _shape(self, rng: np.random.Generator) -> tuple[Shape, float]:
        """Draw a shape and its signed peak."""


class DustField(_Scatter):
    """The dust of a scene; a speck's peak, -1 to 1, stands for its reflectance and its height."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        """Prepare the dust of ``scene``."""
        super().__init__(scene, grid, "dust", scene.dust.density)

    def _shape(self, rng: np.random.Generator) -> tuple[Shape, float]:
        radius = self._scene.dust.radius * float(rng.uniform(0.3, 1.0))
        aspect = float(rng.uniform(0.4, 1.0))
        angle = float(rng.uniform(-np.pi, np.pi))
        peak = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0))
        return Shape("bump", radius * 1.5, aspect=aspect, angle=angle), peak


class ShadeField(_Scatter):
    """The shadows over a scene."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        """Prepare the shadows of ``scene``."""
        super().__init__(scene, grid, "shade", scene.shade.density)

    def _shape(self, rng: np.random.Generator) -> tuple[Shape, float]:
        flank = max(self._scene.shade.softness_px, 1.0)
        half, width = float(rng.uniform(30, 66)), float(rng.uniform(6, 40))
        angle = float(rng.uniform(-np.pi, np.pi))
        return Shape("bar", half, width, 1.0, angle, min(flank, 2 * width)), 1.0

    def strip(self, strip: int) -> Array:
        """Return (strip_lines, width) float32: the share of the direct light that is left."""
        covered = np.zeros((self._grid.strip_lines, self._grid.width), np.float32)
        self.paint(covered, strip, 1.0)
        np.minimum(covered, 1, out=covered)
        return np.asarray(1 - np.float32(self._scene.shade.strength) * covered, np.float32)
