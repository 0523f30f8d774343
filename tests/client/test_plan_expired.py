"""What mode complete cannot get is passed over and reported."""

from __future__ import annotations

from linescan.client.sequences import Gap
from tests.client.planning import EVENT, INSPECTION, INSPECTIONS, SIZE, Desk, end, inspection, start


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
