"""``linescan calibrate height`` on the simulated web with the embedded model, and runs with it."""

from __future__ import annotations

import csv
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner, Result

from linescan.cli import app
from linescan.cli.exits import BAD_INPUT
from linescan.config import Config, RecordingSource, parse
from linescan.depth import read_card
from linescan.depth.calibration import HeightCalibration, load_height_calibration
from linescan.depth.calibration.height import save_height_calibration
from linescan.depth.calibration.points import Points
from linescan.depth.calibration.recorded import RecordedTruth
from linescan.errors import CalibrationError
from linescan.pipeline.calibration import scan_points
from linescan.pipeline.factory import build_pipeline
from linescan.recording import Recording
from linescan.records import Convention, Inspection
from linescan.segmentation import Segment
from linescan.simulation import SimulatedWeb, preset

WIDTH, LINES, SEED = 504, 976, 11
SETTINGS = ["frame.lines=504", "frame.overlap=32", "depth.backend=cpu", "publish.enabled=false"]
PROFILES, WRONG = 40, 0.2


def linescan(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def settings(*overrides: str, scan: Path) -> Config:
    return parse("", "test", [*SETTINGS, *overrides], source=RecordingSource(path=scan))


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan") / "web"
    result = linescan(
        "simulate", "--out", folder, "--width", WIDTH, "--lines", LINES, "--seed", SEED
    )
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def everywhere(scan: Path) -> Points:
    """The whole truth, in µm, and what the model says."""
    truth = Recording.open(scan).truth
    assert truth is not None
    return scan_points(settings(scan=scan), lambda _: RecordedTruth(truth, 1000.0)).points


@pytest.fixture(scope="module")
def profiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty lines across by a profiler that is wrong at one place in five, always too high."""
    rng = np.random.default_rng(5)
    web = SimulatedWeb(preset("mixed", seed=SEED, width=WIDTH))
    path = tmp_path_factory.mktemp("profiler") / "lines.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("line", "column", "height"))
        for line in np.sort(rng.choice(LINES, PROFILES, replace=False)).tolist():
            heights = web.lines(line, 1).height[0].astype(np.float64) * 1000.0
            heights[rng.random(WIDTH) < WRONG] += rng.uniform(100, 3000)
            rows.writerows((line, column, f"{h:.1f}") for column, h in enumerate(heights))
    return path


@pytest.fixture(scope="module")
def calibration(scan: Path, profiler: Path) -> Path:
    out = scan.parent / "height.json"
    chosen = [item for setting in SETTINGS for item in ("--set", setting)]
    result = linescan("calibrate", "height", scan, "--profiles", profiler, "--out", out, *chosen)
    assert result.exit_code == 0, result.output
    made = load_height_calibration(out)
    assert f"{out}: {made.id}, height in um for surface-tiny" in result.stdout
    for name in ("points:", "heights:", "curve:", "residual:", "uncertainty:", "start:"):
        assert name in result.stdout
    return out


def error(heights: npt.NDArray[Any], points: Points) -> float:
    return float(np.sqrt(np.mean((heights - points.truth) ** 2)))


def test_forty_lines_with_outliers_do_nearly_as_well_as_the_whole_truth(
    calibration: Path, everywhere: Points
) -> None:
    made = load_height_calibration(calibration)
    best = np.polyfit(everywhere.predicted, everywhere.truth, 1)
    least = error(best[0] * everywhere.predicted + best[1], everywhere)
    reached = error(made.heights(everywhere.predicted, everywhere.column), everywhere)
    assert reached <= 1.5 * least
    assert made.about["agreeing"] < 0.9 * made.about["points"]


def run(config: Config) -> list[Inspection]:
    found: list[Any] = []
    pipeline, _ = build_pipeline(config, on_result=found.append)
    assert pipeline.run().totals.balanced
    return [each for each in found if isinstance(each, Inspection)]


def test_a_run_gives_height_by_it(calibration: Path, scan: Path) -> None:
    made = load_height_calibration(calibration)
    plain = run(settings("alignment.reference=" + str(calibration), scan=scan))
    found = run(settings(f"calibration.height={calibration}", scan=scan))
    for before, after in zip(plain, found, strict=True):
        assert before.depth is not None
        assert after.depth is not None
        assert after.depth.unit == "um"
        assert after.depth.convention is Convention.HEIGHT
        assert after.calibration_id == made.id
        expected = made.apply(before.depth.values, before.depth.web)
        np.testing.assert_allclose(after.depth.values, expected, rtol=1e-4, atol=1e-3)
        assert before.segmentation is not None
        assert after.segmentation is not None
        # The model's noise floor is turned into µm too: the same objects are found.
        assert len(after.segmentation.objects) == len(before.segmentation.objects)
    assert any(len(each.segmentation.objects) for each in found if each.segmentation)


def test_pictures_become_height_too(calibration: Path, scan: Path, tmp_path: Path) -> None:
    web = SimulatedWeb(preset("mixed", seed=SEED, width=WIDTH))
    picture = tmp_path / "part.png"
    cv2.imwrite(str(picture), web.lines(0, WIDTH).pixels)
    chosen = [*SETTINGS, f"calibration.height={calibration}"]
    options = [item for setting in chosen for item in ("--set", setting)]
    result = linescan("image", picture, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), web.lines(0, 252).pixels[:, :252])
    result = linescan("image", small, "--out", tmp_path / "out", *options)
    assert result.exit_code != 0
    assert "camera pixels per value" in result.output


def test_another_models_calibration_is_refused_unless_told_otherwise(
    calibration: Path, scan: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = load_height_calibration(calibration)
    path = tmp_path / "other.json"
    save_height_calibration(replace(made, sha256="0" * 64), path)
    with pytest.raises(CalibrationError, match=r"'calibration.height'.*other_model: true"):
        build_pipeline(settings(f"calibration.height={path}", scan=scan))
    chosen = (f"calibration.height={path}", "calibration.other_model=true")
    with caplog.at_level(logging.WARNING):
        pipeline, _ = build_pipeline(settings(*chosen, scan=scan))
    assert "used all the same" in caplog.text
    pipeline.stop("test")
    stored = json.loads(calibration.read_text(encoding="utf-8"))
    stored["reference"]["sha256"] = "0" * 64
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"'alignment.reference'.*another model"):
        build_pipeline(settings(f"alignment.reference={path}", scan=scan))


def test_the_noise_floor_is_in_the_unit_of_the_heights(calibration: Path, scan: Path) -> None:
    from linescan.pipeline.factory import processing_stages
    from linescan.sources import SourceInfo

    made: HeightCalibration = load_height_calibration(calibration)
    config = settings(f"calibration.height={calibration}", scan=scan)
    (segment,) = (
        stage
        for stage in processing_stages(config, SourceInfo("test", WIDTH))
        if isinstance(stage, Segment)
    )
    floor = segment._section.threshold.floor
    assert floor == pytest.approx(made.curve.scale * read_card("surface-tiny").noise_floor)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "give one of --map"),
        (["--truth", "--map", "a.npy"], "give one of --map"),
        (["--map", "none.npy"], "none.npy: no such file"),
        (["--map", "none.npy", "--map-step", "0", "1"], "expected two above 0"),
        (["--map", "none.npy", "--map-at", "nan", "0"], "expected a line and a column"),
        (["--profiles", "{empty}"], "0 measured places"),
        (["--truth", "--map-at", "3", "4"], "--map-at 3.0 4.0: belongs to --map"),
        (["--profiles", "{empty}", "--map-step", "2", "2"], "--map-step 2.0 2.0: belongs to --map"),
    ],
)
def test_what_cannot_be_used_is_said(
    options: list[str], text: str, scan: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("line,column,height\n", encoding="utf-8")
    chosen = [item for setting in SETTINGS for item in ("--set", setting)]
    given = [each.format(empty=empty) for each in options]
    result = linescan("calibrate", "height", scan, "--out", tmp_path / "h.json", *given, *chosen)
    assert result.exit_code == BAD_INPUT
    assert text in result.output
    assert not (tmp_path / "h.json").exists()


def test_flat_data_is_refused_and_a_file_is_not_replaced(scan: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(LINES // 4, WIDTH // 4))
    np.save(tmp_path / "flat.npy", noise)
    out = tmp_path / "h.json"
    chosen = [item for setting in SETTINGS for item in ("--set", setting)]
    result = linescan(
        "calibrate", "height", scan, "--map", tmp_path / "flat.npy", "--out", out, *chosen
    )
    assert result.exit_code == BAD_INPUT
    assert "no slope" in result.output or "not written" in result.output
    assert not out.exists()
    out.write_text("mine", encoding="utf-8")
    result = linescan("calibrate", "height", scan, "--truth", "--out", out, *chosen)
    assert "--overwrite" in result.output
    assert out.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("place", "text"), [("file/h.json", "is no folder"), ("folder", "is a folder")]
)
def test_what_cannot_be_written_is_refused_before_the_work(
    place: str, text: str, scan: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    out = tmp_path / place
    chosen = [item for setting in SETTINGS for item in ("--set", setting)]
    result = linescan("calibrate", "height", scan, "--truth", "--overwrite", "--out", out, *chosen)
    assert result.exit_code == BAD_INPUT
    assert text in result.output
    assert "points:" not in result.output
