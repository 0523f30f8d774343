"""The alignment stage on webs whose frames come with scales and shifts of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from linescan.config import AlignmentSection
from linescan.depth.alignment import Align, Reference
from linescan.depth.alignment.reference import FIRST_FRAMES
from linescan.evaluation.continuity import ContinuityMeter
from linescan.records import Cause, Convention, DepthMap, Inspection, Loss
from tests.depth.alignment.webs import OVERLAP, ROWS, inspections, web, without_rows

FRAMES = 40
RNG = np.random.default_rng(8)
SCALES = np.exp(RNG.normal(0.0, 0.2, FRAMES))
SHIFTS = RNG.normal(0.0, 2.0, FRAMES)
ONES, ZEROS = np.ones(FRAMES), np.zeros(FRAMES)


def aligned(
    stage: Align, items: Iterable[Inspection]
) -> tuple[list[DepthMap], npt.NDArray[np.float64]]:
    """Depth as it leaves the stage, and the scales that were applied."""
    found = []
    for item in items:
        (result,) = stage.process(item)
        assert isinstance(result, Inspection)
        assert result.depth is not None
        found.append(result.depth)
    return found, np.array([depth.scale for depth in found])


def test_scales_and_shifts_of_a_relative_model_are_taken_back() -> None:
    strip = web(FRAMES)
    found, scales = aligned(Align(AlignmentSection()), inspections(strip, SCALES, SHIFTS))
    effective = scales * SCALES
    assert np.log(SCALES).std() > 0.2
    assert np.log(effective[FIRST_FRAMES:]).std() < 0.08
    levels = [float(np.median(depth.values)) for depth in found]
    assert np.std(levels) < 0.03 * strip.std()
    # What is published says how it was made of what the model gave.
    k = FRAMES - 1
    again = strip[k * (ROWS - OVERLAP) :] * SCALES[k] + SHIFTS[k]
    np.testing.assert_allclose(
        found[k].values[OVERLAP:], (again * found[k].scale + found[k].shift)[OVERLAP:], atol=1e-4
    )


def test_the_strip_has_no_step_and_does_not_drift() -> None:
    strip = web(FRAMES)
    raw, smooth = ContinuityMeter(), ContinuityMeter()
    items = list(inspections(strip, SCALES, SHIFTS))
    found, _ = aligned(Align(AlignmentSection()), items)
    for k, depth in enumerate(found):
        truth = strip[k * (ROWS - OVERLAP) :][:ROWS]
        given = items[k].depth
        assert given is not None
        raw.add(given, truth)
        smooth.add(depth, truth)
    before, after = raw.result(), smooth.result()
    assert before.paired_step > 3
    assert after.paired_step < 1.05
    assert after.drift < 0.01
    assert after.scale_drift is not None
    assert abs(after.scale_drift) < 0.05


def test_a_model_with_a_scale_of_its_own_keeps_it() -> None:
    items = inspections(web(FRAMES), ONES, 0.01 * SHIFTS, Convention.HEIGHT)
    found, scales = aligned(Align(AlignmentSection()), items)
    assert (scales == 1.0).all()
    levels = np.array([float(np.median(depth.values)) for depth in found])
    assert np.std(levels) < 0.5 * np.std(0.01 * SHIFTS)


def test_what_is_fitted_can_be_chosen() -> None:
    relative, own = Convention.DISPARITY, Convention.HEIGHT
    for fit, convention in (("shift", relative), ("scale-shift", own)):
        section = AlignmentSection(fit=fit)  # type: ignore[arg-type]
        _, scales = aligned(Align(section), inspections(web(FRAMES), SCALES, SHIFTS, convention))
        assert (scales == 1.0).all() == (fit == "shift")


def test_leading_rows_pass_from_the_frame_before_into_their_own() -> None:
    strip = np.zeros_like(web(3, relief=0.0))
    strip += np.arange(strip.shape[1], dtype=np.float32) * 0.01
    shifts = np.array([0.0, 0.0, 0.0])
    items = list(inspections(strip, np.ones(3), shifts, Convention.HEIGHT))
    bent = items[1]
    assert bent.depth is not None
    bent.depth.values[:OVERLAP] += 1.0  # a network bends at a frame's ends
    found, _ = aligned(Align(AlignmentSection()), items)
    leading = (found[1].values - strip[:ROWS])[:OVERLAP].mean(axis=1)
    turn = np.arange(1, OVERLAP + 1) / (OVERLAP + 1)
    offset = found[1].shift
    np.testing.assert_allclose(leading, np.sin(np.pi / 2 * turn) ** 2 * (1.0 + offset), atol=0.01)
    np.testing.assert_allclose(found[1].values[OVERLAP:], strip[OVERLAP:ROWS] + offset, atol=1e-5)


def test_flat_frames_hold_the_scale_and_are_less_sure() -> None:
    strip = web(FRAMES)
    strip[20 * (ROWS - OVERLAP) : 30 * (ROWS - OVERLAP) + ROWS] *= 1e-3
    found, scales = aligned(Align(AlignmentSection()), inspections(strip, ONES, SHIFTS))
    flat = slice(21, 30)
    assert np.unique(scales[flat]).size == 1
    sure = [depth.confidence for depth in found]
    assert all(a is not None and 0.0 <= a <= 1.0 for a in sure)
    assert np.all(np.diff(np.array(sure[flat], float)) < 0)
    assert sure[0] == 1.0


def test_lost_frames_do_not_break_the_scale() -> None:
    items = list(inspections(web(FRAMES), SCALES, SHIFTS))
    stage = Align(AlignmentSection())
    kept = [k for k in range(FRAMES) if k % 9 != 5]
    scales = []
    for k, item in enumerate(items):
        if k not in kept:
            loss = Loss(item.frame.first_line, 10, Cause.INFERENCE_FAILURE)
            assert list(stage.skip(loss)) == [loss]
            continue
        scales.append(aligned(stage, [item])[1][0])
    assert np.log(np.array(scales) * SCALES[kept])[FIRST_FRAMES:].std() < 0.1


def test_rows_that_are_not_valid_stay_unknown_and_spoil_nothing() -> None:
    items = list(inspections(web(12), SCALES[:12], SHIFTS[:12]))
    clean, _ = aligned(Align(AlignmentSection()), items)
    items[5] = without_rows(items[5], slice(40, ROWS))
    items[6] = without_rows(items[6], slice(0, 3))
    found, _ = aligned(Align(AlignmentSection()), items)
    assert np.isnan(found[5].values[40:]).all()
    assert np.isnan(found[6].values[:3]).all()
    assert np.isfinite(found[6].values[3:]).all()
    np.testing.assert_allclose(found[11].values, clean[11].values, rtol=0.1, atol=0.15)


def test_without_overlap_the_reference_alone_keeps_frames_together() -> None:
    strip = web(FRAMES)
    items = list(inspections(strip, SCALES, SHIFTS))[::2]  # every other: none share a row
    found, scales = aligned(Align(AlignmentSection()), items)
    assert np.log(scales * SCALES[::2])[FIRST_FRAMES:].std() < 0.1
    assert np.std([np.median(depth.values) for depth in found]) < 0.03 * strip.std()


def test_a_restored_stage_goes_on_bit_for_bit() -> None:
    items = list(inspections(web(20), SCALES[:20], SHIFTS[:20]))
    whole, _ = aligned(Align(AlignmentSection()), items)
    first = Align(AlignmentSection())
    aligned(first, items[:9])
    state = first.snapshot()
    aligned(first, items[9:14])  # what comes later does not change the snapshot
    second = Align(AlignmentSection())
    second.restore(state)
    rest, _ = aligned(second, items[9:])
    for a, b in zip(rest, whole[9:], strict=True):
        np.testing.assert_array_equal(a.values, b.values)


def test_a_stored_reference_brings_another_run_to_the_same_scale() -> None:
    first = Align(AlignmentSection())
    aligned(first, inspections(web(FRAMES), ONES, ZEROS))
    kept = first.reference
    assert kept is not None
    assert Reference.from_json(kept.to_json()) == kept
    other = inspections(web(FRAMES, seed=4), 1.5 * SCALES, SHIFTS + 7.0)
    found, scales = aligned(Align(AlignmentSection(), kept), other)
    assert np.mean(np.log(scales * 1.5 * SCALES)) == pytest.approx(0.0, abs=0.1)
    assert np.mean([np.median(depth.values) for depth in found]) == pytest.approx(0.0, abs=0.03)


def test_alone_each_frame_is_held_against_the_reference() -> None:
    first = Align(AlignmentSection())
    items = list(inspections(web(FRAMES), SCALES, SHIFTS))
    aligned(first, items)
    stage = Align(AlignmentSection(), first.reference, alone=True)
    once, _ = aligned(stage, [items[3]])
    again, _ = aligned(stage, [items[9], items[3]])
    np.testing.assert_array_equal(once[0].values, again[1].values)


def test_another_model_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    stage = Align(AlignmentSection())
    aligned(stage, inspections(web(FRAMES), SCALES, SHIFTS))
    other = list(inspections(web(3, seed=9), 10 * np.ones(3), np.zeros(3), sha256="b" * 64))
    found, scales = aligned(stage, other)
    assert "another model" in caplog.text
    assert scales[0] == 1.0
    given = other[0].depth
    assert given is not None
    np.testing.assert_array_equal(found[0].values, given.values)


def test_a_frame_full_of_a_part_does_not_pull_the_level() -> None:
    strip = web(FRAMES, relief=0.3)
    plate = slice(20 * (ROWS - OVERLAP), 22 * (ROWS - OVERLAP))
    strip[plate] += 4.0  # a plate over two frames, as high as sixty times the texture
    found, _ = aligned(Align(AlignmentSection()), inspections(strip, ONES, ZEROS))
    assert np.median(found[20].values) == pytest.approx(4.0, abs=0.4)
    assert np.median(found[30].values) == pytest.approx(0.0, abs=0.1)


def test_inspections_without_depth_pass() -> None:
    item = next(inspections(web(1), ONES[:1], ZEROS[:1]))
    bare = Inspection(item.frame)
    assert list(Align(AlignmentSection()).process(bare)) == [bare]


@pytest.mark.parametrize("convention", [Convention.HEIGHT, Convention.DISPARITY])
def test_frames_of_one_value_are_no_reference(convention: Convention) -> None:
    """The lens is closed for longer than a reference takes; then the web appears."""
    strip = web(FRAMES)
    closed = FIRST_FRAMES + 2
    strip[: closed * (ROWS - OVERLAP) + OVERLAP] = 1.1
    stage, noise = Align(AlignmentSection()), np.random.default_rng(2)
    sure = 0.0
    for k, item in enumerate(inspections(strip, ONES, ZEROS, convention)):
        assert item.depth is not None
        values = item.depth.values
        if k >= closed:
            values = values + noise.normal(0.0, 0.01, values.shape).astype(np.float32)
        (result,) = stage.process(replace(item, depth=replace(item.depth, values=values)))
        assert isinstance(result, Inspection)
        assert result.depth is not None
        sure = result.depth.confidence or 0.0
        assert (stage.reference is None) == (k < closed), k
    assert sure > 0.25
