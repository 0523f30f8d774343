"""Contact sheets: each tile in its place and proportions; signs in colours of their own."""

from __future__ import annotations

import numpy as np

from linescan.pictures.colours import PAPER, RAISED, SUNK, BgrArray
from linescan.pictures.sheet import (
    GAP,
    LONGEST_TILE,
    TEXT,
    TILE_WIDTH,
    SheetRow,
    render_sheet,
    render_signed,
)

HEAD = 3 * TEXT
TOP = 2 * TEXT + GAP


def tile(colour: tuple[int, int, int]) -> BgrArray:
    return np.full((40, 50, 3), colour, np.uint8)


def test_tiles_stand_side_by_side_in_the_proportions_asked_for() -> None:
    row = SheetRow("one", (100, 200), (tile((0, 0, 255)), tile((0, 255, 0))))
    sheet = render_sheet(["a", "b"], [row, row])
    high = TILE_WIDTH // 2
    assert sheet.shape == (HEAD + 2 * (TOP + high + GAP), 2 * (TILE_WIDTH + GAP) + GAP, 3)
    for n in range(2):
        top = HEAD + n * (TOP + high + GAP) + TOP
        assert (sheet[top : top + high, GAP : GAP + TILE_WIDTH] == (0, 0, 255)).all()
        assert (sheet[top : top + high, 2 * GAP + TILE_WIDTH : -GAP] == (0, 255, 0)).all()
        assert (sheet[top + high : top + high + GAP] == PAPER).all()


def test_a_long_tile_is_made_narrower() -> None:
    sheet = render_sheet(["a"], [SheetRow("", (1000, 100), (tile((255, 255, 255)),))])
    assert sheet.shape[0] == HEAD + TOP + LONGEST_TILE + GAP
    assert (sheet[-GAP - LONGEST_TILE : -GAP, GAP : GAP + LONGEST_TILE // 10] == 255).all()
    assert (sheet[-GAP - LONGEST_TILE : -GAP, GAP + LONGEST_TILE // 10 :] == PAPER).all()


def test_a_long_text_widens_the_sheet() -> None:
    row = SheetRow("a very long caption, " * 12, (10, 10), (tile((9, 9, 9)),))
    sheet = render_sheet(["short"], [row])
    assert sheet.shape[1] > 3 * TILE_WIDTH
    assert (sheet[HEAD : HEAD + TOP, -GAP:] == PAPER).all()


def test_signs_have_their_colours_and_zero_is_dark() -> None:
    values = np.array([[-2.0, -1.0, 0.0, 0.5, 1.0]], np.float32)
    picture = render_signed(values, limit=1.0)[0]
    expected = [SUNK, SUNK, PAPER, np.rint(np.add(PAPER, RAISED) / 2), RAISED]
    np.testing.assert_array_equal(picture, np.array(expected, np.uint8))
