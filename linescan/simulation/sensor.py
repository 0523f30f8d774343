"""From brightness to grey values: gain, offset, flicker, noise, quantisation, encoder.

The noise model is EMVA 1288's (release 4.0, section 2): shot noise whose variance is the number of
electrons, read noise, and fixed differences of the columns, PRNU (gain) and DSNU (offset).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.noise import CELL_PX, Grid, LatticeNoise, layer_rng
from linescan.simulation.scene import Scene

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


class LineSensor:
    """The camera of a scene."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        """Draw the fixed pattern of the columns."""
        self._seed, self._camera = scene.seed, scene.camera
        rng = layer_rng(scene.seed, "columns", 0)
        x = np.linspace(-1, 1, grid.width)
        gain = 1 + scene.camera.prnu * rng.standard_normal(grid.width)
        gain *= 1 - scene.camera.vignetting * x * x
        self.gain: Array = gain.astype(np.float32)
        offset = scene.camera.dsnu * rng.standard_normal(grid.width)
        self.offset: Array = offset.astype(np.float32)
        self._grain = LatticeNoise(scene.seed, "grain", grid, 2, 2)
        self._wander = LatticeNoise(scene.seed, "row-wander", Grid(128, *_lines_of(grid)), 16, 128)

    @property
    def full_scale(self) -> int:
        """Largest grey value."""
        return (1 << self._camera.bit_depth) - 1

    def expose(self, radiance: Array, strip: int, first_line: int) -> Pixels:
        """Return the grey values of one strip.

        Args:
            radiance: (lines, width) float32, 1 on a flat bare web.
            strip: seeds the noise.
            first_line: absolute line of the first row; places the flicker.

        Returns:
            (lines, width) uint8, or uint16 for 12 and 16 bits.
        """
        camera = self._camera
        lines = first_line + np.arange(radiance.shape[0], dtype=np.int64)
        phase = 2 * np.pi * np.fmod(lines, camera.flicker_period_lines)
        exposure = 1 + camera.flicker * np.sin(phase / camera.flicker_period_lines)
        level = (camera.exposure * exposure).astype(np.float32)[:, None]
        if camera.row_noise > 0:
            level *= self._row_gain(strip)
        signal = radiance * level * self.gain
        noise = self._unit_noise(strip, radiance.shape)
        variance = signal * np.float32(1 / camera.full_well_e) + np.float32(camera.read_noise**2)
        signal += noise * np.sqrt(variance) + self.offset
        signal *= np.float32(self.full_scale)
        signal += np.float32(0.5)
        np.clip(signal, 0, self.full_scale, out=signal)
        if camera.bit_depth == 8:
            return signal.astype(np.uint8)
        return signal.astype(np.uint16)

    def _unit_noise(self, strip: int, shape: tuple[int, ...]) -> Array:
        """Return noise of unit deviation, in part correlated between neighbours."""
        white = layer_rng(self._seed, "noise", strip).standard_normal(shape, dtype=np.float32)
        share = self._camera.noise_grain
        if not share:
            return white
        grain = self._grain.strip(strip)
        mixed = np.sqrt(np.float32(1 - share)) * white + np.sqrt(np.float32(share)) * grain
        return np.asarray(mixed, dtype=np.float32)

    def _row_gain(self, strip: int) -> Array:
        """Return (lines, 1) float32: gains of the lines, half white, half wandering."""
        wander = self._wander.strip(strip)[:, 64:65]
        white = layer_rng(self._seed, "rows", strip).standard_normal(wander.shape, dtype=np.float32)
        amount = np.float32(self._camera.row_noise * np.sqrt(0.5))
        return np.asarray(np.maximum(1 + amount * (white + wander), 0.5), np.float32)


class Transport:
    """How the web moves: where each line truly lies, and what the encoder counts."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        """Prepare the transport of ``scene``."""
        self._ticks = scene.camera.encoder_ticks_per_line
        self._jitter_lines = scene.camera.encoder_jitter_px * grid.cell_lines / CELL_PX
        self._grid = grid
        # Speed wanders over some 30 reference pixels; a quarter of the columns' lattice will do.
        self._noise = LatticeNoise(scene.seed, "jitter", Grid(128, *_lines_of(grid)), 16, 128)
        self.margin = int(np.ceil(3 * self._jitter_lines)) + 1 if self._jitter_lines else 0

    def displacement(self, strip: int) -> NDArray[np.float64] | None:
        """Return how far (in lines) each line of ``strip`` is off the even grid; None if nowhere.

        A slope below -1 would run the web backwards: jitter of one reference pixel stays far off.
        """
        if not self._jitter_lines:
            return None
        wander = self._noise.strip(strip)[:, 64].astype(np.float64)
        return np.clip(wander, -3, 3) * self._jitter_lines

    def encoder(self, strip: int) -> NDArray[np.int64]:
        """Return (strip_lines,) int64 encoder counts."""
        lines = self._grid.first_line(strip) + np.arange(self._grid.strip_lines, dtype=np.int64)
        ticks = lines * self._ticks
        moved = self.displacement(strip)
        return ticks if moved is None else ticks + np.rint(moved * self._ticks).astype(np.int64)


def _lines_of(grid: Grid) -> tuple[int, int]:
    return grid.strip_lines, grid.strips_per_cell
