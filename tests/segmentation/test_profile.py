"""The profile across the web follows the web and no object along it."""

import numpy as np
import pytest

from linescan.segmentation import profile
from linescan.segmentation.profile import FEW_DRAWS, MANY_DRAWS, smooth_profile
from linescan.segmentation.robust import Floats

PLACE = np.linspace(-1, 1, 120)
NOISE = np.random.default_rng(1).normal(0, 0.1, PLACE.size)
ALL = np.ones(PLACE.size)


def draws_used(monkeypatch: pytest.MonkeyPatch, medians: Floats) -> tuple[list[int], Floats]:
    """How many curves each attempt drew, and the profile."""
    used = []
    draws = profile._draws

    def counted(columns: int, count: int) -> np.ndarray:
        used.append(count)
        return draws(columns, count)

    monkeypatch.setattr(profile, "_draws", counted)
    return used, smooth_profile(medians, ALL, 0.3)


def test_few_curves_are_enough_for_a_web_with_few_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    medians = 4 * PLACE**2 + NOISE
    medians[30:40] += 20
    used, found = draws_used(monkeypatch, medians)
    assert used == [FEW_DRAWS]
    assert np.abs(found - 4 * PLACE**2).max() < 0.3


def test_a_web_nearly_half_covered_takes_many(monkeypatch: pytest.MonkeyPatch) -> None:
    medians = 4 * PLACE**2 + NOISE
    medians[20:70] += 20
    used, found = draws_used(monkeypatch, medians)
    assert used == [FEW_DRAWS, MANY_DRAWS]
    assert np.abs(found - 4 * PLACE**2).max() < 0.4


@pytest.mark.parametrize("degree", range(5))
def test_curves_go_through_their_points(degree: int) -> None:
    rng = np.random.default_rng(degree)
    wanted = np.zeros((30, 5))
    wanted[:, : degree + 1] = rng.normal(size=(30, degree + 1))
    place = np.sort(rng.choice(PLACE, (30, 5), replace=True) + np.arange(5) * 0.01, axis=1)
    values = sum(wanted[:, k, None] * place**k for k in range(5))
    through = profile._through(place, values)
    back = sum(through[:, k, None] * place**k for k in range(5))
    assert back == pytest.approx(values, abs=1e-6)


def test_columns_that_nothing_is_known_of_are_bridged() -> None:
    medians = 2 * PLACE + NOISE
    medians[50:60] = np.nan
    trust = ALL.copy()
    trust[80:90] = 0
    medians[80:90] = 500
    assert np.abs(smooth_profile(medians, trust, 0.3) - 2 * PLACE).max() < 0.3


def test_too_few_columns_give_their_median() -> None:
    medians = np.array([1.0, np.nan, 3.0, 5.0])
    assert smooth_profile(medians, np.ones(4), 0.1).tolist() == [3.0] * 4
    assert smooth_profile(np.full(4, np.nan), np.ones(4), 0.1).tolist() == [0.0] * 4


def test_the_caches_are_bounded() -> None:
    for count in range(20, 60):
        smooth_profile(np.arange(count, dtype=float), np.ones(count), 0.1)
    assert profile._draws.cache_info().currsize <= 8
    assert profile._penalty.cache_info().currsize <= 4
