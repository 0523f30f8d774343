"""The parts of camera acquisition that need no camera: numbering, clocks, formats, the ring."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linescan.errors import SourceError
from linescan.records import Cause, Loss
from linescan.sources.genicam import ring as ring_module
from linescan.sources.genicam.clock import HostClock
from linescan.sources.genicam.messages import Block, Evidence, Handed
from linescan.sources.genicam.numbering import LineNumbers
from linescan.sources.genicam.payload import layout_of
from linescan.sources.genicam.ring import Ring, slots_for
from linescan.sources.genicam.tracks import COUNTER_WRAPS, ID_WRAPS, Track


@given(
    start=st.integers(1, 65535),
    steps=st.lists(st.integers(1, 100), max_size=30),
    wraps=st.booleans(),
)
@example(start=65535, steps=[1], wraps=True)
def test_ids_are_followed_across_the_wrap_of_16_bits(
    start: int, steps: list[int], wraps: bool
) -> None:
    ids = Track(ID_WRAPS)
    count = start
    ids.follow(count, 1, believed=True)
    for step in steps:
        count += step
        value = (count - 1) % 65535 + 1 if wraps else count
        assert ids.ahead(value, 200) == step - 1
        ids.follow(value, 1, believed=True)


def test_a_counter_of_lines_wraps_within_a_block() -> None:
    counter = Track(COUNTER_WRAPS)
    counter.follow(2**32 - 10, 64, believed=True)
    assert counter.ahead(54, 500) == 0
    assert counter.ahead(60, 500) == 6


def test_ids_that_count_from_zero_wrap_to_zero() -> None:
    ids = Track(ID_WRAPS)
    ids.follow(0, 1, believed=True)
    ids.follow(65535, 1, believed=True)
    assert ids.ahead(0, 10) == 0
    assert ids.ahead(1, 10) == 1


def test_garbage_is_not_believed_unless_it_goes_on() -> None:
    counter = Track(COUNTER_WRAPS)
    counter.follow(1000, 64, believed=True)
    assert counter.ahead(10**9, 500) is None
    counter.follow(10**9, 64, believed=False)
    assert counter.ahead(1128, 500) == 0, "one value was wrong, the count goes on"
    assert counter.ahead(10**9 + 64, 500) == 0, "or it has been set anew"
    counter.follow(10**9 + 64, 64, believed=True)
    assert counter.ahead(10**9 + 128, 500) == 0
    assert counter.ahead(1192, 500) is None


def seen(n: int, **given: Any) -> Block:
    """Block n of a camera with 1000 lines a second, 100 a block."""
    standard = {"rows": 100, "host_ns": 0, "at_ns": n * 10**8, "block_id": n + 1}
    return Block(Handed.WHOLE, Evidence(**(standard | given)), 0)


def numbered(*blocks: Block, **options: Any) -> tuple[list[Loss], list[int]]:
    numbers = LineNumbers(100, 1000.0, **options)
    losses: list[Loss] = []
    firsts: list[int] = []
    for block in blocks:
        placed = numbers.place(block)
        if placed is not None:
            losses += placed.losses
            firsts.append(placed.first_line)
    return losses, firsts


@pytest.mark.parametrize("wild", [2**40, 2**31, 40_000, 0])
def test_a_wild_block_id_invents_no_loss(wild: int) -> None:
    blocks = [seen(n, block_id=wild if n == 5 else n + 1) for n in range(12)]
    losses, firsts = numbered(*blocks)
    assert losses == []
    assert firsts == list(range(0, 1200, 100))


def test_a_wild_line_counter_leaves_it_to_the_ids() -> None:
    blocks = [
        seen(n, counter=10**12 if n == 5 else 100 * n, rows=100) for n in range(12) if n not in (4,)
    ]
    losses, firsts = numbered(*blocks)
    assert losses == [Loss(400, 100, Cause.CAMERA_GAP)]
    assert firsts[-1] == 1100


def test_a_line_counter_set_to_zero_is_followed_from_there() -> None:
    blocks = [seen(n, counter=100 * n if n < 5 else 100 * (n - 5)) for n in range(12) if n != 8]
    losses, _ = numbered(*blocks)
    assert losses == [Loss(800, 100, Cause.CAMERA_GAP)]


def test_short_blocks_make_the_number_of_missing_lines_an_estimate_without_a_counter() -> None:
    blocks = [seen(n, rows=40 if n == 2 else 100) for n in range(12) if n != 7]
    losses, _ = numbered(*blocks)
    assert losses == [Loss(640, 100, Cause.CAMERA_GAP, estimated=True)]


def test_an_encoder_that_triggers_counts_the_lines() -> None:
    ticks = [(400 * n, 400 * n + 396) for n in range(12)]
    blocks = [seen(n, block_id=None, ticks=ticks[n]) for n in range(12) if n != 6]
    losses, _ = numbered(*blocks, triggered=True)
    assert losses == [Loss(600, 100, Cause.CAMERA_GAP)]
    losses, _ = numbered(*blocks)
    assert losses == [Loss(600, 100, Cause.CAMERA_GAP, estimated=True)]


@pytest.mark.parametrize("best", ["auto", "clock"])
def test_after_a_reconnect_the_clock_tells_where_nothing_else_does(best: Any) -> None:
    numbers = LineNumbers(100, 1000.0, best=best)
    for n in range(5):
        numbers.place(seen(n))
    numbers.reconnect()
    placed = numbers.place(seen(25, block_id=1))
    assert placed is not None
    assert placed.losses == (Loss(500, 2000, Cause.RECONNECT, estimated=True),)


def reconnected(*before: Block, after: Block) -> tuple[Loss, ...]:
    """Losses between two streams."""
    numbers = LineNumbers(100, 1000.0)
    for block in before:
        numbers.place(block)
    numbers.reconnect()
    placed = numbers.place(after)
    assert placed is not None
    return placed.losses


def test_a_line_counter_that_goes_on_over_a_reconnect_is_exact() -> None:
    before = [seen(n, counter=1000 + 100 * n) for n in range(5)]
    losses = reconnected(*before, after=seen(25, counter=3500))
    assert losses == (Loss(500, 2000, Cause.RECONNECT),)


@pytest.mark.parametrize("first", [0, 60_000, 10**6])
def test_a_line_counter_that_begins_anew_with_the_camera_leaves_it_to_the_clock(
    first: int,
) -> None:
    """From 60,000 to 0 looks like a wrap of 16 bits, but none was ever seen."""
    before = [seen(n, counter=first + 100 * n) for n in range(5)]
    losses = reconnected(*before, after=seen(85, counter=0))
    assert losses == (Loss(500, 8000, Cause.RECONNECT, estimated=True),)


def test_a_counter_of_16_bits_is_followed_over_a_short_absence_only() -> None:
    before = [seen(n, counter=(65_400 + 100 * n) % 65_536) for n in range(5)]
    short = reconnected(*before, after=seen(25, counter=(65_400 + 2500) % 65_536))
    assert short == (Loss(500, 2000, Cause.RECONNECT),)
    after = seen(2005, counter=(65_400 + 200_500) % 65_536)
    assert reconnected(*before, after=after) == (Loss(500, 200_000, Cause.RECONNECT, True),)


@given(incomplete=st.integers(0, 5), under_run=st.integers(0, 5), more=st.integers(0, 5))
def test_a_gap_is_explained_to_the_line(incomplete: int, under_run: int, more: int) -> None:
    missing = incomplete + under_run + more
    lost = [Block(Handed.INCOMPLETE, None)] * incomplete
    losses, firsts = numbered(
        seen(0), seen(1), *lost, seen(2 + missing, under_runs=under_run), seen(3 + missing)
    )
    counts = {loss.cause: loss.count // 100 for loss in losses}
    wanted = {
        Cause.INCOMPLETE_BLOCK: incomplete,
        Cause.UNDER_RUN: under_run,
        Cause.CAMERA_GAP: more,
    }
    assert counts == {cause: count for cause, count in wanted.items() if count}
    assert firsts[-1] == 300 + 100 * missing


def test_an_under_run_that_is_counted_early_explains_the_next_gap() -> None:
    losses, _ = numbered(
        seen(0), seen(1, under_runs=2), seen(4, under_runs=2), seen(6, under_runs=2)
    )
    assert losses == [Loss(200, 200, Cause.UNDER_RUN), Loss(500, 100, Cause.CAMERA_GAP)]


@pytest.mark.parametrize(("first_id", "cause"), [(1, Cause.UNDER_RUN), (3, Cause.CAMERA_GAP)])
def test_under_runs_that_a_new_stream_began_with_are_told_apart_by_its_first_id(
    first_id: int, cause: Cause
) -> None:
    """Two were counted when the first block was fetched: behind block 1, or before block 3."""
    numbers = LineNumbers(100, 1000.0)
    numbers.place(seen(0))
    numbers.reconnect()
    numbers.place(seen(10, block_id=first_id, under_runs=2))
    placed = numbers.place(seen(13, block_id=first_id + 3, under_runs=2))
    assert placed is not None
    assert placed.losses == (Loss(placed.first_line - 200, 200, cause),)


def test_incomplete_blocks_at_the_end_are_lost() -> None:
    numbers = LineNumbers(100, 1000.0)
    numbers.place(seen(0))
    numbers.place(Block(Handed.INCOMPLETE, None))
    assert numbers.finish() == (Loss(100, 100, Cause.INCOMPLETE_BLOCK, estimated=True),)
    assert numbers.finish() == ()


@given(drift=st.integers(-100, 100), delays=st.lists(st.integers(0, 10**8), min_size=50))
def test_the_cameras_clock_is_mapped_to_the_hosts(drift: int, delays: list[int]) -> None:
    clock = HostClock()
    for n, delay in enumerate(delays):
        true = 10**18 + n * 10**9
        device = n * 10**9 * (10**6 + drift) // 10**6 + 77
        mapped = clock.to_host(device, true + delay)
        least = min(delays[max(0, n - 30) : n + 1])
        assert mapped <= true + delay
        assert abs(mapped - true) <= max(delay, least) + 61 * 100 * 10**3


@pytest.mark.parametrize(
    ("name", "bits"),
    [("Mono8", 8), ("Mono10", 10), ("Mono12p", 12), ("Mono12Packed", 12), ("Mono16", 16)],
)
def test_gray_formats(name: str, bits: int) -> None:
    assert layout_of(name).bits == bits


@pytest.mark.parametrize("name", ["RGBa8", "Mono8p", "BayerRG8"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(SourceError, match=f"{name} is none of Mono8, "):
        layout_of(name)


def test_the_ring_is_shared_and_its_slots_come_back() -> None:
    ring = Ring(3, 4, 5, "uint16")
    other = Ring(3, 4, 5, "uint16", fd=os.dup(ring.fileno()))
    slot = other.take()
    assert slot == 0
    other.slot(slot)[:] = 777
    lent = ring.lend(slot, 2)
    assert lent.shape == (2, 5)
    assert (lent == 777).all()
    assert not lent.flags.writeable
    part = lent[1:, ::2]
    del lent
    assert other.take() == 1
    assert [other.take(), other.take()] == [2, None]
    ring.reclaim()
    assert ring.free_slots == 2, "what is still read is not taken back"
    del part
    assert ring.free_slots == 3
    other.close()
    ring.close()
    ring.close()
    with pytest.raises(ValueError, match="closed"):
        ring.slot(0)


def test_a_block_outlives_its_ring() -> None:
    ring = Ring(2, 4, 5, "uint8")
    ring.slot(1)[:] = 9
    lent = ring.lend(1, 4)
    ring.close()
    assert (lent == 9).all()


def test_the_ring_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "RING_BYTES", 10_000)
    assert slots_for(1, 64) == 64
    assert slots_for(1000, 64) == 10
    assert slots_for(5000, 64) == 2
    with pytest.raises(SourceError, match=r"set fewer 'source\.block_lines'"):
        slots_for(5001, 64)
