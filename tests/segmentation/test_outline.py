"""Outlines lie in the middle of an object's own flanks, wherever the threshold is."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray, LabelArray, WebObject
from linescan.segmentation.finding import find_regions
from linescan.segmentation.objects import find_objects
from linescan.segmentation.outline import MARGIN
from linescan.segmentation.regions import Regions
from linescan.segmentation.thresholds import Thresholds
from tests.segmentation.frames import WEB

LIMITS = Thresholds(raised=1.0, sunk=1.0, noise=0.1)
SHAPE = (96, 110)
few = settings(max_examples=25, deadline=None)


def frustum(
    row: float, column: float, radius: float, height: float, flank: float = 6.0
) -> FloatArray:
    """A disc with even flanks that are half as high as it is at its radius."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = radius - np.hypot(rows - row, columns - column)
    return np.asarray(height * np.clip(0.5 + inside / flank, 0, 1), np.float32)


def noise(seed: int, sigma: float) -> FloatArray:
    return np.random.default_rng(seed).normal(0, sigma, SHAPE).astype(np.float32)


def settings_of(**changes: object) -> SegmentationSection:
    return SegmentationSection.model_validate({"min_area_px": 25} | changes)


def find(height: FloatArray, **changes: object) -> tuple[LabelArray, tuple[WebObject, ...]]:
    known = np.isfinite(height)
    valid = np.ones(len(height), np.bool_)
    return find_objects(height, known, valid, LIMITS, settings_of(**changes), WEB)


def regions(height: FloatArray, **changes: object) -> Regions:
    return find_regions(height, np.isfinite(height), LIMITS, settings_of(**changes))


def area(height: FloatArray, **changes: object) -> int:
    found = regions(height, **changes)
    assert found.count == 1
    return int(found.area[0])


def test_at_the_threshold_area_depends_on_height() -> None:
    """What the outline is there for: the same disc, but higher."""
    low, high = (area(frustum(48, 50, 20, h), outline="threshold") for h in (1.2, 40))
    assert high / low > 1.15


@pytest.mark.parametrize("hysteresis", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("sign", [1, -1])
@given(st.integers(0, 2**32 - 1), st.floats(1.3, 50), st.floats(9, 30), st.floats(1, 8))
@few
def test_area_is_that_at_half_height_whatever_the_threshold(
    hysteresis: float, sign: int, seed: int, height: float, radius: float, flank: float
) -> None:
    disc = frustum(48, 50, radius, height, flank) + noise(seed, 0.02 * height)
    got = area(np.float32(sign) * disc, hysteresis=hysteresis)
    assert got == pytest.approx(math.pi * radius**2, rel=0.05 + 0.5 / radius)


@given(st.floats(0.2, 0.8))
@few
def test_the_share_says_where_on_the_flank(share: float) -> None:
    flank = 12.0
    got = area(frustum(48, 50, 25, 8.0, flank), outline=share)
    assert got == pytest.approx(math.pi * (25 + flank * (0.5 - share)) ** 2, rel=0.03)


@given(
    st.integers(0, 2**32 - 1),
    st.floats(2, 20),
    st.sampled_from([6, 8, 11, 19, 21]),
    st.floats(2.0, 5.0),
)
@few
def test_a_plate_stays_under_its_bump(seed: int, plate: float, bump: float, times: float) -> None:
    """Half of the bump's height is more than the plate's: it would cut the plate away."""
    height = frustum(48, 50, 30, plate, 5) + frustum(48, 50, bump, plate * times, 5)
    got = area(height + noise(seed, 0.02 * plate))
    assert got == pytest.approx(math.pi * 30**2, rel=0.06)


@pytest.mark.parametrize("height", [3.0, 20.0, 200.0])
def test_what_is_round_ends_at_the_same_share_however_high_it_is(height: float) -> None:
    """A cap and a bell have no plateau, and the threshold is far out on their slopes."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    far = np.hypot(rows - 48, columns - 50)
    cap = height * np.maximum(1 - (far / 36) ** 2, 0)
    bell = height * np.exp(-((far / 14) ** 2))
    for shape in (cap, bell):
        found = regions(shape.astype(np.float32))
        assert found.count == 1
        assert 0.38 * height < shape[_mask(found)].min() < 0.45 * height


def _mask(found: Regions) -> BoolArray:
    labels = np.zeros(SHAPE, np.int32)
    found.paint(labels, np.arange(1, found.count + 1, dtype=np.int32))
    return labels > 0


def test_a_hole_stays_a_hole_and_a_sagging_plateau_does_not_become_one() -> None:
    ring = frustum(48, 50, 30, 5.0, 4) - frustum(48, 50, 15, 5.0, 4)
    assert area(ring) == pytest.approx(math.pi * (30**2 - 15**2), rel=0.04)
    sagging = frustum(48, 50, 30, 5.0, 4) - frustum(48, 50, 15, 2.0, 20)
    assert area(sagging) == pytest.approx(math.pi * 30**2, rel=0.04)


def test_neighbours_that_touch_at_the_foot_alone_come_apart() -> None:
    height = np.maximum(frustum(48, 30, 16, 9.0, 10), frustum(48, 68, 16, 5.0, 10))
    assert regions(height, outline="threshold").count == 1
    found = regions(height)
    assert found.count == 2
    assert found.area.tolist() == pytest.approx([math.pi * 16**2] * 2, rel=0.08)


@pytest.mark.parametrize("rows", [slice(0, 48), slice(48, 96)])
def test_a_part_at_the_border_ends_where_the_whole_does(rows: slice) -> None:
    whole = frustum(48, 50, 25, 6.0, 8) + noise(3, 0.05)
    part = regions(np.ascontiguousarray(whole[rows]))
    mask = _mask(regions(whole))
    cut = np.zeros((48, SHAPE[1]), np.int32)
    part.paint(cut, np.ones(part.count, np.int32))
    assert np.count_nonzero((cut > 0) != mask[rows]) < 0.02 * np.count_nonzero(mask[rows])


def test_nothing_grows_far_beyond_its_box() -> None:
    """On a wide slope half of the height may be far away."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    height = (1.2 - 0.005 * np.hypot(rows - 48, columns - 50)).astype(np.float32)
    before = regions(height, hysteresis=1.0, outline="threshold").boxes[0]
    after = regions(height, hysteresis=1.0).boxes[0]
    assert np.abs(after - before).tolist() == [MARGIN] * 4


def test_unknown_pixels_are_not_grown_into() -> None:
    height = frustum(48, 50, 25, 1.2, 12)
    height[:, 70:] = np.nan
    found = regions(height, hysteresis=1.0)
    assert found.boxes[0, 3] == 69
    assert found.area[0] > area(height, hysteresis=1.0, outline="threshold")


def test_two_that_grow_towards_each_other_stay_two() -> None:
    height = np.maximum(frustum(48, 32, 12, 1.2, 4), frustum(48, 62, 12, 1.2, 4))
    height = np.maximum(height, np.float32(0.7))
    assert regions(height, hysteresis=1.0, outline="threshold").count == 2
    found = regions(height, hysteresis=1.0)
    assert found.count == 2
    assert found.area.min() > math.pi * 12**2


def test_the_least_area_is_that_of_the_outline() -> None:
    height = frustum(48, 50, 4, 20.0, 2)
    assert area(height, outline="threshold", min_area_px=50) > math.pi * 4**2 * 1.2
    assert regions(height, min_area_px=58).count == 0
    assert area(height, min_area_px=40) == pytest.approx(math.pi * 4**2, rel=0.15)


def test_only_the_largest_have_outlines_of_their_own() -> None:
    """However much noise passes for objects, the work is bounded."""
    height = frustum(24, 25, 15, 20.0, 6) + frustum(70, 70, 20, 20.0, 6)
    small, large = regions(height, max_objects=1).area.tolist()
    assert large == pytest.approx(math.pi * 20**2, rel=0.05)
    assert small > math.pi * 15**2 * 1.2


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8), st.floats(0.4, 1.0))
@few
def test_measures_are_those_of_the_outline(seed: int, share: float, hysteresis: float) -> None:
    rng = np.random.default_rng(seed)
    rough = rng.normal(0, 20, SHAPE).astype(np.float32)
    height: FloatArray = np.asarray(cv2.GaussianBlur(rough, (0, 0), 3), np.float32)
    labels, found = find(height, outline=share, hysteresis=hysteresis)
    again, same = find(height.copy(), outline=share, hysteresis=hysteresis)
    assert (labels.tobytes(), found) == (again.tobytes(), same)
    assert found
    for thing in found:
        pixels = height[labels == thing.id]
        rows, columns = np.nonzero(labels == thing.id)
        assert thing.area_px == pixels.size * WEB.line_step * WEB.column_step
        assert thing.mean_height == pytest.approx(pixels.mean(dtype=np.float64))
        assert abs(thing.max_height) == np.abs(pixels).max() > 1
        assert cv2.connectedComponents((labels == thing.id).astype(np.uint8))[0] == 2
        assert (int(np.ptp(rows)), int(np.ptp(columns))) <= (thing.line_count, thing.column_count)
