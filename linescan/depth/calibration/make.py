"""A calibration of height from measured points, how sure it is, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from linescan.depth.alignment import Reference
from linescan.depth.calibration.curve import Floats
from linescan.depth.calibration.fit import Fitted, bands, fit_curve, heights
from linescan.depth.calibration.height import HeightCalibration
from linescan.depth.calibration.points import Points
from linescan.depth.card import ModelCard
from linescan.errors import CalibrationError

LEAST_POINTS: Final = 200
"""Fewer do not show where across and along the web the model is off."""
LEAST_RIGHT: Final = 0.6
"""Share of points that agree; below, places or heights are wrong."""
LEAST_SPAN: Final = 3.0
"""Range of the heights that come out, at least, in standard deviations of the residual."""
LEAST_CORRELATION: Final = 0.5
"""Of model and measurement where they agree: below, the model does not see these heights."""
MOST_SCALE_ERROR: Final = 0.1
"""Largest relative standard error of the scale."""
UNEVEN: Final = 0.5
"""A region that is off by this share of the residual's deviation is named."""
SPARSE: Final = 0.02
"""A region with less than this share of the points is named."""
RESAMPLES: Final = 200
CELLS: Final = 6
"""Bands along, and across, that are drawn as a whole: points of one place are alike."""
TAILS: Final = 0.002
"""Share of heights at each end that does not widen the range."""
THIRDS: Final = 3
ALONG, ACROSS = ("start", "middle", "end"), ("left", "middle", "right")


@dataclass(frozen=True, slots=True)
class Findings:
    """What the points show.

    Attributes:
        problems: why the calibration is no use, each a sentence that says what to do.
        warnings: what is better put right first.
        summary: name and value of what is worth knowing, in words.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    summary: tuple[tuple[str, str], ...]


def make_height_calibration(
    points: Points,
    card: ModelCard,
    unit: str,
    width: int,
    steps: tuple[float, float],
    *,
    spline: bool = False,
    across: bool = False,
    reference: Reference | None = None,
    about: Mapping[str, Any] | None = None,
) -> tuple[HeightCalibration, Findings]:
    """A calibration, and what the points show.

    Args:
        points: measured places with the model's values, heights in ``unit``.
        card: of the model.
        unit: ``"um"`` or ``"mm"``.
        width: camera pixels across the web.
        steps: camera lines and pixels per value, (along, across).
        spline: try a monotone curve, and take it if points left out agree with it better.
        across: likewise, a correction across the web.
        reference: alignment's reference, to be kept with it.
        about: where the points come from, to be kept with it.

    Raises:
        CalibrationError: too few points, or too flat for any fit.
    """
    if len(points) < LEAST_POINTS:
        raise CalibrationError(
            f"{len(points)} measured places lie on depth that is known, at least {LEAST_POINTS} "
            "are needed: give more, or check that their lines and columns are those of the scan"
        )
    fitted = fit_curve(points, width, spline=spline, across=across)
    right = points.at(fitted.line.inliers)
    said = heights((fitted.curve, fitted.across), right)
    residual = right.truth - said
    low, high = (float(q) for q in np.quantile(said, (TAILS, 1 - TAILS)))
    uncertainty = _uncertainty(right, fitted, residual, (low, high))
    regions = _regions(right, residual, width)
    correlation = float(np.corrcoef(right.predicted, right.truth)[0, 1])
    calibration = HeightCalibration(
        model=card.name,
        sha256=card.sha256,
        unit=unit,
        curve=fitted.curve,
        across=fitted.across,
        width=width,
        steps=steps,
        range=(low, high),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        uncertainty={**uncertainty, "regions": regions, "correlation": correlation},
        reference=None if reference is None else reference.to_json(),
        about={
            **(about or {}),
            "points": len(points),
            "agreeing": len(right),
            "left_out_error": fitted.tried,
        },
    )
    return calibration, Findings(
        tuple(_problems(calibration, len(right) / len(points))),
        tuple(_warnings(calibration)),
        tuple(_summary(calibration)),
    )


def _uncertainty(
    right: Points, fitted: Fitted, residual: Floats, span: tuple[float, float]
) -> dict[str, Any]:
    """Residual, and standard errors by drawing whole cells of the web again and again.

    Of the line: a curve's are of like size where there are points.
    """
    cell = bands(right.line, CELLS) * CELLS + bands(right.column, CELLS)
    _, cell = np.unique(cell, return_inverse=True)
    x, y = right.predicted, right.truth
    sums = np.stack(
        [np.bincount(cell, each) for each in (np.ones_like(x), x, y, x * x, x * y)], axis=1
    )
    rng = np.random.default_rng(0)
    drawn = sums[rng.integers(len(sums), size=(RESAMPLES, len(sums)))].sum(axis=1)
    n, sx, sy, sxx, sxy = drawn.T
    spread = n * sxx - sx * sx
    good = spread > 1e-9 * n * sxx
    scale = (n * sxy - sx * sy)[good] / spread[good]
    shift = (sy[good] - scale * sx[good]) / n[good]
    line = fitted.line
    middle = (span[0] + span[1]) / 2
    values = [(height - line.shift) / line.scale for height in (span[0], middle, span[1])]
    errors = [float(np.std(scale * value + shift)) for value in values]
    return {
        "residual_sigma": float(np.sqrt(np.mean(residual**2))),
        "scale_error": float(np.std(scale) / abs(line.scale)),
        "height_error": dict(zip(("low", "middle", "high"), errors, strict=True)),
        "cells": len(sums),
    }


def _regions(right: Points, residual: Floats, width: int) -> list[dict[str, Any]]:
    """Bias, deviation and share of the points in thirds of the scan and of the web's width."""
    along = bands(right.line, THIRDS)
    across = np.clip(right.column / width * THIRDS, 0, THIRDS - 1).astype(np.intp)
    found = []
    for i, first in enumerate(ALONG):
        for j, second in enumerate(ACROSS):
            here = residual[(along == i) & (across == j)]
            found.append(
                {
                    "along": first,
                    "across": second,
                    "share": here.size / residual.size,
                    "bias": float(here.mean()) if here.size else None,
                    "sigma": float(here.std()) if here.size else None,
                }
            )
    return found


def _problems(made: HeightCalibration, agreeing: float) -> Iterator[str]:
    sigma = made.uncertainty["residual_sigma"]
    low, high = made.range
    if agreeing < LEAST_RIGHT:
        yield (
            f"only {agreeing:.0%} of the points agree with one another: check that the heights lie "
            "where the scan has them (first line, first column, steps), and their unit"
        )
    if high - low < LEAST_SPAN * sigma:
        yield (
            f"too flat: heights span {high - low:.4g} {made.unit}, the residual deviates by "
            f"{sigma:.3g}: measure steps that are higher"
        )
    if abs(made.uncertainty["correlation"]) < LEAST_CORRELATION:
        yield (
            f"the model hardly follows the heights (correlation "
            f"{made.uncertainty['correlation']:.2f}): another model, other light, or fine-tuning"
        )
    if made.uncertainty["scale_error"] > MOST_SCALE_ERROR:
        yield (
            f"the scale is uncertain by {made.uncertainty['scale_error']:.0%}: measure more "
            "places, spread over the web, with more different heights"
        )


def _warnings(made: HeightCalibration) -> Iterator[str]:
    sigma = made.uncertainty["residual_sigma"]
    for region in made.uncertainty["regions"]:
        name = f"{region['across']} third, {region['along']} of the scan"
        if region["share"] < SPARSE:
            yield f"{name}: hardly a point: nothing is known of the heights there"
        elif abs(region["bias"]) > UNEVEN * sigma:
            yield (
                f"{name}: heights come out {abs(region['bias']):.3g} {made.unit} too "
                f"{'low' if region['bias'] > 0 else 'high'}; try --across, or better light"
            )
    if made.curve.scale < 0:
        yield "the model's values fall with height: is the light on the side that it expects?"


def _summary(made: HeightCalibration) -> Iterator[tuple[str, str]]:
    said, unit = made.uncertainty, made.unit
    yield "points", f"{made.about['points']}, {made.about['agreeing']} of them agree"
    yield "heights", f"{made.range[0]:.4g} to {made.range[1]:.4g} {unit}"
    kind = "monotone curve" if len(made.curve.knots) else "line"
    kind += ", corrected across the web" if made.across else ""
    yield "curve", f"{kind}; {made.curve.scale:.5g} {unit} per unit of the model"
    for name, error in made.about["left_out_error"].items():
        yield f"  {name}", f"error of places left out {error:.4g} {unit}"
    yield "residual", f"{said['residual_sigma']:.4g} {unit} (standard deviation)"
    errors = said["height_error"]
    each = " / ".join(f"{errors[name]:.3g}" for name in ("low", "middle", "high"))
    yield "uncertainty", f"{each} {unit} at the lowest, middle and highest height"
    yield "scale", f"known to {said['scale_error']:.1%}"
    for along in ALONG:
        row = [r for r in said["regions"] if r["along"] == along]
        cells = ("-" if r["bias"] is None else f"{r['bias']:+.3g} ± {r['sigma']:.3g}" for r in row)
        yield f"{along}", f"left, middle, right third: {', '.join(cells)} {unit}"
