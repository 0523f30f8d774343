"""A stretch of web as one long picture: it runs from left to right, one strip below the other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from linescan.pictures.colours import colourise, paint_hatch, robust_limits
from linescan.pictures.opencv import load_cv2
from linescan.records import DepthMap, FloatArray, Interval

BgrArray = npt.NDArray[np.uint8]
GAP = 12
"""Pixels between strips."""


def assemble_depth(
    depths: Iterable[DepthMap], lines: Interval, step: int, width: int
) -> FloatArray:
    """Depth maps side by side on the web; where two overlap, the earlier one stays.

    Each map is shifted to a median of 0: relative depth is known up to a shift, frame by frame.

    Args:
        depths: maps of consecutive frames.
        lines: the stretch of web.
        step: camera lines and columns for one value.
        width: camera pixels across.

    Returns:
        (lines.count // step, width // step) float32, NaN where there is none.
    """
    cv2 = load_cv2()
    web = np.full((lines.count // step, width // step), np.nan, np.float32)
    for depth in depths:
        height = round(depth.values.shape[0] * depth.web.line_step / step)
        values = cv2.resize(depth.values, (web.shape[1], height), interpolation=cv2.INTER_LINEAR)
        values = values - np.float32(np.nanmedian(values))
        top = depth.web.line_offset - (depth.web.line_step - 1) / 2 - lines.first
        first = round(top / step)
        rows = slice(max(first, 0), min(first + height, len(web)))
        part = values[rows.start - first : rows.stop - first]
        web[rows] = np.where(np.isnan(web[rows]), part, web[rows])
    return web


def colour_strip(values: FloatArray) -> BgrArray:
    """Values as colours between their own robust limits; hatched where there are none."""
    unknown = ~np.isfinite(values)
    limits = robust_limits(values)
    picture = colourise(np.where(unknown, 0, values), limits, "turbo", reverse=False)
    paint_hatch(picture, unknown, 8)
    return picture


def lay_strips(strips: Iterable[BgrArray]) -> BgrArray:
    """Strips of the same web, all (lines, width, 3), turned so that the web runs to the right."""
    turned = [np.rot90(strip) for strip in strips]
    gap = np.full((GAP, turned[0].shape[1], 3), 255, np.uint8)
    pieces = [piece for strip in turned for piece in (strip, gap)][:-1]
    return np.ascontiguousarray(np.vstack(pieces))
