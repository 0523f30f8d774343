"""Which part of the web a picture shows, and how arrays of any resolution are laid on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.pictures.opencv import load_cv2
from linescan.records import BoolArray, FloatArray, WebMap

SHORTEST = 640
"""Pictures are enlarged until their shorter side has about so many pixels: text stays legible."""
LONGEST = 2048
"""Heat maps are not made larger than this."""


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the web, in camera pixels, and the size of the picture that shows it.

    ``top`` and ``left`` are edges, not centres: camera line n reaches from n - 0.5 to n + 0.5.
    """

    top: float
    left: float
    lines: float
    columns: float
    height: int
    width: int

    @classmethod
    def of_image(cls, first_line: int, rows: int, columns: int) -> View:
        """A frame, pixel by pixel; a small one is enlarged by a whole factor."""
        zoom = max(1, -(-SHORTEST // max(1, min(rows, columns))))
        zoom = max(1, min(zoom, LONGEST // max(1, rows, columns)))
        return cls(first_line - 0.5, -0.5, rows, columns, rows * zoom, columns * zoom)

    @classmethod
    def of_map(cls, shape: tuple[int, int], web: WebMap) -> View:
        """All of a depth map, in the proportions of the frame."""
        lines, columns = shape[0] * web.line_step, shape[1] * web.column_step
        factor = max(1.0, SHORTEST / min(lines, columns))
        factor = min(factor, LONGEST / max(lines, columns))
        return cls(
            web.line_offset - web.line_step / 2,
            web.column_offset - web.column_step / 2,
            lines,
            columns,
            max(1, round(lines * factor)),
            max(1, round(columns * factor)),
        )

    def at(self, line: float, column: float) -> tuple[float, float]:
        """Picture coordinates (y, x), in edges, of an edge on the web."""
        y = (line - self.top) * self.height / self.lines
        return y, (column - self.left) * self.width / self.columns

    def lay(self, array: npt.NDArray[Any], web: WebMap, *, smooth: bool) -> npt.NDArray[Any]:
        """Resample an array of the web to the picture, linearly or by nearest neighbour."""
        cv2 = load_cv2()
        rows_per_px = self.lines / self.height / web.line_step
        columns_per_px = self.columns / self.width / web.column_step
        # Centre of picture pixel 0 on the web, then in array pixels.
        row = (self.top - web.line_offset) / web.line_step + rows_per_px / 2
        column = (self.left - web.column_offset) / web.column_step + columns_per_px / 2
        matrix = np.array([[columns_per_px, 0.0, column], [0.0, rows_per_px, row]])
        how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
        laid = cv2.warpAffine(
            np.ascontiguousarray(array),
            matrix,
            (self.width, self.height),
            flags=how | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(laid)


def lay_depth(view: View, values: FloatArray, web: WebMap) -> tuple[FloatArray, BoolArray]:
    """A depth map on the picture, and which of the picture's pixels it is known for."""
    finite = np.isfinite(values)
    known = view.lay(finite.astype(np.uint8), web, smooth=False) > 0
    return view.lay(_filled(values, finite), web, smooth=True), known


def _filled(values: FloatArray, finite: BoolArray) -> FloatArray:
    """Unknown rows take the nearest known row, other unknown pixels the median."""
    if finite.all():
        return values
    if not finite.any():
        return np.zeros_like(values)
    rows = np.flatnonzero(finite.any(axis=1))
    every = np.arange(values.shape[0])
    after = np.clip(np.searchsorted(rows, every), 0, rows.size - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.where(every - rows[before] < rows[after] - every, rows[before], rows[after])
    full = values[nearer]
    median = np.float32(np.median(values[finite]))
    return np.where(np.isfinite(full), full, median).astype(np.float32)
