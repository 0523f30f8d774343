"""Durations are summed up right, in bounded memory."""

import pytest

from linescan.latency import WINDOW, Latency


def test_memory_is_bounded() -> None:
    latency = Latency()
    for k in range(3 * WINDOW):
        latency.add(k)
    summary = latency.summary()
    assert len(latency._window) == WINDOW
    assert summary["count"] == 3 * WINDOW
    assert summary["max_ms"] == pytest.approx((3 * WINDOW - 1) / 1e6, abs=1e-4)


def test_quantiles_are_in_milliseconds() -> None:
    latency = Latency()
    for k in range(101):
        latency.add(k * 1_000_000)
    summary = latency.summary()
    assert (summary["p50_ms"], summary["p95_ms"], summary["p99_ms"]) == (50.0, 95.0, 99.0)
    assert (summary["max_ms"], summary["total_s"]) == (100.0, 5.05)


def test_quantiles_are_those_of_the_newest_durations() -> None:
    latency = Latency()
    latency.add(900_000_000)
    for _ in range(WINDOW):
        latency.add(1_000_000)
    summary = latency.summary()
    assert (summary["p50_ms"], summary["p99_ms"], summary["max_ms"]) == (1.0, 1.0, 900.0)


def test_of_nothing_everything_is_nought() -> None:
    assert set(Latency().summary().values()) == {0}
