from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.depth.framing.relation import centre, median, relate

RNG = np.random.default_rng(11)
SURFACE = np.cumsum(RNG.normal(size=2000)) / 10


@given(scale=st.floats(0.01, 100), shift=st.floats(-1e3, 1e3))
def test_an_exact_relation_is_found(scale: float, shift: float) -> None:
    found = relate(SURFACE, scale * SURFACE + shift, flat=1e-3)
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert found.correlation == pytest.approx(1.0)
    assert found.certainty > 1e3


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_the_median_is_that_of_numpy(values: list[float]) -> None:
    samples = np.array(values)
    assert median(samples) == np.median(samples)


def test_outliers_on_one_side_do_not_pull_it() -> None:
    """15 % of the samples, all at one end, where a least-squares line follows them."""
    there = 3 * SURFACE + 1
    there[np.quantile(SURFACE, 0.85) < SURFACE] += np.ptp(SURFACE)
    assert abs(np.polyfit(SURFACE, there, 1)[0] - 3) > 0.8
    assert relate(SURFACE, there, 1e-3).scale == pytest.approx(3.0, rel=0.1)


def test_structure_on_a_mostly_flat_web_is_not_taken_for_an_outlier() -> None:
    """5 % of the samples hold all structure; the rest is noise that the two do not share."""
    here = np.zeros(4000)
    here[:200] = np.linspace(0.5, 1.5, 200)
    there = 2.5 * here + RNG.normal(0, 0.02, here.size)
    found = relate(here + RNG.normal(0, 0.01, here.size), there, flat=1e-3)
    assert found.scale == pytest.approx(2.5, rel=0.05)


def test_noise_on_either_side_does_not_flatten_the_slope() -> None:
    here = SURFACE + RNG.normal(0, 0.4 * SURFACE.std(), SURFACE.size)
    there = 2 * SURFACE + RNG.normal(0, 0.8 * SURFACE.std(), SURFACE.size)
    ordinary = np.polyfit(here, there, 1)[0]
    found = relate(here, there, 1e-3)
    assert ordinary < 1.8
    assert found.scale == pytest.approx(2.0, rel=0.05)


def test_what_does_not_belong_together_tells_nothing() -> None:
    other = RNG.permutation(SURFACE)
    for there in (other, -SURFACE, np.ones_like(SURFACE)):
        found = relate(SURFACE, there, 1e-3)
        assert (found.scale, found.certainty) == (1.0, 0.0)
    assert relate(SURFACE, 2 * SURFACE, flat=1e6).certainty == 0.0
    assert relate(SURFACE[:10], SURFACE[:10], 1e-3).certainty == 0.0
    assert relate(SURFACE, -SURFACE, 1e-3).correlation == pytest.approx(-1.0)


def test_noisier_pairs_are_less_certain() -> None:
    noise = RNG.normal(size=SURFACE.size) * SURFACE.std()
    certainties = [relate(SURFACE, SURFACE + k * noise, 1e-3).certainty for k in (0.05, 0.2, 0.6)]
    assert certainties == sorted(certainties, reverse=True)
    assert certainties[-1] > 0


def test_the_middle_is_robust_and_its_variance_honest() -> None:
    values = np.concatenate([RNG.normal(3.0, 0.5, 4000), np.full(800, 50.0)])
    middle, variance = centre(values)
    assert middle == pytest.approx(3.0, abs=0.2)
    assert variance == pytest.approx(0.25, rel=0.8)
    assert centre(np.array([2.0])) == (2.0, 0.0)
