"""A web of depth values that is cut into frames, as a model would give them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from linescan.records import (
    Convention,
    DepthMap,
    Frame,
    Inspection,
    ModelTag,
    WebMap,
)

Floats = npt.NDArray[np.float32]
ROWS, WIDTH, OVERLAP = 64, 96, 8
STEP = 2
"""Camera lines of a row of values."""


def web(frames: int, seed: int = 1, *, relief: float = 1.0) -> Floats:
    """Height of a web long enough for so many frames: texture, and smooth relief here and there."""
    return _web(frames, seed, relief).copy()


@lru_cache(maxsize=4)
def _web(frames: int, seed: int, relief: float) -> Floats:
    rng = np.random.default_rng(seed)
    rows = ROWS + (frames - 1) * (ROWS - OVERLAP)
    texture = rng.normal(size=(rows, WIDTH))
    places = (rng.random((rows, WIDTH)) < 0.0008) * rng.choice((-1.0, 2.0), (rows, WIDTH))
    bumps = gaussian_filter(places, 4.0) * 60.0
    return np.asarray(0.05 * texture + relief * bumps, np.float32)


def inspections(
    strip: Floats,
    scales: npt.NDArray[np.float64],
    shifts: npt.NDArray[np.float64],
    convention: Convention = Convention.DISPARITY,
    sha256: str = "a" * 64,
) -> Iterator[Inspection]:
    """The web as frames, each with a scale and a shift of its own."""
    for k, (scale, shift) in enumerate(zip(scales, shifts, strict=True)):
        first = k * (ROWS - OVERLAP)
        depth = DepthMap(
            values=np.asarray(strip[first : first + ROWS] * scale + shift, np.float32),
            convention=convention,
            unit="relative",
            scale=1.0,
            shift=0.0,
            confidence=None,
            valid=np.ones(ROWS, np.bool_),
            web=WebMap(STEP * first + 0.5, STEP, 0.5, 2.0),
        )
        frame = Frame(
            pixels=np.zeros((ROWS * STEP, 1), np.uint8),
            first_line=STEP * first,
            valid=np.ones(ROWS * STEP, np.bool_),
            overlap=OVERLAP * STEP if k else 0,
            acquired_ns=0,
        )
        yield Inspection(frame, depth, ModelTag("test", sha256, "test"))


def without_rows(item: Inspection, rows: slice) -> Inspection:
    """The same frame with rows that are not valid."""
    assert item.depth is not None
    values, valid = item.depth.values.copy(), item.depth.valid.copy()
    values[rows], valid[rows] = np.nan, False
    return replace(item, depth=replace(item.depth, values=values, valid=valid))
