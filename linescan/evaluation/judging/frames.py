"""The figures of one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linescan.evaluation.datasets import MM_PER, HeightUnit
from linescan.evaluation.figures.boundary import boundary_f1
from linescan.evaluation.figures.error import Reference, abs_rel, delta1, rmse
from linescan.evaluation.figures.flatness import TILE, plane_residual
from linescan.evaluation.figures.normals import normal_error
from linescan.evaluation.judging.alignments import Aligned
from linescan.evaluation.judging.catalogue import FIGURES, Absent, Value
from linescan.records import DepthMap, FloatArray

NO_UNIT = Absent("the output is relative and not aligned: it has no unit to be compared in")
NOTHING_KNOWN = Absent("no pixel is known in both prediction and truth")
FLAT_TRUTH = Absent("the truth is the same height everywhere")
PER_FRAME = tuple(figure.key for figure in FIGURES if figure.frames)


@dataclass(frozen=True, slots=True)
class FrameFigures:
    """What is known of one frame.

    Attributes:
        name: of the frame.
        values: every figure of ``PER_FRAME``, or why there is none.
        error: mean of measured minus true height; None where they cannot be compared.
    """

    name: str
    values: dict[str, Value]
    error: float | None


def judge_frame(
    name: str, depth: DepthMap, aligned: Aligned, truth: FloatArray, unit: HeightUnit
) -> FrameFigures:
    """Compare one frame with its truth, both (h, w) and NaN where unknown."""
    known = np.isfinite(aligned.values) & np.isfinite(truth)
    if not known.any():
        return FrameFigures(name, dict.fromkeys(PER_FRAME, NOTHING_KNOWN), None)
    values: dict[str, Value] = dict.fromkeys(PER_FRAME, NO_UNIT)
    values["scale"] = aligned.scale
    if not aligned.comparable:
        return FrameFigures(name, values, None)
    predicted = np.where(known, aligned.values, np.float32(np.nan))
    true = np.where(known, truth, np.float32(np.nan))
    values |= _errors(aligned.values[known], truth[known])
    values["boundary_f1"] = _edges(predicted, true)
    flat = plane_residual(predicted, true)
    no_tile = Absent(f"no tile of {TILE}x{TILE} pixels is known throughout")
    values["plane_residual"] = flat.predicted if flat else no_tile
    values["plane_residual_truth"] = flat.truth if flat else no_tile
    values |= _normals(predicted, true, depth, unit)
    error = float(np.mean(aligned.values[known] - truth[known].astype(np.float64)))
    return FrameFigures(name, values, error)


def _errors(predicted: FloatArray, truth: FloatArray) -> dict[str, Value]:
    error = rmse(predicted, truth)
    sigma = float(truth.astype(np.float64).std())
    reference = Reference.of(truth)
    relative = reference.span > 0
    return {
        "rmse": error,
        "rmse_over_sigma": error / sigma if sigma > 0 else FLAT_TRUTH,
        "abs_rel": abs_rel(predicted, truth, reference) if relative else FLAT_TRUTH,
        "delta1": delta1(predicted, truth, reference) if relative else FLAT_TRUTH,
    }


def _edges(predicted: FloatArray, truth: FloatArray) -> Value:
    reference = Reference.of(truth[np.isfinite(truth)])
    if reference.span <= 0:
        return FLAT_TRUTH
    score = boundary_f1(reference.distance(predicted), reference.distance(truth))
    return Absent("the truth has no sharp edge") if score is None else score


def _normals(
    predicted: FloatArray, truth: FloatArray, depth: DepthMap, unit: HeightUnit
) -> dict[str, Value]:
    web = depth.web
    absent = Absent("the size of a pixel is not known")
    if web.mm_per_line is None or web.mm_per_column is None:
        return {"normals": absent, "relative_normals": absent}
    per = MM_PER[unit]
    pixel = (web.mm_per_line * web.line_step / per, web.mm_per_column * web.column_step / per)
    found = normal_error(predicted, truth, pixel)
    if found is None:
        absent = Absent("no two places are known a few pixels apart")
        return {"normals": absent, "relative_normals": absent}
    return {"normals": found.absolute, "relative_normals": found.relative}
