"""Depth as a heat map with a colour bar."""

from __future__ import annotations

import numpy as np

from linescan.pictures.colours import (
    FAINT,
    INK,
    PAPER,
    BgrArray,
    ColourMap,
    Limits,
    choose_limits,
    colourise,
    paint_hatch,
)
from linescan.pictures.drawing import Pen, tick_labels, ticks, unit_name
from linescan.pictures.opencv import load_cv2
from linescan.pictures.view import View, lay_depth
from linescan.records import Convention, DepthMap

TITLES = {
    Convention.DISPARITY: "disparity",
    Convention.DEPTH: "depth",
    Convention.HEIGHT: "height",
}


def render_heatmap(
    depth: DepthMap,
    *,
    limits: Limits | None = None,
    colour_map: ColourMap = "turbo",
    title: str = "",
) -> BgrArray:
    """Draw a depth map in the proportions of the frame, with a colour bar at its right.

    Warm or bright colours are near to the camera, whatever the convention; rows without valid lines
    are hatched gray.

    Args:
        depth: the depth map; ``valid`` and NaN say what is not known.
        limits: values of the outermost colours; robust limits where not given.
        colour_map: the colours.
        title: a line of text above the map.

    Returns:
        (rows, width, 3) uint8, the map being at most 2048 pixels long.
    """
    values = np.where(depth.valid[:, None], depth.values, np.float32(np.nan))
    view = View.of_map(values.shape, depth.web)
    pen = Pen.for_picture(view.height, view.width)
    limits = choose_limits(limits, values)
    reverse = depth.convention is Convention.DEPTH
    laid, known = lay_depth(view, values, depth.web)
    heat = colourise(laid, limits, colour_map, reverse=reverse)
    paint_hatch(heat, ~known, pen.text)
    bar = _bar(depth, limits, colour_map, max(view.height, 20 * pen.text), pen, reverse=reverse)
    return _compose(heat, bar, title, pen)


def _bar(
    depth: DepthMap,
    limits: Limits,
    colour_map: ColourMap,
    height: int,
    pen: Pen,
    *,
    reverse: bool,
) -> BgrArray:
    """The colour bar with its heading and numbers; the end near to the camera is at the top."""
    cv2 = load_cv2()
    low, high = limits
    unit = unit_name(depth.unit)
    heading = [TITLES[depth.convention], unit]
    values = ticks(low, high, max(2, min(10, height // (4 * pen.text))))
    labels = tick_labels(values)
    top, thick = pen.text * 5, round(pen.text * 1.6)
    long = max(1, height - top - pen.text)
    wide = max(pen.extent(text)[0] for text in labels + heading)
    width = max(thick + pen.text + wide, pen.extent(heading[0])[0]) + pen.text
    bar: BgrArray = np.full((height, width, 3), PAPER, np.uint8)
    for index, text in enumerate(heading):
        baseline = round(pen.text * (1.2 + 1.7 * index))
        pen.write(bar, text, (0, baseline), INK if index == 0 else FAINT)
    scale = np.linspace(high, low, long, dtype=np.float64).astype(np.float32)
    if reverse:
        scale = scale[::-1]
    colours = colourise(
        np.repeat(scale[:, None], thick, axis=1), limits, colour_map, reverse=reverse
    )
    bar[top : top + long, :thick] = colours
    for value, text in zip(values, labels, strict=True):
        share = (value - low) / (high - low)
        y = top + round((share if reverse else 1 - share) * (long - 1))
        cv2.line(bar, (thick, y), (thick + pen.text // 2, y), FAINT, pen.line)
        pen.write(bar, text, (thick + pen.text, y + pen.text // 2))
    return bar


def _compose(heat: BgrArray, bar: BgrArray, title: str, pen: Pen) -> BgrArray:
    """Put map and bar side by side on paper, the title above."""
    edge = round(pen.text * 1.2)
    head = round(pen.text * 3.2) if title else edge
    height, width = heat.shape[:2]
    whole = max(width + bar.shape[1] + 3 * edge, pen.extent(title)[0] + 2 * edge)
    shape = (bar.shape[0] + head + edge, whole, 3)
    picture: BgrArray = np.full(shape, PAPER, np.uint8)
    picture[head : head + height, edge : edge + width] = heat
    left = 2 * edge + width
    picture[head : head + bar.shape[0], left : left + bar.shape[1]] = bar
    if title:
        pen.write(picture, title, (edge, round(head * 0.62)))
    return picture
