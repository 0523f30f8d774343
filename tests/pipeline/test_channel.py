"""Channels keep order, their limit and every loss."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.intervals import IntervalSet
from linescan.pipeline.channel import MAX_LOSSES, Channel, ChannelClosed
from linescan.records import Cause, Interval, Loss


class Piece:
    """An item that stands for lines."""

    def __init__(self, first: int, count: int) -> None:
        self.span = Interval(first, count)

    def lines(self) -> tuple[Interval, ...]:
        return (self.span,)


def drain(channel: Channel[Piece]) -> list[Piece | Loss]:
    channel.close()
    got: list[Piece | Loss] = []
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
