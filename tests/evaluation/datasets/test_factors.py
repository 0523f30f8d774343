"""Data sets of the simulated web with one factor changed."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.datasets import DataSetError, SimulatedFrames, TrueFrame
from linescan.evaluation.datasets.factors import FACTORS

ONLY_THE_PICTURE = (
    "elevation", "azimuth", "shadow", "dirt", "brightness", "flicker", "gloss", "noise", "defocus",
    "gain",
)  # fmt: skip


def first(name: str, width: int = 128) -> TrueFrame:
    return next(frame for _, frame in SimulatedFrames(f"simulated:{name}@{width}").frames())


@pytest.mark.parametrize("key", FACTORS)
def test_every_factor_changes_the_picture_and_no_more_than_it_says(key: str) -> None:
    factor = FACTORS[key]
    width = 504 if key.startswith("lean") else 128  # narrower, relief is less than a pixel high
    nominal = first("nominal", width)
    changed = first(f"nominal+{key}={factor.text(factor.levels[-1])}", width)
    assert changed.frame.pixels.shape == nominal.frame.pixels.shape
    assert not np.array_equal(changed.frame.pixels, nominal.frame.pixels)
    if key in ONLY_THE_PICTURE:
        np.testing.assert_array_equal(changed.height, nominal.height)
        assert changed.objects == nominal.objects


@pytest.mark.parametrize("key", sorted(set(FACTORS) - {"shadow", "overlap"}))
def test_the_nominal_level_is_the_nominal_scene(key: str) -> None:
    level = FACTORS[key].text(FACTORS[key].nominal)
    nominal, same = first("nominal"), first(f"nominal+{key}={level}")
    np.testing.assert_array_equal(same.frame.pixels, nominal.frame.pixels)
    np.testing.assert_array_equal(same.height, nominal.height)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nominal+weather=1", r"expected a factor after \+, one of elevation, "),
        ("nominal+gloss=much", "expected gloss=LEVEL, LEVEL being 0 to 10"),
        ("nominal+gloss=-1", "LEVEL being 0 to 10"),
        ("nominal+gloss", "LEVEL being 0 to 10"),
        ("nominal+gloss=nan", "LEVEL being 0 to 10"),
        ("nominal+surface=moss", "LEVEL being plain, brushed, "),
        ("continuous+gloss=1", "one frame of each web"),
    ],
)
def test_what_cannot_be_had_is_said(name: str, says: str) -> None:
    with pytest.raises(DataSetError, match=says):
        SimulatedFrames(f"simulated:{name}")
