"""Any cutting of the same lines gives the same frames; no line is lost, doubled or stale."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.records import Cause, Frame, LineBlock, Loss
from linescan.stitching import Stitch

WIDTH = 3
geometry = st.integers(1, 24).flatmap(
    lambda lines: st.tuples(st.just(lines), st.integers(0, lines // 2))
)
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=20)
last = st.sampled_from(["pad", "drop", "short"])


def block(first: int, rows: int, *, stale: int = 0, width: int = WIDTH) -> LineBlock:
    """A block whose pixels tell their line; ``stale`` rows of rubbish follow the valid ones."""
    lines = (np.arange(first, first + rows) % 60000).astype(np.uint16)
    pixels = np.repeat(lines[:, None] + 1, width, axis=1)
    rubbish = np.full((stale, width), 60000, np.uint16)
    return LineBlock(
        pixels=np.vstack([pixels, rubbish]),
        first_line=first,
        valid_rows=rows,
        host_time_ns=first + rows,
        encoder=np.arange(first, first + rows + stale, dtype=np.int64) * 7,
    )


def feed(stage: Stitch, items: list[LineBlock | Loss]) -> Iterator[Frame | Loss]:
    for item in items:
        yield from stage.skip(item) if isinstance(item, Loss) else stage.process(item)
    yield from stage.finish()


def story(first: int, cutting: list[int], holes: set[int]) -> list[LineBlock | Loss]:
    """Blocks of the given heights; those at the positions in ``holes`` are lost."""
    items: list[LineBlock | Loss] = []
    for k, rows in enumerate(cutting):
        lost = k in holes
        items.append(Loss(first, rows, Cause.CAMERA_GAP) if lost else block(first, rows, stale=k))
        first += rows
    return items


def same(one: Frame, other: Frame) -> bool:
    return (
        one.first_line == other.first_line
        and one.overlap == other.overlap
        and one.encoder == other.encoder
        and np.array_equal(one.valid, other.valid)
        and np.array_equal(one.pixels, other.pixels)
    )


@given(geometry, cuts, st.sets(st.integers(0, 19)), last, st.integers(0, 10**9), st.data())
def test_any_cutting_gives_the_same_frames(
    shape: tuple[int, int],
    cutting: list[int],
    holes: set[int],
    policy: str,
    first: int,
    data: st.DataObject,
) -> None:
    items = story(first % 1000, cutting, holes - {0})
    finer: list[LineBlock | Loss] = []
    for item in items:
        if isinstance(item, Loss):
            finer.append(item)
            continue
        cut = data.draw(st.integers(0, item.valid_rows))
        parts = [(0, cut), (cut, item.valid_rows)]
        finer += [block(item.first_line + a, b - a) for a, b in parts if b > a]
    whole = [f for f in feed(Stitch(*shape, policy), items) if isinstance(f, Frame)]  # type: ignore[arg-type]
    cutted = [f for f in feed(Stitch(*shape, policy), finer) if isinstance(f, Frame)]  # type: ignore[arg-type]
    assert len(whole) == len(cutted)
    assert all(same(a, b) for a, b in zip(whole, cutted, strict=True))


@given(geometry, cuts, st.sets(st.integers(0, 19)), last)
def test_each_line_is_in_a_frame_or_lost_and_its_pixels_are_its_own(
    shape: tuple[int, int], cutting: list[int], holes: set[int], policy: str
) -> None:
    items = story(0, cutting, holes)
    output = list(feed(Stitch(*shape, policy), items))  # type: ignore[arg-type]
    framed: set[int] = set()
    for frame in (f for f in output if isinstance(f, Frame)):
        lines = frame.first_line + np.arange(len(frame.valid))
        assert (frame.pixels[frame.valid] == lines[frame.valid, None] + 1).all()
        assert not frame.pixels[~frame.valid].any()
        new = set(lines[frame.overlap :][frame.valid[frame.overlap :]].tolist())
        assert new, "a frame brings new lines"
        assert not new & framed, "each only once"
        shared = set(lines[: frame.overlap][frame.valid[: frame.overlap]].tolist())
        assert shared <= framed
        framed |= new
    lost = {
        line
        for item in output
        if isinstance(item, Loss)
        for line in range(item.first_line, item.first_line + item.count)
    }
    assert framed | lost == set(range(sum(cutting)))
    assert not framed & lost


@given(geometry, cuts, st.sets(st.integers(0, 19)), st.integers(0, 20))
def test_a_restored_stitcher_goes_on_as_the_first_would(
    shape: tuple[int, int], cutting: list[int], holes: set[int], at: int
) -> None:
    items = story(0, cutting, holes)
    straight = list(feed(Stitch(*shape), items))
    one, other = Stitch(*shape), Stitch(*shape)
    before = [
        out for i in items[:at] for out in (one.skip(i) if isinstance(i, Loss) else one.process(i))
    ]
    state = one.snapshot()
    list(feed(one, items[at:]))
    other.restore(state)
    frames = [f for f in [*before, *feed(other, items[at:])] if isinstance(f, Frame)]
    expected = [f for f in straight if isinstance(f, Frame)]
    assert all(same(a, b) for a, b in zip(expected, frames, strict=True))


def test_a_dropped_last_frame_is_lost_as_partial_frame() -> None:
    output = list(feed(Stitch(10, 2, "drop"), [block(0, 13)]))
    assert [f.first_line for f in output if isinstance(f, Frame)] == [0]
    assert [x for x in output if isinstance(x, Loss)] == [Loss(10, 3, Cause.PARTIAL_FRAME)]


def test_a_very_long_gap_makes_no_empty_frames() -> None:
    items: list[LineBlock | Loss] = [
        block(0, 5),
        Loss(5, 10**9, Cause.CAMERA_GAP),
        block(10**9 + 5, 15),
    ]
    stage = Stitch(10, 2)
    frames = [
        out
        for i in items
        for out in (stage.skip(i) if isinstance(i, Loss) else stage.process(i))
        if isinstance(out, Frame)
    ]
    frames += [f for f in stage.finish() if isinstance(f, Frame)]
    assert all(f.valid.any() for f in frames)
    assert sum(len(f.lines()) for f in frames) <= 4
    assert frames[-1].first_line % 8 == 0, "frames keep their grid across a gap"


def test_a_new_width_begins_a_new_frame() -> None:
    output = list(feed(Stitch(8, 2), [block(0, 5), block(5, 8, width=4)]))
    frames = [f for f in output if isinstance(f, Frame)]
    assert [(f.first_line, f.pixels.shape[1], f.overlap) for f in frames] == [(0, 3, 0), (5, 4, 0)]
    assert frames[0].valid.sum() == 5


def test_lines_that_come_twice_are_ignored() -> None:
    output = list(feed(Stitch(8, 0), [block(0, 6), block(3, 5)]))
    (frame,) = [f for f in output if isinstance(f, Frame)]
    assert frame.pixels[:, 0].tolist() == list(range(1, 9))


def test_lines_without_a_tick_have_none_invented() -> None:
    bare = dataclasses.replace(block(4, 4), encoder=None)
    frames = [f for f in feed(Stitch(8, 0), [block(0, 4), bare]) if isinstance(f, Frame)]
    assert frames[0].encoder == (0, 21)
    (frame,) = [f for f in feed(Stitch(4, 0), [bare]) if isinstance(f, Frame)]
    assert frame.encoder is None


def test_the_input_is_not_kept_alive_or_changed() -> None:
    given_block = block(0, 8)
    (frame,) = list(feed(Stitch(8, 0), [given_block]))
    assert isinstance(frame, Frame)
    assert not np.shares_memory(frame.pixels, given_block.pixels)


@pytest.mark.parametrize(("lines", "overlap"), [(10, 6), (10, -1), (0, 1)])
def test_an_overlap_that_does_not_fit_is_refused(lines: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        Stitch(lines, overlap)
