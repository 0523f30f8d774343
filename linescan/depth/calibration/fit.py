"""From measured points to a curve: the line, and what is tried beyond it and kept if it is better.

Whether a monotone curve or a correction across the web is better is a question to points that it
was not fitted to: the web is cut into bands along, each is left out once (cross-validation; points
of one place are alike, so leaving out single points would prove nothing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

from linescan.depth.calibration.curve import DEGREE, Across, Curve, Floats, place_across
from linescan.depth.calibration.points import Points
from linescan.depth.calibration.robust import AffineFit, fit_affine
from linescan.errors import CalibrationError

KNOTS: Final = 9
"""Of a monotone curve, at most."""
LEAST_IN_KNOT: Final = 30
FOLDS: Final = 5
BANDS: Final = 20
"""Bands along the web; every fifth is left out together."""
BETTER: Final = 0.97
"""What is more than a line must bring the error of left-out points below this share of a line's."""
NO_KNOTS: Final = np.empty((0, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A curve, the points that it was fitted to, and how it did on points left out.

    Attributes:
        curve: from corrected values to heights.
        across: correction across the web, or None.
        line: the robust line that told right points from wrong ones.
        tried: root mean square error on left-out points by what was tried.
    """

    curve: Curve
    across: Across | None
    line: AffineFit
    tried: dict[str, float]


def fit_curve(points: Points, width: int, *, spline: bool, across: bool) -> Fitted:
    """Fit a line, and more where that is asked for and proves better.

    Args:
        points: measured places; up to 40 % may be wrong.
        width: camera pixels across the web.
        spline: try a monotone curve.
        across: try a correction across the web.

    Raises:
        CalibrationError: too few points, or too flat.
    """
    line = fit_affine(points.predicted, points.truth)
    right = points.at(line.inliers)
    tries: dict[str, _Maker] = {"line": _line}
    if across:
        tries["across"] = lambda p: _across(p, width)
    if spline:
        tries["spline"] = lambda p: _spline(p, None)
    if spline and across:
        tries["spline and across"] = lambda p: _spline(p, _across(p, width)[1])
    tried = _errors(right, tries) if len(tries) > 1 else {}
    best = min(tried, key=tried.__getitem__, default="line")
    if best != "line" and tried[best] > BETTER * tried["line"]:
        best = "line"
    curve, correction = tries[best](right)
    return Fitted(curve, correction, line, tried)


_Maker = Callable[[Points], tuple[Curve, Across | None]]


def heights(made: tuple[Curve, Across | None], points: Points) -> Floats:
    """What a curve says of points."""
    curve, across = made
    values = points.predicted
    return curve(values if across is None else across(values, points.column))


def bands(line: Floats, count: int) -> npt.NDArray[np.intp]:
    """Which of ``count`` bands of equal length along the web each point lies in."""
    low, high = float(line.min()), float(line.max())
    place = (line - low) / max(high - low, 1e-9)
    return np.minimum((place * count).astype(np.intp), count - 1)


def _errors(points: Points, tries: dict[str, _Maker]) -> dict[str, float]:
    """Root mean square error on left-out points of each thing to try that can be made."""
    fold = bands(points.line, BANDS) % FOLDS
    squares: dict[str, list[Floats]] = {name: [] for name in tries}
    for left_out in np.unique(fold):
        known, asked = points.at(fold != left_out), points.at(fold == left_out)
        for name in tuple(squares):
            try:
                made = tries[name](known)
            except CalibrationError:
                squares.pop(name)
                continue
            squares[name].append((heights(made, asked) - asked.truth) ** 2)
    return {name: float(np.sqrt(np.concatenate(each).mean())) for name, each in squares.items()}


def _line(points: Points) -> tuple[Curve, Across | None]:
    scale, shift = _least_squares(
        np.stack((points.predicted, np.ones(len(points))), axis=1), points.truth
    )
    return Curve(float(scale), float(shift), NO_KNOTS), None


def _across(points: Points, width: int) -> tuple[Curve, Across | None]:
    """The line whose scale and shift are polynomials in the place across."""
    x = place_across(points.column, width)
    basis = legendre.legvander(x, DEGREE)
    design = np.concatenate((points.predicted[:, None] * basis, basis), axis=1)
    found = _least_squares(np.asarray(design, np.float64), points.truth)
    scales, shifts = found[: DEGREE + 1], found[DEGREE + 1 :]
    scale = float(scales[0])
    gain = tuple(float(each / scale) for each in scales[1:])
    ends = 1.0 + legendre.legval(np.linspace(-1, 1, 65), (0.0, *gain))
    if scale == 0.0 or ends.min() <= 0.0:
        raise CalibrationError("heights do not follow the model's values everywhere across the web")
    offset = tuple(float(each / scale) for each in shifts[1:])
    return Curve(scale, float(shifts[0]), NO_KNOTS), Across(width, gain, offset)


def _spline(points: Points, across: Across | None) -> tuple[Curve, Across | None]:
    """The monotone curve through means of points of like values."""
    from scipy.optimize import isotonic_regression

    values = points.predicted if across is None else across(points.predicted, points.column)
    scale, shift = _least_squares(np.stack((values, np.ones(len(points))), axis=1), points.truth)
    low, high = np.quantile(values, (0.005, 0.995))
    part = np.clip((values - low) / max(high - low, 1e-300) * KNOTS, 0, KNOTS - 1).astype(np.intp)
    counts = np.bincount(part, minlength=KNOTS)
    enough = counts >= LEAST_IN_KNOT
    if enough.sum() < 4:
        raise CalibrationError("too few different heights for a curve")
    x = np.bincount(part, values, KNOTS)[enough] / counts[enough]
    y = np.bincount(part, points.truth, KNOTS)[enough] / counts[enough]
    rising = bool(scale > 0)
    level = isotonic_regression(y, weights=counts[enough], increasing=rising).x
    knots = np.stack((x, np.asarray(level, np.float64)), axis=1)
    return Curve(float(scale), float(shift), knots), across


def _least_squares(design: Floats, truth: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(design, truth, rcond=1e-12)[0], np.float64)
