"""Interleaved rounds: the order, what is counted, and who leaves."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from linescan.benchmark.contender import Contender, GrayFrame
from linescan.benchmark.rounds import Race, race
from linescan.records import FloatArray

FRAMES = [np.full((2, 2), value, np.uint8) for value in (1, 2, 3)]


class Runner(Contender):
    """Writes down who ran, and on which frame."""

    precision = "fp32"
    device = "here"
    contains = "nothing"

    def __init__(self, name: str, log: list[tuple[str, int]], fails_at: int = -1) -> None:
        super().__init__(name)
        self.log = log
        self.fails_at = fails_at
        self.error: BaseException = RuntimeError("it broke\nmore of it")

    def run(self, frame: GrayFrame) -> FloatArray:
        if len([name for name, _ in self.log if name == self.name]) == self.fails_at:
            raise self.error
        self.log.append((self.name, int(frame[0, 0])))
        self.model_ns = 42
        return frame.astype(np.float32)

    def depth_of(self, image: GrayFrame) -> FloatArray:
        return self.run(image)

    def close(self) -> None:
        pass


def test_each_round_runs_everybody_once_on_one_frame() -> None:
    log: list[tuple[str, int]] = []
    done: list[int] = []
    result = Race()
    runners = [Runner(name, log) for name in "abc"]
    race(result, runners, FRAMES, rounds=3, warm_up=1, progress=done.append, settle_s=0)
    assert ["".join(sorted(lap)) for lap in laps(log, 3)] == ["abc"] * 4
    assert [frame for _, frame in log] == [1] * 3 + [2] * 3 + [3] * 3 + [1] * 3
    assert done == [1, 2, 3, 4]
    assert result.rounds == 3
    assert {name: len(times.total_ns) for name, times in result.times.items()} == dict.fromkeys(
        "abc", 3
    )
    assert result.times["a"].model_ns == [42, 42, 42]
    assert all(ns > 0 for times in result.times.values() for ns in times.total_ns)


def laps(log: list[tuple[str, int]], many: int) -> list[str]:
    """Who ran in each round, in order."""
    names = "".join(name for name, _ in log)
    return [names[at : at + many] for at in range(0, len(names), many)]


def test_nobody_has_the_same_neighbour_before_it_by_far_more_than_its_fair_share() -> None:
    log: list[tuple[str, int]] = []
    rounds, many = 500, "abcde"
    runners = [Runner(name, log) for name in many]
    race(Race(), runners, FRAMES, rounds=rounds, warm_up=1, settle_s=0)
    pairs = Counter(pair for lap in laps(log, len(many)) for pair in pairwise(lap))
    fair = rounds / len(many)  # 4 of 20 ordered pairs in each round
    assert len(pairs) == 20
    assert 0.7 * fair < min(pairs.values())
    assert max(pairs.values()) < 1.3 * fair


def test_the_orders_are_the_same_in_every_run() -> None:
    logs: list[list[tuple[str, int]]] = [[], []]
    for log in logs:
        race(Race(), [Runner(n, log) for n in "abcd"], FRAMES, rounds=9, warm_up=1, settle_s=0)
    assert logs[0] == logs[1]


def test_one_that_fails_leaves_with_its_reason_and_the_others_go_on() -> None:
    log: list[tuple[str, int]] = []
    result = Race()
    runners = [Runner("a", log), Runner("b", log, fails_at=2)]
    race(result, runners, FRAMES, rounds=3, warm_up=1, settle_s=0)
    assert result.failed == {"b": "round 3: it broke"}
    assert len(result.times["a"].total_ns) == 3


def test_all_may_fail() -> None:
    result = Race()
    race(result, [Runner("a", [], fails_at=0)], FRAMES, rounds=2, warm_up=1, settle_s=0)
    assert result.times == {}
    assert list(result.failed) == ["a"]


def test_an_interruption_keeps_whole_rounds() -> None:
    log: list[tuple[str, int]] = []
    last = Runner("b", log, fails_at=3)
    last.error = KeyboardInterrupt()
    result = Race()
    with pytest.raises(KeyboardInterrupt):
        race(result, [Runner("a", log), last], FRAMES, rounds=5, warm_up=1, settle_s=0)
    assert result.rounds == 2
    assert {len(times.total_ns) for times in result.times.values()} == {2}


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="same name"):
        race(Race(), [Runner("a", []), Runner("a", [])], FRAMES, rounds=1, warm_up=0)
