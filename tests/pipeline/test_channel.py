"""Channels keep order, their limit and every loss."""

import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.intervals import IntervalSet
from linescan.pipeline.channel import MAX_LOSSES, Channel, ChannelClosed
from linescan.records import Cause, Completed, Inspection, Interval, Loss
from linescan.whole import WholeObject
from tests.protocol.samples import inspection


class Piece:
    """An item that stands for lines."""

    def __init__(self, first: int, count: int) -> None:
        self.span = Interval(first, count)

    def lines(self) -> tuple[Interval, ...]:
        return (self.span,)


def drain(channel: Channel[Piece]) -> list[Piece | Loss | Completed]:
    channel.close()
    got: list[Piece | Loss | Completed] = []
    while True:
        try:
            got.append(channel.get())
        except ChannelClosed:
            return got


def test_block_makes_the_sender_wait() -> None:
    channel = Channel[Piece](2, "block")
    channel.put(Piece(0, 1))
    channel.put(Piece(1, 1))
    sent = threading.Event()

    def send() -> None:
        channel.put(Piece(2, 1))
        sent.set()

    thread = threading.Thread(target=send)
    thread.start()
    assert not sent.wait(0.05)
    channel.get()
    assert sent.wait(5)
    thread.join()
    assert len(channel) == 2


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=40), st.integers(1, 5))
def test_drop_oldest_accounts_for_every_line_in_order(
    story: list[tuple[int, bool]], capacity: int
) -> None:
    channel = Channel[Piece](capacity, "drop_oldest")
    at = 0
    for count, lost in story:
        channel.put(Loss(at, count, Cause.CAMERA_GAP) if lost else Piece(at, count))
        at += count
        assert len(channel) <= capacity
    got = drain(channel)
    spans = [i for entry in got for i in entry.lines()]
    assert sum(i.count for i in spans) == at
    assert IntervalSet(spans).count() == at
    assert spans == sorted(spans), "what was dropped is reported in its place"
    kept = [e.span for e in got if isinstance(e, Piece)]
    sent = [c for c, lost in story if not lost]
    assert [i.count for i in kept] == sent[len(sent) - len(kept) :], "the newest are kept"
    assert len(kept) == min(capacity, len(sent))


def test_losses_are_never_dropped_and_never_wait_behind_items() -> None:
    channel = Channel[Piece](1, "block")
    channel.put(Piece(0, 1))
    channel.put(Loss(1, 1, Cause.BAD_BLOCK))
    assert len(channel) == 1
    assert drain(channel)[1] == Loss(1, 1, Cause.BAD_BLOCK)


def test_neighbouring_losses_merge_so_that_memory_stays_flat() -> None:
    channel = Channel[Piece](1, "drop_oldest")
    for k in range(10 * MAX_LOSSES):
        channel.put(Piece(k, 1))
    entries = drain(channel)
    assert entries[0] == Loss(0, 10 * MAX_LOSSES - 1, Cause.QUEUE_OVERFLOW)
    assert len(entries) == 2


BARE = inspection(0, rows=8, width=8, size=(1, 1), objects=0)


def inspected(first: int, tracks: list[int]) -> Inspection:
    assert BARE.segmentation is not None
    completed = tuple(whole(track) for track in tracks)
    return replace(
        BARE,
        frame=replace(BARE.frame, first_line=first),
        segmentation=replace(BARE.segmentation, completed=completed),
    )


def whole(track: int) -> WholeObject:
    return WholeObject(track, 0, 1, 0, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 3))
def test_completed_objects_of_dropped_frames_are_kept_in_order(
    story: list[int], capacity: int
) -> None:
    channel, track = Channel[Inspection](capacity, "drop_oldest"), 0
    for k, count in enumerate(story):
        channel.put(inspected(8 * k, list(range(track, track + count))))
        track += count
    got: list[int] = []
    for entry in drain(channel):  # type: ignore[arg-type]
        if isinstance(entry, Inspection):
            assert entry.segmentation is not None
            got += [o.track for o in entry.segmentation.completed]
        elif isinstance(entry, Completed):
            got += [o.track for o in entry.objects]
    assert got == list(range(track))


def test_completed_objects_of_dropped_frames_are_bounded_like_losses() -> None:
    channel = Channel[Inspection](1, "drop_oldest")
    for k in range(2 * MAX_LOSSES):
        channel.put(inspected(8 * k, [k]))
    entries = drain(channel)  # type: ignore[arg-type]
    assert entries[0] == Loss(0, 8 * (2 * MAX_LOSSES - 1), Cause.QUEUE_OVERFLOW)
    assert len(entries) == 4  # twice as many objects as are put together, and the last frame


def test_losses_that_cannot_merge_are_bounded() -> None:
    channel = Channel[Piece](1, "drop_oldest")
    for k in range(MAX_LOSSES):
        channel.put(Loss(2 * k, 1, Cause.CAMERA_GAP))
    blocked = threading.Thread(target=channel.put, args=(Loss(9**9, 1, Cause.CAMERA_GAP),))
    blocked.start()
    blocked.join(0.05)
    assert blocked.is_alive()
    channel.get()
    blocked.join(5)
    assert not blocked.is_alive()
    assert len(drain(channel)) == MAX_LOSSES


def test_losses_of_different_cause_or_with_a_gap_do_not_merge() -> None:
    channel = Channel[Piece](1, "block")
    losses = [
        Loss(0, 2, Cause.CAMERA_GAP),
        Loss(2, 2, Cause.BAD_BLOCK),
        Loss(5, 2, Cause.BAD_BLOCK),
        Loss(7, 2, Cause.BAD_BLOCK, estimated=True),
    ]
    for loss in losses:
        channel.put(loss)
    assert drain(channel) == losses


def test_a_closed_channel_frees_a_waiting_sender() -> None:
    channel = Channel[Piece](1, "block")
    channel.put(Piece(0, 1))
    failed = threading.Event()

    def send() -> None:
        try:
            channel.put(Piece(1, 1))
        except ChannelClosed:
            failed.set()

    thread = threading.Thread(target=send)
    thread.start()
    channel.close()
    assert failed.wait(5)
    thread.join()
    with pytest.raises(ChannelClosed):
        channel.put(Loss(5, 1, Cause.BAD_BLOCK))
