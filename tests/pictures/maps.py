"""Depth maps and objects for pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from linescan.records import BoolArray, Convention, DepthMap, FloatArray, WebMap, WebObject

AMBER, AZURE = (40, 178, 255), (255, 190, 70)


def web_of(shape: tuple[int, int], image: tuple[int, int], *, first_line: int = 0) -> WebMap:
    """The map of a frame that was resized to ``shape``."""
    lines, columns = image[0] / shape[0], image[1] / shape[1]
    return WebMap(first_line + (lines - 1) / 2, lines, (columns - 1) / 2, columns)


def depth_of(
    values: npt.NDArray[np.float32],
    *,
    web: WebMap | None = None,
    convention: Convention = Convention.HEIGHT,
    unit: str = "um",
    valid: BoolArray | None = None,
) -> DepthMap:
    valid = np.ones(values.shape[0], np.bool_) if valid is None else valid
    return DepthMap(
        values, convention, unit, 1.0, 0.0, None, valid, web or WebMap(0.0, 1.0, 0.0, 1.0)
    )


def bump(shape: tuple[int, int] = (84, 84), height: float = 10.0) -> FloatArray:
    """A flat map with a square of ``height`` on rows and columns 30 to 49, and a little noise."""
    values = np.random.default_rng(2).normal(0, 0.05, shape).astype(np.float32)
    values[30:50, 30:50] += np.float32(height)
    return values


def thing(number: int, first_line: int, first_column: int, side: int, height: float) -> WebObject:
    return WebObject(
        id=number,
        first_line=first_line,
        line_count=side,
        first_column=first_column,
        column_count=side,
        area_px=float(side * side),
        mean_height=height,
        max_height=height,
        touches_start=False,
        touches_end=False,
    )


def same(pixel: npt.NDArray[np.uint8], colour: tuple[int, int, int], within: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= within)


def spread(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Difference of the largest and smallest channel: 0 for gray."""
    return np.ptp(pixels.astype(np.intp), axis=-1)
