"""``linescan camera``: on the producer that comes with the GenICam library."""

from __future__ import annotations

from pathlib import Path

import cv2
import genicam
import pytest
from typer.testing import CliRunner, Result

from linescan.cli import app
from tests.compilers import needs_compiler

PRODUCER = next(Path(str(genicam.__file__)).parent.rglob("*.cti"))
ROOT = Path(__file__).resolve().parents[2]


def camera(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["camera", *map(str, arguments)])


def test_cameras_are_listed_with_what_the_configuration_takes() -> None:
    result = camera("list", PRODUCER)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["index", "vendor", "model", "serial", "user_name", "access"]
    assert [line[0] for line in lines[1:]] == ["0", "1", "2"]
    assert all("Viky" in line and line[-1] == "free" for line in lines[1:])


def test_a_producer_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("local.cti").symlink_to(PRODUCER)
    result = camera("list", "local.cti")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("Viky") == 3


def test_features_are_found_by_name_with_what_they_take() -> None:
    result = camera("features", PRODUCER, "--search", "width")
    assert result.exit_code == 0, result.output
    assert "Width = 400  [read and write, integer]\n    takes 100 to 800" in result.stdout
    assert "PixelFormat" not in result.stdout
    everything = camera("features", PRODUCER, "--set", 'source.device.serial="1"').stdout
    assert "PixelFormat = RGBa8  [read and write, enumeration]" in everything
    assert "takes RGBa8, Mono8" in everything


def test_a_snapshot_is_a_picture_of_lines(tmp_path: Path) -> None:
    out = tmp_path / "now.png"
    result = camera("snapshot", PRODUCER, "--out", out, "--lines", 300, "--set", "source.width=320")
    assert result.exit_code == 0, result.output
    assert f"{out}: 300 lines of 320 pixels" in result.stdout
    picture = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (300, 320)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "/missing/vendor.cti"), "/missing/vendor.cti: no such GenTL producer"),
        (("features", PRODUCER, "--search", "flux"), "no feature with 'flux' in its name"),
        (("features", PRODUCER, "--set", 'source.device.serial="9"'), "no camera with serial 9"),
        (("list", ROOT / "configs" / "demo.yaml"), "its source is recording, not a camera"),
        (("snapshot", PRODUCER, "--set", "source.gain=3"), "the camera has no feature Gain"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[object, ...], said: str) -> None:
    result = camera(*arguments)
    assert result.exit_code == 2
    text = " ".join(result.output.split())
    assert said in text
    assert "Traceback" not in text


@needs_compiler
def test_the_virtual_camera_is_a_camera_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "virtual.yaml"
    file.write_text(
        "source:\n  type: genicam\n  producer: linescan-virtual.cti\n"
        "  block_lines: 64\n  line_rate_hz: 5000\n"
        "  virtual: {width: 128, lines: 500}\n"
    )
    assert "linescan" in camera("list", file).stdout
    rates = camera("features", file, "--search", "linerate").stdout
    assert "AcquisitionLineRate = 5000.0 Hz  [read and write, float]" in rates
    assert "takes 1.0 to 1000000.0 Hz" in rates
    out = tmp_path / "now.png"
    result = camera("snapshot", file, "--out", out, "--lines", 200)
    assert f"{out}: 200 lines of 128 pixels" in result.output
