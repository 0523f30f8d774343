"""The belt is learned from what is not object, holds, and follows what really changes."""

import dataclasses

import numpy as np
import pytest

from linescan.config import SegmentationSection
from linescan.records import DepthMap, FloatArray, Segmentation, WebMap
from linescan.segmentation import Segmenter
from linescan.segmentation.belt import START_FRAMES
from tests.segmentation.frames import depth_map

ROWS, COLUMNS = 96, 120
SAG = (3 * np.linspace(-1, 1, COLUMNS) ** 2 + 40).astype(np.float32)
NOISE = 0.1


class Line:
    """Frames of a belt, one after the other, without overlap."""

    def __init__(
        self, *, memory_lines: int = 2000, aligned: bool = False, **threshold: object
    ) -> None:
        section = {
            "background": "belt",
            "belt": {"memory_lines": memory_lines},
            "threshold": {"method": "belt", "k": 6, "floor": 0.0} | threshold,
        }
        checked = SegmentationSection.model_validate(section)
        self.segmenter = Segmenter(checked, aligned=aligned)
        self.rng = np.random.default_rng(3)
        self.line = 0

    def depth(
        self, above: FloatArray | float, *, unit: str = "um", noise: float = NOISE
    ) -> DepthMap:
        values = SAG + above + self.rng.normal(0, noise, (ROWS, COLUMNS))
        web = WebMap(self.line, 1.0, 0.0, 1.0)
        self.line += ROWS
        depth = depth_map(values.astype(np.float32), web=web)
        return dataclasses.replace(depth, unit=unit)

    def take(self, above: FloatArray | float, **more: object) -> Segmentation:
        return self.segmenter.take(self.depth(above, **more))  # type: ignore[arg-type]

    def empty(self, frames: int) -> None:
        for _ in range(frames):
            assert not self.take(0.0).objects

    @property
    def noise(self) -> float:
        state = self.segmenter.state.belt
        assert state is not None
        return state.noise


def part(rows: slice, columns: slice, height: float) -> FloatArray:
    above = np.zeros((ROWS, COLUMNS), np.float32)
    above[rows, columns] = height
    return above


ALMOST_ALL = part(slice(0, ROWS), slice(6, COLUMNS - 4), 5.0)


def share_right(found: Segmentation, above: FloatArray) -> float:
    """Share of pixels that are rightly object or belt."""
    return float(((found.labels > 0) == (above > 0)).mean())


def test_an_empty_belt_has_no_objects_and_its_noise_is_known() -> None:
    line = Line()
    line.empty(40)
    assert line.noise == pytest.approx(NOISE, rel=0.05)


@pytest.mark.parametrize("unit", ["um", "relative"])
def test_holds_while_frames_are_mostly_object(unit: str) -> None:
    """A single frame's own median would lie on the object."""
    line = Line()
    for _ in range(START_FRAMES + 2):
        line.take(0.0, unit=unit)
    for _ in range(6):
        found = line.take(ALMOST_ALL, unit=unit)
        assert share_right(found, ALMOST_ALL) > 0.99
        (thing,) = found.objects
        assert thing.mean_height == pytest.approx(5.0, abs=0.05)
    assert not line.take(0.0, unit=unit).objects


def test_holds_where_no_belt_shows_at_all() -> None:
    line = Line()
    line.empty(START_FRAMES + 2)
    found = line.take(5.0)
    assert (found.labels > 0).mean() > 0.99
    line.empty(3)


def test_first_frames_full_of_objects() -> None:
    """What a column mostly is in the first frames is the belt, though none of them is empty."""
    line = Line()
    for n in range(START_FRAMES):
        line.take(part(slice(0, ROWS), slice(12 * n, 12 * n + 40), 5.0))
    line.empty(3)
    above = part(slice(20, 60), slice(30, 70), 5.0)
    assert share_right(line.take(above), above) > 0.99


def test_wrong_first_frames_are_forgotten() -> None:
    """A part lay still on the belt at the start; after a time constant its hollow is gone."""
    line = Line(memory_lines=1000)
    still = part(slice(0, ROWS), slice(8, 112), 5.0)
    for _ in range(START_FRAMES):
        line.take(still)
    found = line.take(0.0)
    assert found.objects
    assert found.objects[0].mean_height == pytest.approx(-5, abs=0.2)
    for _ in range(-(-1000 // ROWS) + 1):
        line.take(0.0)
    line.empty(3)


def test_follows_a_slow_drift_of_the_level_and_the_noise() -> None:
    line = Line(memory_lines=1000)
    line.empty(START_FRAMES + 2)
    bump = (np.arange(COLUMNS) > 60).astype(np.float32)
    for n in range(100):
        assert not line.take(bump * 0.02 * n).objects
    found = line.take(bump * 2.0 + part(slice(20, 60), slice(30, 70), 5.0))
    assert len(found.objects) == 1
    for n in range(60):
        line.take(bump * 2.0, noise=NOISE * (1 + min(n, 40) / 40))
    assert line.noise == pytest.approx(2 * NOISE, rel=0.15)


@pytest.mark.parametrize("shift", [0.0, 30.0, -7.0])
def test_relative_depth_may_shift_and_tilt_from_frame_to_frame(shift: float) -> None:
    line = Line()
    tilt = np.linspace(-1, 1, ROWS)[:, None].astype(np.float32)
    above = part(slice(20, 60), slice(30, 70), 5.0)
    for n in range(START_FRAMES + 6):
        found = line.take(above + shift * (n % 3) + shift / 10 * (n % 2) * tilt, unit="relative")
    assert share_right(found, above) > 0.99


@pytest.mark.parametrize("aligned", [True, False])
def test_the_confidence_of_tiles_does_not_make_frames_alike(aligned: bool) -> None:
    """Where nothing aligned them a frame that lies higher is a shifted one, else all object."""
    line = Line(aligned=aligned)
    for _ in range(START_FRAMES + 2):
        line.take(0.0, unit="relative")
    shifted = dataclasses.replace(line.depth(5.0, unit="relative"), confidence=0.9)
    assert bool(line.segmenter.take(shifted).objects) == aligned


def test_thresholds_are_those_of_the_belts_noise() -> None:
    """Of this frame alone they would rise with the objects on it."""
    line = Line()
    line.empty(START_FRAMES + 20)
    found = line.take(ALMOST_ALL)
    assert found.thresholds["raised"] == pytest.approx(6 * NOISE, rel=0.05)
    assert found.thresholds["raised_low"] == pytest.approx(3 * NOISE, rel=0.05)


def test_goes_on_from_what_was_remembered() -> None:
    here, there = Line(), Line()
    for n in range(START_FRAMES + 4):
        frame = here.depth(part(slice(20, 60), slice(5 * n, 5 * n + 30), 5.0))
        there.segmenter.state = here.segmenter.state
        one, other = here.segmenter.take(frame), there.segmenter.take(frame)
        assert np.array_equal(one.labels, other.labels)
        assert (one.objects, one.thresholds) == (other.objects, other.thresholds)


def test_fixed_heights() -> None:
    """Hysteresis between two heights in the unit of the depth map, whatever the noise."""
    line = Line(method="height", high=2.0, low=0.5, k=6, floor="auto")
    line.empty(2)
    above = part(slice(20, 60), slice(30, 70), 1.0) + part(slice(30, 40), slice(40, 50), 2.0)
    above += part(slice(70, 90), slice(80, 100), 1.5)
    found = line.take(above)
    assert dict(found.thresholds) | {"noise": 0} == {
        "noise": 0, "raised": 2.0, "raised_low": 0.5, "sunk": -2.0, "sunk_low": -0.5
    }  # fmt: skip
    (thing,) = found.objects
    assert (thing.first_column, thing.column_count, thing.line_count) == (30, 40, 40)
