"""The dynamic programme finds what OpenCV and exhaustive search find."""

from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.segmentation.otsu import otsu_bins, otsu_cuts


def between_variance(counts: np.ndarray, cuts: tuple[int, ...]) -> float:
    place = np.arange(counts.size)
    mean = (counts * place).sum() / counts.sum()
    total = 0.0
    for low, high in zip((0, *cuts), (*cuts, counts.size), strict=True):
        mass = counts[low:high].sum()
        if mass:
            total += mass * ((counts[low:high] * place[low:high]).sum() / mass - mean) ** 2
    return total


@given(st.lists(st.integers(0, 50), min_size=6, max_size=14), st.integers(2, 4))
def test_no_cuts_are_better(counts: list[int], classes: int) -> None:
    histogram = np.array(counts, float)
    if not histogram.any():
        histogram[0] = 1
    found = otsu_bins(histogram, classes)
    assert list(found) == sorted(found)
    best = max(
        between_variance(histogram, cuts)
        for cuts in combinations(range(1, histogram.size), classes - 1)
    )
    assert between_variance(histogram, tuple(found)) == pytest.approx(best, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_two_classes_are_opencv_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = np.concatenate([rng.normal(80, 25, 4000), rng.normal(170, 20, 500 * (seed + 1))])
    image = np.clip(image, 0, 255).astype(np.uint8)
    theirs, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    counts = np.bincount(image, minlength=256).astype(float)
    assert abs(otsu_bins(counts, 2)[0] - 1 - theirs) <= 1


def test_the_middle_of_a_gap_is_taken() -> None:
    counts = np.zeros(101)
    counts[:11] = 100
    counts[90:] = 10
    assert otsu_bins(counts, 2)[0] == pytest.approx(50, abs=1)


def test_cuts_are_in_the_unit_of_the_values() -> None:
    values = np.concatenate([np.full(1000, -0.004), np.full(500, 0.0), np.full(300, 0.01)])
    low, high = otsu_cuts(values, 3)
    assert -0.004 < low < 0.0 < high < 0.01


@pytest.mark.parametrize("values", [[], [3.0], [2.0] * 50])
def test_nothing_to_separate(values: list[float]) -> None:
    assert otsu_cuts(np.array(values), 2).size == 0
