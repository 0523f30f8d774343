"""``linescan calibrate flat-field``, and a run with what it made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from linescan.cli import app
from linescan.config import parse
from linescan.correction.flat_field import load_flat_field
from linescan.pipeline.factory import build_pipeline
from linescan.records import Inspection

WIDTH = 96
RNG = np.random.default_rng(2)
ANSWER = 1 + 0.03 * RNG.standard_normal(WIDTH)
OFFSET = np.linspace(2, 6, WIDTH)


def image(path: Path, light: float, *, dtype: Any = np.uint8, width: int = WIDTH) -> Path:
    """A picture of an evenly lit target, as the uneven camera sees it."""
    full = np.iinfo(dtype).max
    noise = np.random.default_rng(4).standard_normal((400, width))
    level = light * full * ANSWER[:width] + OFFSET[:width] * full / 255
    cv2.imwrite(str(path), np.clip(np.rint(level + noise), 0, full).astype(dtype))
    return path


@pytest.fixture
def white(tmp_path: Path) -> Path:
    return image(tmp_path / "white.png", 0.7)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    return image(tmp_path / "dark.png", 0.0)


def calibrate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", "flat-field", *map(str, arguments)])


def test_a_reference_is_made_and_used(white: Path, dark: Path, tmp_path: Path) -> None:
    out = tmp_path / "calibration" / "flat.npz"
    result = calibrate("--white", white, "--dark", dark, "--out", out)
    assert result.exit_code == 0, result.output
    made = load_flat_field(out)
    assert f"{out}: {made.id}, 96 columns of 8 bits" in result.stdout
    for name in ("DSNU:", "PRNU:", "white level:", "dark level:", "gain:", "light:"):
        assert name in result.stdout
    assert made.about["white_lines"] == 400
    results: list[Any] = []
    text = f"""
source: {{type: images, path: {image(tmp_path / "gray.png", 0.3)}}}
correction: {{flat_field: calibration/flat.npz}}
frame: {{lines: 400, overlap: 0}}
depth: {{enabled: false}}
publish: {{enabled: false}}
"""
    config = parse(text, "test", folder=tmp_path)
    pipeline, _ = build_pipeline(config, on_result=results.append)
    outcome = pipeline.run()
    assert outcome.totals.balanced
    assert outcome.totals.published == 400
    assert "correct" in outcome.latencies
    (inspection,) = results
    assert isinstance(inspection, Inspection)
    columns = inspection.frame.pixels.mean(axis=0)
    assert columns.std() / columns.mean() < 0.005
    assert inspection.frame.flat_field == made.id


def test_problems_are_refused_unless_forced(white: Path, dark: Path, tmp_path: Path) -> None:
    out = tmp_path / "flat.npz"
    dim = image(tmp_path / "dim.png", 0.1)
    result = calibrate("--white", dim, "--dark", dark, "--out", out)
    assert result.exit_code == 2
    assert "problem: too little light" in result.stderr
    assert f"error: {out}: not written; put this right" in result.stderr
    assert "Traceback" not in result.output
    assert not out.exists()
    result = calibrate("--white", dim, "--dark", dark, "--out", out, "--force")
    assert result.exit_code == 0
    assert out.exists()


def test_a_file_that_is_there_is_kept(white: Path, tmp_path: Path) -> None:
    out = tmp_path / "flat.npz"
    out.write_text("mine")
    result = calibrate("--white", white, "--out", out)
    assert (result.exit_code, out.read_text()) == (2, "mine")
    assert "--overwrite replaces it" in result.stderr
    result = calibrate("--white", white, "--out", out, "--overwrite")
    assert result.exit_code == 0
    assert "warning: no dark reference" in result.stderr
    assert load_flat_field(out).width == WIDTH


def test_too_few_lines_are_named(white: Path, dark: Path, tmp_path: Path) -> None:
    result = calibrate(
        "--white", white, "--dark", dark, "--out", tmp_path / "flat.npz", "--lines", 50
    )
    assert result.exit_code == 2
    assert "the white reference has 50 lines, too few" in result.stderr


@pytest.mark.parametrize(("dtype", "width"), [(np.uint8, 64), (np.uint16, WIDTH)])
def test_a_run_with_a_reference_for_other_lines_is_refused(
    white: Path, dark: Path, tmp_path: Path, dtype: Any, width: int
) -> None:
    out = tmp_path / "flat.npz"
    assert calibrate("--white", white, "--dark", dark, "--out", out).exit_code == 0
    other = image(tmp_path / "other.png", 0.5, dtype=dtype, width=width)
    settings = (f"correction.flat_field={out}", "publish.enabled=false")
    overrides = [word for setting in settings for word in ("--set", setting)]
    result = subprocess.run(
        [sys.executable, "-m", "linescan", "replay", str(other), *overrides],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    bits = 8 * np.dtype(dtype).itemsize
    assert f"for 96 pixels of 8 bits, the lines have {width} pixels of {bits}" in result.stderr
    assert "Traceback" not in result.stderr


def test_sources_of_configurations_are_read(white: Path, dark: Path, tmp_path: Path) -> None:
    camera = tmp_path / "camera.yaml"
    camera.write_text(f"source: {{type: images, path: {white}, block_lines: 70}}")
    out = tmp_path / "flat.npz"
    arguments = ("--white", camera, "--dark", dark, "--out", out, "--lines", 300)
    result = calibrate(*arguments)
    assert result.exit_code == 0, result.output
    assert "300 white, 300 dark" in result.stdout
    assert calibrate(*arguments, "--overwrite", "--level", "nan").exit_code == 2
    assert calibrate(*arguments, "--overwrite", "--level", "150").exit_code == 0
    assert load_flat_field(out).about["level"] == 150


def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    result = calibrate("--white", tmp_path / "none", "--out", tmp_path / "flat.npz")
    assert result.exit_code == 2
    assert "no such recording, folder of images or image" in result.stderr
