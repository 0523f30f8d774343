"""Coloured webs: seeded, and their colour knows nothing of their relief."""

from __future__ import annotations

import numpy as np
import pytest

from linescan.evaluation.gray_rgb.colour import ColourPicture, colourfulness
from linescan.evaluation.gray_rgb.web import (
    LEAST_REFLECTANCE,
    coloured_web,
    reflectance,
    web_loaders,
)
from linescan.simulation import HELD_OUT_SEEDS
from linescan.training.data import simulated_frame

SIDE = 126


def test_the_same_seed_gives_the_same_picture_and_another_one_another() -> None:
    one, again, other = (coloured_web(seed, SIDE) for seed in (900_000, 900_000, 900_001))
    np.testing.assert_array_equal(one.rgb, again.rgb)
    assert (one.rgb != other.rgb).mean() > 0.5


def test_it_is_the_gray_web_times_a_reflectance_and_its_height_is_the_truth() -> None:
    frame = simulated_frame(900_003, SIDE, 1, "narrow")
    web = coloured_web(900_003, SIDE)
    assert web.height is not None
    np.testing.assert_array_equal(web.height, frame.height)
    expected = frame.image[:, :, None] * reflectance(900_003, SIDE)
    assert np.abs(web.rgb - expected).max() <= 0.51
    assert colourfulness(web.rgb) > 5


def test_reflectance_stays_within_its_bounds() -> None:
    values = reflectance(7, SIDE)
    assert values.shape == (SIDE, SIDE, 3)
    assert LEAST_REFLECTANCE <= values.min() < 0.6
    assert values.max() <= 1.0


def test_the_colour_says_nothing_of_the_height() -> None:
    correlations = []
    for seed in HELD_OUT_SEEDS[:12]:
        height = simulated_frame(seed, SIDE, 1, "narrow").height
        hue = np.subtract(*np.moveaxis(reflectance(seed, SIDE)[:, :, :2], 2, 0))
        correlations.append(np.corrcoef(hue.ravel(), height.ravel())[0, 1])
    assert abs(np.mean(correlations)) < 0.1


def test_loaders_are_as_many_as_asked_for_up_to_the_held_out_seeds() -> None:
    loaders = web_loaders(2)
    assert len(loaders) == 2
    first = loaders[0]()
    assert isinstance(first, ColourPicture)
    assert first.name == "web-900000"
    with pytest.raises(ValueError, match="held-out"):
        web_loaders(len(HELD_OUT_SEEDS) + 1)
