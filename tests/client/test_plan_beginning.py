"""Where mode complete begins."""

from __future__ import annotations

import pytest

from linescan.client.lanes import Stream
from linescan.client.starting import Since
from tests.client.planning import EVENT, INSPECTION, Desk, Ends, inspection


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


def test_who_comes_for_the_first_time_has_not_missed_runs_of_which_nothing_is_left() -> None:
    for since in Since:
        desk = Desk(since)
        desk.place(("a", {INSPECTION: (None, 9)}), ("b", {INSPECTION: (None, 4)}), ("c", {}))
        desk.live(inspection(0, "c"))
        assert desk.give() == [("c", INSPECTION, 0)]
        assert not desk.expired
        assert not desk.plan.fetching
