"""Where a frame lies over the one before: the same places in both, and the fade between them."""

from __future__ import annotations

import numpy as np

from linescan.records import DepthMap, FloatArray

SAME = 1e-6
"""A difference of places, in rows or columns, that is rounding."""


def shared_rows(before: DepthMap, depth: DepthMap) -> FloatArray:
    """What the frame before says of the leading rows of the next.

    Returns:
        (n, w) float32 at the places of the first n rows of ``depth``, linear between rows of
        ``before``, NaN where these are not valid; n is 0 where the frames have no row in common,
        or other columns.
    """
    old, new = before.web, depth.web
    height, width = before.values.shape
    first = (new.line_offset - old.line_offset) / old.line_step
    step = new.line_step / old.line_step
    count = min(len(depth.values), int(np.floor((height - 1 - first) / step + SAME)) + 1)
    aligned = (
        width == depth.values.shape[1]
        and abs(new.column_step - old.column_step) * width < SAME * old.column_step * width + SAME
        and abs(new.column_offset - old.column_offset) < SAME + SAME * abs(old.column_step)
    )
    if not aligned or first < -SAME or count < 1:
        return np.empty((0, depth.values.shape[1]), np.float32)
    place = np.clip(first + step * np.arange(count), 0, height - 1)
    lower = np.floor(place + SAME).astype(np.intp)
    share = (place - lower).astype(np.float32)
    values: FloatArray = before.values[lower]
    values[~before.valid[lower]] = np.nan
    between = np.flatnonzero(share > SAME)
    part, upper = share[between, None], lower[between] + 1
    above = np.where(before.valid[upper, None], before.values[upper], np.float32(np.nan))
    values[between] = (1 - part) * values[between] + part * above
    return values


def fade(values: FloatArray, shared: FloatArray) -> None:
    """Let the leading rows pass from the frame before into their own, in place.

    Row r of n takes the share sin²(π/2·(r + 1)/(n + 1)) of itself: both ends join without a bend.
    Where either side is not finite, values are left as they are.
    """
    count = len(shared)
    turn = np.arange(1, count + 1) / (count + 1)
    own = np.square(np.sin(np.pi / 2 * turn)).astype(np.float32)[:, None]
    leading = values[:count]
    mixed = own * leading + (1 - own) * shared
    np.copyto(leading, mixed, where=np.isfinite(mixed))
