"""What is settled is there for good, with a broker that acknowledges before it stores."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from linescan.journal import Acknowledgements, Stream
from linescan.protocol import Kind
from linescan.sinks.cursor import GRAINS, MOST_RECENT, Cursor

NAME = "sink-test"
STREAMS = [Stream("e", "web-1", kind) for kind in (Kind.INSPECTION, Kind.EVENT)]
RESEND_S = 10.0


class Forgetful:
    """A broker that stores within ``RESEND_S`` of an acknowledgement, and may crash before.

    Attributes:
        now: the time, s.
    """

    def __init__(self, choice: random.Random) -> None:
        self._choice = choice
        self._has: dict[Stream, int] = {}
        self._stored: dict[Stream, int] = {}
        self._next_s = 0.0
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self._next_s <= end:
            self._stored = dict(self._has)
            self._next_s += self._choice.uniform(0.01, RESEND_S)
        self.now = end

    def take(self, stream: Stream, seq: int) -> None:
        """A message without a hole before it."""
        assert seq <= self[stream] + 1
        self._has[stream] = max(self[stream], seq)

    def crash(self) -> None:
        self._has = dict(self._stored)
        self._next_s = self.now + self._choice.uniform(0, RESEND_S)

    def __getitem__(self, stream: Stream) -> int:
        return self._has.get(stream, -1)


def send_some(broker: Forgetful, cursor: Cursor, choice: random.Random) -> None:
    """A window of messages: sent together, taken and acknowledged at their own times."""
    sent_s = broker.now
    under_way: list[tuple[Stream, int]] = []
    for _ in range(choice.randint(1, 5)):
        stream = choice.choice(STREAMS)
        seq = cursor[stream] + 1 + sum(stream is other for other, _ in under_way)
        under_way.append((stream, seq))
        broker.wait(choice.expovariate(4))
        broker.take(stream, seq)
    for stream, seq in under_way:
        broker.wait(choice.expovariate(4))
        cursor.advance(stream, seq, sent_s)


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_takes_nothing_that_is_settled(seed: int, tmp_path: Path) -> None:
    choice = random.Random(seed)
    broker = Forgetful(choice)
    cursor = Cursor(tmp_path, NAME, RESEND_S, broker.clock)
    taken = 0
    for _ in range(150):
        for _ in range(choice.randint(0, 12)):
            send_some(broker, cursor, choice)
        broker.wait(choice.choice([0.0, 1.0, 100.0]))  # the line may rest
        before = {stream: broker[stream] for stream in STREAMS}
        broker.crash()
        taken += any(broker[stream] < before[stream] for stream in STREAMS)
        if choice.random() < 0.2:  # the forwarder's process dies, too
            cursor.save()
            cursor = Cursor(tmp_path, NAME, RESEND_S, broker.clock)
        else:
            cursor.rewind()
        for stream in STREAMS:
            assert cursor[stream] <= broker[stream]
    assert taken > 5  # crashes that would have cost something


def test_no_more_is_sent_again_than_the_window_holds(tmp_path: Path) -> None:
    now = 0.0
    cursor = Cursor(tmp_path, NAME, RESEND_S, lambda: now)
    (stream, _) = STREAMS
    for seq in range(10_000):  # one each 0.01 s, acknowledged 0.05 s later
        now = 0.01 * seq + 0.05
        cursor.advance(stream, seq, now - 0.05)
        assert len(cursor._recent) <= GRAINS + 2
    assert 1000 <= cursor.rewind() <= 1000 * (1 + 1 / GRAINS) + 10
    assert cursor.rewind() == 0


def test_memory_is_bounded_though_nothing_is_settled(tmp_path: Path) -> None:
    now = 0.0
    cursor = Cursor(tmp_path, NAME, 1.0, lambda: now)
    (stream, _) = STREAMS
    for seq in range(5000):
        now += 1.0
        cursor.advance(stream, seq, 0.0)  # all were sent at the very beginning
        assert len(cursor._recent) <= MOST_RECENT
    assert cursor.rewind() == 5000


def test_what_is_not_for_a_sink_is_settled_with_what_precedes_it(tmp_path: Path) -> None:
    cursor = Cursor(tmp_path, NAME, RESEND_S, lambda: 0.0)
    (stream, other) = STREAMS
    cursor.advance(stream, 3, None)
    cursor.advance(other, 0, 0.0)
    cursor.advance(other, 7, None)
    cursor.advance(stream, 5, None)
    cursor.save()
    assert Acknowledgements(tmp_path).get(NAME) == {stream: 5}
    assert cursor.rewind() == 8
