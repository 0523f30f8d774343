"""Fits tiles to one another and to a coarse pass over the whole frame, in scale and shift.

Relative depth is known only up to scale and shift, for each pass of the model anew. Two neighbours
both saw their overlap, at the same resolution: that tells their scales and shifts apart sharply,
but errors add up from tile to tile. The coarse pass saw everything at once, but without detail:
it keeps the whole straight. Each counts by how well it determines a figure, and all tiles are
solved for at once by linear least squares: first the logarithms of the scales, then the shifts.

The result is in the unit of a single pass: scales have the median 1, shifts the median 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linescan.depth.framing.relation import Floats, Relation, centre, relate

MIN_SPREAD = 0.1
"""A tile with less than this share of the most structured tile's deviation is flat."""
COARSE_TRUST = 0.05
"""Weight of the scales by the coarse pass against those by overlaps: it lacks the detail."""
OVERLAP_ERROR, COARSE_ERROR = 0.03, 0.15
"""Errors of a shift by an overlap and by the coarse pass, at least, in standard deviations of the
depth: passes bend near their edges, and a coarse one everywhere, however many pixels agree."""
PRIOR = 9.0
"""Inverse variance of the logarithm of a tile's scale where nothing is known of it: passes of one
model over one frame differ by a third, say."""
PRIOR_SHIFT = 1e-4
"""Weight of no shift at all, against that of a difference known to one deviation of the depth."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two tiles, by index, and their samples of the same places, (n,) each."""

    first: int
    second: int
    here: Floats
    there: Floats


@dataclass(frozen=True, slots=True)
class Anchor:
    """A tile, by index, and samples of it and of the coarse pass at the same places, (n,) each."""

    tile: int
    here: Floats
    coarse: Floats


@dataclass(frozen=True, slots=True)
class Fits:
    """What was found, (n,) each.

    Attributes:
        scales: factor of each tile.
        shifts: what is added after it.
        agreement: mean correlation of each tile with all that it was fitted to, 0 to 1; 0 where
            the tile is flat.
    """

    scales: Floats
    shifts: Floats
    agreement: Floats


def fit_tiles(count: int, overlaps: Sequence[Overlap], anchors: Sequence[Anchor]) -> Fits:
    """Scale and shift of ``count`` tiles.

    A tile whose scale cannot be told, because it is flat or agrees with nothing, takes that of its
    neighbours, and only its shift is fitted.
    """
    spreads = [float(a.here.std()) for a in anchors if a.here.size]
    flat = MIN_SPREAD * max(spreads, default=0.0)
    sides = [(o, relate(o.here, o.there, flat)) for o in overlaps if o.here.size]
    views = [(a, relate(a.here, a.coarse, flat)) for a in anchors if a.here.size]
    scales, ratio = _scales(count, sides, views)
    shifts = _shifts(count, overlaps, anchors, scales, ratio)
    return Fits(scales, shifts, _agreement(count, sides, views))


def _agreement(
    count: int,
    sides: Sequence[tuple[Overlap, Relation]],
    views: Sequence[tuple[Anchor, Relation]],
) -> Floats:
    found: list[list[float]] = [[] for _ in range(count)]
    for side, relation in sides:
        for tile in (side.first, side.second):
            found[tile].append(max(0.0, relation.correlation))
    for anchor, relation in views:
        found[anchor.tile].append(max(0.0, relation.correlation))
    return np.array([np.mean(each) if each else 0.0 for each in found])


def _scales(
    count: int,
    sides: Sequence[tuple[Overlap, Relation]],
    views: Sequence[tuple[Anchor, Relation]],
) -> tuple[Floats, float | None]:
    """Scales of the tiles, and what turns the coarse pass into their unit; None if unknown."""
    system = System(count + 1)  # the last unknown belongs to the coarse pass
    for k in range(count):
        system.add(k, None, 0.0, PRIOR)
    for side, relation in sides:
        system.add(side.first, side.second, np.log(relation.scale), relation.certainty)
    for anchor, relation in views:
        weight = COARSE_TRUST * relation.certainty
        system.add(anchor.tile, count, np.log(relation.scale), weight)
    logs = system.solve()
    middle = float(np.median(logs[:count]))
    known = any(relation.certainty for _, relation in views)
    return np.exp(logs[:count] - middle), float(np.exp(logs[count] - middle)) if known else None


def _shifts(
    count: int,
    overlaps: Sequence[Overlap],
    anchors: Sequence[Anchor],
    scales: Floats,
    ratio: float | None,
) -> Floats:
    spreads = [a.here.std() * scales[a.tile] for a in anchors if a.here.size]
    unit = float(max(spreads, default=0.0)) ** 2 or 1.0
    system = System(count + 1)
    for k in range(count):
        system.add(k, None, 0.0, PRIOR_SHIFT / unit)
    for o in overlaps:
        if o.here.size:
            apart, variance = centre(scales[o.second] * o.there - scales[o.first] * o.here)
            system.add(o.first, o.second, apart, 1 / (variance + OVERLAP_ERROR**2 * unit))
    for a in anchors:
        if a.here.size and ratio is not None:
            apart, variance = centre(ratio * a.coarse - scales[a.tile] * a.here)
            system.add(a.tile, count, apart, 1 / (variance + COARSE_ERROR**2 * unit))
    shifts = system.solve()[:count]
    return np.asarray(shifts - np.median(shifts), np.float64)


class System:
    """Weighted least squares for unknowns of which differences, and some values, are known.

    A tile touches four neighbours at most, so the normal matrix is sparse but for the row of the
    coarse pass, which all tiles know; elimination leaves that one to the end.
    """

    def __init__(self, unknowns: int) -> None:
        self._diagonal = np.zeros(unknowns)
        self._right = np.zeros(unknowns)
        self._pairs: list[tuple[int, int]] = []
        self._weights: list[float] = []

    def add(self, first: int, second: int | None, value: float, weight: float) -> None:
        """Note ``x[first] - x[second] = value``, or ``x[first] = value``."""
        self._diagonal[first] += weight
        self._right[first] += weight * value
        if second is not None:
            self._diagonal[second] += weight
            self._right[second] -= weight * value
            self._pairs.append((first, second))
            self._weights.append(weight)

    def solve(self) -> Floats:
        """The unknowns; 0 for one of which nothing is known."""
        # Frames that are not cut into tiles need not wait for this import.
        from scipy.sparse import coo_array
        from scipy.sparse.linalg import splu

        unknowns = np.arange(self._diagonal.size)
        pairs = np.array(self._pairs, np.intp).reshape(-1, 2)
        rows = np.concatenate((unknowns, pairs[:, 0], pairs[:, 1]))
        columns = np.concatenate((unknowns, pairs[:, 1], pairs[:, 0]))
        # A row of zeros would make the matrix singular: with 1 instead, that unknown is 0.
        diagonal = np.where(self._diagonal > 0.0, self._diagonal, 1.0)
        values = np.concatenate((diagonal, np.negative(self._weights), np.negative(self._weights)))
        normal = coo_array((values, (rows, columns)), shape=(unknowns.size, unknowns.size))
        factors = splu(normal.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        return np.asarray(factors.solve(self._right), np.float64)
