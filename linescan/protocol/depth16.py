"""Depth as scaled 16-bit integers: ``value = pixel * scale + offset``, pixel 0 is "not known".

The integers span the frame's full range of values, so no value changes by more than half a step.
Compare frames by their values, never by their pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.records import FloatArray

INVALID: Final = 0
LARGEST: Final = 65535
BLOCK: Final = 1 << 16
"""Values that are converted at a time: what is in between stays in the processor's cache."""

Pixels = npt.NDArray[np.uint16]


def encode_depth16(values: FloatArray) -> tuple[Pixels, float, float]:
    """Integers 1 to 65535 over the range of the finite values; 0 where not finite.

    Args:
        values: (h, w) float32.

    Returns:
        (h, w) uint16 pixels, scale and offset.
    """
    low, high = _range(values)
    if low > high:
        return np.zeros(values.shape, np.uint16), 1.0, 0.0
    pixels = np.empty(values.shape, np.uint16)
    scale = (high - low) / (LARGEST - 1) if high > low else 1.0
    with np.errstate(invalid="ignore"):  # what is not finite has no integer
        for rows in _row_blocks(values.shape):
            block = np.subtract(values[rows], low, dtype=np.float64)
            block *= 1 / scale
            block += 1.5  # 1 is the lowest; the half rounds, as integers are cut off
            pixels[rows] = block
            pixels[rows][~np.isfinite(values[rows])] = INVALID
    return pixels, scale, low - scale


def decode_depth16(pixels: Pixels, scale: float, offset: float) -> FloatArray:
    """The values of integer pixels, (h, w) float32, NaN where not known."""
    values = np.empty(pixels.shape, np.float32)
    for rows in _row_blocks(pixels.shape):
        block = np.multiply(pixels[rows], scale, dtype=np.float64)
        block += offset
        block[pixels[rows] == INVALID] = np.nan
        values[rows] = block
    return values


def fits_float32(scale: float, offset: float) -> bool:
    """Whether all values that pixels could stand for are finite float32."""
    # Beyond the largest float32 by less than half its last digit, a value is rounded to it.
    most = float(np.finfo(np.float32).max) * (1 + 1e-8)
    return all(abs(pixel * scale + offset) <= most for pixel in (1, LARGEST))


def _range(values: FloatArray) -> tuple[float, float]:
    """Of the finite values; the lowest is the larger one where there are none."""
    low, high = _ends(values)
    if math.isinf(low) or math.isinf(high):
        low, high = _ends(np.where(np.isfinite(values), values, np.float32(np.nan)))
    return (math.inf, -math.inf) if math.isnan(low) else (low, high)


def _ends(values: FloatArray) -> tuple[float, float]:
    """The least and the largest value but NaN; NaN where there are no others."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, BLOCK // max(1, shape[1]))
    return (slice(row, row + step) for row in range(0, shape[0], step))
