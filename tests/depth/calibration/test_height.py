"""The calibration's file, what it refuses, and the stage that applies it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linescan.depth.calibration import load_height_calibration
from linescan.depth.calibration.curve import Across, Curve
from linescan.depth.calibration.height import HeightCalibration, save_height_calibration
from linescan.depth.calibration.stage import Calibrate
from linescan.errors import CalibrationError
from linescan.records import Convention, Frame, Inspection
from tests.depth.calibration.places import depth

KNOTS = np.array([[0.0, 0.0], [0.5, 60.0], [1.0, 400.0]])
MADE = HeightCalibration(
    model="surface-tiny",
    sha256="ab" * 32,
    unit="um",
    curve=Curve(400.0, -20.0, np.empty((0, 2))),
    across=None,
    width=60,
    steps=(2.0, 2.0),
    range=(-50.0, 400.0),
    created="2026-11-01T12:00:00Z",
    uncertainty={"residual_sigma": 3.0},
    reference={"level": 0.0},
    about={"scan": "test"},
)
FULL = replace(MADE, curve=Curve(400.0, -20.0, KNOTS), across=Across(60, (0.1, -0.2), (0.0, 0.05)))


@pytest.mark.parametrize("made", [MADE, FULL])
def test_what_is_written_is_read_again(made: HeightCalibration, tmp_path: Path) -> None:
    path = tmp_path / "new" / "h.json"
    save_height_calibration(made, path)
    again = load_height_calibration(path)
    assert again.id == made.id
    values = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    np.testing.assert_array_equal(
        again.apply(values, depth(values).web), made.apply(values, depth(values).web)
    )
    assert [each.name for each in path.parent.iterdir()] == ["h.json"]


def test_its_name_is_made_of_all_that_it_holds() -> None:
    others = [replace(MADE, unit="mm"), replace(MADE, range=(0.0, 1.0)), replace(MADE, width=61)]
    assert len({made.id for made in (MADE, FULL, *others)}) == 5


def test_a_curve_goes_through_its_knots_and_on_as_the_line() -> None:
    curve = Curve(400.0, -20.0, KNOTS)
    np.testing.assert_allclose(curve(KNOTS[:, 0]), KNOTS[:, 1], atol=0.05)
    np.testing.assert_allclose(curve(np.array([2.0, -1.0])), [800.0, -400.0])
    assert np.isnan(curve(np.array([np.nan]))).all()


def damage(path: Path, **fields: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **fields}), encoding="utf-8")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"unit": "mm"}, "damaged or was changed"),
        ({"unit": "inch"}, "damaged"),
        ({"version": 2}, "format version 2"),
        ({"format": "other"}, "not a calibration of height"),
        ({"curve": {}}, "damaged"),
        ({"steps": [1]}, "damaged"),
        ({"range": ["a", 2]}, "damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    fields: dict[str, Any], text: str, tmp_path: Path
) -> None:
    path = tmp_path / "h.json"
    save_height_calibration(MADE, path)
    damage(path, **fields)
    with pytest.raises(CalibrationError, match=text):
        load_height_calibration(path)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no such calibration"):
        load_height_calibration(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(CalibrationError, match="not a calibration that can be read"):
        load_height_calibration(tmp_path / "bad.json")


def test_another_model_or_resolution_is_refused() -> None:
    MADE.check_fits("ab" * 32, (2.0, 2.05), "it")
    with pytest.raises(CalibrationError, match=r"it: made with the model surface-tiny .abab"):
        MADE.check_fits("cd" * 32, (2.0, 2.0), "it")
    with pytest.raises(CalibrationError, match=r"2 x 2 camera pixels .* 4 x 2"):
        MADE.check_fits("ab" * 32, (4.0, 2.0), "it")


def inspection(values: np.ndarray[Any, np.dtype[np.float32]], line: int = 0) -> Inspection:
    frame = Frame(np.zeros((40, 60), np.uint8), line, np.ones(40, np.bool_), 0, 0)
    return Inspection(frame, depth(values))


def test_the_stage_gives_height_and_says_by_what() -> None:
    values = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    values[3] = np.nan
    (made,) = Calibrate(MADE, Path("h.json")).process(inspection(values))
    assert isinstance(made, Inspection)
    assert made.depth is not None
    np.testing.assert_allclose(made.depth.values, values * 400 - 20, rtol=1e-5)
    assert (made.depth.unit, made.depth.convention) == ("um", Convention.HEIGHT)
    assert made.calibration_id == MADE.id
    # Of the model's output, which had 2·output + 1 before.
    assert (made.depth.scale, made.depth.shift) == (800.0, 380.0)
    assert made.depth.confidence == 0.9


def test_inspections_without_depth_pass() -> None:
    item = replace(inspection(np.zeros((20, 30), np.float32)), depth=None)
    assert list(Calibrate(MADE, Path("h.json")).process(item)) == [item]


def test_heights_beyond_the_range_are_counted_and_warned_of_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    stage = Calibrate(MADE, Path("h.json"), clock=lambda: now[0])
    within = np.full((20, 30), 0.5, np.float32)
    beyond = within.copy()
    beyond[:5] = 1.3
    single = within.copy()
    single[0, 0] = 9.0
    with caplog.at_level(logging.WARNING):
        for values in (within, single):
            list(stage.process(inspection(values)))
        assert not caplog.records
        for _ in range(5):
            list(stage.process(inspection(beyond, 7)))
            now[0] += 20.0
    assert len(caplog.records) == 2
    assert "line 7: 25.0 % of the frame is beyond the -50 to 400 um" in caplog.text
    assert stage.partial_failures == {"out_of_range": 5}
