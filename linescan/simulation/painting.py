"""How any feature is painted on the part of the web that is being rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linescan.simulation.features import Feature
from linescan.simulation.noise import CELL_PX, Grid
from linescan.simulation.shapes import profile


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
