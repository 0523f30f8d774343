"""Rows of equal travel: exact where lines lie on rows, the same however blocks are cut, honest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.correction.resample import MOST_RUNS, Resample
from linescan.errors import CalibrationError
from linescan.records import BlockFlag, Cause, Interval, LineBlock, Loss
from tests.correction.webs import (
    Item,
    blocks,
    check_account,
    feed,
    flags_of,
    lost_lines,
    picture,
    rows_of,
)

TICKS = 10
"""Ticks of a row in these tests."""
unhurried = settings(deadline=None)
steps = st.lists(
    st.one_of(st.integers(0, 25), st.integers(-40, 60), st.sampled_from([0, 10, -10, 500, 4])),
    min_size=1,
    max_size=120,
)
cuts = st.lists(st.integers(1, 119), max_size=12)
intervals = st.builds(Interval, st.integers(1, 119), st.integers(1, 15))
holes = st.lists(intervals, max_size=3)
causes = st.sampled_from([Cause.QUEUE_OVERFLOW, Cause.RECONNECT])


def resample(items: list[Item], **options: float) -> list[Item]:
    return list(feed(Resample(TICKS, **options), items))


@unhurried
@given(st.integers(1, 200), cuts, holes, st.integers(0, 10**9), st.integers(-(10**6), 10**12))
def test_constant_speed_gives_the_lines_themselves(
    count: int, cutting: list[int], lost: list[Interval], first: int, tick: int
) -> None:
    ticks = tick + TICKS * np.arange(count, dtype=np.int64)
    lost = [run for run in lost if run.first > 0]
    items = blocks(ticks, cutting, lost=lost, first=first)
    output = resample(items)
    expected = {
        b.first_line + k: (tuple(b.pixels[k].tolist()), int(ticks[b.first_line - first + k]))
        for b in items
        if isinstance(b, LineBlock)
        for k in range(b.valid_rows)
    }
    assert rows_of(output) == expected
    assert [x for x in output if isinstance(x, Loss)] == [x for x in items if isinstance(x, Loss)]
    assert flags_of(output) == []
    for block in output:
        if isinstance(block, LineBlock):
            assert block.lines() == (block.rows(),), "each row carries its own line"


@unhurried
@given(steps, cuts, holes, causes)
def test_any_cutting_gives_the_same_rows(
    moves: list[int], cutting: list[int], lost: list[Interval], cause: Cause
) -> None:
    ticks = np.cumsum(moves)
    whole = resample(blocks(ticks, lost=lost, cause=cause))
    cut = resample(blocks(ticks, cutting, lost=lost, cause=cause))
    assert rows_of(whole) == rows_of(cut)
    for what in Cause:
        assert lost_lines(whole, what) == lost_lines(cut, what)


@unhurried
@given(steps, cuts, holes, causes, st.integers(1, 30), st.data())
def test_every_line_is_carried_once_or_lost(
    moves: list[int],
    cutting: list[int],
    lost: list[Interval],
    cause: Cause,
    rows: int,
    data: st.DataObject,
) -> None:
    items = blocks(np.cumsum(moves), cutting, lost=lost, cause=cause)
    overlap = data.draw(st.integers(0, rows // 2))
    check_account(items, resample(items), rows, overlap)


@unhurried
@given(steps, cuts, holes, causes, st.integers(0, 30))
def test_a_restored_stage_goes_on_as_the_first_would(
    moves: list[int], cutting: list[int], lost: list[Interval], cause: Cause, at: int
) -> None:
    items = blocks(np.cumsum(moves), cutting, lost=lost, cause=cause)
    one, other = Resample(TICKS), Resample(TICKS)
    for item in items[:at]:
        list(one.skip(item) if isinstance(item, Loss) else one.process(item))
    state = one.snapshot()
    expected = list(feed(one, items[at:]))
    other.restore(state)
    output = list(feed(other, items[at:]))
    assert rows_of(output) == rows_of(expected)
    assert flags_of(output) == flags_of(expected)


@unhurried
@given(st.integers(0, 10**6), st.floats(1.5, 25), cuts)
def test_a_sine_taken_unevenly_comes_back(seed: int, mean: float, cutting: list[int]) -> None:
    # Lines 0.075 to 3.75 rows apart; the sine's period is 61 rows.
    rng = np.random.default_rng(seed)
    ticks = np.cumsum(np.rint(rng.uniform(0.5 * mean, 1.5 * mean, 300)).astype(np.int64))
    rows = rows_of(resample(blocks(ticks, cutting), max_gap=4))
    assert list(rows) == list(range(len(rows)))
    places = np.array([tick for _, tick in rows.values()])
    assert (np.diff(places) == TICKS).all()
    inside = (places > ticks[0]) & (places < ticks[-1])
    found = np.array([pixels for pixels, _ in rows.values()])[inside].astype(float)
    true = picture(places[inside]).astype(float)
    # Linear interpolation errs by at most h²·max|f''|/8, the mean over a row by row²·max|f''|/24.
    bend = 20000 / 97**2
    bound = bend * (np.diff(ticks).max() ** 2 / 8 + TICKS**2 / 24) + 1
    assert np.abs(found - true).max() <= bound


def test_many_lines_a_row_are_averaged() -> None:
    # Fine stripes of 2.5 ticks period: seen at points they would alias, their mean is gray.
    ticks = np.arange(2000)
    stripes = np.where(ticks[:, None] % 2 == 0, 200, 0).astype(np.uint8)
    (block,) = [
        b
        for b in resample([LineBlock(stripes, 0, 2000, 0, encoder=ticks)])
        if isinstance(b, LineBlock) and b.valid_rows > 100
    ]
    assert np.abs(block.pixels[1:-1].astype(int) - 100).max() <= 1
    assert block.lines() == (Interval(0, 1995),)


def test_a_web_that_runs_back_is_flagged_and_not_given_twice() -> None:
    there = TICKS * np.arange(50)
    back = there[-1] - TICKS * np.arange(1, 31)
    again = back[-1] + TICKS * np.arange(1, 61)
    output = resample(blocks(np.concatenate((there, back, again)), [20, 60, 90]))
    rows = rows_of(output)
    assert list(rows) == list(range(80))
    assert all(pixels == tuple(picture(np.array([t]))[0]) for pixels, t in rows.values())
    # One row back is jitter: the line 48 and its like belong to the furthest row.
    assert lost_lines(output, Cause.REVERSED_TRAVEL) == list(range(51, 108))
    assert set(flags_of(output)) == {"ENCODER_REVERSED"}


def test_trembling_in_place_is_standing_still() -> None:
    ticks = [0, 10, 20, *[21, 20, 19, 20] * 50, 30, 40]
    output = resample(blocks(ticks, range(1, 200)))
    assert list(rows_of(output)) == [0, 1, 2, 3, 4]
    assert not [x for x in output if isinstance(x, Loss)]
    carried = [b.lines() for b in output if isinstance(b, LineBlock)]
    assert sum(run.count for runs in carried for run in runs) == len(ticks)


def test_a_web_that_stands_still_takes_no_memory() -> None:
    stage = Resample(TICKS)
    list(stage.process(next(b for b in blocks([0, 10, 20]) if isinstance(b, LineBlock))))
    line = 3
    for _ in range(200):
        ticks = np.full(1000, 20)
        list(stage.process(LineBlock(picture(ticks), line, 1000, 0, encoder=ticks)))
        line += 1000
    held = stage.snapshot().open
    assert held is not None
    assert len(held.pixels) <= 3
    assert held.carried.tolist() == [[2, 200_001, 2]]


def test_trembling_that_is_no_jitter_takes_bounded_memory() -> None:
    stage = Resample(TICKS)
    output: list[Item] = []
    swing = np.tile([100, 60], 3000)
    items = blocks(swing, range(0, 6000, 500))
    for item in items:
        assert isinstance(item, LineBlock)
        output += stage.process(item)
        held = stage.snapshot().open
        assert held is not None
        assert len(held.carried) <= MOST_RUNS + 250
    output += stage.finish()
    check_account(items, output, 8, 2)


@pytest.mark.parametrize(("gap", "given_rows"), [(29, range(8)), (31, [0, 1, 2, 5, 6, 7])])
def test_travel_without_lines_is_a_hole_where_it_is_too_large(
    gap: int, given_rows: list[int]
) -> None:
    ticks = np.cumsum([0, 10, 10, gap, 10, 10])
    output = resample(blocks(ticks), max_gap=3)
    rows = rows_of(output)
    assert list(rows) == list(given_rows)
    assert flags_of(output) == (["TRAVEL_SKIPPED"] if gap > 30 else [])
    if gap > 30:
        flagged = [b.first_line for b in output if isinstance(b, LineBlock) and b.flags]
        assert flagged == [5]
        assert rows[2][0] == tuple(picture(ticks[2:3])[0]), "the last line itself"


def test_lost_lines_leave_a_hole_even_where_travel_is_small() -> None:
    output = resample(blocks(TICKS * np.arange(10), lost=[Interval(4, 2)]), max_gap=100)
    assert list(rows_of(output)) == [0, 1, 2, 3, 6, 7, 8, 9]
    assert flags_of(output) == []


def test_lost_lines_among_many_a_row_leave_no_hole() -> None:
    output = resample(blocks(2 * np.arange(100), lost=[Interval(41, 3)]))
    assert list(rows_of(output)) == list(range(21))


def test_a_counter_that_begins_anew_after_the_camera_was_away() -> None:
    items = [
        *blocks(1000 + TICKS * np.arange(20)),
        Loss(20, 30, Cause.RECONNECT),
        *blocks(TICKS * np.arange(20), first=50),
    ]
    output = resample(items)
    rows = rows_of(output)
    assert list(rows) == [*range(20), *range(21, 41)], "one row is left out"
    assert [tick for _, tick in rows.values()] == [*range(1000, 1200, 10), *range(0, 200, 10)]
    assert flags_of(output) == ["ENCODER_RESTARTED"]
    check_account(items, output, 8, 2)


def test_a_counter_that_goes_on_while_the_camera_is_away_shows_the_hole() -> None:
    items = [
        *blocks(TICKS * np.arange(20)),
        Loss(20, 30, Cause.RECONNECT),
        *blocks(TICKS * np.arange(50, 60), first=50),
    ]
    assert list(rows_of(resample(items))) == [*range(20), *range(50, 60)]


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.RECONNECT])
def test_a_lower_count_after_any_other_loss_is_a_web_that_ran_back(cause: Cause) -> None:
    items = [
        *blocks(TICKS * np.arange(20)),
        Loss(20, 30, cause),
        *blocks(TICKS * np.arange(10, 30), first=50),
    ]
    output = resample(items)
    assert next(x for x in output if isinstance(x, Loss)) == items[1], "passed on as it is"
    assert list(rows_of(output)) == list(range(30)), "no place is given twice"
    back = [line for line in lost_lines(output, Cause.REVERSED_TRAVEL) if line >= 50]
    assert back == list(range(50, 58)), "one row back is jitter"
    assert flags_of(output) == ["ENCODER_REVERSED"]
    check_account(items, output, 8, 2)


def test_a_loss_of_another_cause_does_not_hide_that_the_camera_was_away() -> None:
    items = [
        *blocks(1000 + TICKS * np.arange(20)),
        Loss(20, 30, Cause.RECONNECT),
        Loss(50, 10, Cause.RING_OVERFLOW),
        *blocks(TICKS * np.arange(20), first=60),
    ]
    assert flags_of(resample(items)) == ["ENCODER_RESTARTED"]


def test_a_counter_of_32_bits_that_wraps_goes_on() -> None:
    true = 2**32 - 55 + TICKS * np.arange(20)
    output = resample(blocks(true % 2**32, [3, 9]))
    assert list(rows_of(output)) == list(range(20))
    assert [tick for _, tick in rows_of(output).values()] == true.tolist()
    assert flags_of(output) == []


def test_a_wrong_tick_does_not_end_the_stream() -> None:
    ticks = TICKS * np.arange(30)
    ticks[10] += 10**9
    items = blocks(ticks, [5, 15])
    output = resample(items)
    assert len(rows_of(output)) == 30
    assert flags_of(output) == ["TRAVEL_SKIPPED", "ENCODER_RESTARTED"]
    check_account(items, output, 8, 2)


def test_ticks_that_fall_while_the_web_runs_forward() -> None:
    items = blocks(-TICKS * np.arange(10))
    output = list(feed(Resample(-TICKS), items))
    assert {row: tick for row, (_, tick) in rows_of(output).items()} == {
        row: -TICKS * row for row in range(10)
    }
    assert flags_of(output) == []


def test_another_width_begins_in_the_next_row() -> None:
    ticks = TICKS * np.arange(6)
    narrow = LineBlock(np.zeros((6, 3), np.uint8), 6, 6, 0, encoder=ticks + 60)
    items: list[Item] = [*blocks(ticks), narrow]
    output = resample(items)
    widths = [(b.rows(), b.pixels.shape[1]) for b in output if isinstance(b, LineBlock)]
    assert widths == [
        (Interval(0, 5), 5),
        (Interval(5, 1), 5),
        (Interval(6, 5), 3),
        (Interval(11, 1), 3),
    ]
    check_account(items, output, 8, 2)


def test_stale_rows_are_left_out_and_what_the_block_says_travels() -> None:
    (block,) = blocks(TICKS * np.arange(10))
    assert isinstance(block, LineBlock)
    given_block = dataclasses.replace(
        block, valid_rows=6, flat_field="ff-1", flags=BlockFlag.OVER_TRIGGER, host_time_ns=77
    )
    output = [b for b in resample([given_block]) if isinstance(b, LineBlock)]
    assert sum(b.valid_rows for b in output) == 6
    assert flags_of(list(output)) == ["OVER_TRIGGER"]
    assert {(b.flat_field, b.host_time_ns) for b in output} == {("ff-1", 77)}


@unhurried
@given(st.integers(1, 100), cuts)
def test_ticks_of_both_ends_stand_for_those_in_between(count: int, cutting: list[int]) -> None:
    items = blocks(TICKS * np.arange(count), cutting)
    bare: list[Item] = []
    for item in items:
        assert isinstance(item, LineBlock)
        assert item.encoder is not None
        ends = int(item.encoder[0]), int(item.encoder[-1])
        bare.append(dataclasses.replace(item, encoder=None, encoder_ends=ends))
    assert rows_of(resample(bare)) == rows_of(resample(items))


def test_blocks_are_let_go_of() -> None:
    (block,) = blocks(TICKS * np.arange(10))
    assert isinstance(block, LineBlock)
    stage = Resample(TICKS)
    output = [b for b in stage.process(block) if isinstance(b, LineBlock)]
    held = stage.snapshot().open
    assert held is not None
    for array in (held.pixels, held.block.pixels, *(b.pixels for b in output)):
        assert array.base is None, "a slot of the camera's ring is free once it was read"


def test_lines_without_ticks_are_refused() -> None:
    bare = LineBlock(np.zeros((3, 2), np.uint8), 7, 3, 0)
    with pytest.raises(CalibrationError, match="line 7 has no encoder tick: switch"):
        resample([bare])


@pytest.mark.parametrize("options", [(0.0,), (float("nan"),), (1.0, 0.5), (1.0, 3.0, -1.0)])
def test_settings_without_sense_are_refused(options: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="no rows of"):
        Resample(*options)
