"""Frames without objects have none, whatever the method and the kind of noise."""

import cv2
import numpy as np
import pytest

from linescan.config import SegmentationSection
from linescan.records import FloatArray
from linescan.segmentation import segment_depth
from tests.segmentation.frames import depth_map

SEEDS = 40
SIDE = 126


def noise(kind: str, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    white = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    if kind == "soft":
        return np.asarray(cv2.GaussianBlur(white, (0, 0), 1.5), np.float32)
    if kind == "laplace":
        return rng.laplace(0, 1, (SIDE, SIDE)).astype(np.float32)
    if kind == "flat":
        return np.full((SIDE, SIDE), rng.normal(), np.float32)
    return white


@pytest.mark.parametrize("method", ["mad", "quantile", "otsu", "multi_otsu"])
@pytest.mark.parametrize("kind", ["white", "soft", "laplace", "flat"])
def test_no_false_objects(method: str, kind: str) -> None:
    """None in 40 frames of each kind with the default opening and least area."""
    section = SegmentationSection.model_validate({"threshold": {"method": method}})
    found = [segment_depth(depth_map(noise(kind, seed)), section) for seed in range(SEEDS)]
    assert sum(len(f.objects) for f in found) == 0


@pytest.mark.parametrize("method", ["mad", "quantile", "otsu", "multi_otsu"])
def test_hardly_a_pixel_even_without_opening_and_least_area(method: str) -> None:
    """White noise: the limit lets through one pixel in six frames; mad with k = 6 none."""
    raw = {"threshold": {"method": method}, "open_px": 0, "min_area_px": 1}
    section = SegmentationSection.model_validate(raw)
    found = [segment_depth(depth_map(noise("white", seed)), section) for seed in range(SEEDS)]
    count = sum(len(f.objects) for f in found)
    assert count == 0 if method == "mad" else count < SEEDS / 2


def test_the_same_frames_are_not_empty_for_a_low_threshold() -> None:
    """So the tests above can fail."""
    section = SegmentationSection.model_validate(
        {"threshold": {"method": "mad", "k": 1.5}, "open_px": 0, "min_area_px": 1}
    )
    assert segment_depth(depth_map(noise("white", 0)), section).objects
