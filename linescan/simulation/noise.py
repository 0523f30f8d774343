"""Seeded random numbers by cell, and smooth endless noise on a lattice.

A cell is 128 reference pixels of the web. Every random number comes from a generator seeded with
(seed, layer, cell), so any stretch of an endless web can be made without what lies before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.cache import LruCache

CELL_PX = 128
"""Length of a cell in reference pixels."""

REFERENCE_SPAN = 512.0


def layer_rng(seed: int, layer: str, cell: int) -> np.random.Generator:
    """Return the generator of one layer in one cell (cells may be negative)."""
    entropy = (seed, int.from_bytes(layer.encode(), "little"), cell % 2**64)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))


@dataclass(frozen=True, slots=True)
class Grid:
    """How the web is cut into cells (random numbers) and strips (what is rendered at once).

    A strip is a cell or, for wide webs, a power-of-two part of it, to bound memory.

    Attributes:
        width: columns.
        strip_lines: lines in a strip.
        strips_per_cell: strips in a cell.
    """

    width: int
    strip_lines: int
    strips_per_cell: int

    @classmethod
    def of_width(cls, width: int) -> Grid:
        """Return the grid for a web ``width`` columns wide."""
        parts = 1
        while parts < 8 and width > 2048 * parts:
            parts *= 2
        lines = round(CELL_PX * width / (REFERENCE_SPAN * parts))
        return cls(width, lines, parts)

    @property
    def cell_lines(self) -> int:
        """Lines in a cell."""
        return self.strip_lines * self.strips_per_cell

    @property
    def scale(self) -> float:
        """Pixels per reference pixel."""
        return self.width / REFERENCE_SPAN

    def cell_of(self, strip: int) -> int:
        """Return the cell in which ``strip`` lies."""
        return strip // self.strips_per_cell

    def first_line(self, strip: int) -> int:
        """Return the first line of ``strip``."""
        return strip * self.strip_lines


def _spline_weights(positions: NDArray[np.floating], nodes: int) -> NDArray[np.float32]:
    """Return the (len(positions), nodes) weights of a uniform cubic B-spline.

    Position 0 lies at node 1. Twice continuously differentiable, so that the light finds no kinks
    (de Boor, "A Practical Guide to Splines", 1978).
    """
    base = np.floor(positions).astype(np.int64)
    t = positions - base
    taps = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3])
    weights = np.zeros((len(positions), nodes))
    rows = np.arange(len(positions))
    for k in range(4):
        weights[rows, base + k] = taps[k] / 6.0
    return weights.astype(np.float32)


class LatticeNoise:
    """Gaussian noise of unit rms, smooth over ``along`` x ``across`` reference pixels, endless."""

    def __init__(self, seed: int, layer: str, grid: Grid, along: int, across: int) -> None:
        """Prepare the noise of one layer.

        Args:
            seed: of the scene.
            layer: name that makes this noise independent of others.
            grid: cells and strips of the web.
            along: distance of the lattice's rows, at most 64; must divide the cell.
            across: distance of its columns; must divide 512.
        """
        if along > CELL_PX // 2 or CELL_PX % along or int(REFERENCE_SPAN) % across:
            raise ValueError(f"lattice {along} x {across} does not divide the cell")
        self._seed, self._layer, self._grid = seed, layer, grid
        self._rows = CELL_PX // along
        self._columns = int(REFERENCE_SPAN) // across + 3
        lines = (np.arange(grid.cell_lines) + 0.5) * (self._rows / grid.cell_lines)
        columns = (np.arange(grid.width) + 0.5) * ((self._columns - 3) / grid.width)
        down = _spline_weights(lines, self._rows + 3)
        over = _spline_weights(columns, self._columns)
        rms = float(np.sqrt((down**2).sum(1).mean() * (over**2).sum(1).mean()))
        self._down = down / np.float32(rms)
        self._over = np.ascontiguousarray(over.T)
        self._cells: LruCache[int, NDArray[np.float32]] = LruCache(4)

    def _nodes(self, cell: int) -> NDArray[np.float32]:
        rng = layer_rng(self._seed, self._layer, cell)
        nodes = rng.standard_normal((self._rows, self._columns), dtype=np.float32)
        return nodes @ self._over

    def strip(self, strip: int) -> NDArray[np.float32]:
        """Return (strip_lines, width) float32 of unit rms."""
        cell, part = divmod(strip, self._grid.strips_per_cell)
        before, here, after = (self._cells.get(c, self._nodes) for c in (cell - 1, cell, cell + 1))
        rows = np.concatenate([before[-1:], here, after[:2]])
        first = part * self._grid.strip_lines
        weights = self._down[first : first + self._grid.strip_lines]
        return np.asarray(weights @ rows, dtype=np.float32)
