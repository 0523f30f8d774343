"""Means over boxes of a regular grid whose edges may lie anywhere between its elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROUNDING: Final = 1e-9
"""A difference of places or shares that is rounding."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the elements of a regular grid lie along one direction of the web.

    Line or column n of the camera covers n to n + 1.

    Attributes:
        start: edge of the first element.
        step: camera lines or pixels an element covers.
        count: how many there are.
    """

    start: float
    step: float
    count: int

    @staticmethod
    def of_centres(offset: float, step: float, count: int) -> Grid:
        """From the index of the line or column that the first element's centre lies on."""
        return Grid(offset + 0.5 - step / 2, step, count)

    def edge(self, element: int) -> float:
        """Edge before an element."""
        return self.start + element * self.step

    def places(self, edges: Floats) -> Floats:
        """Places on the web, counted in elements."""
        return (edges - self.start) / self.step

    def reach(self, edges: Floats) -> tuple[int, int]:
        """First element, and the one after the last, that (n,) rising edges enclose."""
        low, high = self.places(edges[[0, -1]])
        first = min(max(int(np.floor(low + ROUNDING)), 0), self.count)
        return first, min(max(int(np.ceil(high - ROUNDING)), first), self.count)

    def shared(self, other: Grid) -> Floats:
        """Edges of the elements of the coarser grid, as far as both grids reach."""
        coarse, fine = (other, self) if other.step > self.step * (1 + ROUNDING) else (self, other)
        ends = np.array([fine.edge(0), fine.edge(fine.count)])
        first, last = coarse.reach(ends)
        return np.asarray(coarse.start + np.arange(first, last + 1) * coarse.step, np.float64)


def cell_means(values: Floats, rows: Floats, columns: Floats, least: float) -> Floats:
    """Means over the boxes between edges, each element counting by the area that lies inside.

    Args:
        values: (h, w), NaN where unknown.
        rows: (n + 1,) rising edges in elements; 0 is the upper edge of the first.
        columns: (m + 1,) likewise.
        least: share of a box that must be known.

    Returns:
        (n, m), NaN where less is known.
    """
    known = np.isfinite(values)
    sums, counts = (
        _boxes(np.asarray(each, np.float64), rows, columns)
        for each in (np.where(known, values, 0.0), known)
    )
    area = np.diff(rows)[:, None] * np.diff(columns)
    means = np.full(area.shape, np.nan)
    enough = (counts > ROUNDING * area) & (counts >= (least - ROUNDING) * area)
    means[enough] = sums[enough] / counts[enough]
    return means


def _boxes(values: Floats, rows: Floats, columns: Floats) -> Floats:
    """Sums over boxes: differences of the integral, which is linear within an element."""
    down = _integral_at(np.cumsum(values, axis=0), rows)
    return np.diff(np.diff(_integral_at(np.cumsum(down, axis=1).T, columns).T, axis=0), axis=1)


def _integral_at(sums: Floats, edges: Floats) -> Floats:
    """Integral along the first axis up to each edge, from (n, m) sums up to each element's end."""
    table = np.pad(sums, ((1, 0), (0, 0)))
    place = np.clip(edges, 0, len(sums))
    lower = np.minimum(place.astype(np.intp), max(len(sums) - 1, 0))
    share = (place - lower)[:, None]
    return np.asarray(table[lower] * (1 - share) + table[lower + 1] * share, np.float64)
