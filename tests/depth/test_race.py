from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from linescan.depth import read_card
from linescan.depth.backends.base import Engine, Setup
from linescan.depth.candidates import REFERENCE, load
from linescan.depth.gate import probes
from linescan.depth.race import MIN_ROUNDS, ROUNDS, medians, race, settled
from linescan.records import FloatArray


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


class Paced(Engine):
    """Takes the given times in turn, as a clock shows that it turns forward itself."""

    def __init__(self, clock: list[float], times: list[float]) -> None:
        self._clock, self._times, self.runs = clock, times, 0

    def infer(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        self._clock[0] += self._times[min(self.runs, len(self._times) - 1)] / 1e3
        self.runs += 1
        return np.zeros(image.shape, np.float32)

    def close(self) -> None:
        """Holds nothing."""


def test_who_is_slow_twice_runs_no_further_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the gate and in the first round; one disturbance throws nobody out."""
    clock = [0.0]
    monkeypatch.setattr("linescan.depth.race.time.perf_counter", lambda: clock[0])
    engines = {
        "fast": Paced(clock, [10.0]),
        "close": Paced(clock, [14.0]),
        "slow": Paced(clock, [16.0]),
        "disturbed": Paced(clock, [90.0, 9.0]),
        "disturbed before": Paced(clock, [11.0]),
    }
    before = {"fast": 10.0, "close": 14.0, "slow": 17.0, "disturbed": 9.5, "disturbed before": 80.0}
    rounds = race(engines, np.zeros((2, 2), np.uint8), before)
    left = {name: engine.runs for name, engine in engines.items()}
    assert left == {name: 1 if name == "slow" else ROUNDS for name in engines}
    assert medians(rounds)["slow"] == 16.0
    assert min(medians(rounds), key=medians(rounds).__getitem__) == "disturbed"
    assert settled({"fast": [1.0, 1.1, 1.0], "slow": [1.9]})
