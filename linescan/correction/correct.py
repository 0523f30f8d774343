"""The stage that applies a flat field: one pass over the lines while they are in cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np

from linescan.correction.flat_field import FlatField
from linescan.errors import CalibrationError
from linescan.records import Cause, GrayArray, LineBlock
from linescan.stages import MapStage

TILE: Final = 131072
"""Pixels that are corrected at a time: offset, gain and difference in float32 take 1.5 MiB, which
stay in cache, and each call is long enough not to fight for Python's interpreter lock."""


class Correct(MapStage[LineBlock, LineBlock]):
    """Gives each column the same offset and gain: ``(raw - offset) * gain``.

    Values are rounded to the nearest and end at 0 and at full scale (255, 1023, 4095, 65535). A
    pixel that the camera gives at full scale stays there: what it would have been is not known.

    Args:
        reference: offset and gain of each column.
        name: what to call the reference in errors.
    """

    name = "correct"
    failure = Cause.CORRECTION_FAILURE

    def __init__(self, reference: FlatField, name: object = "flat field") -> None:
        self._reference = reference
        self._source = name
        self._id = reference.id
        self._top = (1 << reference.bits) - 1
        self._dtype: np.dtype[Any] = np.dtype(np.uint8 if reference.bits <= 8 else np.uint16)
        rows = max(1, TILE // reference.width)
        self._offset = np.tile(reference.offset, (rows, 1))
        self._gain = np.tile(reference.gain, (rows, 1))
        self._difference = np.empty_like(self._offset)

    def process(self, item: LineBlock) -> Iterable[LineBlock]:
        """Correct the valid rows into a block of their own.

        Raises:
            CalibrationError: the block's width or pixel type is not the reference's.
        """
        width = item.pixels.shape[1]
        if width != self._reference.width or item.pixels.dtype != self._dtype:
            raise CalibrationError(
                f"{self._source}: the flat field is for {self._reference.width} pixels of "
                f"{self._dtype}, line {item.first_line} has {width} of {item.pixels.dtype}"
            )
        rows = item.valid_rows
        pixels: GrayArray = np.empty((rows, width), self._dtype)
        step = len(self._offset)
        for first in range(0, rows, step):
            self._correct(item.pixels[first : min(first + step, rows)], pixels[first:][:step])
        encoder = None if item.encoder is None else item.encoder[:rows]
        return (replace(item, pixels=pixels, encoder=encoder, flat_field=self._id),)

    def _correct(self, raw: GrayArray, out: GrayArray) -> None:
        rows = len(raw)
        difference = self._difference[:rows]
        depth = cv2.CV_8U if self._dtype == np.uint8 else cv2.CV_16U
        cv2.subtract(raw, self._offset[:rows], dst=difference, dtype=cv2.CV_32F)
        cv2.multiply(difference, self._gain[:rows], dst=out, dtype=depth)  # rounds and saturates
        full = np.iinfo(self._dtype).max
        if self._top < full:
            cv2.threshold(out, self._top, self._top, cv2.THRESH_TRUNC, dst=out)
