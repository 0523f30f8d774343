"""Mode complete over restarts of the publisher."""

from __future__ import annotations

from linescan.client.lanes import Stream
from linescan.client.starting import Since
from tests.client.planning import INSPECTION, Desk, Ends, inspection


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
