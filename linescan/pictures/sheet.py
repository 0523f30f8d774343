"""A contact sheet: rows of pictures under common headings, each row with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linescan.pictures.colours import FAINT, INK, PAPER, RAISED, SUNK, BgrArray
from linescan.pictures.drawing import Pen
from linescan.pictures.opencv import load_cv2
from linescan.records import FloatArray

TILE_WIDTH = 300
"""Pixels across each picture of a sheet."""
LONGEST_TILE = 450
"""Most pixels along it; longer pictures are made narrower."""
GAP = 8
TEXT = 11
"""Height of capitals in pixels."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """Pictures side by side, and a line of text above them.

    Attributes:
        caption: the text.
        proportions: rows and width in which the pictures are drawn.
        tiles: (rows, width, 3) uint8 each, of any size.
    """

    caption: str
    proportions: tuple[int, int]
    tiles: tuple[BgrArray, ...]


def render_sheet(headings: Sequence[str], rows: Sequence[SheetRow]) -> BgrArray:
    """Lay rows below each other, the headings above all of them.

    Args:
        headings: one for each column.
        rows: at least one; each with a tile a column.

    Returns:
        (rows, width, 3) uint8.
    """
    pen = Pen(TEXT, 1)
    width = max(TILE_WIDTH, *(pen.extent(heading)[0] for heading in headings))
    captions = max(pen.extent(row.caption)[0] for row in rows)
    whole = max(len(headings) * (width + GAP) + GAP, captions + 2 * GAP)
    head: BgrArray = np.full((3 * TEXT, whole, 3), PAPER, np.uint8)
    for column, heading in enumerate(headings):
        pen.write(head, heading, (GAP + column * (width + GAP), 2 * TEXT), INK)
    return np.vstack([head, *(_row(row, width, whole, pen) for row in rows)])


def render_signed(values: FloatArray, limit: float) -> BgrArray:
    """Values of either sign: azure below 0, amber above, dark at 0, full colour at ``limit``.

    Args:
        values: (h, w), finite.
        limit: larger values take the full colour as well.

    Returns:
        (h, w, 3) uint8.
    """
    share = np.clip(values / np.float32(limit), -1.0, 1.0)[:, :, None]
    full = np.where(share > 0, np.asarray(RAISED, np.float32), np.asarray(SUNK, np.float32))
    dark = np.asarray(PAPER, np.float32)
    return np.asarray(np.rint(dark + np.abs(share) * (full - dark)), np.uint8)


def _row(row: SheetRow, width: int, whole: int, pen: Pen) -> BgrArray:
    cv2 = load_cv2()
    height, across = row.proportions
    factor = min(width / across, LONGEST_TILE / height)
    size = (max(1, round(across * factor)), max(1, round(height * factor)))
    top = 2 * TEXT + GAP
    canvas: BgrArray = np.full((top + size[1] + GAP, whole, 3), PAPER, np.uint8)
    pen.write(canvas, row.caption, (GAP, top - GAP), FAINT)
    for column, tile in enumerate(row.tiles):
        left = GAP + column * (width + GAP)
        how = cv2.INTER_AREA if tile.shape[1] > size[0] else cv2.INTER_CUBIC
        drawn = cv2.resize(tile, size, interpolation=how)
        canvas[top : top + size[1], left : left + size[0]] = drawn
    return canvas
