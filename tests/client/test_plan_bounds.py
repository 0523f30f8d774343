"""What mode complete keeps waiting, and asks for, is bounded."""

from __future__ import annotations

import pytest

from linescan.client.plan import STASH
from tests.client.planning import INSPECTION, INSPECTIONS, SIZE, Desk, inspection


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
