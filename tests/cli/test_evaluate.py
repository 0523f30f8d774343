"""``linescan evaluate`` as users run it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linescan.cli import app
from tests.cli.conftest import Result, Start
from tests.depth.onnx_files import write_model
from tests.evaluation.pairs import write_pairs

Run = Callable[..., Result]


def test_a_recording_is_judged_end_to_end(linescan: Run, recording: Path, tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.json", tmp_path / "page.html"
    result = linescan(
        *("evaluate", recording, "-m", "surface-tiny", "-m", "baseline:flat"),
        *("--align", "calibrated", "--frames", "4", "--backend", "cpu", "--size", "126x126"),
        *("--json", figures, "--html", page),
    )
    assert result.code == 0, result.err
    assert "alignment: calibrated" in result.out
    assert "over the best baseline" in result.out
    mine, flat = json.loads(figures.read_text())["results"]
    assert (mine["model"]["name"], mine["model"]["engine"]) == ("surface-tiny", "cpu-fp32")
    assert mine["frames_judged"] == flat["frames_judged"] == 3
    assert mine["alignment"]["unit"] == "px"
    for key in ("rmse_over_sigma", "seam_step", "flicker", "drift", "mask_iou", "object_recall"):
        assert mine["figures"][key] is not None, (key, mine["absent"])
    assert mine["figures"]["mask_iou"] > flat["figures"]["mask_iou"]
    assert mine["over_best_baseline"] < 1
    assert page.read_text(encoding="utf-8").count("data:image/jpeg") == 2 * 3 * 5


def test_pairs_are_judged_at_their_own_aspect(tmp_path: Path) -> None:
    model = write_model(tmp_path / "any.onnx")
    pairs = write_pairs(tmp_path / "pairs", 2)
    figures = tmp_path / "figures.json"
    options = ["-m", str(model), "--backend", "cpu", "--json", str(figures), "--level"]
    result = CliRunner().invoke(app, ["evaluate", str(pairs), *options])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(figures.read_text())["results"]
    assert found["data_set"]["unit"] == "um"
    assert "the best plane taken off" in found["data_set"]["about"]
    assert found["figures"]["rmse_over_sigma"] < 0.5
    assert "does not say where objects are" in found["absent"]["mask_iou"]


def test_settings_come_from_a_file_that_need_not_have_a_source(tmp_path: Path) -> None:
    model = write_model(tmp_path / "any.onnx")
    settings = tmp_path / "line.yaml"
    settings.write_text(f"depth: {{model: {model}}}\n", encoding="utf-8")
    pairs = write_pairs(tmp_path / "pairs", 1)
    options = ["-c", str(settings), "--backend", "cpu"]
    result = CliRunner().invoke(app, ["evaluate", str(pairs), *options])
    assert result.exit_code == 0, result.output
    assert "handmade (scale-shift)" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no/such",), "no/such: no such data set"),
        (("simulated:none",), "expected simulated:NAME"),
        (("simulated:print", "--align", "best"), "--align best: expected none, scale-shift"),
        (("simulated:print", "--size", "250"), "--size 250: expected two sides"),
        (("simulated:print", "--size", "250x250"), "multiple of 14"),
        (("simulated:print", "--precision", "fp8"), "depth.precision"),
        (("simulated:print", "-m", "baseline:none"), "expected baseline:flat"),
        (("simulated:print", "-m", "nothing"), "unknown depth model 'nothing'"),
        (("simulated:print", "--json", "no/folder/x.json"), "its folder does not exist"),
        (("simulated:print", "--json", "/dev/null/x.json"), "is no folder"),
        (("simulated:print", "--level"), "--level: belongs to folders of pairs"),
        (("simulated:print", "--pitch", "0.1"), "--pitch: belongs to folders of pairs"),
        (("simulated:print", "--set", "depth.precision=fp8"), "depth.precision=fp8"),
        (
            ("simulated:print", "--align", "calibrated", "--calibration", "none.json"),
            "none.json: no such file",
        ),
        (("lit:a_height_mm.npy",), "light needs slopes"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["evaluate", *arguments], env={"COLUMNS": "300"})
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_an_interrupt_is_no_failure(start: Start) -> None:
    process = start("evaluate", "simulated:held-out", "--backend", "cpu", "-m", "surface-tiny")
    assert process.stderr is not None
    for line in process.stderr:  # the engine is there: the first frame is on its way
        if "runs on cpu-fp32" in line:
            break
    process.send_signal(signal.SIGINT)
    result = Result(process)
    assert result.code == 130
    assert "interrupted" in result.err
    assert "Traceback" not in result.err


def test_precision_is_fp32_unless_it_is_said() -> None:
    from linescan.cli.evaluate import _settings

    assert _settings(None, [], None, None, None).depth.precision == "fp32"
    assert _settings(None, ["depth.precision=bf16"], None, None, None).depth.precision == "bf16"
    assert _settings(None, ["depth.precision=bf16"], None, "auto", None).depth.precision == "auto"
