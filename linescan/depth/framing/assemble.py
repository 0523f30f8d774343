"""Runs the windows of a plan through the model and puts the depth map together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from linescan.depth.framing.blend import feather
from linescan.depth.framing.fit import Anchor, Fits, Overlap, fit_tiles
from linescan.depth.framing.plan import Plan, Size
from linescan.depth.framing.relation import Floats
from linescan.depth.resize import resize_area
from linescan.records import BoolArray, FloatArray

Image = npt.NDArray[np.uint8]
Run = Callable[[Image], FloatArray]
"""From an image of the model's input size to the model's output, (h, w) float32."""

CELLS = 64
"""Samples along a side of a tile that is compared with the coarse pass, at most."""
SHARED_CELLS = 32
"""Samples along a side of an overlap, at most: neighbouring values say the same."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A depth map as the model gives it.

    Attributes:
        values: (h, w) float32 of the plan's canvas, the model's own output or, of tiles, in its
            unit; rows that are not valid hold nothing of use.
        confidence: of the tiles' scales and shifts: median over the tiles of their mean correlation
            with neighbours and coarse pass, 0 to 1; None where nothing had to be fitted.
        align_ns: time that fitting and blending the tiles took; the rest is the model's.
    """

    values: FloatArray
    confidence: float | None
    align_ns: int = 0


def assemble(
    plan: Plan, image: Image, valid: BoolArray, run: Run, run_coarse: Run | None = None
) -> Assembled:
    """Depth of one frame.

    Args:
        plan: of the frame's shape.
        image: the frame as ``plan.image`` says.
        valid: (h,) rows of the canvas that are valid; at least one is.
        run: the model at the size of ``plan.window``.
        run_coarse: the model at the size of ``plan.coarse_window``, where there is one.

    Raises:
        ModelError: from the model.
    """
    if plan.native:
        return Assembled(run(image), None)
    if len(plan.tops) * len(plan.lefts) == 1:
        top, left = plan.tops[0], plan.lefts[0]
        values = run(_look(image, plan.window, top, left))
        inside = values[_within(top, plan.canvas[0]), _within(left, plan.canvas[1])]
        return Assembled(np.ascontiguousarray(inside), None)
    tiles = list(_tiles(plan, image, valid, run))
    coarse = None if run_coarse is None else _coarse(plan, image, run_coarse)
    began = time.perf_counter_ns()
    fits = fit_tiles(
        len(tiles), list(_overlaps(plan, tiles, valid)), list(_anchors(plan, tiles, coarse, valid))
    )
    values = _blend(plan, tiles, fits)
    return Assembled(values, _confidence(fits, tiles), time.perf_counter_ns() - began)


@dataclass(frozen=True, slots=True)
class _Tile:
    """A tile's part of the canvas from (top, left) on; no values where it has no valid row."""

    top: int
    left: int
    values: FloatArray | None


def _tiles(plan: Plan, image: Image, valid: BoolArray, run: Run) -> Iterator[_Tile]:
    """All tiles, row by row."""
    height = plan.window[0]
    for top in plan.tops:
        for left in plan.lefts:
            first, before = max(top, 0), max(left, 0)
            if not valid[first : top + height].any():
                yield _Tile(first, before, None)
                continue
            values = run(_look(image, plan.window, top, left))
            inside = values[_within(top, plan.canvas[0]), _within(left, plan.canvas[1])]
            yield _Tile(first, before, inside)


def _look(image: Image, window: Size, top: int, left: int) -> Image:
    """The window at (top, left), contiguous; beyond the image its edge is repeated."""
    rows, columns = image.shape
    bottom, right = top + window[0], left + window[1]
    part = image[max(top, 0) : bottom, max(left, 0) : right]
    margins = (max(-top, 0), max(bottom - rows, 0), max(-left, 0), max(right - columns, 0))
    if any(margins):
        part = np.asarray(cv2.copyMakeBorder(part, *margins, cv2.BORDER_REPLICATE), np.uint8)
    return np.ascontiguousarray(part)


def _within(start: int, length: int) -> slice:
    """The part of a window from ``start`` that lies on an axis of ``length``."""
    return slice(max(-start, 0), max(-start, 0) + length)


def _coarse(plan: Plan, image: Image, run: Run) -> FloatArray:
    """The pass over the whole frame; its canvas alone."""
    size, window = plan.coarse, plan.coarse_window
    assert size is not None and window is not None  # noqa: PT018, S101 - there is a coarse pass
    top, left = -((window[0] - size[0]) // 2), -((window[1] - size[1]) // 2)
    small = np.asarray(resize_area(image, size), np.uint8)
    values = run(_look(small, window, top, left))
    return np.ascontiguousarray(values[_within(top, size[0]), _within(left, size[1])])


def _overlaps(plan: Plan, tiles: list[_Tile], valid: BoolArray) -> Iterator[Overlap]:
    """Samples of what neighbours, below and to the right, have in common."""
    across = len(plan.lefts)
    for k, tile in enumerate(tiles):
        right = k + 1 if (k + 1) % across else None
        below = k + across if k + across < len(tiles) else None
        for other in (right, below):
            if other is not None and tile.values is not None:
                samples = _shared(tile, tiles[other], valid)
                if samples is not None:
                    yield Overlap(k, other, *samples)


def _shared(one: _Tile, two: _Tile, valid: BoolArray) -> tuple[Floats, Floats] | None:
    if one.values is None or two.values is None:
        return None
    bottom = min(one.top + one.values.shape[0], two.top + two.values.shape[0])
    right = min(one.left + one.values.shape[1], two.left + two.values.shape[1])
    top, left = max(one.top, two.top), max(one.left, two.left)
    rows = np.arange(top, bottom, _step(bottom - top, SHARED_CELLS))
    rows = rows[valid[rows]]
    columns = np.arange(left, right, _step(right - left, SHARED_CELLS))
    first, second = (
        t.values[np.ix_(rows - t.top, columns - t.left)].ravel().astype(np.float64)
        for t in (one, two)
        if t.values is not None
    )
    return first, second


def _step(length: int, most: int) -> int:
    return max(1, -(-length // most))


def _anchors(
    plan: Plan, tiles: list[_Tile], coarse: FloatArray | None, valid: BoolArray
) -> Iterator[Anchor]:
    """Means of each tile over cells no smaller than a coarse pixel, and the coarse depth there."""
    if coarse is None:
        return
    ratio = [n / m for n, m in zip(plan.canvas, coarse.shape, strict=True)]
    cell = max(int(np.ceil(max(ratio))), _step(max(plan.window), CELLS))
    # Both sides are means over the same area: detail that only one of them has would not compare.
    shape = [
        max(1, min(m, round(n / cell))) for n, m in zip(plan.canvas, coarse.shape, strict=True)
    ]
    reduced = _reduce(coarse, (shape[0], shape[1]))
    known = np.concatenate(([0], np.cumsum(valid)))
    for k, tile in enumerate(tiles):
        if tile.values is None:
            continue
        rows, columns = (n // cell for n in tile.values.shape)
        if not rows or not columns:
            continue
        means = _reduce(tile.values[: rows * cell, : columns * cell], (rows, columns))
        first = tile.top + cell * np.arange(rows)
        full = known[first + cell] - known[first] == cell
        y = (first + cell / 2) * (shape[0] / plan.canvas[0]) - 0.5
        x = (tile.left + cell * (np.arange(columns) + 0.5)) * (shape[1] / plan.canvas[1]) - 0.5
        there = _sample(reduced, y, x)
        yield Anchor(k, means[full].ravel().astype(np.float64), there[full].ravel())


def _reduce(values: FloatArray, size: Size) -> FloatArray:
    if values.shape == size:
        return values
    return np.asarray(cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _sample(values: FloatArray, rows: Floats, columns: Floats) -> Floats:
    """Values at fractional places, linearly interpolated; (rows, columns) float64."""
    y, x = np.meshgrid(rows.astype(np.float32), columns.astype(np.float32), indexing="ij")
    there = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(there, np.float64)


def _blend(plan: Plan, tiles: list[_Tile], fits: Fits) -> FloatArray:
    down = feather(plan.canvas[0], plan.window[0], plan.tops)
    across = feather(plan.canvas[1], plan.window[1], plan.lefts)
    blended = np.zeros(plan.canvas, np.float32)
    for k, tile in enumerate(tiles):
        if tile.values is None:
            continue
        row, column = divmod(k, len(across))
        part = tile.values * np.float32(fits.scales[k])
        part += np.float32(fits.shifts[k])
        part *= down[row][:, None]
        part *= across[column]
        height, width = part.shape
        blended[tile.top : tile.top + height, tile.left : tile.left + width] += part
    return blended


def _confidence(fits: Fits, tiles: list[_Tile]) -> float:
    there = [k for k, tile in enumerate(tiles) if tile.values is not None]
    return float(np.median(fits.agreement[there])) if there else 0.0
