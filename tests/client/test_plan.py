"""What mode complete gives, fetches and acknowledges, decided without sockets."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.client.lanes import Fetch, Stream
from linescan.client.plan import GRACE_S, STASH, Plan
from linescan.client.replies import EpochEntry, Positions, Status
from linescan.client.sequences import Gap
from linescan.client.starting import Since
from linescan.protocol import Kind, Message, Stamp, decode, encode_end, encode_loss, encode_start
from linescan.records import Cause, Loss
from tests.client.helpers import TOTALS, message
from tests.protocol.samples import as_received

INSPECTION, EVENT = Kind.INSPECTION, Kind.EVENT
SIZE = 1000
Ends = dict[Kind, tuple[int | None, int]]


def inspection(seq: int, epoch: str = "e", at: int = 1) -> Message:
    frames = message(seq, epoch=epoch)
    frames[1] = bytes(frames[1]).replace(b'"published_ns":"1"', f'"published_ns":"{at}"'.encode())
    return decode(frames)


def loss(seq: int, epoch: str = "e", at: int = 1) -> Message:
    stamp = Stamp("web-1", epoch, seq, at)
    return decode(as_received(encode_loss(Loss(seq, 1, Cause.SHUTDOWN), stamp)))


def start(epoch: str = "e") -> Message:
    stamp = Stamp("web-1", epoch, 0, 0)
    frames = encode_start(stamp, software="s", settings={}, settings_sha256="0")
    return decode(as_received(frames))


def end(seq: int, last_seq: int, epoch: str = "e") -> Message:
    stamp = Stamp("web-1", epoch, seq, 1)
    frames = encode_end(stamp, totals=TOTALS, last_seq=last_seq, reason="finished")
    return decode(as_received(frames))


class Desk:
    """A plan, and what it reports."""

    def __init__(
        self, since: Since = Since.OLDEST, camera: str | None = None, budget: int = 1 << 20
    ) -> None:
        self.expired: list[Gap] = []
        self.plan = Plan(camera, since, budget, self.expired.append)

    def place(
        self,
        *epochs: tuple[str, Ends],
        acknowledged: dict[Stream, int] | None = None,
        current: str | None = None,
    ) -> None:
        current = current or epochs[-1][0]
        entries = [
            EpochEntry(
                epoch,
                epoch == current,
                {("web-1", kind): ends for kind, ends in streams.items()},
            )
            for epoch, streams in epochs
        ]
        self.plan.place(Positions(entries, acknowledged or {}))

    def live(self, *messages: Message) -> None:
        for received in messages:
            self.plan.live(received, SIZE)

    def give(self) -> list[tuple[str, Kind, int]]:
        """All that can be given now, with the application coming back after each."""
        given = []
        while (held := self.plan.give()) is not None:
            given.append((held.message.epoch, held.message.kind, held.message.seq))
            self.plan.came_back()
        return given

    def seqs(self) -> list[int]:
        return [seq for _, _, seq in self.give()]

    def wanted(self) -> list[tuple[str, Kind, int, int]]:
        return [(s.epoch, s.kind, a, b) for s, a, b in self.plan.wanted()]

    def fetch(self, stream: Stream, first: int, last: int) -> Fetch:
        fetch = Fetch("1-1", stream, first, last, 4, expected=first, due=4)
        self.plan.begin_fetch(fetch)
        return fetch

    def replay(
        self, fetch: Fetch, seqs: Iterable[int], expired: Iterable[tuple[int, int]] = ()
    ) -> None:
        for seq in seqs:
            make = inspection if fetch.stream.kind is INSPECTION else loss
            self.plan.replayed(fetch, make(seq, fetch.stream.epoch), SIZE)
        self.plan.close_fetch(fetch, expired)


INSPECTIONS = Stream("e", "web-1", INSPECTION)


def test_a_gap_is_fetched_before_what_comes_after_it_is_given() -> None:
    desk = Desk()
    desk.place(("e", {}))
    desk.live(inspection(0), inspection(3), inspection(4))
    assert desk.seqs() == [0]
    assert desk.wanted() == [("e", INSPECTION, 1, 2)]
    fetch = desk.fetch(INSPECTIONS, 1, 2)
    assert not desk.wanted()
    desk.plan.replayed(fetch, inspection(1), SIZE)
    assert desk.seqs() == [1]
    desk.replay(fetch, [2])
    assert desk.seqs() == [2, 3, 4]
    assert not desk.plan.fetching
    assert desk.plan.acks == {INSPECTIONS: 4}


def test_what_comes_twice_is_given_once() -> None:
    desk = Desk()
    desk.place(("e", {INSPECTION: (0, 3)}))
    desk.live(inspection(3), inspection(3))
    fetch = desk.fetch(INSPECTIONS, 0, 2)
    desk.live(inspection(1))
    desk.plan.replayed(fetch, inspection(0), SIZE)
    desk.plan.replayed(fetch, inspection(1), SIZE)
    assert desk.seqs() == [0, 1]
    assert fetch.owed == 2  # also the one that was there already was consumed
    desk.replay(fetch, [2])
    desk.live(inspection(2), inspection(0))
    assert desk.seqs() == [2, 3]
    assert desk.seqs() == []


def test_a_late_join_begins_with_the_oldest_kept() -> None:
    desk = Desk(Since.ACKNOWLEDGED)
    desk.place(("d", {INSPECTION: (5, 9)}), ("e", {INSPECTION: (0, 2)}))
    assert desk.wanted() == [("d", INSPECTION, 5, 9)]
    desk.replay(desk.fetch(Stream("d", "web-1", INSPECTION), 5, 9), range(5, 10))
    assert desk.seqs() == list(range(5, 10))
    assert desk.wanted() == [("e", INSPECTION, 0, 2)]
    assert not desk.expired


def test_it_goes_on_after_what_was_acknowledged() -> None:
    desk = Desk(Since.ACKNOWLEDGED)
    done = {Stream("d", "web-1", INSPECTION): 7, Stream("d", "web-1", EVENT): 0}
    streams: Ends = {INSPECTION: (0, 9), EVENT: (0, 0)}
    desk.place(("c", streams), ("d", streams), ("e", streams), acknowledged=done)
    assert desk.wanted() == [("d", INSPECTION, 8, 9)]
    desk.replay(desk.fetch(Stream("d", "web-1", INSPECTION), 8, 9), [8, 9])
    assert desk.give() == [("d", INSPECTION, 8), ("d", INSPECTION, 9)]
    assert desk.wanted() == [("e", INSPECTION, 0, 9), ("e", EVENT, 0, 0)]


def test_now_is_the_next_to_be_published() -> None:
    desk = Desk(Since.NOW)
    desk.live(inspection(4))
    desk.place(("d", {INSPECTION: (0, 9)}), ("e", {INSPECTION: (0, 3), EVENT: (0, 0)}))
    assert desk.give() == [("e", INSPECTION, 4)]
    assert not desk.wanted()


def test_nothing_kept_is_nothing_missed() -> None:
    desk = Desk()
    desk.place(("e", {INSPECTION: (None, 7)}))
    desk.live(inspection(8))
    assert desk.seqs() == [8]
    assert not desk.expired


def test_a_restart_is_over_only_when_the_tail_before_it_is_given() -> None:
    desk = Desk()
    desk.place(("d", {}))
    desk.live(inspection(0, "d"), inspection(0, "e"))
    assert desk.give() == [("d", INSPECTION, 0)]
    assert desk.plan.stale  # nobody has said how far "d" went
    desk.place(("d", {INSPECTION: (0, 2)}), ("e", {INSPECTION: (0, 0)}))
    assert desk.give() == []
    assert desk.wanted() == [("d", INSPECTION, 1, 2)]
    desk.replay(desk.fetch(Stream("d", "web-1", INSPECTION), 1, 2), [1, 2])
    assert desk.give() == [("d", INSPECTION, 1), ("d", INSPECTION, 2), ("e", INSPECTION, 0)]
    desk.live(inspection(3, "d"))
    assert desk.give() == []
    assert list(desk.plan.epochs) == ["d", "e"]
    desk.place(("d", {INSPECTION: (0, 2)}), ("e", {INSPECTION: (0, 0)}))
    assert list(desk.plan.epochs) == ["e"]


def test_epochs_that_nobody_saw_live_are_given_in_their_turn() -> None:
    desk = Desk()
    desk.place(("a", {}))
    desk.live(inspection(0, "a"))
    assert desk.seqs() == [0]
    one: Ends = {INSPECTION: (0, 0)}
    desk.place(("a", one), ("b", one), ("c", {}), ("d", one))
    for epoch in "bd":
        assert desk.give() == []
        assert desk.wanted() == [(epoch, INSPECTION, 0, 0)]
        desk.replay(desk.fetch(Stream(epoch, "web-1", INSPECTION), 0, 0), [0])
        assert desk.give() == [(epoch, INSPECTION, 0)]


def test_what_the_journal_does_not_have_is_reported_where_it_would_stand() -> None:
    desk = Desk()
    desk.place(("e", {INSPECTION: (0, 9)}))
    fetch = desk.fetch(INSPECTIONS, 0, 9)
    desk.plan.replayed(fetch, inspection(0), SIZE)
    desk.plan.replayed(fetch, inspection(3), SIZE)
    assert desk.seqs() == [0, 3]
    assert desk.expired == [Gap("web-1", INSPECTION, "e", 1, 2)]
    desk.replay(fetch, [], [(1, 3), (4, 8), (9, 10)])
    assert desk.wanted() == [("e", INSPECTION, 8, 9)]
    desk.replay(desk.fetch(INSPECTIONS, 8, 9), [8], [(9, 10)])
    assert desk.seqs() == [8]
    assert desk.expired[1:] == [Gap("web-1", INSPECTION, "e", n, c) for n, c in ((4, 4), (9, 1))]
    assert desk.plan.acks == {INSPECTIONS: 9}
    assert not desk.plan.fetching


def test_a_live_message_is_given_even_where_the_journal_lost_it() -> None:
    desk = Desk()
    desk.place(("e", {}))
    desk.live(inspection(2))
    desk.replay(desk.fetch(INSPECTIONS, 0, 1), [], [(0, 3)])
    assert desk.seqs() == [2]
    assert desk.expired == [Gap("web-1", INSPECTION, "e", 0, 2)]


def test_a_message_that_cannot_be_used_is_expired() -> None:
    desk = Desk()
    desk.place(("e", {INSPECTION: (0, 2)}))
    fetch = desk.fetch(INSPECTIONS, 0, 2)
    desk.plan.unusable(fetch, 0)
    assert fetch.owed == 1
    desk.replay(fetch, [1, 2])
    assert desk.seqs() == [1, 2]
    assert desk.expired == [Gap("web-1", INSPECTION, "e", 0, 1)]


def test_a_replay_that_broke_off_is_asked_for_again() -> None:
    desk = Desk()
    desk.place(("e", {INSPECTION: (0, 2)}))
    fetch = desk.fetch(INSPECTIONS, 0, 2)
    desk.replay(fetch, [0])
    assert desk.seqs() == [0]
    assert desk.wanted() == [("e", INSPECTION, 1, 2)]
    desk.fetch(INSPECTIONS, 1, 2)
    assert desk.wanted() == []
    desk.plan.drop_fetches()  # the connection is new
    assert desk.wanted() == [("e", INSPECTION, 1, 2)]


def test_the_two_kinds_are_given_in_the_order_of_publication() -> None:
    desk = Desk()
    desk.place(("e", {INSPECTION: (0, 1), EVENT: (0, 1)}))
    events = desk.fetch(Stream("e", "web-1", EVENT), 0, 1)
    for seq, at in ((0, 10), (1, 30)):
        desk.plan.replayed(events, loss(seq, at=at), SIZE)
    assert desk.give() == []  # an inspection may come before it
    inspections = desk.fetch(INSPECTIONS, 0, 1)
    for seq, at in ((0, 20), (1, 40)):
        desk.plan.replayed(inspections, inspection(seq, at=at), SIZE)
    assert desk.give() == [
        ("e", EVENT, 0), ("e", INSPECTION, 0), ("e", EVENT, 1), ("e", INSPECTION, 1),
    ]  # fmt: skip


def test_the_end_waits_for_the_last_inspection() -> None:
    desk = Desk()
    desk.place(("e", {}))
    desk.live(start(), inspection(0), end(1, 2))
    assert desk.give()[:1] == [("e", EVENT, 0)]
    assert desk.wanted() == [("e", INSPECTION, 1, 2)]
    desk.replay(desk.fetch(INSPECTIONS, 1, 2), [1, 2])
    assert desk.give()[-1] == ("e", EVENT, 1)
    assert desk.plan.is_over({"web-1": "e"})
    assert not desk.plan.is_over({})


def test_the_status_tells_of_a_lost_tail_after_a_moment() -> None:
    desk = Desk()
    desk.place(("e", {}))
    desk.live(inspection(0))
    assert desk.seqs() == [0]
    desk.plan.status(Status("e", "web-1", {INSPECTION: 2, EVENT: -1}), 10.0)
    assert desk.plan.quiet(10.0 + GRACE_S / 2) == []  # it may still be on its way
    desk.plan.status(Status("e", "web-1", {INSPECTION: 9}), 10.0 + GRACE_S / 2)
    desk.live(inspection(1))
    assert desk.seqs() == [1]
    assert desk.wanted() == []
    assert desk.plan.quiet(10.0 + GRACE_S) == [Gap("web-1", INSPECTION, "e", 2, 1)]
    assert desk.wanted() == [("e", INSPECTION, 2, 2)]
    desk.plan.status(Status("f", "web-1", {INSPECTION: 0}), 12.0)
    assert desk.plan.stale


def test_what_waits_behind_a_gap_is_bounded_in_number_and_bytes() -> None:
    for budget, kept in ((1 << 20, STASH), (4 * SIZE, 4)):
        desk = Desk(budget=budget)
        desk.place(("e", {INSPECTION: (0, 0)}))
        desk.live(*(inspection(seq) for seq in range(1, 101)))
        assert desk.plan.dropped == 100 - kept
        assert desk.plan.held_bytes == kept * SIZE
        desk.replay(desk.fetch(INSPECTIONS, 0, 0), [0])
        assert desk.seqs() == list(range(kept + 1))
        assert desk.plan.held_bytes == 0
        assert desk.wanted() == [("e", INSPECTION, kept + 1, 100)]


def test_what_comes_before_the_positions_is_bounded() -> None:
    desk = Desk()
    desk.live(*(inspection(seq) for seq in range(100)))
    assert desk.plan.held_bytes == STASH * SIZE
    assert desk.plan.dropped == 100 - STASH
    desk.place(("e", {}))
    assert desk.seqs() == list(range(STASH))


@pytest.mark.parametrize(("size", "credit"), [(1, 16), (32 << 10, 8), (1 << 20, 1)])
def test_fewer_messages_are_asked_for_where_they_are_large(size: int, credit: int) -> None:
    desk = Desk(budget=1 << 20)
    assert desk.plan.credit() == 4
    desk.place(("e", {}))
    desk.plan.live(inspection(0), size)
    assert desk.plan.credit() == credit


def test_without_a_journal_gaps_are_reported_and_passed_over() -> None:
    desk = Desk()
    desk.live(inspection(4))
    desk.plan.without_journal()
    desk.live(inspection(7), end(3, 8))
    assert desk.give() == [("e", INSPECTION, 4), ("e", INSPECTION, 7), ("e", EVENT, 3)]
    assert desk.expired == [Gap("web-1", INSPECTION, "e", n, c) for n, c in ((5, 2), (8, 1))]
    assert not desk.plan.acks
    desk.live(start("f"), inspection(1, "f"))
    assert desk.give() == [("f", EVENT, 0), ("f", INSPECTION, 1)]
    assert desk.expired[2:] == [Gap("web-1", INSPECTION, "f", 0, 1)]


def test_a_journal_that_comes_later_is_used_from_then_on() -> None:
    desk = Desk()
    desk.plan.without_journal()
    desk.live(inspection(4))
    assert desk.seqs() == [4]
    desk.place(("a", {INSPECTION: (0, 9)}), ("f", {INSPECTION: (0, 1)}))
    assert desk.give() == []
    assert desk.wanted() == [("f", INSPECTION, 0, 1)]


@pytest.mark.parametrize("since", [Since.NOW, Since.ACKNOWLEDGED, Since.OLDEST])
def test_what_came_before_it_was_known_where_to_begin_is_given(since: Since) -> None:
    """Without a journal nothing of it could be fetched; and with now, it is what came from now."""
    desk = Desk(since)
    desk.live(inspection(3), inspection(4))
    desk.place(("e", {INSPECTION: (None, 5)}))
    desk.live(inspection(5))
    assert desk.seqs() == [3, 4, 5]
    assert not desk.expired


def test_a_run_of_which_nothing_is_left_expires_where_it_was_missed() -> None:
    """Acknowledged was a part of the first; the third is the one that goes on."""
    desk = Desk(Since.ACKNOWLEDGED)
    done = {Stream("a", "web-1", INSPECTION): 3}
    gone: Ends = {INSPECTION: (None, 9)}
    desk.place(("a", gone), ("b", gone), ("c", {INSPECTION: (0, 0)}), acknowledged=done)
    for epoch, first in (("a", 4), ("b", 0)):
        stream = Stream(epoch, "web-1", INSPECTION)
        assert desk.give() == []
        assert desk.wanted() == [(epoch, INSPECTION, first, 9)]
        desk.replay(desk.fetch(stream, first, 9), (), [(first, 10)])
    assert desk.give() == []
    desk.replay(desk.fetch(Stream("c", "web-1", INSPECTION), 0, 0), (0,))
    assert desk.give() == [("c", INSPECTION, 0)]
    assert [(gap.epoch, gap.first_seq, gap.count) for gap in desk.expired] == [
        ("a", 4, 6),
        ("b", 0, 10),
    ]


def test_who_comes_for_the_first_time_has_not_missed_runs_of_which_nothing_is_left() -> None:
    for since in Since:
        desk = Desk(since)
        desk.place(("a", {INSPECTION: (None, 9)}), ("b", {INSPECTION: (None, 4)}), ("c", {}))
        desk.live(inspection(0, "c"))
        assert desk.give() == [("c", INSPECTION, 0)]
        assert not desk.expired
        assert not desk.plan.fetching


def test_runs_that_no_list_names_do_not_bring_back_those_before_them() -> None:
    """The journal has nothing of the second run, as its disk was full."""
    desk = Desk()
    kept: Ends = {INSPECTION: (0, 0)}
    desk.place(("a", kept), ("b", {}))
    desk.replay(desk.fetch(Stream("a", "web-1", INSPECTION), 0, 0), (0,))
    desk.live(inspection(0, "b"))
    assert desk.give() == [("a", INSPECTION, 0), ("b", INSPECTION, 0)]
    for current in ("c", "d"):
        desk.live(inspection(0, current))
        desk.place(("a", kept), (current, {}))
        assert desk.give() == [(current, INSPECTION, 0)]


def test_only_what_the_application_is_done_with_is_acknowledged() -> None:
    desk = Desk()
    desk.place(("e", {}))
    desk.live(inspection(0), inspection(1))
    assert desk.plan.give() is not None
    assert not desk.plan.acks
    desk.plan.came_back()
    assert desk.plan.acks == {INSPECTIONS: 0}
    assert desk.plan.give() is not None
    assert desk.plan.acks == {INSPECTIONS: 0}


def test_other_cameras_are_not_looked_at() -> None:
    desk = Desk(camera="web-2")
    desk.place(("e", {INSPECTION: (0, 3)}))
    desk.plan.status(Status("x", "web-1", {INSPECTION: 3}), 0.0)
    assert not desk.plan.fetching


@settings(deadline=None)
@given(
    lost=st.lists(st.booleans(), min_size=1, max_size=60),
    expired=st.sets(st.integers(0, 59), max_size=5),
    chunk=st.integers(1, 9),
)
def test_whatever_is_lost_all_is_given_once_in_order(
    lost: list[bool], expired: set[int], chunk: int
) -> None:
    """Live messages come while replays run; the journal has all but what expired."""
    desk = Desk()
    desk.place(("e", {}))
    given: list[int] = []
    for seq, gone in enumerate([*lost, False]):
        if not gone:
            desk.live(inspection(seq))
        if seq % chunk == 0:
            given += desk.seqs()
            given += _catch_up(desk, expired, most=chunk)
    given += desk.seqs()
    while desk.plan.fetching:
        given += _catch_up(desk, expired, most=60)
    missing = {n for gap in desk.expired for n in range(gap.first_seq, gap.first_seq + gap.count)}
    assert given == sorted(set(given))
    assert sorted({*given, *missing}) == list(range(len(lost) + 1))
    assert missing <= expired
    assert not missing & set(given)


def _catch_up(desk: Desk, expired: set[int], most: int) -> list[int]:
    for _, _, first, last in desk.wanted():
        fetch = desk.fetch(INSPECTIONS, first, last)
        sent = [seq for seq in range(first, last + 1) if seq not in expired][:most]
        for seq in sent:
            desk.plan.replayed(fetch, inspection(seq), SIZE)
        upto = sent[-1] if len(sent) == most else last
        runs = [(seq, seq + 1) for seq in expired if first <= seq <= upto]
        desk.plan.close_fetch(fetch, runs)
    return desk.seqs()
