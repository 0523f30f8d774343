"""Truth on the grid of a depth map: exact area means, since the image is reduced by area, too."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from linescan.records import FloatArray, LabelArray, WebMap

LEAST_KNOWN = 0.5
"""A pixel is known where at least this share of its area is."""

Weights = npt.NDArray[np.float32]


def height_on(
    height: FloatArray, height_web: WebMap, shape: tuple[int, int], web: WebMap
) -> FloatArray:
    """True height at the pixels of a depth map.

    Where truth is finer than the depth map, each pixel is the mean over exactly the area that it
    covers; where it is coarser, truth is interpolated linearly.

    Args:
        height: (h, w) truth, NaN where unknown.
        height_web: where it lies.
        shape: rows and columns of the depth map.
        web: where that lies.

    Returns:
        ``shape`` float32, NaN where less than ``LEAST_KNOWN`` of a pixel's area is known.
    """
    down = _weights(
        shape[0],
        web.line_offset,
        web.line_step,
        height.shape[0],
        height_web.line_offset,
        height_web.line_step,
    )
    over = _weights(
        shape[1],
        web.column_offset,
        web.column_step,
        height.shape[1],
        height_web.column_offset,
        height_web.column_step,
    )
    known = np.isfinite(height)
    share = down @ known.astype(np.float32) @ over.T
    # Around their mean, so that float32 keeps the digits of a height that lies far from zero.
    middle = np.float32(height[known].mean(dtype=np.float64)) if known.any() else np.float32(0)
    sums = down @ np.where(known, height - middle, np.float32(0)) @ over.T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / share + middle
    means[share < LEAST_KNOWN] = np.nan
    return np.asarray(means, np.float32)


def labels_on(
    labels: LabelArray, first_line: int, shape: tuple[int, int], web: WebMap
) -> LabelArray:
    """Labels (rows, width) of a frame at the centres of a depth map's pixels, ``shape`` uint16."""
    rows = np.rint(web.line_offset + np.arange(shape[0]) * web.line_step - first_line)
    columns = np.rint(web.column_offset + np.arange(shape[1]) * web.column_step)
    row = np.clip(rows.astype(np.int64), 0, labels.shape[0] - 1)
    column = np.clip(columns.astype(np.int64), 0, labels.shape[1] - 1)
    return np.ascontiguousarray(labels[np.ix_(row, column)])


@lru_cache(maxsize=8)
def _weights(
    count: int, offset: float, step: float, given: int, given_offset: float, given_step: float
) -> Weights:
    """(count, given) share of each given pixel in each wanted one; rows sum to 1 inside."""
    centre = (offset + np.arange(count) * step - given_offset) / given_step
    index = np.arange(given)
    ratio = step / given_step
    if ratio < 1:
        near = 1 - np.abs(np.clip(centre, 0, given - 1)[:, None] - index)
        near[(centre < -0.5) | (centre > given - 0.5)] = 0  # beyond the truth nothing is known
        linear: Weights = np.maximum(near, 0).astype(np.float32)
        return linear
    low, high = centre - ratio / 2, centre + ratio / 2
    shared = np.minimum(high[:, None], index + 0.5) - np.maximum(low[:, None], index - 0.5)
    weights: Weights = (np.maximum(shared, 0) / ratio).astype(np.float32)
    return weights
