"""Which parts are left out where the tolerance has no room for all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from linescan.depth.quantise.choice import AIM, choose
from linescan.depth.quantise.graph import Scores
from linescan.depth.quantise.plan import ScoresPlan, Unit

FLOOR = 0.004
"""What the engine deviates by with nothing quantised."""


def unit(name: str, work: float) -> Unit:
    product = Scores(name, "query", "key", "projection")
    plan = ScoresPlan(product, np.ones(1), np.zeros(1), 1.0, 1.0, work)
    return Unit(name, scores=(plan,))


class Errors:
    """Independent errors whose squares add up, as those of rounding nearly do."""

    def __init__(self, noise: dict[str, float], extra: float = 1.0) -> None:
        self.noise = noise
        self.extra = extra
        self.tried: list[str] = []

    def measure(self, units: Sequence[Unit]) -> float:
        squares = sum(self.noise[each.name] ** 2 for each in units)
        return math.sqrt(FLOOR**2 + self.extra * squares)

    def alone(self, one: Unit) -> float:
        self.tried.append(one.name)
        return self.noise[one.name]


def names(units: Sequence[Unit]) -> list[str]:
    return [each.name for each in units]


def test_all_are_taken_where_all_fit_and_none_is_tried_alone() -> None:
    errors = Errors({"a": 0.001, "b": 0.002})
    units = [unit("a", 1), unit("b", 1)]
    assert choose(units, errors.measure, errors.alone, 0.02, FLOOR) == tuple(units)
    assert errors.tried == []


def test_those_with_the_most_error_for_their_work_are_left_out() -> None:
    errors = Errors({"a": 0.004, "bad": 0.02, "c": 0.004, "large": 0.012})
    units = [unit("a", 1), unit("bad", 1), unit("c", 1), unit("large", 50)]
    assert names(choose(units, errors.measure, errors.alone, 0.02, FLOOR)) == ["a", "c", "large"]


def test_it_goes_on_until_the_measured_deviation_fits() -> None:
    """Together they deviate by more than the sum of what each does alone."""
    errors = Errors({str(i): 0.004 for i in range(30)}, extra=3.0)
    units = [unit(name, 1) for name in errors.noise]
    kept = choose(units, errors.measure, errors.alone, 0.02, FLOOR)
    assert 0 < len(kept) < 30
    assert errors.measure(kept) <= AIM * 0.02
    assert errors.measure([*kept, units[0], units[1]]) > AIM * 0.02


def test_none_is_left_where_the_engine_alone_deviates_by_too_much() -> None:
    errors = Errors({"a": 0.004})
    assert choose([unit("a", 1)], errors.measure, errors.alone, FLOOR, FLOOR) == ()
    assert errors.tried == []
