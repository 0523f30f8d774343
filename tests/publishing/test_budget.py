"""High-water marks and limits from memory."""

from __future__ import annotations

import threading

import pytest
from zmq import MessageTracker

from linescan.publishing.budget import LEAST_MARK, MOST_MARK, MemoryBudget

MB = 1 << 20


@pytest.mark.parametrize(
    ("size", "mark"), [(100, MOST_MARK), (4 * MB, 32), (8 * MB, 16), (200 * MB, LEAST_MARK)]
)
def test_one_subscriber_may_hold_half(size: int, mark: int) -> None:
    assert MemoryBudget(256 * MB, size).mark == mark


def test_a_limit_without_room_for_the_least_mark_is_raised() -> None:
    budget = MemoryBudget(10 * MB, 8 * MB)
    assert budget.limit_bytes == budget.wanted_bytes == 10 * MB
    assert not budget.is_exhausted_by(4 * MB)
    assert budget.limit_bytes == 2 * LEAST_MARK * 4 * MB
    assert budget.wanted_bytes == 10 * MB


def test_the_limit_counts_what_is_held() -> None:
    budget = MemoryBudget(640 * MB, 8 * MB)
    fetched = [threading.Event() for _ in range(32)]
    for event in fetched:
        assert not budget.is_exhausted_by(20 * MB)
        budget.hold(20 * MB, [MessageTracker(event)])
    assert budget.held_bytes == 640 * MB
    assert budget.is_exhausted_by(20 * MB)
    fetched[3].set()  # not the oldest
    assert not budget.is_exhausted_by(20 * MB)
    assert budget.held_bytes == 620 * MB


def test_a_message_is_held_until_all_its_parts_are_let_go() -> None:
    budget = MemoryBudget(100 * MB, MB)
    parts = [threading.Event(), threading.Event()]
    budget.hold(7, [MessageTracker(part) for part in parts])
    parts[1].set()
    budget.is_exhausted_by(1)
    assert budget.held_bytes == 7
    parts[0].set()
    budget.is_exhausted_by(1)
    assert budget.held_bytes == 0
