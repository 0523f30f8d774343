"""The whole stage on synthetic frames with known discs and dents, and its invariances."""

import dataclasses
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.config import SegmentationSection
from linescan.records import (
    Cause,
    Convention,
    DepthMap,
    Inspection,
    Loss,
    Segmentation,
    WebMap,
)
from linescan.segmentation import Segment, segment_depth
from tests.segmentation.frames import DISCS, WEB, Disc, depth_map, inspection, surface, truth

METHODS = ("mad", "quantile", "otsu", "multi_otsu")
SHAPE = (140, 160)
few = settings(max_examples=25, deadline=None)


def segment(depth: DepthMap, method: str = "mad", **more: object) -> Segmentation:
    threshold = {"method": method, "quantile": 0.96}
    return segment_depth(depth, SegmentationSection.model_validate({"threshold": threshold} | more))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("background", ["none", "plane", "columns", "both"])
def test_discs_and_dents_are_exact(method: str, background: str) -> None:
    """Precision and recall are both 1; the opening of 3 takes lone pixels of a drawn disc's rim."""
    found = segment(depth_map(surface(noise=0.5)), method, background=background, hysteresis=1)
    expected = cv2.morphologyEx(
        truth(SHAPE, DISCS).astype(np.uint8),
        cv2.MORPH_OPEN,
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)),
    )
    assert np.array_equal(found.labels > 0, expected > 0)
    heights = [o.mean_height for o in found.objects]
    assert heights == pytest.approx([20, -18, 15, -25], abs=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_hysteresis_adds_little_to_sharp_objects(method: str) -> None:
    """Half the threshold reaches into the noise: a few pixels at the rims, no more objects."""
    found = segment(depth_map(surface(noise=0.5)), method)
    mask, expected = found.labels > 0, truth(SHAPE, DISCS)
    assert len(found.objects) == len(DISCS)
    assert (mask & expected).sum() / expected.sum() > 0.995
    assert (mask & expected).sum() / mask.sum() > 0.98


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("side", ["raised", "sunk"])
def test_one_side_alone(method: str, side: str) -> None:
    threshold = {"method": method, "side": side, "quantile": 0.96}
    section = SegmentationSection.model_validate({"threshold": threshold})
    found = segment_depth(depth_map(surface()), section)
    sign = 1 if side == "raised" else -1
    wanted = [d.height for d in DISCS if d.height * sign > 0]
    assert [o.mean_height for o in found.objects] == pytest.approx(wanted, abs=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_convention_depth_is_turned_round(method: str) -> None:
    """Objects and thresholds, which differ for the two sides, are those of the height."""
    height = segment(depth_map(surface()), method)
    depth = segment(depth_map(-surface(), convention=Convention.DEPTH), method)
    disparity = segment(depth_map(surface(), convention=Convention.DISPARITY), method)
    assert height.objects == depth.objects == disparity.objects
    assert height.thresholds == depth.thresholds == disparity.thresholds
    assert np.array_equal(height.labels, depth.labels)
    if "otsu" in method:
        assert height.thresholds["raised"] != -height.thresholds["sunk"]


@pytest.mark.parametrize("method", METHODS)
def test_invalid_rows_are_never_labelled(method: str) -> None:
    valid = np.ones(140, np.bool_)
    valid[25:33] = False
    valid[120:] = False
    found = segment(depth_map(surface(), valid=valid), method)
    assert not found.labels[~valid].any()
    assert found.labels[22, 40] != 0
    assert found.labels[36, 40] != found.labels[22, 40]
    assert found.objects[-1].touches_end


def test_not_finite_values_in_valid_rows_are_background() -> None:
    values = surface()
    values[30, 30:50] = np.inf
    values[60, :] = np.nan
    values[61, 3] = -np.inf
    found = segment_depth(depth_map(values), SegmentationSection())
    assert not found.labels[~np.isfinite(values)].any()
    assert found.objects
    assert all(np.isfinite([o.mean_height, o.max_height]).all() for o in found.objects)


def test_no_valid_row_gives_no_objects() -> None:
    found = segment(depth_map(surface(), valid=np.zeros(140, np.bool_)))
    assert not found.labels.any()
    assert (found.objects, dict(found.thresholds)) == ((), {})


def test_a_hole_in_a_flat_noise_free_frame_is_exact() -> None:
    values = surface(discs=(Disc(60, 60, 8, -1e-3),), noise=0)
    found = segment(depth_map(values + 3), open_px=0)
    assert np.array_equal(found.labels > 0, values < 0)


@few
@given(st.integers(-(2**40), 2**40), st.integers(-5000, 5000))
def test_a_shift_of_the_web_map_shifts_boxes_and_nothing_else(lines: int, columns: int) -> None:
    here = segment(depth_map(surface()))
    web = dataclasses.replace(
        WEB, line_offset=WEB.line_offset + lines, column_offset=WEB.column_offset + columns
    )
    there = segment(depth_map(surface(), web=web))
    assert np.array_equal(here.labels, there.labels)
    assert here.thresholds == there.thresholds
    back = tuple(
        dataclasses.replace(
            o, first_line=o.first_line - lines, first_column=o.first_column - columns
        )
        for o in there.objects
    )
    assert here.objects == back


@few
@given(
    st.sampled_from(METHODS),
    st.sampled_from(["plane", "both"]),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(-1000, 1000),
)
def test_a_tilted_web_has_the_same_objects(
    method: str, kind: str, along: float, across: float, offset: float
) -> None:
    values = surface(noise=0.5)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    tilted = (values + along * rows + across * columns + offset).astype(np.float32)
    flat = segment(depth_map(values), method, background=kind, hysteresis=1)
    found = segment(depth_map(tilted), method, background=kind, hysteresis=1)
    assert np.array_equal(flat.labels, found.labels)
    for a, b in zip(flat.objects, found.objects, strict=True):
        assert a.mean_height == pytest.approx(b.mean_height, abs=0.02)


@few
@given(st.sampled_from(METHODS), st.sampled_from(["none", "columns"]), st.floats(-1000, 1000))
def test_a_constant_changes_no_object(method: str, kind: str, offset: float) -> None:
    values = surface(noise=0.5)
    flat = segment(depth_map(values), method, background=kind, hysteresis=1)
    found = segment(depth_map(values + np.float32(offset)), method, background=kind, hysteresis=1)
    assert np.array_equal(flat.labels, found.labels)


@few
@given(st.sampled_from(METHODS), st.floats(1e-6, 1e6))
def test_scale_changes_no_label(method: str, scale: float) -> None:
    values = surface(noise=0.5)
    plain = segment(depth_map(values), method, hysteresis=1)
    scaled = segment(depth_map(values * np.float32(scale)), method, hysteresis=1)
    assert np.array_equal(plain.labels, scaled.labels)
    assert scaled.thresholds["raised"] == pytest.approx(
        plain.thresholds["raised"] * scale, rel=0.01
    )


@few
@given(st.integers(0, 2**32 - 1), st.integers(-20, 20))
def test_scale_by_a_power_of_two_is_exact_even_in_noise(seed: int, power: int) -> None:
    values = np.random.default_rng(seed).normal(0, 1, (60, 64)).astype(np.float32)
    more = {"hysteresis": 0.4, "min_area_px": 1, "open_px": 0}
    section = {"threshold": {"method": "mad", "k": 2.5}} | more
    plain, scaled = (
        segment_depth(depth_map(v), SegmentationSection.model_validate(section))
        for v in (values, values * np.float32(2.0**power))
    )
    assert plain.objects
    assert np.array_equal(plain.labels, scaled.labels)


@few
@given(st.integers(0, 2**32 - 1))
def test_every_labelled_pixel_lies_in_its_box_and_areas_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    discs = tuple(
        Disc(rng.uniform(0, 140), rng.uniform(0, 160), rng.uniform(4, 18), rng.choice([-30, 30]))
        for _ in range(5)
    )
    steps = rng.uniform(0.5, 5, 2)
    web = WebMap(rng.uniform(0, 1e6), steps[0], rng.uniform(0, 9), steps[1], 0.1, 0.3)
    found = segment(depth_map(surface(discs=discs), web=web))
    for o in found.objects:
        rows, columns = np.nonzero(found.labels == o.id)
        lines = web.line_offset + rows * web.line_step
        across = web.column_offset + columns * web.column_step
        assert (lines >= o.first_line - 0.5).all()
        assert (lines <= o.first_line + o.line_count - 0.5).all()
        assert (across >= o.first_column - 0.5).all()
        assert (across <= o.first_column + o.column_count - 0.5).all()
        assert o.area_px == pytest.approx(rows.size * steps[0] * steps[1])
        assert o.area_mm2 == pytest.approx(o.area_px * 0.03)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_bits_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    before = cv2.getNumThreads()
    values = surface((600, 700), noise=2.0)
    reference = segment(depth_map(values), hysteresis=0.3, min_area_px=2, open_px=0)
    try:
        cv2.setNumThreads(threads)
        again = segment(depth_map(values), hysteresis=0.3, min_area_px=2, open_px=0)
    finally:
        cv2.setNumThreads(before)
    assert again.labels.tobytes() == reference.labels.tobytes()
    assert again.objects == reference.objects
    assert again.thresholds == reference.thresholds


def test_the_stage_adds_the_segmentation_and_keeps_the_rest() -> None:
    stage = Segment(SegmentationSection())
    given = inspection(depth_map(surface()))
    (result,) = stage.process(given)
    assert isinstance(result, Inspection)
    assert result.segmentation is not None
    assert len(result.segmentation.objects) == len(DISCS)
    assert dataclasses.replace(result, segmentation=None) == given
    assert (stage.name, stage.failure) == ("segment", Cause.SEGMENTATION_FAILURE)


def test_without_depth_or_switched_off_inspections_pass() -> None:
    bare, full = inspection(None), inspection(depth_map(surface()))
    assert list(Segment(SegmentationSection()).process(bare)) == [bare]
    assert list(Segment(SegmentationSection(enabled=False)).process(full)) == [full]


def test_the_input_is_not_written_to() -> None:
    depth = depth_map(surface())
    before = depth.values.copy()
    depth.values.flags.writeable = False
    segment(depth)
    assert np.array_equal(before, depth.values)


def test_losses_pass() -> None:
    loss = Loss(3, 4, Cause.CAMERA_GAP)
    assert list(Segment(SegmentationSection()).skip(loss)) == [loss]


def test_the_models_noise_floor_is_the_floor_unless_the_configuration_says_one() -> None:
    given = inspection(depth_map(surface()))

    def raised(stage: Segment) -> float:
        stage.setup()
        (result,) = stage.process(given)
        assert isinstance(result, Inspection)
        assert result.segmentation is not None
        return result.segmentation.thresholds["raised"]

    own = raised(Segment(SegmentationSection()))
    assert raised(Segment(SegmentationSection(), noise_floor=own + 1)) == own + 1
    said = SegmentationSection.model_validate({"threshold": {"floor": own + 2}})
    assert raised(Segment(said, noise_floor=own + 1)) == own + 2


SET_UP_LOADS_EVERYTHING = """
import sys
import numpy as np
from linescan.config import SegmentationSection
from linescan.segmentation import Segment
from tests.segmentation.frames import depth_map, inspection, surface
given = inspection(depth_map(surface((518, 518))))
stage = Segment(SegmentationSection())
stage.setup()
before = set(sys.modules)
(result,) = stage.process(given)
assert result.segmentation.objects
print(sorted(set(sys.modules) - before))
"""


def test_set_up_loads_what_frames_need() -> None:
    """Otherwise the first frame waits for imports, in the middle of a run."""
    command = [sys.executable, "-c", SET_UP_LOADS_EVERYTHING]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")
