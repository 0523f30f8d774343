"""Gaps are what is missing, no more and no less."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from linescan.client.sequences import Gap, Sequences
from linescan.protocol import (
    Kind,
    Message,
    Stamp,
    decode,
    encode,
    encode_end,
    encode_loss,
    encode_start,
)
from linescan.records import Cause, Loss
from tests.protocol.samples import inspection

ITEM = inspection()
TOTALS = {
    "captured": 0, "published": 0, "lost": {}, "unaccounted": 0, "phantom": 0, "estimated": 0,
}  # fmt: skip


def stamp(seq: int, epoch: str = "e") -> Stamp:
    return Stamp("web-1", epoch, seq, 1)


def data(seq: int, kind: Kind = Kind.INSPECTION, epoch: str = "e") -> Message:
    frames = encode(ITEM, kind, stamp(seq, epoch))
    assert frames is not None
    return decode(frames)


def start(epoch: str = "e") -> Message:
    return decode(encode_start(stamp(0, epoch), software="s", settings={}, settings_sha256=""))


def loss(seq: int) -> Message:
    return decode(encode_loss(Loss(0, 1, Cause.SHUTDOWN), stamp(seq)))


def end(seq: int, last_seq: int | None) -> Message:
    return decode(encode_end(stamp(seq), totals=TOTALS, last_seq=last_seq, reason="finished"))


def run(inspections: int) -> list[Message]:
    """A whole run: start, inspections with a mask and a loss each, end."""
    messages = [start()]
    for seq in range(inspections):
        messages += [data(seq), data(seq, Kind.MASK), loss(seq + 1)]
    return [*messages, end(inspections + 1, inspections - 1 if inspections else None)]


def gaps(messages: list[Message], kinds: tuple[Kind, ...] = tuple(Kind)) -> list[Gap]:
    sequences = Sequences(kinds)
    return [gap for message in messages for gap in sequences.note(message)]


@given(st.integers(0, 6), st.data())
def test_every_message_that_is_missing_is_in_one_gap(count: int, draw: st.DataObject) -> None:
    messages = run(count)
    dropped = draw.draw(st.sets(st.integers(1, max(1, len(messages) - 2))))
    missing = {(m.kind, m.seq) for i, m in enumerate(messages[:-1]) if i in dropped}
    arrived = [m for i, m in enumerate(messages) if i not in dropped or i == len(messages) - 1]
    if not any(m.kind is Kind.MASK for m in arrived):  # perhaps the publisher makes none
        missing = {(kind, seq) for kind, seq in missing if kind is not Kind.MASK}
    found = [(gap.kind, gap.first_seq + i) for gap in gaps(arrived) for i in range(gap.count)]
    assert len(found) == len(set(found))
    assert set(found) == missing


def test_who_comes_late_misses_nothing_from_there_on() -> None:
    assert gaps([data(7), loss(3), data(8), end(4, 8)]) == []
    assert gaps([end(9, 8)]) == []


def test_who_was_there_from_the_start_misses_the_first() -> None:
    assert gaps([start(), data(2)]) == [Gap("web-1", Kind.INSPECTION, "e", 0, 2)]
    assert gaps([start(), end(1, 4)]) == [Gap("web-1", Kind.INSPECTION, "e", 0, 5)]


def test_kinds_that_are_not_subscribed_to_are_not_missed() -> None:
    assert gaps([start(), end(1, 4)], (Kind.EVENT, Kind.MASK)) == []


def test_a_new_epoch_is_a_restart_and_no_gap() -> None:
    sequences = Sequences(Kind)
    for message in (start(), data(0), data(1), start("f"), data(0, epoch="f"), data(1, epoch="f")):
        assert not sequences.note(message)
    assert sequences.restarts == 1
    gap = sequences.note(data(3, epoch="f"))
    assert gap == [Gap("web-1", Kind.INSPECTION, "f", 2, 1)]
    assert "web-1/inspection: 1 missing, sequence numbers 2" in str(gap[0])
    assert "2 to 4" in str(replace(gap[0], count=3))


def test_what_comes_twice_is_no_gap() -> None:
    assert gaps([data(3), data(4), data(3), data(5)]) == []
