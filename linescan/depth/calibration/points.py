"""Places on the web whose height was measured, and what the model says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from linescan.records import DepthMap, WebMap

Floats = npt.NDArray[np.float64]

MOST_POINTS: Final = 200_000
"""Points that are kept: more say nothing new, and memory is bounded."""
LEAST_KNOWN: Final = 0.5
"""Share of the measured heights under a value that must be known."""
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
        """The mean of the heights under each value of a depth map."""
        web, (rows, columns) = depth.web, depth.values.shape
        top = self._rows(web, rows)
        first, last = max(0, int(top.min())), min(len(self.heights), int(top.max()))
        if last <= first:
            return Points.join(())
        left = web.column_offset + web.column_step * (np.arange(columns + 1) - 0.5) + 0.5
        left = np.clip(np.rint((left - self.column) / self.column_step), 0, self.heights.shape[1])
        means = _area_means(
            self.heights[first:last],
            np.clip(top - first, 0, last - first),
            left.astype(np.intp),
        )
        good = np.isfinite(means) & np.isfinite(depth.values) & depth.valid[:, None]
        good[:skip] = False
        row, column = np.nonzero(good)
        return Points(
            np.asarray(depth.values[good], np.float64),
            means[good],
            lines_at(web, row),
            columns_at(web, column),
        )

    def _rows(self, web: WebMap, rows: int) -> npt.NDArray[np.intp]:
        """Rows of the map at which each row of values begins, and the last one ends."""
        edge = web.line_offset + web.line_step * (np.arange(rows + 1) - 0.5) + 0.5
        return np.asarray(np.rint((edge - self.line) / self.line_step), np.intp)


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


def _area_means(
    heights: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> Floats:
    """Means over the boxes between edges, NaN where less than half is known."""
    known = np.isfinite(heights)
    sums, counts = (
        np.pad(np.cumsum(np.cumsum(each, 0, np.float64), 1), ((1, 0), (1, 0)))
        for each in (np.where(known, heights, 0.0), known)
    )

    def boxes(table: Floats) -> Floats:
        corners = table[np.ix_(rows, columns)]
        return np.asarray(np.diff(np.diff(corners, axis=0), axis=1), np.float64)

    area = np.diff(rows)[:, None] * np.diff(columns)
    count = boxes(counts)
    means = np.full(area.shape, np.nan)
    enough = (count > 0) & (count >= LEAST_KNOWN * area)
    means[enough] = boxes(sums)[enough] / count[enough]
    return means
