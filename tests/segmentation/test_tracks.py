"""Objects across frame borders come out once, as they would of the uncut strip."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linescan.records import FloatArray
from linescan.whole import Cut, WholeObject
from tests.segmentation.strips import (
    FIRST_LINE,
    Cutter,
    as_uncut,
    cut,
    drawn,
    frames_of,
    section,
    uncut,
    web_map,
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


@settings(max_examples=100, deadline=None)
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


def boxes(found: Iterable[WholeObject]) -> list[tuple[int, int]]:
    return [(o.first_line - FIRST_LINE, o.line_count) for o in found]


def bar(rows: int, first: int, count: int, columns: slice = slice(2, 4)) -> FloatArray:
    strip = np.zeros((rows, 8), np.float32)
    strip[first : first + count, columns] = 1.0
    return strip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3.0), st.floats(0, 15))
@example(5687, 1.0, 1.3125)
def test_frames_at_other_array_rows(seed: int, step: float, overlap: float) -> None:
    """Rows of one frame lie between those of the next, as with real resolutions.

    However many borders cut a bar, its area is right to the row at each of its two ends.
    """
    rng = np.random.default_rng(seed)
    rows, shared = 30, overlap * step
    bars = [(rng.uniform(5, 100), rng.uniform(40, 140), column) for column in range(0, 40, 4)]
    cutter, first = Cutter(int(np.ceil(shared)), section()), 0.0
    while first < 260 * step:
        centre = first / step + np.arange(rows) + 0.5
        height = np.zeros((rows, 40), np.float32)
        for start, length, column in bars:
            inside = (centre >= start) & (centre < start + length)
            height[inside, column : column + 3] = 1.0
        cutter.take(height, web_map(first / step, step))
        first += rows * step - shared
    found = sorted(cutter.close(), key=lambda o: o.first_column)
    assert len(found) == len(bars)
    for one, (_, length, column) in zip(found, bars, strict=True):
        assert (one.first_column, one.column_count) == (2 * column, 6)
        assert one.area_px / (6 * step) == pytest.approx(length, abs=1.01)


def test_what_joins_late_keeps_the_older_identity() -> None:
    strip = drawn(U_SHAPE)
    cutter = Cutter(1, section())
    for first, end in frames_of(len(strip), 3, 1):
        cutter.take(strip[first:end], web_map(first))
    (found,) = cutter.close()
    assert (found.track, found.merged, found.cut) == (1, (2,), Cut.NONE)


def test_the_ends_of_a_run_cut() -> None:
    whole, long = bar(12, 3, 6), bar(12, 0, 12)
    assert [o.cut for o in cut(whole, 4, 1)] == [Cut.NONE]
    assert [o.cut for o in cut(long, 4, 1)] == [Cut.START | Cut.END]


def test_nothing_is_complete_twice_or_late() -> None:
    """An object comes with the first frame that shows it cannot go on; the rest at the end."""
    cutter = Cutter(2, section())
    strip = bar(20, 2, 3) + bar(20, 9, 9, slice(5, 7))
    given_after = []
    for first, end in frames_of(len(strip), 8, 2):
        cutter.take(strip[first:end], web_map(first))
        given_after.append(boxes(cutter.objects()))
    assert given_after == [[(2, 3)], [(2, 3)], [(2, 3), (9, 9)]]
    assert boxes(cutter.close()) == [(2, 3), (9, 9)]


def test_lost_frames_cut() -> None:
    """The objects at both sides of the gap are parts; what does not reach it is whole."""
    strip = bar(30, 2, 26) + bar(30, 3, 2, slice(6, 8))
    cutter = Cutter(2, section())
    for first in (0, 6, 18, 24):  # the frame at 12 is lost: lines 14 to 17 are missing
        cutter.take(strip[first : first + 8], web_map(first))
    found = cutter.close()
    assert boxes(found) == [(2, 12), (3, 2), (18, 10)]
    assert [o.cut for o in found] == [Cut.GAP, Cut.NONE, Cut.GAP]


@pytest.mark.parametrize("lost", [slice(3, 5), slice(6, 9), slice(10, 12)])
def test_lost_rows_cut(lost: slice) -> None:
    """Wherever the rows are missing: inside a frame, in what frames share, at the end of one."""
    strip, valid = bar(24, 2, 20), np.ones(24, np.bool_)
    valid[lost] = False
    strip[lost] = 0
    cutter = Cutter(3, section())
    for first, end in frames_of(len(strip), 9, 3):
        cutter.take(strip[first:end], web_map(first), valid[first:end])
    found = cutter.close()
    assert boxes(found) == [(2, lost.start - 2), (lost.stop, 22 - lost.stop)]
    assert [o.cut for o in found] == [Cut.GAP, Cut.GAP]


def test_padding_at_the_end_is_no_gap() -> None:
    strip, valid = bar(16, 6, 6), np.arange(16) < 12
    cutter = Cutter(2, section())
    cutter.take(strip[:9], web_map(0))
    cutter.take(strip[7:], web_map(7), valid[7:])
    (found,) = cutter.close()
    assert (boxes([found]), found.cut) == ([(6, 6)], Cut.END)


def test_an_endless_thing_is_closed_and_goes_on_as_another() -> None:
    cutter = Cutter(2, section(tracks={"max_lines": 20}))
    strip, longest = bar(100, 0, 100), 0
    for first, end in frames_of(len(strip), 8, 2):
        cutter.take(strip[first:end], web_map(first))
        longest = max(longest, len(cutter.tracks.state.tail.tracks))  # type: ignore[union-attr]
    found = cutter.close()
    assert longest == 1
    assert sum(o.line_count for o in found) == 100
    assert sum(o.area_px for o in found) == 400
    assert [o.first_line for o in found[1:]] == [o.first_line + o.line_count for o in found[:-1]]
    assert all(20 <= o.line_count < 28 for o in found[:-1])
    assert found[0].cut == Cut.START | Cut.LENGTH
    assert {o.cut for o in found[1:-1]} == {Cut.LENGTH}
    assert found[-1].cut == Cut.LENGTH | Cut.END
    assert len({o.track for o in found}) == len(found)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_no_more_are_open_than_may_be_and_nothing_is_lost(seed: int, most: int) -> None:
    """However many there are; each web line of each still counts once."""
    rng = np.random.default_rng(seed)
    strip = np.zeros((40, 40), np.float32)
    for column in range(0, 40, 2):
        first = int(rng.integers(0, 30))
        strip[first : first + int(rng.integers(2, 10)), column] = 1.0
    cutter = Cutter(2, section(tracks={"max_open": most}))
    for first, end in frames_of(len(strip), 8, 2):
        cutter.take(strip[first:end], web_map(first))
        assert len(cutter.tracks.state.tail.tracks) <= most  # type: ignore[union-attr]
    found = cutter.close()
    assert sum(o.area_px for o in found) == 2 * strip.sum()
    parts = [o for o in found if Cut.COUNT in o.cut]
    assert parts or len(found) == len(uncut(strip))


@settings(max_examples=15, deadline=None)
@given(strips(), st.integers(2, 12), st.integers(0, 6))
def test_goes_on_from_what_was_remembered(strip: FloatArray, frame: int, overlap: int) -> None:
    """Another one that takes over the state after each frame gives the same."""
    overlap = min(overlap, frame // 2)
    here = Cutter(overlap, section())
    for first, end in frames_of(len(strip), frame, overlap):
        there = Cutter(overlap, section())
        there.tracks.state, there.complete = here.tracks.state, here.complete
        there.take(strip[first:end], web_map(first))
        here = there
    assert here.close() == cut(strip, frame, overlap)


def test_small_parts_of_a_large_object_count() -> None:
    """Neither the least area nor the threshold is asked of a part that a border cut off."""
    strip = bar(20, 7, 6)
    strip[9:12, 2:4] = 0.45  # between the low threshold and the high one
    found = cut(strip, 8, 0, min_area_px=10, hysteresis=0.5)
    assert boxes(found) == [(7, 6)]
    assert cut(bar(20, 7, 2), 8, 0, min_area_px=10) == ()


def test_shapes() -> None:
    """Judged on the whole object: a bar that borders cut into squares is still a bar."""
    strip = bar(40, 3, 24, slice(1, 3)) + bar(40, 10, 2, slice(5, 7))
    everything = cut(strip, 6, 2)
    assert [round(o.elongation) for o in everything] == [6, 2]  # a pixel is two columns wide
    assert [o.extent for o in everything] == pytest.approx([1, 1])
    slim = cut(strip, 6, 2, shape={"min_elongation": 4})
    assert boxes(slim) == [(3, 24)]
    small = cut(strip, 6, 2, shape={"max_area_px": 10, "min_height": 0.9})
    assert boxes(small) == [(10, 2)]
    assert cut(strip, 6, 2, shape={"min_height": 1.1}) == ()
    ring = drawn(RING)
    assert len(cut(ring, 4, 1)) == 2
    assert len(cut(ring, 4, 1, shape={"min_extent": 0.9})) == 1


def test_millimetres() -> None:
    cutter = Cutter(1, section(shape={"min_area_mm2": 0.5, "max_area_mm2": 2.0}))
    web = dataclasses.replace(web_map(0), mm_per_line=0.5, mm_per_column=0.25)
    strip = bar(8, 1, 4) + bar(8, 2, 1, slice(5, 6))
    cutter.take(strip, web)
    (found,) = cutter.close()
    assert found.area_px == 16
    assert found.area_mm2 == pytest.approx(16 * 0.5 * 0.25)
    assert found.volume_mm3 == pytest.approx(16 * 0.5 * 0.25 * 1e-3)  # 1 um high
    assert found.elongation == pytest.approx(2)  # 4 lines of 0.5 by 4 columns of 0.25 mm
