from __future__ import annotations

import pytest

from linescan.depth import read_card
from linescan.depth.backends.base import Setup
from linescan.depth.candidates import REFERENCE, load
from linescan.depth.gate import probes
from linescan.depth.race import MIN_ROUNDS, ROUNDS, medians, race, settled


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1.0, 1.1, 1.0], [2.0, 2.1, 1.9], True),
        ([1.0, 1.1, 1.0], [1.2, 1.15, 1.2], True),  # close, and always in this order
        ([5.0, 1.0, 1.0, 1.1, 1.0], [2.0, 2.1, 2.0, 2.1, 1.9], True),  # one round was disturbed
        ([1.0, 3.0, 1.2, 2.9, 1.5], [1.9, 1.2, 2.8, 1.1, 2.5], False),
        ([1.0, 1.2, 1.1], [1.2, 1.1, 1.0], False),  # as fast
    ],
)
def test_a_race_settles_nothing_where_order_and_times_are_mixed(
    first: list[float], second: list[float], expected: bool
) -> None:
    slow = [value + 100.0 for value in reversed(first)]
    for times in ({"a": first, "b": second}, {"c": slow, "b": second, "a": first}):
        assert settled(times) is expected


def test_who_runs_alone_wins() -> None:
    assert settled({})
    assert settled({"a": [1.0, 9.0, 1.0]})
    assert medians({}) == {}


def test_all_run_the_same_number_of_rounds() -> None:
    card = read_card("surface-tiny")
    engine = load(REFERENCE, card, Setup((28, 42), 1))
    image = probes((28, 42))[0]
    rounds = race({"a": engine, "b": engine}, image)
    assert len(rounds["a"]) == len(rounds["b"])
    assert MIN_ROUNDS <= len(rounds["a"]) <= ROUNDS
    assert all(value > 0.0 for value in rounds["a"])
    assert medians({"a": [3.0, 1.0, 2.0]}) == {"a": 2.0}
    assert race({"a": engine}, image) == {}
