"""When an application counts as too slow."""

from __future__ import annotations

from linescan.client.pace import GAPS, SHARE, WINDOW_S, Pace


def test_gaps_of_one_connection_that_repeat_are_too_slow() -> None:
    pace = Pace()
    verdicts = [pace.gap(float(n), greetings=1) for n in range(GAPS + 1)]
    assert verdicts[:GAPS] == [None] * GAPS  # the first may come from the connection
    assert verdicts[GAPS] == "3 gaps within 2 s"
    assert pace.gap(GAPS + 1.0, greetings=1) is None  # it was told a moment ago
    assert pace.gap(WINDOW_S * 2, greetings=1) is None  # the others are long ago


def test_gaps_after_new_connections_are_not() -> None:
    pace = Pace()
    assert [pace.gap(float(n), greetings=n) for n in range(20)] == [None] * 20


def test_who_lives_from_the_journal_is_too_slow() -> None:
    pace = Pace()
    assert pace.given(0.0, fetched=False) is None
    verdicts = [pace.given(1.0, fetched=n % 3 > 0) for n in range(SHARE)]
    assert [v for v in verdicts if v] == [
        "132 of the last 200 messages had to come from the journal"
    ]


def test_catching_up_at_the_start_is_not() -> None:
    pace = Pace()
    assert [pace.given(float(n), fetched=True) for n in range(5000)] == [None] * 5000
    assert [pace.given(6000.0, fetched=n % 3 == 0) for n in range(5000)] == [None] * 5000
