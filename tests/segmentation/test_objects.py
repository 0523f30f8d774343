"""Objects are exact to the pixel, in web coordinates, in a fixed order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.config import SegmentationSection
from linescan.records import BoolArray, FloatArray, LabelArray, WebMap, WebObject
from linescan.segmentation.objects import find_objects
from linescan.segmentation.runs import open_mask
from linescan.segmentation.thresholds import Thresholds
from tests.segmentation.frames import WEB

PLAIN: dict[str, object] = {
    "open_px": 0,
    "min_area_px": 1,
    "hysteresis": 1.0,
    "outline": "threshold",
}


def find(
    height: FloatArray, *, web: WebMap = WEB, valid: BoolArray | None = None, **section: object
) -> tuple[LabelArray, tuple[WebObject, ...]]:
    valid = np.ones(height.shape[0], np.bool_) if valid is None else valid
    known = np.isfinite(height) & valid[:, None]
    limits = Thresholds(5.0, 5.0, 1.0)
    settings = SegmentationSection.model_validate(PLAIN | section)
    return find_objects(height, known, valid, limits, settings, web)


def flat(rows: int = 20, columns: int = 30) -> FloatArray:
    return np.zeros((rows, columns), np.float32)


def test_box_area_and_heights() -> None:
    height = flat()
    height[3:7, 10:12] = 8
    height[4, 11] = 12
    web = WebMap(101.5, 4.0, 0.5, 2.0, mm_per_line=0.1, mm_per_column=0.2)
    labels, (found,) = find(height, web=web)
    assert np.array_equal(labels > 0, height > 0)
    assert (found.first_line, found.line_count) == (112, 16)
    assert (found.first_column, found.column_count) == (20, 4)
    assert found.area_px == 8 * 4 * 2
    assert found.area_mm2 == pytest.approx(64 * 0.02)
    assert found.mean_height == 8.5
    assert found.max_height == 12
    assert not found.touches_start
    assert not found.touches_end


def test_area_in_mm2_needs_both_pitches() -> None:
    height = flat()
    height[3:7, 10:12] = 8
    _, (found,) = find(height, web=WebMap(0, 1, 0, 1, mm_per_line=0.1))
    assert found.area_mm2 is None


def test_a_dent_has_a_negative_extreme() -> None:
    height = flat()
    height[3:7, 10:12] = -8
    height[4, 11] = -12
    _, (found,) = find(height)
    assert (found.mean_height, found.max_height) == (-8.5, -12)


def test_a_box_covers_the_object_where_the_map_is_not_whole() -> None:
    """2048 lines on 518 rows: row 10 reaches from line 39.54 to 43.49."""
    step = 2048 / 518
    height = flat(518, 6)
    height[10, 2] = 9
    _, (found,) = find(height, web=WebMap((step - 1) / 2, step, 0, 1))
    assert (found.first_line, found.first_line + found.line_count) == (39, 44)


def test_the_boxes_of_full_rows_end_with_the_frame() -> None:
    step = 2048 / 518
    height = np.full((518, 518), 9, np.float32)
    offset = 6144 + (step - 1) / 2
    _, (found,) = find(height, web=WebMap(offset, step, (step - 1) / 2, step))
    assert (found.first_line, found.line_count) == (6144, 2048)
    assert (found.first_column, found.column_count) == (0, 2048)


def test_hysteresis_grows_a_core_and_drops_what_has_none() -> None:
    height = flat()
    height[5:10, 5:10] = 3
    height[7, 7] = 6
    height[5:10, 20:25] = 3
    labels, found = find(height, hysteresis=0.5)
    assert len(found) == 1
    assert np.array_equal(np.argwhere(labels).min(axis=0), [5, 5])
    assert int((labels > 0).sum()) == 25
    labels, _ = find(height, hysteresis=1.0)
    assert int((labels > 0).sum()) == 1


def test_raised_and_sunk_parts_that_touch_are_two_objects() -> None:
    height = flat()
    height[5:10, 5:10] = 9
    height[5:10, 10:15] = -9
    labels, found = find(height)
    assert [o.max_height for o in found] == [9, -9]
    assert (labels[7, 9], labels[7, 10]) == (1, 2)


def test_diagonal_neighbours_are_one_object() -> None:
    height = flat()
    height[5, 5] = height[6, 6] = 9
    assert len(find(height)[1]) == 1


def test_opening_removes_whiskers_and_specks() -> None:
    height = flat()
    height[5:12, 5:12] = 9
    height[8, 12:25] = 9
    height[2, 2] = 9
    labels, found = find(height, open_px=3)
    assert len(found) == 1
    assert np.argwhere(labels)[:, 1].max() == 12  # the disc of 3 is a cross: it reaches one in


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_opening_only_removes(seed: int, diameter: int) -> None:
    mask = (np.random.default_rng(seed).random((40, 45)) < 0.8).astype(np.uint8)
    opened = open_mask(mask, diameter)
    assert not (opened & ~mask.astype(bool)).any()
    assert np.array_equal(open_mask(opened, diameter), opened)


def test_least_area() -> None:
    height = flat()
    height[2:4, 2:4] = 9
    height[10:13, 10:13] = 9
    assert [o.area_px for o in find(height, min_area_px=5)[1]] == [72]
    assert len(find(height, min_area_px=4)[1]) == 2


def test_the_largest_are_kept_and_numbered_along_the_web() -> None:
    height = flat()
    height[15, 2:9] = 9
    height[1, 20:25] = 9
    height[8, 8:10] = 9
    height[8, 1] = -9
    labels, found = find(height, max_objects=3)
    assert [(o.id, o.area_px) for o in found] == [(1, 40), (2, 16), (3, 56)]
    assert [int(labels[1, 22]), int(labels[8, 8]), int(labels[15, 2])] == [1, 2, 3]
    assert labels[8, 1] == 0


def test_more_objects_than_fit_are_bounded() -> None:
    height = flat(100, 100)
    height[::2, ::2] = 9
    labels, found = find(height, max_objects=1000)
    assert len(found) == 1000
    assert labels.max() == 1000
    assert np.array_equal(np.unique(labels[labels > 0]), np.arange(1, 1001))


def test_objects_that_wrap_from_row_to_row_stay_apart() -> None:
    """Runs end with their row: pixels at the right rim and at the next row's left do not touch."""
    height = flat()
    height[5, 27:] = 9
    height[6, :3] = 9
    labels, found = find(height)
    assert [(o.first_column, o.column_count, o.area_px) for o in found] == [(54, 6, 24), (0, 6, 24)]
    assert (labels[5, 29], labels[6, 0]) == (1, 2)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.7))
def test_measures_are_those_of_the_labelled_pixels(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    height = np.where(rng.random((23, 31)) < share, rng.uniform(6, 20, (23, 31)), 0)
    height = (height * rng.choice([-1, 1], height.shape)).astype(np.float32)
    labels, found = find(height, web=WebMap(0, 1, 0, 1))
    assert np.array_equal(labels > 0, height != 0)
    for thing in found:
        pixels = height[labels == thing.id]
        assert thing.area_px == pixels.size
        assert thing.mean_height == pytest.approx(pixels.mean(dtype=np.float64))
        assert thing.max_height == (pixels.max() if pixels[0] > 0 else pixels.min())
        rows, columns = np.nonzero(labels == thing.id)
        assert (thing.first_line, thing.first_column) == (int(rows.min()), int(columns.min()))
        assert (thing.line_count, thing.column_count) == (
            int(np.ptp(rows)) + 1,
            int(np.ptp(columns)) + 1,
        )


def test_unknown_pixels_decide_nothing() -> None:
    height = flat()
    height[3, 3] = np.nan
    height[4, 4] = np.inf
    height[5:8, 5:8] = 4
    labels, found = find(height)
    assert (labels.max(), found) == (0, ())


def test_seams() -> None:
    height = flat()
    height[0:3, 1:3] = 9
    height[18:20, 5:8] = 9
    height[:, 20:22] = 9
    height[8:10, 10:12] = 9
    seams = [(o.touches_start, o.touches_end) for o in find(height)[1]]
    assert seams == [(True, False), (True, True), (False, False), (False, True)]


def test_padding_counts_as_the_end_of_the_frame() -> None:
    height = flat()
    height[10:14, 5:8] = 9
    valid = np.ones(20, np.bool_)
    valid[14:] = False
    _, (found,) = find(height, valid=valid)
    assert found.touches_end
    assert not found.touches_start


@given(st.integers(0, 2**32 - 1))
def test_ids_labels_and_boxes_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height = np.round(rng.normal(0, 4, (30, 34)), 1).astype(np.float32)
    height[rng.random(30) < 0.1] = np.nan
    web = WebMap(1000.0, 1.0, 0.0, 1.0)
    labels, found = find(height, web=web, hysteresis=0.6, min_area_px=2)
    assert [o.id for o in found] == list(range(1, len(found) + 1))
    assert set(np.unique(labels)) - {0} == {o.id for o in found}
    assert [(o.first_line, o.first_column) for o in found] == sorted(
        (o.first_line, o.first_column) for o in found
    )
    assert not labels[np.isnan(height)].any()
    for o in found:
        rows, columns = np.nonzero(labels == o.id)
        assert (o.first_line, o.line_count) == (1000 + int(rows.min()), int(np.ptp(rows)) + 1)
        assert (o.first_column, o.column_count) == (int(columns.min()), int(np.ptp(columns)) + 1)
        assert o.area_px == rows.size
        inside = height[rows, columns].astype(float)
        assert o.mean_height == pytest.approx(inside.mean())
        assert abs(o.max_height) == np.abs(inside).max() > 5
        assert (inside > 0).all() or (inside < 0).all()
