"""Frames as the model sees them: reduced by area to uint8 at the model's size."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from linescan.depth.models import PATCH
from linescan.errors import ModelError
from linescan.records import BoolArray, Cause, Frame, GrayArray, Loss, ModelInput, WebMap
from linescan.stages import MapStage


class Resize(MapStage[Frame, ModelInput]):
    """Frame to model input; each array pixel keeps its exact place on the web.

    Args:
        size: rows and columns of the model's input.
        pitch_mm: size of a camera pixel on the web in mm, (along, across); None where not known.
        bits: significant bits of uint16 pixels, 8 to 16. They become 8 bits by a fixed shift, the
            upper ones kept, as a camera's own 8-bit format does: brightness means the same in
            every frame. A value above ``bits`` saturates. uint8 pixels are taken as they are.
    """

    name = "resize"
    failure = Cause.INFERENCE_FAILURE

    def __init__(
        self,
        size: tuple[int, int],
        pitch_mm: tuple[float | None, float | None] = (None, None),
        bits: int = 16,
    ) -> None:
        if min(size) < PATCH:
            raise ModelError(f"model input {size[0]}x{size[1]}: at least {PATCH} each are needed")
        if not 8 <= bits <= 16:
            raise ModelError(f"pixels of {bits} bits: expected 8 to 16")
        self._size = size
        self._pitch_mm = pitch_mm
        self._shift = bits - 8

    def process(self, item: Frame) -> Iterable[ModelInput | Loss]:
        """Resize one frame of (rows, width) uint8 or uint16."""
        pixels = fill_invalid(item.pixels, item.valid)
        image = resize_area(pixels, self._size)
        if image.dtype == np.uint16:
            image = np.minimum(image >> self._shift, 255)
        web = web_map(item.pixels.shape, self._size, item.first_line, self._pitch_mm)
        yield ModelInput(
            frame=item,
            image=np.ascontiguousarray(image, dtype=np.uint8),
            valid=rows_all_valid(item.valid, self._size[0]),
            web=web,
        )


def web_map(
    shape: tuple[int, ...],
    size: tuple[int, int],
    first_line: int,
    pitch_mm: tuple[float | None, float | None] = (None, None),
) -> WebMap:
    """Where pixel centres lie on the web after a resize of the whole of ``shape`` to ``size``.

    A resize maps extents onto extents, so with s = source / target the centre of target pixel r
    lies at (r + 0.5)·s - 0.5 in source pixels.
    """
    line_step, column_step = shape[0] / size[0], shape[1] / size[1]
    return WebMap(
        line_offset=first_line + 0.5 * line_step - 0.5,
        line_step=line_step,
        column_offset=0.5 * column_step - 0.5,
        column_step=column_step,
        mm_per_line=pitch_mm[0],
        mm_per_column=pitch_mm[1],
    )


def rows_all_valid(valid: BoolArray, rows: int) -> BoolArray:
    """Which of ``rows`` target rows cover valid source rows only, (rows,) bool.

    Target row r of a resize from H rows covers the source rows that [r·H/rows, (r+1)·H/rows)
    touches; the bounds are computed in integers.
    """
    r = np.arange(rows, dtype=np.int64)
    first = r * valid.size // rows
    end = -(-(r + 1) * valid.size // rows)
    bad = np.concatenate(([0], np.cumsum(~valid)))
    return np.asarray(bad[end] == bad[first])


def fill_invalid(pixels: GrayArray, valid: BoolArray) -> GrayArray:
    """Pixels whose invalid rows are copies of the nearest valid row, the upper one where equal.

    Otherwise the model would see a black edge and find relief there. Without any valid row the
    pixels are given back as they are.
    """
    good = np.flatnonzero(valid)
    if good.size in {0, valid.size}:
        return pixels
    rows = np.arange(valid.size)
    after = np.searchsorted(good, rows).clip(max=good.size - 1)
    below, above = good[after], good[(after - 1).clip(min=0)]
    nearest = np.where(np.abs(rows - above) <= np.abs(below - rows), above, below)
    filled: GrayArray = pixels[nearest]
    return filled


def resize_area(pixels: GrayArray, size: tuple[int, int]) -> npt.NDArray[np.uint8 | np.uint16]:
    """Resize (rows, width) to ``size``: shrink by area, enlarge by linear interpolation.

    OpenCV halves even sides many times faster than it shrinks by any other factor, so sides are
    halved while they stay at least as large as the target. Linear interpolation would alias.
    """
    image: npt.NDArray[np.uint8 | np.uint16] = pixels
    while True:
        half = tuple(_half(n, target) for n, target in zip(image.shape, size, strict=True))
        if half == image.shape:
            break
        image = _resize(image, half, cv2.INTER_AREA)
    shrunk = tuple(min(n, target) for n, target in zip(image.shape, size, strict=True))
    image = _resize(image, shrunk, cv2.INTER_AREA)
    return _resize(image, size, cv2.INTER_LINEAR)


def _half(n: int, target: int) -> int:
    return n // 2 if n % 2 == 0 and n // 2 >= target else n


def _resize(
    image: npt.NDArray[np.uint8 | np.uint16], shape: tuple[int, ...], method: int
) -> npt.NDArray[np.uint8 | np.uint16]:
    if image.shape == shape:
        return image
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=method), image.dtype)
