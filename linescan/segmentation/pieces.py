"""Parts of objects, measured on the web lines that count for them, and added up.

Second moments are kept about the part's own centre and added by the rule for parallel axes (Chan,
Golub and LeVeque 1979): exact for any number of parts, and without the loss of digits that sums of
squares of absolute line numbers would have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linescan.records import BoolArray, WebMap
from linescan.segmentation.regions import Floats, Regions


@dataclass(frozen=True, slots=True)
class Piece:
    """What was seen of an object so far, in camera pixels; line n reaches from n to n + 1.

    ``cells`` counts pixels of the depth map, ``total`` is the sum of height times area, ``line``
    and ``column`` are the centre, and ``ll``, ``cc``, ``lc`` the second moments about it (variance
    times area) along the web, across it, and mixed.
    """

    cells: float
    area: float
    total: float
    extreme: float
    low_line: float
    high_line: float
    low_column: float
    high_column: float
    line: float
    column: float
    ll: float
    cc: float
    lc: float

    def plus(self, other: Piece) -> Piece:
        """Both together."""
        area = self.area + other.area
        share = other.area / area
        line, column = other.line - self.line, other.column - self.column
        weight = self.area * share
        farther = max if self.extreme >= 0 else min
        return Piece(
            cells=self.cells + other.cells,
            area=area,
            total=self.total + other.total,
            extreme=farther(self.extreme, other.extreme),
            low_line=min(self.low_line, other.low_line),
            high_line=max(self.high_line, other.high_line),
            low_column=min(self.low_column, other.low_column),
            high_column=max(self.high_column, other.high_column),
            line=self.line + line * share,
            column=self.column + column * share,
            ll=self.ll + other.ll + weight * line * line,
            cc=self.cc + other.cc + weight * column * column,
            lc=self.lc + other.lc + weight * line * column,
        )

    def elongation(self, web: WebMap) -> float:
        """Square root of the ratio of the second moments along its own axes, at least 1."""
        along, across = web.mm_per_line or 1.0, web.mm_per_column or 1.0
        if web.mm_per_line is None or web.mm_per_column is None:
            along = across = 1.0
        ll, cc, lc = self.ll * along**2, self.cc * across**2, self.lc * along * across
        middle, spread = (ll + cc) / 2, math.hypot((ll - cc) / 2, lc)
        return math.sqrt((middle + spread) / max(middle - spread, middle * 1e-12))

    @property
    def extent(self) -> float:
        """Share of the bounding box that is covered."""
        box = (self.high_line - self.low_line) * (self.high_column - self.low_column)
        return min(self.area / box, 1.0)


def add(one: Piece | None, other: Piece | None) -> Piece | None:
    """Both together, where either may be nothing."""
    if one is None or other is None:
        return one if other is None else other
    return one.plus(other)


def row_edges(web: WebMap, rows: int) -> tuple[Floats, Floats]:
    """Where array rows begin and end on the web, (rows,) each; line n reaches from n to n + 1."""
    places = np.arange(rows + 1, dtype=np.float64) - 0.5
    edges = np.asarray(web.line_offset + 0.5 + places * web.line_step, np.float64)
    return edges[:-1], edges[1:]


def measure(
    regions: Regions, wanted: BoolArray, web: WebMap, rows: int, span: tuple[float, float]
) -> dict[int, Piece]:
    """Measure regions on a span of web lines; those that do not reach into it are left out.

    Args:
        regions: of one frame.
        wanted: (n,) which of them.
        web: where array pixels lie on the web.
        rows: of the array.
        span: first web line that counts and the line after the last one, not always whole.
    """
    low, high = (np.clip(edge, *span) for edge in row_edges(web, rows))
    row, column = np.divmod(regions.run_start, regions.width)
    counted = wanted[regions.run_owner] & (high[row] > low[row])
    if not counted.any():
        return {}
    row, column, length = row[counted], column[counted], regions.run_length[counted]
    low, high = low[row], high[row]
    left = web.column_offset + 0.5 + (column - 0.5) * web.column_step
    across = length * web.column_step
    present, owner = np.unique(regions.run_owner[counted], return_inverse=True)
    lines = high - low
    area = lines * across
    sums = _Sums(owner, present.size)
    total_area = sums.of(area)
    line, column_ = (low + high) / 2 - low[0], left + across / 2
    mean_line, mean_column = sums.of(area * line) / total_area, sums.of(area * column_) / total_area
    line_off, column_off = line - mean_line[owner], column_ - mean_column[owner]
    share = lines / web.line_step
    pixel = web.line_step * web.column_step
    values = (
        sums.of(share * length),
        total_area,
        sums.of(share * regions.run_total[counted]) * pixel,
        sums.extreme(regions.run_extreme[counted], regions.sign[present]),
        sums.least(low),
        -sums.least(-high),
        sums.least(left),
        -sums.least(-(left + across)),
        mean_line + low[0],
        mean_column,
        sums.of(area * (line_off**2 + lines**2 / 12)),
        sums.of(area * (column_off**2 + across**2 / 12)),
        sums.of(area * line_off * column_off),
    )
    parts = zip(*(column.tolist() for column in values), strict=True)
    return {int(n): Piece(*part) for n, part in zip(present, parts, strict=True)}


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums and extremes of what runs have, by region."""

    owner: npt.NDArray[np.intp]
    count: int

    def of(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.owner, values, self.count), np.float64)

    def least(self, values: Floats) -> Floats:
        least = np.full(self.count, np.inf)
        np.minimum.at(least, self.owner, values)
        return least

    def extreme(self, values: Floats, sign: npt.NDArray[np.int8]) -> Floats:
        """Largest value of raised regions, smallest of sunk ones."""
        side = sign.astype(np.float64)
        signed: Floats = -side * self.least(-values * side[self.owner])
        return signed
