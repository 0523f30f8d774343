"""The slowly varying background under the objects: a plane, a profile of columns, or both.

It is estimated on a sparse grid of the depth map and always has the form ``rows[r] + columns[c]``.
Limits: objects that together cover about half of the frame, or a single one along the web that is
wider than about a quarter of it, pass for background in part; so does any slow waviness of a flat
object. Waviness *along* the web is not removed: it may be what the inspection is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from linescan.records import BoolArray, FloatArray
from linescan.segmentation.profile import smooth_profile
from linescan.segmentation.robust import (
    Floats,
    column_medians,
    finite,
    median,
    median_sigma,
    median_slope,
    thin,
    tukey_weights,
)

Kind = Literal["none", "plane", "columns", "both"]

FLOAT32 = np.finfo(np.float32)
SAMPLE_ROWS = 192
SAMPLE_COLUMNS = 160
REFINEMENTS = 3
OBJECT_SIGMAS = 3.5
"""Beyond so many robust standard deviations a pixel does not count as background."""
MIN_SHARE = 0.08
"""A column whose background shows on a smaller share of the rows is interpolated."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sparse grid of a depth map: float64 values, NaN where unknown, and where they are from.

    ``resolution`` is what float32 can tell apart at the size of these values: four units in the
    last place. Columns are ``column_step`` apart.
    """

    values: Floats
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    column_step: int
    shape: tuple[int, int]
    resolution: float

    def row_place(self) -> Floats:
        """Where the sampled rows lie in the map: -0.5 to 0.5, (rows,)."""
        height = self.shape[0]
        return (self.rows - (height - 1) / 2) / max(height, 1)


@dataclass(frozen=True, slots=True)
class Background:
    """The surface ``rows[r] + columns[c]`` over the whole depth map, float32."""

    rows: FloatArray
    columns: FloatArray

    def above(self, values: FloatArray, sign: int) -> FloatArray:
        """Height above the background, (h, w) float32; ``sign`` -1 where larger is farther."""
        if sign < 0:
            height = self.rows[:, None] - values
            height += self.columns[None, :]
        else:
            height = values - self.rows[:, None]
            height -= self.columns[None, :]
        return height


def take_sample(values: FloatArray, known: BoolArray) -> Sample | None:
    """Take every nth row and column of a depth map; None where no pixel is known.

    Args:
        values: (h, w) depth.
        known: (h, w) pixels that may be used.
    """
    rows = np.flatnonzero(known.any(axis=1))
    rows = rows[:: -(-rows.size // SAMPLE_ROWS) or 1]
    column_step = -(-values.shape[1] // SAMPLE_COLUMNS) or 1
    columns = np.arange(0, values.shape[1], column_step)
    grid = np.ix_(rows, columns)
    taken = np.where(known[grid], values[grid].astype(np.float64), np.nan)
    largest = float(np.fmax.reduce(np.abs(taken), axis=None, initial=-1.0))
    if largest < 0:
        return None
    resolution = max(4 * float(FLOAT32.eps) * largest, float(FLOAT32.tiny))
    return Sample(taken, rows, columns, column_step, values.shape, resolution)


def fit_background(sample: Sample, kind: Kind) -> tuple[Background, Floats]:
    """Fit the background; the median above it is zero.

    Returns:
        The background over the whole map, and the sample's known values above it, (n,) float64.
    """
    width = sample.shape[1]
    row_place = sample.row_place()
    column_place = (sample.columns - (width - 1) / 2) / max(width, 1)
    slope, profile = 0.0, np.zeros(sample.columns.size)
    if kind == "plane":
        slope, profile = _fit_plane(sample, row_place, column_place)
    elif kind in {"columns", "both"}:
        slope, profile = fit_columns(sample, row_place, tilt=kind == "both")
    rest = sample.values - slope * row_place[:, None] - profile
    rest = finite(rest)
    centre = median(rest)
    return surface(sample, slope, profile + centre), rest - centre


def surface(sample: Sample, slope: float, profile: Floats) -> Background:
    """The background over the whole map that has a slope along the web and a profile across it.

    Args:
        sample: of the map.
        slope: per unit of ``Sample.row_place``.
        profile: one value for each of the sample's columns.
    """
    height, width = sample.shape
    every_row = (np.arange(height) - (height - 1) / 2) / max(height, 1)
    every_column = extend(profile, sample.column_step, width)
    return Background((slope * every_row).astype(np.float32), every_column.astype(np.float32))


def _fit_plane(sample: Sample, row_place: Floats, column_place: Floats) -> tuple[float, Floats]:
    """Plane from median slopes, refined by Tukey-weighted least squares."""
    values = sample.values
    along = median_slope(values, row_place, 0)
    across = median_slope(values, column_place, 1)
    rest = values - along * row_place[:, None] - across * column_place
    offset, _ = spread(rest)
    for _ in range(REFINEMENTS):
        rest = values - along * row_place[:, None] - across * column_place - offset
        _, sigma = spread(rest)
        if sigma <= sample.resolution:
            break
        weights = tukey_weights(rest, sigma)
        rest = np.where(weights > 0, rest, 0.0)
        d_along, d_across, d_offset = _weighted_plane(rest, weights, row_place, column_place)
        along, across, offset = along + d_along, across + d_across, offset + d_offset
    return along, across * column_place + offset


def _weighted_plane(rest: Floats, weights: Floats, rows: Floats, columns: Floats) -> Floats:
    """Solve the 3×3 normal equations of ``rest = a·row + b·column + c``."""
    by_row, by_column = weights.sum(axis=1), weights.sum(axis=0)
    cross = float(rows @ (weights * columns).sum(axis=1))
    weighted = weights * rest
    normal = np.array(
        [
            [rows**2 @ by_row, cross, rows @ by_row],
            [cross, columns**2 @ by_column, columns @ by_column],
            [rows @ by_row, columns @ by_column, by_row.sum()],
        ]
    )
    right = [rows @ weighted.sum(axis=1), weighted.sum(axis=0) @ columns, weighted.sum()]
    solved: Floats = np.linalg.lstsq(normal, np.asarray(right), rcond=1e-12)[0]
    return solved


def fit_columns(sample: Sample, row_place: Floats, *, tilt: bool) -> tuple[float, Floats]:
    """Profile of columns, and with ``tilt`` the slope along the web.

    First from all pixels, then twice from those that the last round took for background.
    """
    values, resolution = sample.values, sample.resolution
    slope = median_slope(values, row_place, 0) if tilt else 0.0
    profile = np.zeros(sample.columns.size)
    background = values
    for refinement in range(REFINEMENTS):
        level = background - slope * row_place[:, None]
        medians, counts = column_medians(level)
        noise = max(spread(level - medians)[1], resolution)
        share = counts / max(int(counts.max()), 1)
        trust = np.where(share >= MIN_SHARE, share, 0.0)
        profile = smooth_profile(medians, trust, noise)
        if refinement == REFINEMENTS - 1:
            break
        rest = values - slope * row_place[:, None] - profile
        centre, sigma = spread(rest)
        sigma = max(sigma, resolution)
        background = np.where(np.abs(rest - centre) <= OBJECT_SIGMAS * sigma, values, np.nan)
        if tilt:
            slope += weighted_slope(rest - centre, sigma, row_place)
    return slope, profile


def weighted_slope(rest: Floats, sigma: float, row_place: Floats) -> float:
    """Slope along the web of what lies near 0, (rows, columns), by Tukey's weights.

    ``row_place`` are the rows' positions; the slope is per unit of these.
    """
    weights = tukey_weights(rest, sigma)
    by_row = weights.sum(axis=1)
    total = float(by_row.sum())
    middle = float(row_place @ by_row) / total if total else 0.0
    place = row_place - middle
    spread = float(place**2 @ by_row)
    if spread <= 0:
        return 0.0
    sums = np.where(weights > 0, weights * rest, 0.0).sum(axis=1)
    return float(place @ sums) / spread


def spread(values: Floats) -> tuple[float, float]:
    """Median and robust standard deviation of what is known of a sample, nearly."""
    return median_sigma(thin(finite(values), values.shape[1]))


def extend(profile: Floats, step: int, width: int) -> Floats:
    """From every ``step``-th of ``width`` columns to all, by a cubic spline: a parabola stays one.

    Not as a matrix product, whose threads may change the last bit.
    """
    if step == 1:
        return profile
    full: Floats = np.einsum("ij,j->i", _spline(width, step), profile)
    return full


@lru_cache(maxsize=4)
def _spline(width: int, step: int) -> Floats:
    """The cubic spline through every ``step``-th column as a matrix, (width, knots)."""
    from scipy.interpolate import CubicSpline

    knots = np.arange(0, width, step)
    matrix: Floats = np.ascontiguousarray(CubicSpline(knots, np.eye(knots.size))(np.arange(width)))
    return matrix
