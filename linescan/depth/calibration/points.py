"""Places on the web whose height was measured, and what the model says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from linescan.depth.calibration.cells import Grid, cell_means
from linescan.records import DepthMap, WebMap

Floats = npt.NDArray[np.float64]

MOST_POINTS: Final = 200_000
"""Points that are kept: more say nothing new, and memory is bounded."""
LEAST_KNOWN: Final = 0.5
"""Share of a place whose height must be known."""
LEAST_SEEN: Final = 0.99
"""Share of a place of a coarse map whose values must be known: what is not seen may be high."""
BLOCK_MARGIN: Final = 0.15
"""Share of a block's side that is left out at each edge: the model rounds edges off."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Measured places, (n,) float64 each: model value, measured height, web line and column."""

    predicted: Floats
    truth: Floats
    line: Floats
    column: Floats

    @staticmethod
    def join(parts: Sequence[Points]) -> Points:
        """All in one; empty where there is none."""
        columns = [
            np.concatenate([np.empty(0), *(getattr(part, name) for part in parts)])
            for name in ("predicted", "truth", "line", "column")
        ]
        return Points(*columns)

    def at(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Points:
        """Some of them."""
        return Points(
            self.predicted[chosen], self.truth[chosen], self.line[chosen], self.column[chosen]
        )

    def __len__(self) -> int:
        """How many."""
        return int(self.truth.size)


class Measured(Protocol):
    """Heights that were measured somewhere on the web."""

    def points(self, depth: DepthMap, skip: int) -> Points:
        """What is known of a depth map's places below its first ``skip`` rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HeightMap:
    """A map of heights with even steps.

    Attributes:
        heights: (h, w) float, NaN where not valid.
        line: web line of the upper edge of its first row.
        column: web column of the left edge of its first column.
        line_step: camera lines a row covers.
        column_step: camera pixels a column covers.
    """

    heights: Floats
    line: float
    column: float
    line_step: float
    column_step: float

    def points(self, depth: DepthMap, skip: int) -> Points:
        """Mean value and mean height of the same places: those of the coarser of both, each way.

        Sharp values against a blurred height would make the line too flat.
        """
        web, (rows, columns) = depth.web, depth.values.shape
        down = Grid.of_centres(web.line_offset, web.line_step, rows)
        over = Grid.of_centres(web.column_offset, web.column_step, columns)
        high = Grid(self.line, self.line_step, self.heights.shape[0])
        wide = Grid(self.column, self.column_step, self.heights.shape[1])
        lines, places = down.shared(high), over.shared(wide)
        if lines.size < 2 or places.size < 2:
            return Points.join(())
        first, last = high.reach(lines)
        part = Grid(high.edge(first), high.step, last - first)
        truth = cell_means(
            self.heights[first:last], part.places(lines), wide.places(places), LEAST_KNOWN
        )
        values = np.where(depth.valid[:, None], depth.values, np.nan).astype(np.float64)
        values[:skip] = np.nan
        predicted = cell_means(values, down.places(lines), over.places(places), LEAST_SEEN)
        row, column = np.nonzero(np.isfinite(truth) & np.isfinite(predicted))
        return Points(
            predicted[row, column],
            truth[row, column],
            (lines[row] + lines[row + 1] - 1) / 2,
            (places[column] + places[column + 1] - 1) / 2,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Heights at single places, (n,) float64 each, sorted by line."""

    line: Floats
    column: Floats
    height: Floats

    def points(self, depth: DepthMap, skip: int) -> Points:
        """Values between the four around each measured place."""
        web, (rows, columns) = depth.web, depth.values.shape
        begin, end = np.searchsorted(
            self.line,
            (web.line_offset + skip * web.line_step, web.line_offset + (rows - 1) * web.line_step),
        )
        line, column = self.line[begin:end], self.column[begin:end]
        x = (column - web.column_offset) / web.column_step
        y = (line - web.line_offset) / web.line_step
        inside = (x >= 0) & (x <= columns - 1)
        values = np.full(line.size, np.nan)
        values[inside] = _between(depth, y[inside], x[inside])
        known = np.isfinite(values) & np.isfinite(self.height[begin:end])
        return Points(values, self.height[begin:end], line, column).at(known)


@dataclass(frozen=True, slots=True)
class Block:
    """A flat box of known height, in web coordinates."""

    first_line: float
    line_count: float
    first_column: float
    column_count: float
    height: float


@dataclass(frozen=True, slots=True)
class Blocks:
    """Flat boxes of known height; their edges are left out."""

    blocks: tuple[Block, ...]

    def points(self, depth: DepthMap, skip: int) -> Points:
        """The values inside the boxes."""
        web, (rows, columns) = depth.web, depth.values.shape
        lines, places = lines_at(web, np.arange(rows)), columns_at(web, np.arange(columns))
        parts = []
        for block in self.blocks:
            on_row = _inside(lines, block.first_line, block.line_count)
            on_row &= depth.valid & (np.arange(rows) >= skip)
            inside = on_row[:, None] & _inside(places, block.first_column, block.column_count)
            inside &= np.isfinite(depth.values)
            row, column = np.nonzero(inside)
            values = np.asarray(depth.values[inside], np.float64)
            height = np.full(values.shape, block.height)
            parts.append(Points(values, height, lines[row], places[column]))
        return Points.join(parts)


def lines_at(web: WebMap, rows: npt.NDArray[np.intp]) -> Floats:
    """Web lines of rows of values."""
    return np.asarray(web.line_offset + web.line_step * rows, np.float64)


def columns_at(web: WebMap, columns: npt.NDArray[np.intp]) -> Floats:
    """Web columns of columns of values."""
    return np.asarray(web.column_offset + web.column_step * columns, np.float64)


def _inside(places: Floats, first: float, count: float) -> npt.NDArray[np.bool_]:
    margin = BLOCK_MARGIN * count
    return np.asarray((places >= first + margin) & (places <= first + count - 1 - margin))


def _between(depth: DepthMap, y: Floats, x: Floats) -> Floats:
    """Bilinear values at rows ``y`` and columns ``x``; NaN beside a row that is not valid."""
    top = np.minimum(np.floor(y).astype(np.intp), len(depth.values) - 2)
    left = np.minimum(np.floor(x).astype(np.intp), depth.values.shape[1] - 2)
    down, right = y - top, x - left
    values = np.where(depth.valid[:, None], depth.values, np.nan).astype(np.float64)
    upper = values[top, left] * (1 - right) + values[top, left + 1] * right
    lower = values[top + 1, left] * (1 - right) + values[top + 1, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float64)
