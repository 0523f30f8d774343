"""Rows at even places from lines at uneven places.

Between neighbouring lines the web is taken for linear. A row is that line at the row's centre where
lines are sparser than rows, and its mean over the row's own cell (one row long) where there are two
or more lines a row: area-correct, so that nothing aliases. In between, the stretch that the mean is
taken over grows with the lines' density, so that nothing jumps. Lines that lie at the centres of
rows give themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from linescan.records import GrayArray

Floats = npt.NDArray[np.float64]

TILE: Final = 262144
"""Pixels that are computed at a time, so that they stay in cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """Which lines make each row.

    Attributes:
        first: (rows,) index of the first line.
        weights: (rows, taps) float32: of that line and those that follow; the sum is 1.
    """

    first: npt.NDArray[np.intp]
    weights: npt.NDArray[np.float32]


def mix_rows(places: Floats, rows: Floats) -> Mix:
    """How rows are made of lines.

    Args:
        places: (n,) float64, strictly increasing: where each line lies, in rows.
        rows: centres of the rows to make. Beyond the first and last line the web is taken for as it
            is there.
    """
    if places.size == 1:
        return Mix(np.zeros(rows.size, np.intp), np.ones((rows.size, 1), np.float32))
    low, high = _stretches(places, rows)
    length = high - low
    first = np.clip(np.searchsorted(places, low, "right") - 1, 0, places.size - 2)
    last = np.maximum(np.searchsorted(places, high, "left") - 1, first)
    taps = int((last - first).max(initial=0)) + 2
    weights = np.zeros((rows.size, taps))
    for tap in range(taps - 1):
        # The part of the stretch that lies between two lines; its mean is that of its middle.
        here = np.minimum(first + tap, places.size - 2)
        begin, end = np.maximum(low, places[here]), np.minimum(high, places[here + 1])
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(length > 0, np.maximum(end - begin, 0) / length, float(tap == 0))
        share[first + tap > last] = 0
        along = ((begin + end) / 2 - places[here]) / (places[here + 1] - places[here])
        weights[:, tap] += share * (1 - along)
        weights[:, tap + 1] += share * along
    return Mix(first, weights.astype(np.float32))


def _stretches(places: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """The part of the web that each row is the mean of; a point where lines are sparse."""
    line = np.clip(np.searchsorted(places, rows, "right") - 1, 0, places.size - 2)
    spacing = places[line + 1] - places[line]
    to_edge = np.minimum(rows - places[0], places[-1] - rows)  # the stretch stays about its centre
    half = np.clip(np.minimum(1 - spacing, to_edge), 0, 0.5)
    centre = np.clip(rows, places[0], places[-1])
    return centre - half, centre + half


def make_rows(lines: GrayArray, mix: Mix) -> GrayArray:
    """The rows, (rows, width), in the type of the lines, rounded to the nearest.

    Args:
        lines: (n, width) uint8 or uint16.
        mix: which of them make each row.
    """
    count, width = len(mix.first), lines.shape[1]
    if (mix.weights[:, 0] == 1).all() and (np.diff(mix.first) == 1).all():
        return lines[mix.first[0] : mix.first[0] + count].copy()
    out: Any = np.empty((count, width), lines.dtype)
    height = max(1, TILE * count // (width * max(count, len(lines))))
    for begin in range(0, count, height):
        rows = _weigh(lines, mix.first[begin : begin + height], mix.weights[begin : begin + height])
        rows += 0.5  # to round to the nearest
        out[begin : begin + height] = rows
    made: GrayArray = out
    return made


def _weigh(
    lines: GrayArray, first: npt.NDArray[np.intp], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Weighted sums of lines, each in the order of its lines, so that equal rows come out equal."""
    used = weights != 0
    at = (first[:, None] + np.arange(weights.shape[1]))[used]
    begin, end = int(at.min()), int(at.max()) + 1
    ends = np.concatenate(([0], np.cumsum(used.sum(axis=1))))
    matrix = csr_array((weights[used], at - begin, ends), shape=(len(first), end - begin))
    product: npt.NDArray[np.float32] = matrix @ lines[begin:end].astype(np.float32)
    return product
