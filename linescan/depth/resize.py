"""Frames as the model sees them: reduced by area to uint8, on the canvas of their plan."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from linescan.depth.framing import Framing, Plan, Size
from linescan.depth.models import PATCH
from linescan.errors import ModelError
from linescan.records import BoolArray, Cause, Frame, GrayArray, Loss, ModelInput
from linescan.stages import MapStage


class Resize(MapStage[Frame, ModelInput]):
    """Frame to model input; each array pixel keeps its exact place on the web.

    Args:
        framing: how frames are laid out, or rows and columns that every frame is resized to.
        pitch_mm: size of a camera pixel on the web in mm, (along, across); None where not known.
        bits: significant bits of uint16 pixels, 8 to 16. They become 8 bits by a fixed shift, the
            upper ones kept, as a camera's own 8-bit format does: brightness means the same in
            every frame. A value above ``bits`` saturates. uint8 pixels are taken as they are.
    """

    name = "resize"
    failure = Cause.INFERENCE_FAILURE

    def __init__(
        self,
        framing: Framing | Size,
        pitch_mm: tuple[float | None, float | None] = (None, None),
        bits: int = 16,
    ) -> None:
        size = framing.size if isinstance(framing, Framing) else framing
        if min(size) < PATCH:
            raise ModelError(f"model input {size[0]}x{size[1]}: at least {PATCH} each are needed")
        if not 8 <= bits <= 16:
            raise ModelError(f"pixels of {bits} bits: expected 8 to 16")
        self._framing = framing
        self._pitch_mm = pitch_mm
        self._shift = bits - 8

    @property
    def canvas(self) -> Size:
        """Rows and columns of the depth of a whole frame."""
        if isinstance(self._framing, Framing):
            return self._framing.nominal.canvas
        return self._framing

    def process(self, item: Frame) -> Iterable[ModelInput | Loss]:
        """Resize one frame of (rows, width) uint8 or uint16."""
        plan = self._plan((item.pixels.shape[0], item.pixels.shape[1]))
        pixels = fill_invalid(item.pixels, item.valid)
        image = resize_area(pixels, plan.image)
        if image.dtype == np.uint16:
            image = np.minimum(image >> self._shift, 255)
        yield ModelInput(
            frame=item,
            image=np.ascontiguousarray(image, dtype=np.uint8),
            valid=rows_all_valid(item.valid, plan.canvas[0]),
            web=plan.web_map(item.first_line, self._pitch_mm),
        )

    def _plan(self, frame: Size) -> Plan:
        if isinstance(self._framing, Framing):
            return self._framing.plan(frame)
        return Plan(frame, self._framing, self._framing)


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


def resize_area(pixels: GrayArray, size: Size) -> npt.NDArray[np.uint8 | np.uint16]:
    """Resize (rows, width), or (…, 3), to ``size``: shrunk by area, enlarged linearly.

    A shrunk pixel is the mean over exactly the area that it covers, to within one gray level: fine
    stripes average out, and edges keep their place to a fraction of a camera pixel. OpenCV reduces
    whole factors fastest in one go, any other along one axis after the other.
    """
    rows, columns = (min(n, target) for n, target in zip(pixels.shape[:2], size, strict=True))
    image: npt.NDArray[np.uint8 | np.uint16] = pixels
    if pixels.shape[0] % rows or pixels.shape[1] % columns:
        image = _resize(image, (rows, pixels.shape[1]), cv2.INTER_AREA)
    image = _resize(image, (rows, columns), cv2.INTER_AREA)
    return _resize(image, size, cv2.INTER_LINEAR)


def _resize(
    image: npt.NDArray[np.uint8 | np.uint16], shape: tuple[int, ...], method: int
) -> npt.NDArray[np.uint8 | np.uint16]:
    if image.shape[:2] == shape:
        return image
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=method), image.dtype)
