"""What mode complete gives, fetches and acknowledges, decided without sockets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.client.lanes import Stream
from linescan.client.plan import GRACE_S
from linescan.client.replies import Status
from linescan.client.sequences import Gap
from tests.client.planning import (
    EVENT,
    INSPECTION,
    INSPECTIONS,
    SIZE,
    Desk,
    end,
    inspection,
    loss,
    start,
)


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
