"""The gray frame with depth, outlines and objects drawn in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from linescan.pictures.annotate import draw_objects
from linescan.pictures.colours import (
    RAISED,
    SUNK,
    BgrArray,
    ColourMap,
    Limits,
    choose_limits,
    colourise,
    gray_levels,
    paint_hatch,
    robust_limits,
)
from linescan.pictures.drawing import Pen
from linescan.pictures.opencv import load_cv2
from linescan.pictures.view import View, lay_depth
from linescan.records import (
    BoolArray,
    Convention,
    DepthMap,
    FloatArray,
    GrayArray,
    LabelArray,
    WebObject,
)

LEAST_HEAT, MOST_HEAT = 0.05, 0.70
"""Opacity of the heat map at the background's level and at the limits."""
DIM = 0.85
"""The frame is darkened so that colours do not drown in white cloth or paper."""


def render_overlay(
    image: GrayArray | None,
    depth: DepthMap,
    labels: LabelArray | None = None,
    objects: Sequence[WebObject] = (),
    *,
    first_line: int = 0,
    valid: BoolArray | None = None,
    limits: Limits | None = None,
    colour_map: ColourMap = "turbo",
) -> BgrArray:
    """Draw depth, outlines, boxes, ids and heights on the gray frame.

    Args:
        image: (rows, width) the frame; None draws on the depth map itself.
        depth: its depth at any resolution, laid on the frame by its web map.
        labels: (h, w) at the depth map's resolution.
        objects: in web coordinates; amber is raised, azure is sunk.
        first_line: absolute number of the frame's first line.
        valid: (rows,) rows of the frame with a valid line; others are hatched.
        limits: values of the outermost colours; robust limits where not given.
        colour_map: the colours.

    Returns:
        (rows, width, 3) uint8 of the frame's size, or a whole multiple for a small frame.
    """
    values = np.where(depth.valid[:, None], depth.values, np.float32(np.nan))
    if image is None:
        view = View.of_map(values.shape, depth.web)
    else:
        view = View.of_image(first_line, *image.shape)
    pen = Pen.for_picture(view.height, view.width)
    laid, known = lay_depth(view, values, depth.web)
    limits = choose_limits(limits, values)
    reverse = depth.convention is Convention.DEPTH
    picture = colourise(laid, limits, colour_map, reverse=reverse)
    finite = values[np.isfinite(values)]
    level = float(np.median(finite)) if finite.size else 0.0
    opacity = _opacity(laid, known, level, limits)
    if image is None:
        base = gray_levels(laid, limits, reverse=reverse)
    else:
        valid = np.ones(image.shape[0], np.bool_) if valid is None else valid
        base = to_gray8(image, valid)
        known = _valid_rows(valid, view)
    picture = _blend(_enlarge(base, view), picture, opacity)
    paint_hatch(picture, ~known, pen.text)
    if labels is not None:
        _outline(picture, view, depth, labels, objects, pen)
    draw_objects(picture, view, objects, depth.unit, pen)
    return picture


def to_gray8(image: GrayArray, valid: BoolArray) -> npt.NDArray[np.uint8]:
    """A frame for display: 8 bits as they are, 16 bits between robust limits of its valid rows."""
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    values = image.astype(np.float32)
    return gray_levels(values, robust_limits(values[valid], noise_span=0.0))


def _enlarge(gray: npt.NDArray[np.uint8], view: View) -> BgrArray:
    cv2 = load_cv2()
    if gray.shape != (view.height, view.width):
        gray = cv2.resize(gray, (view.width, view.height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(gray), cv2.COLOR_GRAY2BGR), np.uint8)


def _opacity(laid: FloatArray, known: BoolArray, level: float, limits: Limits) -> FloatArray:
    """Little at the background's level, so that the frame shows; much where depth stands out."""
    low, high = limits
    reach = max(high - level, level - low)
    opacity: FloatArray = np.abs(laid - np.float32(level))
    opacity *= np.float32((MOST_HEAT - LEAST_HEAT) / reach)
    opacity += np.float32(LEAST_HEAT)
    np.minimum(opacity, np.float32(MOST_HEAT), out=opacity)
    opacity[~known] = 0.0
    return opacity


def _blend(base: BgrArray, over: BgrArray, opacity: FloatArray) -> BgrArray:
    cv2 = load_cv2()
    dimmed = cv2.convertScaleAbs(base, alpha=DIM)
    return np.asarray(cv2.blendLinear(over, dimmed, opacity, 1.0 - opacity), np.uint8)


def _valid_rows(valid: BoolArray, view: View) -> BoolArray:
    rows = np.arange(view.height) * valid.size // view.height
    return np.repeat(valid[rows][:, None], view.width, axis=1)


def _outline(
    picture: BgrArray,
    view: View,
    depth: DepthMap,
    labels: LabelArray,
    objects: Sequence[WebObject],
    pen: Pen,
) -> None:
    """Smooth outlines of the labels in the colour of their side."""
    cv2 = load_cv2()
    for colour, sunk in ((RAISED, False), (SUNK, True)):
        ids = [o.id for o in objects if (o.max_height < 0) == sunk]
        lut = np.zeros(max(int(labels.max()), max(ids, default=0)) + 1, np.uint8)
        lut[ids] = 255
        if not ids:
            continue
        laid = view.lay(lut[labels], depth.web, smooth=True)
        mask = (laid > 127).astype(np.uint8)
        found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(picture, found, -1, colour, pen.line, cv2.LINE_AA)
