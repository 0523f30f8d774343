"""High-water marks and limits from memory."""

from __future__ import annotations

import threading

import pytest
from zmq import MessageTracker

from linescan.errors import PublishError
from linescan.publishing.budget import LEAST_MARK, MOST_MARK, MemoryBudget

MB = 1 << 20


@pytest.mark.parametrize(
    ("size", "mark"), [(100, MOST_MARK), (4 * MB, 32), (8 * MB, 16), (28 * MB, 4), (32 * MB, 4)]
)
def test_one_subscriber_may_hold_half(size: int, mark: int) -> None:
    assert MemoryBudget(256 * MB, size).mark == mark


@pytest.mark.parametrize(("fit", "mark"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3), (6, 4), (7, 4)])
def test_where_few_fit_one_subscriber_leaves_room_for_the_next(fit: int, mark: int) -> None:
    """Beside its queue it holds one message that is on its way."""
    budget = MemoryBudget(fit * 28 * MB + MB, 28 * MB)
    assert budget.mark == mark
    if fit > 2:
        for _ in range(mark + 1):
            budget.hold(28 * MB, [MessageTracker(threading.Event())])
        assert not budget.is_exhausted_by(28 * MB)


def test_memory_for_few_messages_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    MemoryBudget(224 * MB, 28 * MB)
    assert not caplog.text
    MemoryBudget(100 * MB, 28 * MB)
    assert "publish.memory_mb: 100 has little room for messages of 28 MB" in caplog.text
    assert "as soon as they are 2 behind; set it to 224 or more" in caplog.text


def test_memory_without_room_for_one_message_is_an_error() -> None:
    with pytest.raises(PublishError, match=r"^publish.memory_mb: 16 has no room .* 29 MB: set it"):
        MemoryBudget(16 * MB, 28 * MB + 1)


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


def test_large_images_leave_room_for_inspections() -> None:
    """A viewer of images that stands still must not exhaust the memory; an inspection is small."""
    assert MemoryBudget(512 * MB, 2 * MB, 4 * MB).mark == 64
    assert MemoryBudget(512 * MB, 2 * MB, 130 * MB).mark == LEAST_MARK
    assert MemoryBudget(64 * MB, 2 * MB, 130 * MB).mark == LEAST_MARK
    assert MemoryBudget(512 * MB, 4 * MB, 2 * MB).mark == 64
