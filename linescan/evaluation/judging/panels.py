"""The pictures of one frame, drawn with the project's own colours."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.errors import LinescanError
from linescan.evaluation.datasets import TrueFrame
from linescan.evaluation.datasets.grid import labels_on
from linescan.evaluation.judging.alignments import Aligned
from linescan.evaluation.judging.gallery import Panel
from linescan.pictures.colours import (
    RAISED,
    Bgr,
    BgrArray,
    Limits,
    colourise,
    paint_hatch,
    robust_limits,
)
from linescan.pictures.drawing import number
from linescan.pictures.opencv import load_cv2
from linescan.pictures.overlay import to_gray8
from linescan.records import DepthMap, FloatArray, LabelArray, Segmentation

SIDE: Final = 336
"""Longer side of a panel in pixels."""
QUALITY: Final = 84
TRUE: Final[Bgr] = (220, 210, 60)
"""Outlines of true objects: cyan, beside the amber of found ones."""
HIGH: Final = (36, 48, 178)
LOW: Final = (172, 102, 33)
"""Blue green red of errors: measured too high is red, too low is blue."""
UNITS: Final = {"um": "µm", "mm": "mm"}


def draw_panels(
    frame: TrueFrame,
    depth: DepthMap,
    aligned: Aligned,
    truth: FloatArray,
    found: Segmentation,
    unit: str,
) -> tuple[Panel, ...]:
    """Image, true height, measured height, error where it has a unit, and the objects.

    True and measured height have the same colours where they have the same unit.
    """
    shape = (truth.shape[0], truth.shape[1])
    name = UNITS.get(unit, unit)
    limits = robust_limits(truth)
    image = _image(frame, shape)
    panels = [
        _panel("image", image),
        _panel(f"true height {_range(limits, name)}", _heat(truth, limits)),
    ]
    if aligned.comparable:
        heat = _heat(aligned.values, limits)
        panels.append(_panel("measured height, same colours", heat))
        error = aligned.values - truth
        most = _most(error, limits)
        panels.append(
            _panel(
                f"error, blue −{number(most)} to red +{number(most)} {name}", _error(error, most)
            )
        )
    else:
        own = robust_limits(aligned.values)
        panels.append(_panel("measured, colours of its own", _heat(aligned.values, own)))
    labels = None
    if frame.labels is not None:
        labels = labels_on(frame.labels, frame.frame.first_line, shape, depth.web)
    title = "objects: found amber" + (", true cyan" if labels is not None else "")
    panels.append(_panel(title, _outlines(image, found.labels, labels)))
    return tuple(panels)


def _image(frame: TrueFrame, shape: tuple[int, int]) -> BgrArray:
    cv2 = load_cv2()
    pixels = frame.frame.pixels
    gray = to_gray8(pixels, frame.frame.valid)
    gray = cv2.resize(gray, _size(shape), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(gray), cv2.COLOR_GRAY2BGR), np.uint8)


def _heat(values: FloatArray, limits: Limits) -> BgrArray:
    known = np.isfinite(values)
    picture = colourise(
        np.where(known, values, np.float32(limits[0])), limits, "viridis", reverse=False
    )
    paint_hatch(picture, ~known, 6)
    return _enlarge(picture)


def _most(error: FloatArray, limits: Limits) -> float:
    """Error of the deepest colours: nearly all errors, a twentieth of the relief at least."""
    known = np.abs(error[np.isfinite(error)])
    largest = float(np.quantile(known, 0.99)) if known.size else 0.0
    return max(largest, (limits[1] - limits[0]) / 20, 1e-12)


def _error(error: FloatArray, most: float) -> BgrArray:
    known = np.isfinite(error)
    share = np.clip(np.where(known, error, 0) / most, -1, 1)[..., None]
    white = np.float32(248)
    ends = np.where(share > 0, np.asarray(HIGH, np.float32), np.asarray(LOW, np.float32))
    picture = (white + (ends - white) * np.abs(share)).astype(np.uint8)
    paint_hatch(picture, ~known, 6)
    return _enlarge(picture)


def _outlines(image: BgrArray, found: LabelArray, truth: LabelArray | None) -> BgrArray:
    cv2 = load_cv2()
    picture = cv2.convertScaleAbs(image, alpha=0.8)
    for labels, colour in ((truth, TRUE), (found, RAISED)):
        if labels is None:
            continue
        mask = _enlarge((labels > 0).astype(np.uint8))
        lines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(picture, lines, -1, colour, 1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def _size(shape: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a panel."""
    zoom = SIDE / max(shape)
    return max(1, round(shape[1] * zoom)), max(1, round(shape[0] * zoom))


def _enlarge(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    cv2 = load_cv2()
    size = _size((picture.shape[0], picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _range(limits: Limits, unit: str) -> str:
    return f"{number(limits[0])} to {number(limits[1])} {unit}"


def _panel(title: str, picture: BgrArray) -> Panel:
    cv2 = load_cv2()
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise LinescanError(f"OpenCV cannot encode a picture of {picture.shape} as JPEG")
    return Panel(title, bytes(data))
