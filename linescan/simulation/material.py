"""Textures with a direction or a repeat: metal, wood, fabric, belt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.cache import LruCache
from linescan.simulation.noise import CELL_PX, REFERENCE_SPAN, Grid, LatticeNoise
from linescan.simulation.scene import Scene

Array = NDArray[np.float32]

_WOOD_WARP = 0.6
"""How far, in periods, the grain of wood strays (rms)."""


class MaterialField:
    """The texture of a scene's material: one pattern of unit rms, for reflectance and height."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        """Prepare the material of ``scene``."""
        self._material, self._grid = scene.material, grid
        lattices = {
            "brushed": [("brushed", 64, 1)],
            "rolled": [("rolled", 1, 64)],
            "wood": [("wood-warp", 64, 64), ("wood-fibre", 64, 2)],
        }
        self._noises = [
            LatticeNoise(scene.seed, name, grid, along, across)
            for name, along, across in lattices.get(scene.material.kind, [])
        ]
        self._strips: LruCache[int, Array] = LruCache(4)

    @property
    def present(self) -> bool:
        """Whether there is any texture at all."""
        material = self._material
        return material.kind != "plain" and (material.contrast > 0 or material.relief > 0)

    def strip(self, strip: int) -> Array:
        """Return (strip_lines, width) float32 of unit rms; not to be written to."""
        return self._strips.get(strip, self._make)

    def _make(self, strip: int) -> Array:
        kind = self._material.kind
        if kind in ("brushed", "rolled"):
            return self._noises[0].strip(strip)
        x, y = self._axes(strip)
        if kind == "wood":
            warp, fibre = (noise.strip(strip) for noise in self._noises)
            grain = np.sin(x + np.float32(2 * np.pi * _WOOD_WARP) * warp)
            return np.asarray(np.float32(1.2) * grain + np.float32(0.53) * fibre, np.float32)
        if kind == "woven":
            return np.asarray(2 * np.sin(x) * np.sin(y), np.float32)
        return np.asarray(2 * np.sin((x + y) / 2) * np.sin((x - y) / 2), np.float32)

    def _axes(self, strip: int) -> tuple[Array, Array]:
        """Return the phases across (1, w) and along (h, 1) the web.

        The periods in a cell are a whole, even number: phases start anew in every cell, unseen.
        """
        grid = self._grid
        periods = 2 * max(round(CELL_PX / self._material.period_px / 2), 1)
        first = grid.first_line(strip) % grid.cell_lines
        lines = (first + np.arange(grid.strip_lines) + 0.5) / grid.cell_lines
        columns = (np.arange(grid.width) + 0.5) / grid.width * (REFERENCE_SPAN / CELL_PX)
        turn = 2 * np.pi * periods
        return (
            (turn * columns).astype(np.float32)[None],
            (turn * lines).astype(np.float32)[:, None],
        )
