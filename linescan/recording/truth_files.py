"""Stored forms of true heights and labels: block means in a compact type, and 16-bit PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from linescan.errors import SourceError
from linescan.recording.files import write_whole
from linescan.recording.header import HeightEncoding
from linescan.records import FloatArray, LabelArray

UNKNOWN = 65535
"""Stored uint16 value of an unknown height."""
_PNG_END = b"IEND\xaeB`\x82"
_LARGEST = {
    "float32": float(np.finfo(np.float32).max),
    "float16": float(np.finfo(np.float16).max),
    "uint16": float(UNKNOWN - 1),
}


def block_means(height: FloatArray, step: int) -> FloatArray:
    """Means of step x step blocks (fewer at the lower and right edge); NaN spreads in its block."""
    if step == 1:
        return height
    rows, columns = (np.arange(0, size, step) for size in height.shape)
    sums = np.add.reduceat(height, rows, axis=0, dtype=np.float64)
    sums = np.add.reduceat(sums, columns, axis=1)
    high = np.minimum(step, height.shape[0] - rows)
    wide = np.minimum(step, height.shape[1] - columns)
    return np.asarray(sums / np.outer(high, wide), dtype=np.float32)


def encode_height(height: FloatArray, encoding: HeightEncoding) -> npt.NDArray[Any]:
    """Heights in mm as stored values.

    Raises:
        SourceError: a height does not fit.
    """
    stored = (height.astype(np.float64) - encoding.offset) / encoding.scale
    known = np.isfinite(stored)
    stored[~known] = 0.0
    counts = encoding.dtype == "uint16"
    high = _LARGEST[encoding.dtype]
    low = 0.0 if counts else -high
    if counts:
        stored = np.rint(stored)
    if (stored[known] < low).any() or (stored[known] > high).any():
        raise SourceError(
            f"true heights of {np.nanmin(height):g} to {np.nanmax(height):g} mm do not fit "
            f"{encoding.dtype} with scale {encoding.scale:g} and offset {encoding.offset:g}; "
            "choose a larger scale or another offset"
        )
    stored[~known] = UNKNOWN if counts else np.nan
    return stored.astype(encoding.dtype)


def decode_height(stored: npt.NDArray[Any], encoding: HeightEncoding) -> FloatArray:
    """Stored values as heights in mm, NaN where unknown."""
    height = stored.astype(np.float32) * np.float32(encoding.scale) + np.float32(encoding.offset)
    if encoding.dtype == "uint16":
        height[stored == UNKNOWN] = np.nan
    return np.asarray(height, dtype=np.float32)


def write_png(path: Path, labels: LabelArray) -> None:
    """Write labels as a 16-bit gray PNG, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    import cv2

    done, data = cv2.imencode(".png", labels)
    if not done:
        raise OSError(f"{path.name}: the labels cannot be encoded")

    def write(file: BinaryIO) -> None:
        file.write(data.data)

    write_whole(path, write)


def read_png(path: Path) -> LabelArray:
    """Read a 16-bit gray PNG.

    Raises:
        SourceError: it cannot be read, or is something else.
    """
    import cv2

    try:
        data = np.fromfile(path, np.uint8)
        whole = data.tobytes().endswith(_PNG_END)
        labels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if whole else None
    except (OSError, cv2.error) as error:
        raise SourceError(f"{path}: the true labels cannot be read: {error}") from error
    if labels is None or labels.ndim != 2 or labels.dtype != np.uint16:
        raise SourceError(f"{path}: expected a whole 16-bit gray PNG of true labels")
    return np.asarray(labels, dtype=np.uint16)
