"""What a stretch of lines says of each column: mean, clipping, and how steady the light was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.errors import CalibrationError
from linescan.records import LineBlock, Loss

Floats = npt.NDArray[np.float64]

MOST_LEVELS: Final = 1 << 20
"""Most lines that are taken: a mean of more is no better, and their levels are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnStatistics:
    """Columns over many lines.

    Attributes:
        mean: (width,) float64, mean gray value of each column.
        clipped: (width,) float64, share of a column's pixels at full scale.
        levels: (lines,) float64, mean gray value of each line.
        bits: bits of a pixel value that are in use.
    """

    mean: Floats
    clipped: Floats
    levels: Floats
    bits: int

    @property
    def lines(self) -> int:
        """Number of lines."""
        return int(self.levels.size)

    @property
    def full_scale(self) -> int:
        """Largest gray value."""
        return (1 << self.bits) - 1

    @property
    def flicker(self) -> float:
        """Standard deviation of the lines' levels, as a share of their mean."""
        return float(self.levels.std() / max(self.levels.mean(), 1e-9))

    @property
    def drift(self) -> float:
        """How far the last quarter's level is from the first's, as a share of the mean."""
        quarter = max(self.lines // 4, 1)
        first, last = self.levels[:quarter].mean(), self.levels[-quarter:].mean()
        return float(abs(last - first) / max(self.levels.mean(), 1e-9))


def measure_columns(
    items: Iterable[LineBlock | Loss],
    bits: int,
    lines: int,
    progress: Callable[[int], None] = lambda _: None,
) -> ColumnStatistics:
    """Take lines from a source until there are enough, or the source ends.

    Args:
        items: blocks and losses; lost lines are left out.
        bits: bits of a pixel value that are in use.
        lines: so many are wanted; the last block is cut.
        progress: told the number of lines done, after each block.

    Raises:
        CalibrationError: no line came, or the width changed.
    """
    wanted = min(lines, MOST_LEVELS)
    sums: npt.NDArray[np.int64] | None = None
    clipped = np.zeros(0, np.int64)
    levels: list[Floats] = []
    count = 0
    for item in items:
        if isinstance(item, Loss):
            continue
        pixels = item.pixels[: min(item.valid_rows, wanted - count)]
        if sums is None:
            sums = np.zeros(pixels.shape[1], np.int64)
            clipped = np.zeros_like(sums)
        if pixels.shape[1] != sums.size:
            raise CalibrationError(
                f"line {item.first_line} has {pixels.shape[1]} pixels, the lines before had "
                f"{sums.size}: calibrate with one width"
            )
        sums += pixels.sum(axis=0, dtype=np.int64)
        clipped += (pixels >= (1 << bits) - 1).sum(axis=0)
        levels.append(pixels.mean(axis=1, dtype=np.float64))
        count += len(pixels)
        progress(count)
        if count >= wanted:
            break
    if sums is None or not count:
        raise CalibrationError("the source gave no lines")
    return ColumnStatistics(sums / count, clipped / count, np.concatenate(levels), bits)
