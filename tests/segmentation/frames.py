"""Synthetic depth maps whose objects are known to the pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linescan.records import (
    BoolArray,
    Convention,
    DepthMap,
    FloatArray,
    Frame,
    Inspection,
    WebMap,
)

WEB = WebMap(line_offset=1.5, line_step=4.0, column_offset=0.5, column_step=2.0)


@dataclass(frozen=True)
class Disc:
    """A flat disc in array pixels; a negative height makes it a dent."""

    row: float
    column: float
    radius: float
    height: float

    def mask(self, shape: tuple[int, int]) -> BoolArray:
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        near = (rows - self.row) ** 2 + (columns - self.column) ** 2 <= self.radius**2
        return np.asarray(near, np.bool_)


DISCS = (
    Disc(30, 40, 10, 20.0),
    Disc(60, 120, 14, -18.0),
    Disc(110, 30, 6.5, 15.0),
    Disc(118, 95, 9, -25.0),
)


def surface(
    shape: tuple[int, int] = (140, 160), discs: tuple[Disc, ...] = DISCS, *, noise: float = 1.0
) -> FloatArray:
    values = np.random.default_rng(7).normal(0.0, noise, shape) if noise else np.zeros(shape)
    for disc in discs:
        values[disc.mask(shape)] += disc.height
    return values.astype(np.float32)


def truth(shape: tuple[int, int], discs: tuple[Disc, ...]) -> BoolArray:
    mask = np.zeros(shape, np.bool_)
    for disc in discs:
        mask |= disc.mask(shape)
    return mask


def depth_map(
    values: FloatArray,
    *,
    convention: Convention = Convention.HEIGHT,
    valid: BoolArray | None = None,
    web: WebMap = WEB,
) -> DepthMap:
    valid = np.ones(values.shape[0], np.bool_) if valid is None else valid
    values = values.astype(np.float32)
    values[~valid] = np.nan
    return DepthMap(values, convention, "um", 1.0, 0.0, None, valid, web)


def inspection(depth: DepthMap | None) -> Inspection:
    pixels = np.zeros((8, 4), np.uint8)
    frame = Frame(pixels, 0, np.ones(8, np.bool_), 0, 1)
    return Inspection(frame, depth)
