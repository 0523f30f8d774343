"""Pacing follows an absolute schedule; a fake clock makes it exact."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from linescan.sources import pacing
from linescan.sources.pacing import Pacer


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 50.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock.waits.append(timeout or 0.0)
            clock.now += timeout or 0.0
            return self.is_set()

    monkeypatch.setattr(pacing, "time", clock)
    fake: Any = type("threading", (), {"Event": Event})
    monkeypatch.setattr(pacing, "threading", fake)
    return clock


def test_delays_do_not_add_up(clock: Clock) -> None:
    pacer = Pacer(1000.0)
    for n in range(1, 11):
        clock.now += 0.05  # the consumer took 50 ms of each 100 ms
        assert pacer.wait(100)
        assert clock.now == pytest.approx(50.05 + n * 0.1)
    clock.now += 1.0  # one long delay: what was missed comes at once, then on schedule again
    waits = []
    for _ in range(12):
        pacer.wait(100)
        waits.append(clock.waits[-1])
    assert waits[:9] == [0.0] * 9
    assert clock.now == pytest.approx(50.05 + 22 * 0.1)


def test_max_never_waits(clock: Clock) -> None:
    pacer = Pacer("max")
    assert all(pacer.wait(10**9) for _ in range(3))
    assert clock.waits == []


@pytest.mark.parametrize("rate", ["max", 10.0])
def test_a_stopped_pacer_says_so(rate: Any) -> None:
    pacer = Pacer(rate)
    pacer.stop()
    assert pacer.stopped
    assert not pacer.wait(10**6)
