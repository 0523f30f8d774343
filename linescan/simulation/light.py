"""Light on the relief: Lambert, Blinn-Phong gloss, and a soft shadow that the relief casts.

Sources: J. H. Lambert, "Photometria", 1760; J. F. Blinn, "Models of light reflection for computer
synthesized pictures", SIGGRAPH 1977. The viewer looks straight down, as a line-scan camera does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.noise import CELL_PX, Grid
from linescan.simulation.scene import Scene

Array = NDArray[np.float32]

SHADOW_STEPS_PX = (1.5, 3.0, 5.0, 8.0, 12.0)
"""Distances towards the light at which the relief is asked whether it is in the way."""

SHADOW_SOFTNESS = 0.35
"""Depth below the light's edge, in reference pixels, over which a shadow becomes full."""


def margin_lines(grid: Grid) -> int:
    """Lines of height needed before and after a strip to light it."""
    return int(np.ceil(max(SHADOW_STEPS_PX) * grid.cell_lines / CELL_PX)) + 1


class LineLight:
    """The light of a scene, drifting slowly along the web."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        """Prepare the light of ``scene``."""
        self._light, self._grid, self._seed = scene.light, grid, scene.seed
        self.margin = margin_lines(grid)

    def angles(self, lines: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return azimuth and elevation, in radians, at the given lines."""
        light = self._light
        period = light.drift_period_px * self._grid.cell_lines / CELL_PX
        phase = 2 * np.pi * (np.fmod(lines, period) / period + (self._seed % 97) / 97)
        azimuth = light.azimuth_deg + light.azimuth_drift_deg * np.sin(phase)
        elevation = light.elevation_deg + light.elevation_drift_deg * np.sin(0.7 + 2 * phase)
        return np.radians(azimuth), np.radians(elevation)

    def strip(
        self, height: Array, albedo: Array, first_line: int, shade: Array | None = None
    ) -> Array:
        """Return the brightness of one strip, 1 on a flat bare web.

        Args:
            height: (strip_lines + 2 margins, width) float32, reference pixels.
            albedo: (strip_lines, width) float32.
            first_line: of the strip, without its margin.
            shade: (strip_lines, width) float32, the share of the direct light that is let through;
                None for all of it.

        Returns:
            (strip_lines, width) float32, at least 0.
        """
        count = albedo.shape[0]
        azimuth, elevation = self.angles(first_line + np.arange(count, dtype=np.int64))
        across, along = self._slopes(height, count)
        norm = 1 / np.sqrt(1 + across * across + along * along)
        lx, ly, lz = (
            self._column(np.cos(elevation) * np.sin(azimuth)),
            self._column(-np.cos(elevation) * np.cos(azimuth)),
            self._column(np.sin(elevation)),
        )
        # Relative to the flat web, whose cosine is the sine of the elevation.
        lambert = np.maximum((1 - (across * lx + along * ly) / lz) * norm, 0)
        lit = self._lit(height, count)
        if shade is not None:
            lit *= shade
        ambient = np.float32(self._light.ambient)
        radiance = albedo * (ambient + (1 - ambient) * lambert * lit)
        if self._light.gloss > 0:
            half = np.sqrt(lx * lx + ly * ly + (1 + lz) ** 2)
            hx, hy, hz = lx / half, ly / half, (1 + lz) / half
            shine = np.maximum((hz - across * hx - along * hy) * norm, 0)
            for _ in range(self._light.gloss_sharpness):
                shine *= shine
            radiance += np.float32(self._light.gloss) * shine * lit
        return np.asarray(radiance, dtype=np.float32)

    @staticmethod
    def _column(values: NDArray[np.float64]) -> Array:
        return np.asarray(values[:, None], dtype=np.float32)

    def _slopes(self, height: Array, count: int) -> tuple[Array, Array]:
        """Return the rise over run towards higher columns and later lines."""
        m = self.margin
        down = np.float32(0.5 * self._grid.cell_lines / CELL_PX)
        along = (height[m + 1 : m + 1 + count] - height[m - 1 : m - 1 + count]) * down
        inner = height[m : m + count]
        across = np.empty_like(along)
        over = np.float32(0.5 * self._grid.scale)
        across[:, 1:-1] = (inner[:, 2:] - inner[:, :-2]) * over
        across[:, 0], across[:, -1] = across[:, 1], across[:, -2]
        return across, along

    def _lit(self, height: Array, count: int) -> Array:
        """Return the share of the direct light that is not shadowed, 0 to 1.

        The mean direction is used: the drift would jump by a pixel at a strip's border.
        """
        m, light = self.margin, self._light
        azimuth, tan = np.radians(light.azimuth_deg), np.tan(np.radians(light.elevation_deg))
        here = height[m : m + count]
        deepest = np.zeros_like(here)
        for step in SHADOW_STEPS_PX:
            dy = round(-step * np.cos(azimuth) * self._grid.cell_lines / CELL_PX)
            dx = round(step * np.sin(azimuth) * self._grid.scale)
            towards = height[m + dy : m + dy + count]
            blocked = _shift_columns(towards, dx) - here - np.float32(step * tan)
            np.maximum(deepest, blocked, out=deepest)
        return np.asarray(np.maximum(1 - deepest / np.float32(SHADOW_SOFTNESS), 0), np.float32)


def _shift_columns(array: Array, shift: int) -> Array:
    """Return ``array`` so that column x holds what stood in column x + shift; edges repeat."""
    if shift == 0:
        return array
    columns = np.clip(np.arange(array.shape[1]) + shift, 0, array.shape[1] - 1)
    return np.asarray(np.take(array, columns, axis=1), dtype=np.float32)
