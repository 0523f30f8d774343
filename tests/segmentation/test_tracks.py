"""Objects across frame borders come out once, as they would of the uncut strip."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.records import FloatArray
from tests.segmentation.strips import (
    as_uncut,
    cut,
    drawn,
    uncut,
)

U_SHAPE = """
    ..........
    .#......#.
    .#......#.
    .#......#.
    .#......#.
    .########.
    ..........
"""
RING = """
    ..........
    ..######..
    .#......#.
    .#..oo..#.
    .#..oo..#.
    ..######..
    ..........
"""
COMB = """
    #.#.#.#.#.
    #.#.#.#.#.
    #.#.#.#.#.
    ##########
    .#.#.#.#.#
    .#.#.#.#.#
    .#.#.#.#.#
"""
DIAGONAL = """
    #.........
    .#........
    ..#.....o.
    ...#...o..
    ....#.o...
    .....o....
    ....o.#...
"""


@st.composite
def strips(draw: st.DrawFn) -> FloatArray:
    """Blobs and noise of all sizes, raised and sunk, at random."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, columns = draw(st.integers(4, 60)), draw(st.integers(2, 24))
    density, grain = draw(st.floats(0.05, 0.7)), draw(st.integers(1, 5))
    coarse = rng.random((-(-rows // grain), -(-columns // grain))) < density
    mask = np.kron(coarse, np.ones((grain, grain), np.bool_))[:rows, :columns]
    heights = rng.uniform(1, 9, mask.shape).round(2)
    sides = np.kron(rng.random((-(-rows // 9), 1)) < 0.5, np.ones((9, columns)))[:rows]
    return np.asarray(np.where(mask, heights * (1 - 2 * sides), 0), np.float32)


def rounded(strip: FloatArray) -> list[object]:
    return [dataclasses.replace(o, total=round(o.total, 6)) for o in uncut(strip)]


@settings(max_examples=300, deadline=None)
@given(strips(), st.integers(2, 40), st.data())
def test_cut_anywhere_is_as_uncut(strip: FloatArray, frame: int, data: st.DataObject) -> None:
    """The same objects, with exactly the same boxes, areas, volumes and extremes."""
    overlap = data.draw(st.integers(0, frame // 2))
    found = cut(strip, frame, overlap)
    assert as_uncut(found) == rounded(strip)
    numbers = [o.track for o in found]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("pattern", [U_SHAPE, RING, COMB, DIAGONAL])
@pytest.mark.parametrize("upside_down", [False, True])
def test_shapes_that_join_late_are_one(pattern: str, upside_down: bool) -> None:
    strip = drawn(pattern)[:: -1 if upside_down else 1].copy()
    for frame in range(2, len(strip) + 1):
        for overlap in range(frame // 2 + 1):
            assert as_uncut(cut(strip, frame, overlap)) == uncut(strip), (frame, overlap)
