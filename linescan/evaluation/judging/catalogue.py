"""Every figure of the yardstick: its name in JSON, how it is read, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reads = Literal["low", "high", "one", "info"]
"""Which value is good: a low one, a high one, 1, or none (it says how to read another figure)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        key: its name in JSON.
        title: in tables.
        good: which value is good.
        unit: ``height`` stands for the unit of the data set; empty for a ratio.
        says: what it says, in one line.
        frames: it is known of each frame; else of the data set as a whole.
    """

    key: str
    title: str
    good: Reads
    unit: str
    says: str
    frames: bool = False


FIGURES: tuple[Figure, ...] = (
    Figure(
        "rmse_over_sigma",
        "RMSE / σ",
        "low",
        "",
        "error over the spread of the true height: 0 is perfect, 1 is a flat web",
        True,
    ),
    Figure("rmse", "RMSE", "low", "height", "root mean square error of height", True),
    Figure(
        "abs_rel",
        "AbsRel",
        "low",
        "",
        "mean relative error of the distance from a plane one relief range below the lowest point",
        True,
    ),
    Figure(
        "delta1",
        "δ1",
        "high",
        "",
        "share of pixels whose distance from that plane is right within a factor of 1.25",
        True,
    ),
    Figure(
        "boundary_f1",
        "boundary F1",
        "high",
        "",
        "sharp edges found in their place, neither missed nor invented (Depth Pro)",
        True,
    ),
    Figure(
        "plane_residual",
        "plane residual",
        "low",
        "height",
        "bumps in the flattest quarter of the surface: RMS about the plane of each tile",
        True,
    ),
    Figure(
        "plane_residual_truth",
        "plane residual of truth",
        "info",
        "height",
        "how bumpy these same tiles truly are",
        True,
    ),
    Figure("normals", "normals", "low", "°", "mean angle between found and true normal", True),
    Figure(
        "relative_normals",
        "relative normals",
        "low",
        "°",
        "mean error of the angle between the normals of two places 3 to 32 pixels apart",
        True,
    ),
    Figure(
        "scale",
        "scale",
        "info",
        "",
        "height per unit of the model's output",
        True,
    ),
    Figure("right_sign", "right sign", "high", "", "share of frames in which raised is raised"),
    Figure(
        "seam_step",
        "seam step",
        "one",
        "",
        "step between rows at frame borders over that inside frames: 1 where borders do not show",
    ),
    Figure("seam_step_truth", "seam step of truth", "info", "", "the same of the true height"),
    Figure(
        "flicker",
        "flicker",
        "low",
        "σ belt",
        "change of the bare web's level from frame to frame, over the belt noise",
    ),
    Figure(
        "drift",
        "drift",
        "low",
        "",
        "how far the error wanders over the run, over the range of true height",
    ),
    Figure(
        "belt_noise",
        "belt noise σ",
        "info",
        "height",
        "standard deviation of measured height over object-free web (median over the webs)",
    ),
    Figure("mask_iou", "mask IoU", "high", "", "found mask against true mask, all objects"),
    Figure(
        "mask_iou_3sigma",
        "mask IoU > 3σ",
        "high",
        "",
        "the same for objects higher than three standard deviations of the belt noise",
    ),
    Figure("object_precision", "precision", "high", "", "share of found objects that are right"),
    Figure("object_recall", "recall", "high", "", "share of true objects that were found"),
    Figure(
        "false_alarms",
        "false alarms / 1,000 lines",
        "low",
        "",
        "objects found on a web that has none",
    ),
)
BY_KEY = {figure.key: figure for figure in FIGURES}


@dataclass(frozen=True, slots=True)
class Absent:
    """A figure that cannot be had, and why."""

    reason: str


Value = float | Absent
